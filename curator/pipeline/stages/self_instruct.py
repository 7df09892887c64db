"""Self-Instruct: new problems from seeds, kept only if they are new and their answers agree.

In: a file of seed problems, and every question that the recipe reads. Out: problems with the answer
that independent solutions and programs agree on as gold, each with its votes, and every question
that was asked for and not taken, with its reason. Without agreement a problem has no gold, and its
rows stay undecided.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from curator.core import arrow
from curator.core.errors import SourceError
from curator.core.model import Problem, Quarantined, Verdict
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.agreement import Text, agree
from curator.pipeline.stages.check import verify_params
from curator.pipeline.stages.generate import (
    LONGEST_REPLY,
    messages_of,
    read_call,
    request_identity,
    sampling_of,
    unfinished,
)
from curator.pipeline.stages.ingest import PROBLEMS
from curator.pipeline.stages.read import columns
from curator.recipe.schema import Embedding, SelfInstruct, Subset
from curator.screens.embedding import Embedder, find_nearest
from curator.screens.novelty import Novelty
from curator.teacher import Call
from curator.writers.self_instruct import Draw, Seed, make_draws, read_question, read_seeds
from datastore.engine import scan
from datastore.memo import Outputs

CHUNK = 500
"""New problems whose answers are compared at once."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """The seed problems of a subset, as they were read."""

    seeds: tuple[Seed, ...]
    digest: str
    """sha256 of the file, as hex."""
    path: Path


def open_seeds(path: Path) -> Seeds:
    """Reads a file of seeds. Raises SourceError if it is not there, RecipeError for its faults."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise SourceError(f"No seeds at {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 text at byte {error.start}") from None
    return Seeds(read_seeds(text, path.name), sha256(data).hexdigest(), path)


def self_instruct(
    context: BuildContext, name: str, subset: Subset, seeds: Seeds, existing: Sequence[str]
) -> Outputs:
    """Objects `problems:`, `quarantine` and `agreements` (verdicts that name problems).

    `existing` are objects of problems that new ones must not repeat. Counts: records, quarantined,
    and under `invented: …` what became of the questions. Raises BudgetReached and TeacherError.
    """
    source = subset.source
    assert isinstance(source, SelfInstruct) and context.teacher_session
    inventor = _Inventor(context, name, subset, source, seeds)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        new = inventor.new_questions(existing)
        agreed = inventor.answered(new)
        objects = {
            PROBLEMS: context.store.objects.write(
                arrow.to_batches((problem for problem, _ in agreed), arrow.PROBLEMS),
                arrow.PROBLEMS,
            ),
            "agreements": context.store.objects.write(
                arrow.to_batches((verdict for _, verdict in agreed), arrow.VERDICTS),
                arrow.VERDICTS,
            ),
            "quarantine": context.store.objects.write(
                arrow.to_batches(inventor.aside, arrow.QUARANTINE), arrow.QUARANTINE
            ),
        }
        counts = {"records": len(agreed), "quarantined": len(inventor.aside)}
        return objects, counts | dict(inventor.counts)

    params = {
        "source": source.model_dump(exclude={"seeds", "licence"}),
        "licence": source.licence,
        "seed": context.recipe.seed,
        **request_identity(context.teacher_session, subset, sampling_of(context, subset)),
        **verify_params(context, subset),
    }
    code = (
        "curator.writers",
        "curator.answers",
        "curator.sandbox",
        "curator.screens.embedding",
        "curator.screens.novelty",
        "curator.pipeline.stages.agreement",
        __name__,
        "curator.pipeline.stages.generate",
        "curator.teacher.response",
    )
    return context.once(
        Stage("invent", code), params, [seeds.digest, *existing], make, name, unfinished
    )


class _Inventor:
    """Makes the new problems of one subset."""

    def __init__(
        self, context: BuildContext, name: str, subset: Subset, source: SelfInstruct, seeds: Seeds
    ) -> None:
        assert context.teacher_session
        self.aside: list[Quarantined] = []
        self.counts: Counter[str] = Counter(calls=0, unanswered=0, replayed=0)
        self._shop, self._name, self._source, self._seeds = context, name, source, seeds
        self._teaching = context.teacher_session
        self._prompts = self._teaching.prompts(sampling_of(context, subset))

    def new_questions(self, existing: Sequence[str]) -> list[Problem]:
        """Questions that were asked for, are well formed, and are near to nothing there is."""
        readable: list[tuple[Draw, str]] = []
        wanted = make_draws(self._seeds.seeds, self._source.questions, self._shop.recipe.seed)
        what = f"inventing for {self._name}"
        for draw, call in self._teaching.each(wanted, self._question, what, self._source.questions):
            self._count(call)
            question, reason = read_question(call.text) if usable(call) else ("", why_not(call))
            if question:
                readable.append((draw, question))
            else:
                self._reject(draw, reason, call.text)
        with self._shop.store.engine() as engine:
            store = self._shop.store
            paths = [store.objects.path(digest) for digest in existing]
            known = f"SELECT place AS name, question FROM {scan(paths)}" if paths else _NOTHING
            novelty = Novelty(engine, known, self._source.near)
            novelty.compare([seed.question for seed in self._seeds.seeds])
            found = novelty.compare([question for _, question in readable])
        new = []
        for (draw, question), near in zip(readable, found, strict=True):
            if near:
                told = f"{near.method} {near.score:.2f} with {near.name}:\n{near.question}"
                self._reject(draw, f"not new: {near.method}", f"{question}\n-- {told}")
            else:
                new.append((draw, question))
        if self._source.embedding:
            new = self._unlike(new, existing, self._source.embedding)
        self.counts["invented: new"] += len(new)
        return [self._problem(draw, question, "") for draw, question in new]

    def _unlike(
        self, new: list[tuple[Draw, str]], existing: Sequence[str], how: Embedding
    ) -> list[tuple[Draw, str]]:
        """Those questions that mean something else than all there are."""
        folder = self._shop.recipe.folder / how.model
        embedder = Embedder(str(folder) if how.model.startswith(".") else how.model)
        known = [seed.question for seed in self._seeds.seeds]
        known += dict.fromkeys(row for (row,) in columns(self._shop, existing, ["question"]))
        total, what = len(known), f"embedding for {self._name}"
        vectors = embedder.embed(track_progress(known, self._shop.listener, what, total))
        asked_for = embedder.embed(question for _, question in new)
        known += [question for _, question in new]
        kept = []
        found = find_nearest(vectors, asked_for, how.above)
        for (draw, question), near in zip(new, found, strict=True):
            if near:
                told = f"cosine {near[0]:.2f} with:\n{known[near[1]]}"
                self._reject(draw, "not new: embedding", f"{question}\n-- {told}")
            else:
                kept.append((draw, question))
        return kept

    def answered(self, new: Sequence[Problem]) -> list[tuple[Problem, Verdict]]:
        """The same problems with the answer that is agreed on as gold, and the votes of each."""
        agreed: list[tuple[Problem, Verdict]] = []
        what = f"answering for {self._name}"
        answered = self._teaching.each(new, self._answers, what, len(new))
        while some := list(islice(answered, CHUNK)):
            for problem, verdict in agree(self._shop.checker, some, self._source):
                agreed.append((problem, verdict))
                self.counts["invented: agreed" if problem.gold else "invented: no agreement"] += 1
        return agreed

    async def _question(self, draw: Draw) -> tuple[Draw, Call]:
        messages = self._prompts.messages(
            "question", topic=draw.topic, type=draw.type, examples=draw.examples
        )
        return draw, await self._teaching.ask(messages, draw.sample)

    async def _answers(self, problem: Problem) -> tuple[Problem, list[Text]]:
        """What the teacher answers, each kind so often as the recipe says."""
        texts: list[Text] = []
        for kind, writer, tries in (
            ("CoT", "cot", self._source.cot),
            ("PoT", "pot", self._source.pot),
        ):
            messages = messages_of(self._prompts, writer, problem)
            for sample in range(tries):
                call = await self._teaching.ask(messages, sample)
                self._count(call)
                texts.append((kind, read_call(call, kind, ())[0]))  # type: ignore[arg-type]
        return problem, texts

    def _problem(self, draw: Draw, question: str, gold: str) -> Problem:
        return Problem(
            source="self_instruct",
            question=question,
            gold=gold,
            field=draw.topic,
            level=draw.type,
            licence=self._source.licence,
            place=_place(draw),
        )

    def _reject(self, draw: Draw, reason: str, raw: str) -> None:
        self.counts[f"invented: {reason}"] += 1
        self.aside.append(Quarantined(_place(draw), reason, raw[:LONGEST_REPLY]))

    def _count(self, call: Call) -> None:
        self.counts["calls"] += 1
        self.counts["replayed"] += call.fingerprint.startswith("replay")
        self.counts["unanswered"] += call.status == "failed" and not call.final


_NOTHING = "SELECT '' AS name, '' AS question WHERE false"


def usable(call: Call) -> bool:
    """Whether a call holds a whole answer."""
    return call.status == "answered" and not call.flaw


def why_not(call: Call) -> str:
    """Why a call holds none."""
    return call.flaw or f"call failed: {call.reason}"


def _place(draw: Draw) -> str:
    return f"{draw.topic}, {draw.type}, sample {draw.sample}"
