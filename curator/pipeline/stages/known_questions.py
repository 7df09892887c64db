"""Finds the new questions of `self_instruct` that are too near to a known one.

In: new questions in order, seeds, and the problems of the recipe. Out: for each question the
reason to reject it, with the question that it repeats; None for a new one. Later questions are
compared with earlier ones that are new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext
from curator.pipeline.stages.read import columns
from curator.pipeline.stages.screen import group_objects
from curator.recipe.schema import Embedding, SelfInstruct
from curator.screens.embedding import Embedder, find_nearest
from curator.screens.novelty import Novelty
from curator.screens.repeats import Repeat, find_repeats
from curator.writers.self_instruct import Seed
from datastore.engine import scan

_NO_ROWS = "SELECT '' AS name, '' AS question WHERE false"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a question is not new."""

    reason: str
    seen: str
    """The question that it repeats, and how."""


Rejections = list[Rejection | None]


@dataclass(frozen=True, slots=True)
class Known:
    """The questions from which new ones must differ."""

    seeds: Sequence[Seed]
    problems: Sequence[str]
    """Digests of the problems objects of the other subsets."""
    evals: Mapping[str, Sequence[str]]
    """Digests of the problems objects of each evaluation set."""

    @property
    def digests(self) -> list[str]:
        """All digests, without repetition."""
        return sorted({*self.problems, *chain.from_iterable(self.evals.values())})


def reject_known(
    context: BuildContext, name: str, source: SelfInstruct, known: Known, questions: Sequence[str]
) -> Rejections:
    """Return why each question is rejected, or None.

    `name` is that of the subset. A method compares only what the methods before it accept: with
    evaluation sets as the screen `contamination` does; ROUGE-L and 8-grams with all questions; the
    same levels of match with the other questions; embeddings.
    """
    methods: list[Callable[[Sequence[str]], Rejections]] = [
        lambda texts: _find_eval_repeats(context, known, texts),
        lambda texts: _find_near(context, known, source.near, texts),
        lambda texts: _find_repeats(context, known, texts),
    ]
    if settings := source.embedding:
        methods.append(lambda texts: _find_similar(context, name, known, settings, texts))
    rejections: Rejections = [None] * len(questions)
    for method in methods:
        left = [number for number, rejection in enumerate(rejections) if rejection is None]
        found = method([questions[number] for number in left])
        for number, rejection in zip(left, found, strict=True):
            rejections[number] = rejection
    return rejections


def _find_eval_repeats(context: BuildContext, known: Known, questions: Sequence[str]) -> Rejections:
    """Compare with all evaluation sets together, as the screen `contamination` does."""
    paths = context.store.objects.path
    evals = {name: [paths(digest) for digest in digests] for name, digests in known.evals.items()}
    if not evals:
        return [None] * len(questions)
    with context.store.engine() as engine:
        return _explain(find_repeats(engine, questions, [evals], earlier=False))


def _find_near(
    context: BuildContext, known: Known, near: float, questions: Sequence[str]
) -> Rejections:
    """Compare the texts."""
    with context.store.engine() as engine:
        paths = [context.store.objects.path(digest) for digest in known.digests]
        existing = f"SELECT place AS name, question FROM {scan(paths)}" if paths else _NO_ROWS
        novelty = Novelty(engine, existing, near)
        novelty.compare([seed.question for seed in known.seeds])
        return [
            Rejection(
                f"not new: {found.method}",
                f"{found.method} {found.score:.2f} with {found.name}:\n{found.question}",
            )
            if found
            else None
            for found in novelty.compare(questions)
        ]


def _find_repeats(context: BuildContext, known: Known, questions: Sequence[str]) -> Rejections:
    """Compare with seeds, with the problems of other subsets in groups, and with each other."""
    others = (
        {"problem": [context.store.objects.path(digest) for digest in group]}
        for group in group_objects(context, known.problems)
    )
    seeds = [(seed.question, seed.answer) for seed in known.seeds]
    with context.store.engine() as engine:
        return _explain(find_repeats(engine, questions, others, seeds=seeds))


def _explain(repeats: Sequence[Repeat | None]) -> Rejections:
    return [
        Rejection(
            f"not new: {repeat.level}",
            f"{repeat.level}, {repeat.covered:.0%} of {repeat.set} {repeat.place}:\n"
            f"{repeat.question}\nshared: {' … '.join(repeat.shared)}",
        )
        if repeat
        else None
        for repeat in repeats
    ]


def _find_similar(
    context: BuildContext, name: str, known: Known, settings: Embedding, questions: Sequence[str]
) -> Rejections:
    """Compare embeddings."""
    folder = context.recipe.folder / settings.model
    embedder = Embedder(str(folder) if settings.model.startswith(".") else settings.model)
    texts = [seed.question for seed in known.seeds]
    texts += dict.fromkeys(row for (row,) in columns(context, known.digests, ["question"]))
    what = f"embedding questions for {name}"
    vectors = embedder.embed(track_progress(texts, context.listener, what, len(texts)))
    texts += questions
    return [
        Rejection("not new: embedding", f"cosine {near[0]:.2f} with:\n{texts[near[1]]}")
        if near
        else None
        for near in find_nearest(vectors, embedder.embed(questions), settings.above)
    ]
