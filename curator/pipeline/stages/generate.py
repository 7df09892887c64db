"""Stage `generate`: a teacher writes, checks and repairs rationales as the recipe says.

In: problems of a subset whose writers need a teacher. Out: all rationales, right or wrong, in
upstream's order, and every reply without a rationale, with its reason. Calls are cached in the
ledger `calls`, so a rerun repeats none. If a call failed temporarily, the next build runs the stage
again and repeats only that call.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, Literal

import pyarrow as pa

from curator.checks import CHECKS, Candidate
from curator.checks.attempt import attempt_outcome
from curator.checks.executed import PRINTED_NOTHING
from curator.core import arrow
from curator.core.model import Kind, Problem, QuarantinedRecord, Rationale, Verdict
from curator.core.thoughts import join_thought, split_thought
from curator.pipeline.band import decide_band
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.check import check_params
from curator.pipeline.stages.read import read_problems
from curator.pipeline.stages.tool_rounds import Conversation, RoundLimits, take_rounds
from curator.pipeline.stages.write import CopyNumbers
from curator.pipeline.state import Rationales, SubsetState, Written
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.keys import canonical
from curator.recipe.schema import Subset
from curator.sources.fields import quarantine
from curator.teacher import Call, Sampling
from curator.writers import WRITERS, build_instruction
from curator.writers.instruction import choices_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from datastore.memo import Outputs
from datastore.text import is_storable

LONGEST_ERROR = 1_000
"""Maximum number of characters of an error that a repair prompt shows."""


@dataclass(slots=True)
class Generation:
    """The teacher's work on one problem."""

    problem: Problem
    rationales: list[Rationale] = field(default_factory=list)
    unread: list[QuarantinedRecord] = field(default_factory=list)
    """Replies without a rationale, and failed calls."""
    attempts: list[bytes] = field(default_factory=list)
    """The rationale of each sample, the repaired one if there is one; `NO_RATIONALE` for a reply
    without one. Failed calls are not attempts."""
    calls: int = 0
    unanswered: int = 0
    """Calls that failed temporarily."""
    repaired: int = 0
    """Repair prompts."""
    replayed: int = 0
    """Calls that a replay server answered."""


NO_RATIONALE = bytes(16)
Attempt = tuple[bytes, bytes]
"""Ids of a problem and of the rationale of one sample."""
ATTEMPTS = pa.schema([("problem_id", arrow.ID), ("rationale_id", arrow.ID)])

TOOL_PROMPT = "tir_tools"
"""The prompt of the writer `tir` with tool calls."""

RATIONALES = "rationales:"
"""Prefix of the names of rationale objects; the number of the object of problems follows."""


def generate(context: BuildContext, name: str, state: SubsetState) -> Written:
    """Write objects `rationales:NUMBER`, `replies` (those without a rationale) and `attempts`.

    Return the state with replies, attempts and prompts, and the rationales. Counts: problems,
    without, rationales, calls, unanswered, repaired, replayed. Raises BudgetReached and
    TeacherError; the replies received before that are cached.
    """
    teacher_session = context.teacher_session
    assert teacher_session, "a recipe without a teacher has no such stage"
    subset, problems = state.subset, state.problems
    sampling = sampling_of(context, subset)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        if _asks_for_programs(context):
            context.checker.prepare()
        counts: Counter[str] = Counter(
            problems=0, without=0, rationales=0, calls=0, unanswered=0, repaired=0, replayed=0
        )
        unread: list[QuarantinedRecord] = []
        attempts: list[Attempt] = []
        written = _rationales(context, name, state, (unread, attempts), counts)
        copies = CopyNumbers()
        objects: dict[str, str] = {}
        for number, digest in enumerate(problems):
            shard = islice(written, context.store.objects.rows(digest))
            numbered = copies.number(chain.from_iterable(shard))
            batches = arrow.to_batches(numbered, arrow.RATIONALES)
            objects[f"{RATIONALES}{number:06d}"] = context.store.objects.write(
                batches, arrow.RATIONALES
            )
        replies = arrow.to_batches(unread, arrow.QUARANTINE)
        objects["replies"] = context.store.objects.write(replies, arrow.QUARANTINE)
        columns = list(zip(*attempts, strict=True)) or [(), ()]
        batch = arrow.make_batch(columns, ATTEMPTS)
        objects["attempts"] = context.store.objects.write([batch], ATTEMPTS)
        return objects, dict(counts)

    identity = request_identity(teacher_session, subset, sampling)
    params = {"kind": subset.kind, "writers": list(subset.writers)} | identity
    if needs_verdicts(sampling) or subset.kind == "TIR":  # outputs depend on the sandbox
        params |= check_params(context, subset)
    code = (
        "curator.writers",
        "curator.answers",
        "curator.core.thoughts",
        "curator.core.tool_calls",
        "curator.core.turns",
        "curator.core.tool_messages",
        __name__,
        "curator.teacher.response",
        "curator.teacher.messages",
        "curator.pipeline.band",
        "curator.pipeline.stages.tool_rounds",
        "curator.sandbox",
    )
    outputs = context.once(Stage("generate", code), params, problems, make, name, has_unanswered)
    shards = [d for name, d in sorted(outputs.objects.items()) if name.startswith(RATIONALES)]
    state = replace(
        state,
        replies=outputs.objects["replies"],
        attempts=outputs.objects["attempts"],
        prompts=identity["prompts"],
    )
    return state, Rationales(shards, outputs.counts)


def missing_teachers(context: BuildContext, subset: Subset) -> tuple[str, ...]:
    """Return what a subset waits for if its writers need a teacher and the recipe has none."""
    if context.teacher_session:
        return ()
    writers = (writer for writer in subset.writers if WRITERS[writer].teacher)
    return tuple(f"a teacher for writer {writer}" for writer in writers)


def sampling_of(context: BuildContext, subset: Subset) -> Sampling:
    """Return how a subset samples its problems."""
    return subset.sampling or context.recipe.sampling


def samples_per_problem(context: BuildContext, subset: Subset) -> int:
    """Return the maximum number of rows of one problem and writer that can pass the checks."""
    sampling = sampling_of(context, subset)
    return min(sampling.tries, sampling.until or sampling.tries)


def has_unanswered(outputs: Outputs) -> bool:
    """Return whether a later run of the stage may answer more calls."""
    return outputs.counts["unanswered"] > 0


def needs_verdicts(sampling: Sampling) -> bool:
    """Return whether the next request depends on the verdicts of the last reply."""
    return sampling.until is not None or sampling.band is not None or sampling.repair


def request_identity(
    teacher_session: TeacherSession, subset: Subset, sampling: Sampling
) -> dict[str, Any]:
    """Return all that determines the requests about a problem, and how their replies are read."""
    names = {
        TOOL_PROMPT if prompt == "tir" and sampling.tools else prompt
        for writer in subset.writers
        for prompt in WRITERS[writer].prompts
    }
    if sampling.repair:
        names.add("repair")
    prompts = teacher_session.prompts(sampling)
    settings = teacher_session.settings
    identity = {
        "family": settings.family,
        "model": settings.model,
        "parameters": settings.parameters,
        "sampling": canonical(sampling),
        "prompts": {name: prompts.digest(name) for name in sorted(names)},
    }
    marks = teacher_session.thoughts
    return identity | ({"thoughts": list(marks)} if marks else {})


def prompt_of(writer: str, kind: Kind, sampling: Sampling) -> str:
    """Return the name of the prompt by which a writer asks for a solution."""
    return TOOL_PROMPT if kind == "TIR" and sampling.tools else WRITERS[writer].prompt(kind)


def round_limits(sampling: Sampling) -> RoundLimits:
    """Return how a teacher runs programs."""
    return RoundLimits(sampling.rounds, sampling.tools)


def _asks_for_programs(context: BuildContext) -> bool:
    """Return whether the teacher writes programs, for this subset or a later one."""
    return any(
        subset.kind != "CoT" and any(WRITERS[writer].teacher for writer in subset.writers)
        for subset in context.recipe.subsets.values()
    )


def _rationales(
    context: BuildContext,
    name: str,
    state: SubsetState,
    others: tuple[list[QuarantinedRecord], list[Attempt]],
    counts: Counter[str],
) -> Iterator[list[Rationale]]:
    """Yield the rationales of each problem in order, those that need no teacher first.

    Replies without a rationale, and attempts, are added to `others`.
    """
    unread, attempts = others
    teacher_session, subset = context.teacher_session, state.subset
    assert teacher_session
    solver = Solver(context, subset)
    plain = [WRITERS[writer] for writer in subset.writers if not WRITERS[writer].teacher]
    total = sum(context.store.objects.rows(digest) for digest in state.problems)
    problems = _mark_first(read_problems(context, state.problems))
    for generated, first in teacher_session.each(
        problems, solver.solve, f"generating {name}", total
    ):
        rationales = list[Rationale]()
        for writer in plain:
            assert writer.write is not None
            rationales += writer.write(generated.problem, subset.kind)
        rationales += generated.rationales
        unread += generated.unread
        attempts += [(generated.problem.id, each) for each in generated.attempts]
        counts.update(f"unread: {each.reason}" for each in generated.unread)
        for key in ("calls", "unanswered", "repaired", "replayed"):
            counts[key] += getattr(generated, key)
        counts["problems"] += first
        counts["rationales"] += len(rationales)
        counts["without"] += not rationales
        yield rationales


def _mark_first(problems: Iterable[Problem]) -> Iterator[tuple[Problem, bool]]:
    """Yield each record of a source, and whether it is the first one of its problem."""
    seen: set[bytes] = set()
    for problem in problems:
        yield problem, problem.id not in seen
        seen.add(problem.id)


class Solver:
    """Generates rationales for the problems of one subset."""

    def __init__(self, context: BuildContext, subset: Subset) -> None:
        assert context.teacher_session
        self._session, self._subset = context.teacher_session, subset
        self._sampling = sampling_of(context, subset)
        self._characters = context.recipe.limits.characters
        self._prompts = self._session.prompts(self._sampling)
        self._writers = [name for name in subset.writers if WRITERS[name].teacher]

    async def solve(self, item: tuple[Problem, bool]) -> tuple[Generation, bool]:
        """Work on one problem. Only the first record of a problem leads to requests."""
        problem, first = item
        generated = Generation(problem)
        if first:
            for writer in self._writers:
                await self._write(generated, writer)
        return generated, first

    async def _write(self, generated: Generation, writer: str) -> None:
        sampling, outcomes = self._sampling, Counter[str]()
        prompt = prompt_of(writer, self._subset.kind, sampling)
        for sample in range(sampling.tries):
            messages = messages_of(self._prompts, prompt, generated.problem)
            before = len(generated.attempts)
            rationale = await self._sample(generated, writer, messages, sample)
            if rationale is not None and needs_verdicts(sampling):
                verdicts = await self._check(generated.problem, rationale)
                repairs = sampling.repair and self._subset.kind == "PoT"
                if repairs and (error := execution_error(verdicts)):
                    rationale = await self._repair(generated, writer, rationale, error, sample)
                    verdicts = await self._check(generated.problem, rationale) if rationale else []
                outcomes[attempt_outcome(verdicts) if rationale else "failed"] += 1
            elif rationale is None and len(generated.attempts) > before:
                outcomes["failed"] += 1
            if is_decided(sampling, outcomes):
                return

    async def _sample(
        self, generated: Generation, writer: str, messages: Messages, sample: int
    ) -> Rationale | None:
        """Return the rationale of one call; None if it has none, which is recorded with reason."""
        problem, kind = generated.problem, self._subset.kind
        limits = round_limits(self._sampling)

        async def get_call(messages: Conversation) -> Call:
            tools = kind == "TIR" and limits.tools
            call = await self._session.get_call(messages, sample, tools)
            generated.calls += 1
            generated.replayed += call.fingerprint.startswith("replay")
            return call

        if kind == "TIR":
            call, text, reason = await take_rounds(
                messages, limits, get_call, self._session.run_session
            )
        else:
            call = await get_call(messages)
            text, reason = read_call(call, kind, problem.choices, self._sampling.thoughts)
        if not text:
            place = f"{problem.place}, {writer} sample {sample}"
            generated.unread.append(quarantine(place, reason, call.text))
            generated.unanswered += call.status == "failed" and not call.final
            if call.status == "answered":
                generated.attempts.append(NO_RATIONALE)
            return None
        rationale = Rationale(problem.id, writer, kind, build_instruction(problem, kind), text)
        generated.rationales.append(rationale)
        generated.attempts.append(rationale.id)
        return rationale

    async def _repair(
        self,
        generated: Generation,
        writer: str,
        broken: Rationale,
        error: str,
        sample: int,
    ) -> Rationale | None:
        """Show the teacher how its program failed; return the new program."""
        generated.repaired += 1
        problem = generated.problem
        messages = self._prompts.messages(
            "repair",
            question=problem.question,
            options=choices_line(problem.choices) if problem.choices else "",
            program=broken.text,
            error=error[:LONGEST_ERROR],
        )
        attempt, before = generated.attempts.pop(), len(generated.attempts)
        repaired = await self._sample(generated, writer, messages, sample)
        if len(generated.attempts) == before:  # the call failed
            generated.attempts.append(attempt)
        return repaired

    async def _check(self, problem: Problem, rationale: Rationale) -> list[Verdict]:
        candidate = Candidate(
            rationale.id,
            rationale.kind,
            rationale.instruction,
            rationale.text,
            problem.gold,
            problem.choices,
            required=self._subset.evidence,
            characters=self._characters,
        )
        return await self._session.check_candidate(candidate, self._subset.checks)


def messages_of(prompts: Prompts, prompt: str, problem: Problem) -> Messages:
    """Return the conversation that asks for the solution of a problem: prompt `cot` or `pot`."""
    options = choices_line(problem.choices) if problem.choices else ""
    return prompts.messages(prompt, question=problem.question.strip(), options=options)


def read_call(
    call: Call, kind: Kind, choices: Sequence[str], thoughts: Literal["drop", "keep"] = "drop"
) -> tuple[str, str]:
    """Return the text of a rationale and "", or "" and the reason why the call has none.

    With `thoughts` as `keep`, the text of a CoT begins with the thought, if the call has one.
    """
    if call.status == "failed":
        return "", f"call failed: {call.reason}"
    if call.flaw:
        return "", call.flaw
    text, reason = read_reply(call.text, kind, choices)
    if not text or kind == "PoT" or thoughts == "drop":
        return text, reason
    thought = call.reasoning or split_thought(call.text)[0]
    if not is_storable(thought):
        return "", "not valid Unicode text"
    return join_thought(thought, text), ""


def is_decided(sampling: Sampling, outcomes: Mapping[str, int]) -> bool:
    """Return whether a problem needs no further sample after these outcomes."""
    passed, failed = outcomes.get("passed", 0), outcomes.get("failed", 0)
    if sampling.band:
        return decide_band(passed, failed, sampling.band, sampling.error) is not None
    return passed == sampling.until


def execution_error(verdicts: Sequence[Verdict]) -> str:
    """Return why a program did not run or did not print; empty if it did both."""
    for verdict in verdicts:
        if CHECKS[verdict.check].proves == "execution" and verdict.outcome == "failed":
            return verdict.evidence.get("error", verdict.reason)
    return ""


def printed_nothing(verdicts: Sequence[Verdict]) -> bool:
    """Return whether a program ran to its end without printing."""
    return any(verdict.reason == PRINTED_NOTHING for verdict in verdicts)
