"""The stage that asks a teacher: problems sampled, read, proved and repaired as the recipe says.

In: problems of a subset whose writers need a teacher. Out: all rationales that came, right or
wrong, in upstream's order, and every reply that holds none, with its reason. Calls are kept by
content in the ledger `calls`, so that walking the same way again costs nothing; a stage in which a
call could not be answered for now is run again by the next build, which asks that call again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curator.checks import Candidate
from curator.core import arrow
from curator.core.model import Kind, Problem, Quarantined, Rationale, Verdict
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.check import verify_params
from curator.pipeline.stages.read import each_problem
from curator.pipeline.stages.write import numbered
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.schema import SelfInstruct, Subset
from curator.teacher import Call, Sampling
from curator.writers import WRITERS, build_instruction
from curator.writers.instruction import choices_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from datastore.memo import Outputs

LONGEST_REPLY = 10_000
"""Characters that are kept of a reply without a rationale; the ledger has it whole."""
LONGEST_ERROR = 1_000


@dataclass(slots=True)
class Generated:
    """What a teacher wrote for one problem."""

    problem: Problem
    rationales: list[Rationale] = field(default_factory=list)
    unread: list[Quarantined] = field(default_factory=list)
    """Replies without a rationale, and calls that failed."""
    calls: int = 0
    unanswered: int = 0
    """Calls that failed for now."""
    repaired: int = 0
    replayed: int = 0
    """Calls that a replay server answered."""


def generate(context: BuildContext, name: str, subset: Subset, problems: Sequence[str]) -> Outputs:
    """Objects `rationales` and `replies` (those without a rationale) of a subset.

    Counts: problems, without, rationales, calls, unanswered, repaired, replayed. Raises
    BudgetReached and TeacherError; what was answered by then is kept.
    """
    teacher_session = context.teacher_session
    assert teacher_session, "a recipe without a teacher has no such stage"
    sampling = sampling_of(context, subset)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts: Counter[str] = Counter(
            problems=0, without=0, rationales=0, calls=0, unanswered=0, repaired=0, replayed=0
        )
        unread: list[Quarantined] = []
        made = _taught(context, name, subset, problems, unread, counts)
        batches = arrow.to_batches(numbered(made), arrow.RATIONALES)
        objects = {"rationales": context.store.objects.write(batches, arrow.RATIONALES)}
        replies = arrow.to_batches(unread, arrow.QUARANTINE)
        objects["replies"] = context.store.objects.write(replies, arrow.QUARANTINE)
        return objects, dict(counts)

    params = {"kind": subset.kind, "writers": list(subset.writers)} | request_identity(
        teacher_session, subset, sampling
    )
    if judged(sampling):
        params |= verify_params(context, subset)
    code = (
        "curator.writers",
        "curator.answers",
        __name__,
        "curator.teacher.response",
    )
    return context.once(Stage("teach", code), params, problems, make, name, unfinished)


def sampling_of(context: BuildContext, subset: Subset) -> Sampling:
    """How often a subset's problems are asked about."""
    return subset.sampling or context.recipe.sampling


def unfinished(outputs: Outputs) -> bool:
    """Whether a stage left calls that may be answered another time."""
    return outputs.counts["unanswered"] > 0


def judged(sampling: Sampling) -> bool:
    """Whether what is asked hangs on what was proved before."""
    return sampling.until is not None or sampling.repair


def request_identity(
    teacher_session: TeacherSession, subset: Subset, sampling: Sampling
) -> dict[str, Any]:
    """All that decides what a teacher is asked about a problem: model, parameters, prompts."""
    names = {prompt_of(name, subset.kind) for name in subset.writers if WRITERS[name].teacher}
    prompts = teacher_session.prompts(sampling)
    if isinstance(subset.source, SelfInstruct):
        names |= {"question", "cot", "pot"}
    if sampling.repair:
        names.add("repair")
    settings = teacher_session.settings
    return {
        "family": settings.family,
        "model": settings.model,
        "parameters": settings.parameters,
        "sampling": sampling.model_dump(exclude={"prompts"}),
        "prompts": {name: prompts.digest(name) for name in sorted(names)},
    }


def prompt_of(writer: str, kind: Kind) -> str:
    """The prompt by which a writer asks: new problems are answered as all others are."""
    return kind.lower() if writer == "self_instruct" else writer


def _taught(
    context: BuildContext,
    name: str,
    subset: Subset,
    problems: Sequence[str],
    unread: list[Quarantined],
    counts: Counter[str],
) -> Iterator[Rationale]:
    """All rationales in order: of each problem those that need no teacher first."""
    teacher_session = context.teacher_session
    assert teacher_session
    solver = Solver(teacher_session, subset, sampling_of(context, subset))
    plain = [WRITERS[writer] for writer in subset.writers if not WRITERS[writer].teacher]
    total = sum(context.store.objects.rows(digest) for digest in problems)
    records = _firsts(each_problem(context, problems))
    for taught, first in teacher_session.each(records, solver.solve, f"asking for {name}", total):
        problem, own = taught.problem, list[Rationale]()
        for writer in plain:
            assert writer.write is not None
            own += writer.write(problem, subset.kind)
        own += taught.rationales
        unread += taught.unread
        counts.update(f"unread: {each.reason}" for each in taught.unread)
        for key in ("calls", "unanswered", "repaired", "replayed"):
            counts[key] += getattr(taught, key)
        counts["problems"] += first
        counts["rationales"] += len(own)
        counts["without"] += not own
        yield from own


def _firsts(problems: Iterable[Problem]) -> Iterator[tuple[Problem, bool]]:
    """Each record of a source, and whether its problem is there for the first time."""
    known: set[bytes] = set()
    for problem in problems:
        yield problem, problem.id not in known
        known.add(problem.id)


class Solver:
    """Works on the problems of one subset."""

    def __init__(self, teacher_session: TeacherSession, subset: Subset, sampling: Sampling) -> None:
        self._teaching, self._subset, self._sampling = teacher_session, subset, sampling
        self._prompts = teacher_session.prompts(sampling)
        self._writers = [name for name in subset.writers if WRITERS[name].teacher]

    async def solve(self, item: tuple[Problem, bool]) -> tuple[Generated, bool]:
        """One problem; a record that repeats a problem is not asked about again."""
        problem, first = item
        taught = Generated(problem)
        if first:
            for writer in self._writers:
                await self._write(taught, writer)
        return taught, first

    async def _write(self, taught: Generated, writer: str) -> None:
        sampling, proved = self._sampling, 0
        for sample in range(sampling.tries):
            prompt = prompt_of(writer, self._subset.kind)
            messages = messages_of(self._prompts, prompt, taught.problem)
            rationale = await self._sampled(taught, writer, messages, sample)
            if rationale is None or not judged(sampling):
                continue
            verdicts = await self._judged(taught.problem, rationale)
            if sampling.repair and (error := crash(verdicts)):
                rationale = await self._repaired(taught, writer, rationale, error, sample)
                verdicts = await self._judged(taught.problem, rationale) if rationale else []
            proved += bool(verdicts) and all(each.outcome == "passed" for each in verdicts)
            if proved == sampling.until:
                return

    async def _sampled(
        self, taught: Generated, writer: str, messages: Messages, sample: int
    ) -> Rationale | None:
        """One sample; what it lacks to be a rationale is kept with its reason."""
        problem, kind = taught.problem, self._subset.kind
        call = await self._teaching.ask(messages, sample)
        taught.calls += 1
        taught.replayed += call.fingerprint.startswith("replay")
        text, reason = read_call(call, kind, problem.choices)
        if not text:
            place = f"{problem.place}, {writer} sample {sample}"
            taught.unread.append(Quarantined(place, reason, call.text[:LONGEST_REPLY]))
            taught.unanswered += call.status == "failed" and not call.final
            return None
        rationale = Rationale(problem.id, writer, kind, build_instruction(problem, kind), text)
        taught.rationales.append(rationale)
        return rationale

    async def _repaired(
        self, taught: Generated, writer: str, broken: Rationale, error: str, sample: int
    ) -> Rationale | None:
        """The program that comes back when the teacher is shown how its first one failed."""
        taught.repaired += 1
        problem = taught.problem
        messages = self._prompts.messages(
            "repair",
            question=problem.question,
            options=choices_line(problem.choices) if problem.choices else "",
            program=broken.text,
            error=error[:LONGEST_ERROR],
        )
        return await self._sampled(taught, writer, messages, sample)

    async def _judged(self, problem: Problem, rationale: Rationale) -> list[Verdict]:
        candidate = Candidate(
            rationale.id,
            rationale.kind,
            rationale.instruction,
            rationale.text,
            problem.gold,
            problem.choices,
        )
        return await self._teaching.check_candidate(candidate, self._subset.checks)


def messages_of(prompts: Prompts, prompt: str, problem: Problem) -> Messages:
    """The conversation by which a teacher is asked about a problem: prompt `cot` or `pot`."""
    options = choices_line(problem.choices) if problem.choices else ""
    return prompts.messages(prompt, question=problem.question.strip(), options=options)


def read_call(call: Call, kind: Kind, choices: Sequence[str]) -> tuple[str, str]:
    """The text of a rationale and "", or "" and the reason why the call has none."""
    if call.status == "failed":
        return "", f"call failed: {call.reason}"
    if call.flaw:
        return "", call.flaw
    return read_reply(call.text, kind, choices)


def crash(verdicts: Sequence[Verdict]) -> str:
    """How a program failed to run or to print; empty if it did not."""
    for verdict in verdicts:
        if verdict.check == "executed" and verdict.outcome == "failed":
            return verdict.evidence.get("error", verdict.reason)
    return ""


def printed_nothing(verdicts: Sequence[Verdict]) -> bool:
    """Whether a program ran to its end and printed nothing."""
    return any(verdict.reason == "printed nothing" for verdict in verdicts)
