"""Stage of the writer `self_instruct`: new problems from seeds, with the answers that agree.

In: a file of seed problems, and every question that the recipe reads. Out: new problems, whose gold
answer is the one on which independent solutions and programs agree, the votes on each, and every
rejected question with its reason. Without agreement a problem has no gold answer, and its rows are
undecided.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from curator.core import arrow
from curator.core.errors import SourceError
from curator.core.model import Problem, QuarantinedRecord, Verdict
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.estimate import CHUNK as LOOKUPS
from curator.pipeline.estimate import CallEstimate, CallTally
from curator.pipeline.requests import (
    has_unanswered,
    messages_of,
    missing_teachers,
    read_call,
    request_identity,
    samples_per_problem,
    sampling_of,
)
from curator.pipeline.stages.agreement import Text, agree
from curator.pipeline.stages.check import check_params
from curator.pipeline.stages.generate import generate
from curator.pipeline.stages.ingest import PROBLEMS, find_eval_problems, problems_of
from curator.pipeline.stages.known_questions import Known, reject_known
from curator.pipeline.stages.writer_stage import WriterStage
from curator.pipeline.state import SubsetInputs, SubsetState, Written
from curator.recipe.schema import Recipe, SelfInstruct, Subset
from curator.sources.fields import quarantine
from curator.teacher import Call
from curator.writers import own_stage
from curator.writers.self_instruct import Draw, Seed, make_draws, read_question, read_seeds
from datastore.memo import Outputs

CHUNK = 500
"""New problems whose answers are compared at once."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """The seed problems of a subset."""

    seeds: tuple[Seed, ...]
    digest: str
    """sha256 of the file, as hex."""
    path: Path


def open_seeds(recipe: Recipe, subset: Subset) -> Seeds:
    """Read the seeds of a subset.

    Raises SourceError if the file cannot be read, RecipeError with all errors in its lines.
    """
    path = recipe.folder / _source(subset).seeds
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise SourceError(f"Cannot read the seeds at {path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 text: invalid byte at {error.start}. Save the seeds as UTF-8."
        ) from None
    return Seeds(read_seeds(text, path.name), sha256(data).hexdigest(), path)


def run(
    context: BuildContext, name: str, inputs: SubsetInputs, built: Mapping[str, SubsetState]
) -> Written:
    """Make new problems, and let the teacher write rationales for them."""
    subset = context.recipe.subsets[name]
    source, seeds = _source(subset), inputs.files[name]
    assert isinstance(seeds, Seeds)
    if waits := missing_teachers(context, subset):
        return SubsetState(subset, source.licence, waits), None
    problems = {
        digest
        for state in built.values()
        if not own_stage(state.subset.writers)
        for digest in state.problems
    }
    known = Known(seeds.seeds, sorted(problems), find_eval_problems(context, inputs.evals))
    outputs = self_instruct(context, name, subset, seeds, known)
    state = SubsetState(
        subset,
        source.licence,
        (),
        problems=problems_of(outputs),
        quarantine=outputs.objects["quarantine"],
        agreements=outputs.objects["agreements"],
        counts=outputs.counts,
    )
    return generate(context, name, state)


def max_rows(context: BuildContext, subset: Subset, rows: Mapping[str, int]) -> int:
    """Return the number of rows if every question becomes a problem."""
    return _source(subset).questions * samples_per_problem(context, subset)


def estimate_self_instruct(context: BuildContext, subset: Subset) -> CallEstimate:
    """Estimate the calls for questions, and for answers if every question is new.

    A question that the teacher has not written yet counts as long as the first seed.
    """
    teacher_session, source = context.teacher_session, _source(subset)
    assert teacher_session, "only a recipe with a teacher has calls"
    seeds = open_seeds(context.recipe, subset).seeds
    prompts, tally = teacher_session.prompts(sampling_of(context, subset)), CallTally(context)
    tries = {"cot": source.cot, "pot": source.pot}
    stand_in = Problem("self_instruct", seeds[0].question, "")
    wanted = iter(make_draws(seeds, source.questions, context.recipe.seed))
    while some := list(islice(wanted, LOOKUPS)):
        requests = [
            prompts.messages("question", topic=d.topic, type=d.type, examples=d.examples)
            for d in some
        ]
        replies = tally.add(requests, 1, 1, [draw.sample for draw in some])
        questions = [read_question(text)[0] for text in replies]
        for prompt, count in tries.items():
            new = [Problem("self_instruct", each, "") for each in questions if each]
            tally.add([messages_of(prompts, prompt, each) for each in new], count, count)
            unwritten = len(some) - len(replies)
            tally.add_missing(messages_of(prompts, prompt, stand_in), unwritten * count)
    return tally.estimate(repairs=0)


STAGE = WriterStage(
    order=1,
    run=run,
    max_rows=max_rows,
    open_file=open_seeds,
    estimate=estimate_self_instruct,
)


def _source(subset: Subset) -> SelfInstruct:
    assert isinstance(subset.source, SelfInstruct)
    return subset.source


def self_instruct(
    context: BuildContext, name: str, subset: Subset, seeds: Seeds, known: Known
) -> Outputs:
    """Write objects `problems:`, `quarantine` and `agreements` (verdicts about problems).

    New problems must differ from the `known` ones. Counts: records, quarantined,
    calls, unanswered, replayed, and under `invented: …` the questions by result. Raises
    BudgetReached and TeacherError.
    """
    assert context.teacher_session
    generator = _Generator(context, name, subset, seeds)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        new = generator.new_problems(known)
        answered = generator.add_gold(new)
        objects = {
            f"{PROBLEMS}000000:": context.store.objects.write(
                arrow.to_batches((problem for problem, _ in answered), arrow.PROBLEMS),
                arrow.PROBLEMS,
            ),
            "agreements": context.store.objects.write(
                arrow.to_batches((verdict for _, verdict in answered), arrow.VERDICTS),
                arrow.VERDICTS,
            ),
            "quarantine": context.store.objects.write(
                arrow.to_batches(generator.rejects, arrow.QUARANTINE), arrow.QUARANTINE
            ),
        }
        counts = {"records": len(answered), "quarantined": len(generator.rejects)}
        return objects, counts | dict(generator.counts)

    source = _source(subset)
    params = {
        "source": source.model_dump(exclude={"seeds", "licence"}),
        "licence": source.licence,
        "seed": context.recipe.seed,
        "evals": list(known.evals),
        **request_identity(context.teacher_session, subset, sampling_of(context, subset)),
        **check_params(context, subset),
    }
    code = (
        "curator.writers",
        "curator.answers",
        "curator.checks",
        "curator.sandbox",
        "curator.screens",
        "curator.pipeline.stages.agreement",
        __name__,
        "curator.pipeline.requests",
        "curator.pipeline.stages.known_questions",
        "curator.teacher.response",
    )
    digests = [seeds.digest, *known.digests]
    return context.once(Stage("self_instruct", code), params, digests, make, name, has_unanswered)


class _Generator:
    """Makes the new problems of one subset."""

    def __init__(self, context: BuildContext, name: str, subset: Subset, seeds: Seeds) -> None:
        assert context.teacher_session
        self.rejects: list[QuarantinedRecord] = []
        self.counts: Counter[str] = Counter(calls=0, unanswered=0, replayed=0)
        self._context, self._name = context, name
        self._source, self._seeds = _source(subset), seeds
        self._session = context.teacher_session
        self._prompts = self._session.prompts(sampling_of(context, subset))

    def new_problems(self, known: Known) -> list[Problem]:
        """Return the well-formed questions that are not near a known one, without golds."""
        questions = self._questions()
        texts = [question for _, question in questions]
        rejections = reject_known(self._context, self._name, self._source, known, texts)
        new = []
        for (draw, question), rejection in zip(questions, rejections, strict=True):
            if rejection:
                self._reject(draw, rejection.reason, f"{question}\n-- {rejection.seen}")
            else:
                new.append(self._problem(draw, question))
        self.counts["invented: new"] += len(new)
        return new

    def _questions(self) -> list[tuple[Draw, str]]:
        """Ask the teacher for all questions; return the well-formed ones."""
        questions: list[tuple[Draw, str]] = []
        wanted = make_draws(self._seeds.seeds, self._source.questions, self._context.recipe.seed)
        total, what = self._source.questions, f"generating questions for {self._name}"
        for draw, call in self._session.each(wanted, self._request_question, what, total):
            self._count(call)
            if is_complete(call):
                question, reason = read_question(call.text)
            else:
                question, reason = "", call.flaw or f"call failed: {call.reason}"
            if question:
                questions.append((draw, question))
            else:
                self._reject(draw, reason, call.text)
        return questions

    def add_gold(self, new: Sequence[Problem]) -> list[tuple[Problem, Verdict]]:
        """Return the problems with the answer that is agreed on as gold, and the votes on each."""
        agreed: list[tuple[Problem, Verdict]] = []
        what = f"answering questions for {self._name}"
        answered = self._session.each(new, self._request_answers, what, len(new))
        while some := list(islice(answered, CHUNK)):
            for problem, verdict in agree(self._context.checker, some, self._source):
                agreed.append((problem, verdict))
                self.counts["invented: agreed" if problem.gold else "invented: no agreement"] += 1
        return agreed

    async def _request_question(self, draw: Draw) -> tuple[Draw, Call]:
        messages = self._prompts.messages(
            "question", topic=draw.topic, type=draw.type, examples=draw.examples
        )
        return draw, await self._session.get_call(messages, draw.sample)

    async def _request_answers(self, problem: Problem) -> tuple[Problem, list[Text]]:
        """Sample the teacher's solutions and programs, as many of each as the recipe states."""
        texts: list[Text] = []
        for kind, prompt, tries in (
            ("CoT", "cot", self._source.cot),
            ("PoT", "pot", self._source.pot),
        ):
            messages = messages_of(self._prompts, prompt, problem)
            for sample in range(tries):
                call = await self._session.get_call(messages, sample)
                self._count(call)
                texts.append((kind, read_call(call, kind, ())[0]))  # type: ignore[arg-type]
        return problem, texts

    def _problem(self, draw: Draw, question: str) -> Problem:
        return Problem(
            source="self_instruct",
            question=question,
            gold="",
            field=draw.topic,
            level=draw.type,
            licence=self._source.licence,
            place=_place(draw),
        )

    def _reject(self, draw: Draw, reason: str, raw: str) -> None:
        self.counts[f"invented: {reason}"] += 1
        self.rejects.append(quarantine(_place(draw), reason, raw))

    def _count(self, call: Call) -> None:
        self.counts["calls"] += 1
        self.counts["replayed"] += call.fingerprint.startswith("replay")
        self.counts["unanswered"] += call.status == "failed" and not call.final


def is_complete(call: Call) -> bool:
    """Return whether a call has a complete reply."""
    return call.status == "answered" and not call.flaw


def _place(draw: Draw) -> str:
    return f"{draw.topic}, {draw.type}, sample {draw.sample}"
