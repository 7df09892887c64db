"""Samples graded and clustered: what each arrives at, whether that is right, which are equal.

In: problems with samples. Out: for each problem its clusters of equal answers and which samples are
right, under our equivalence and under MAmmoTH's published rule. Programs run in the sandbox.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from curator.answers import Grader, compare_columns, extract, extract_output, render_answer
from curator.core.model import Answer
from curator.core.samples import Sample, Sampled
from curator.sandbox import Sandbox
from trainers.evaluation.mammoth_rule import agrees, named, stated
from trainers.evaluation.metrics import Floats, Ints

CHUNK = 64
"""Problems that are graded at once."""
Pair = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Graded:
    """A problem whose samples are graded; arrays have a place a sample."""

    problem: Sampled
    clusters: Ints
    """Number of the cluster of equal answers; -1 without an answer."""
    right: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """Whether the answer is equal to the gold; an undecided one is not."""
    undecided: int
    """Samples whose answer could not be compared with the gold."""
    published: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """Whether MAmmoTH's published rule takes it for right."""
    published_clusters: Ints
    """Clusters of answers that are one under that rule; -1 without an answer."""
    scores: Floats
    """A verifier's scores; NaN where there is none."""
    wrong: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """Whether there is no answer, or one that differs from the gold; an undecided one is not."""


def grade(problems: Iterable[Sampled], sandbox: Sandbox, grader: Grader) -> Iterator[Graded]:
    """The same problems, graded, in order."""
    rest = iter(problems)
    while some := list(islice(rest, CHUNK)):
        yield from _graded(some, sandbox, grader)


def _graded(some: Sequence[Sampled], sandbox: Sandbox, grader: Grader) -> Iterator[Graded]:
    samples = [(problem, sample) for problem in some for sample in problem.samples]
    programs = list(dict.fromkeys(s.text for _, s in samples if s.kind == "PoT"))
    runs = dict(zip(programs, sandbox.map(programs), strict=True))
    printed = {text: run.stdout if run.status == "ok" else "" for text, run in runs.items()}
    found = iter(
        [_answer(problem, sample, printed.get(sample.text, "")) for problem, sample in samples]
    )
    answers = [[next(found) for _ in problem.samples] for problem in some]
    equal = _equal(_pairs(some, answers), grader)
    for problem, said in zip(some, answers, strict=True):
        clusters = _clusters(said, problem.choices, equal)
        outcomes = [
            equal.get((problem.gold, one, problem.choices)) if one else None for one in said
        ]
        yield Graded(
            problem,
            np.array(clusters, np.int64),
            np.array([outcome == "equal" for outcome in outcomes], np.bool_),
            sum(outcome == "undecided" for outcome in outcomes),
            *_published(problem, printed),
            np.array([np.nan if s.score is None else s.score for s in problem.samples]),
            np.array([outcome in (None, "different") for outcome in outcomes], np.bool_),
        )


def _published(
    problem: Sampled, printed: dict[str, str]
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], Ints]:
    """What MAmmoTH's rule takes for right, and for the same answer."""
    said = [
        stated(sample, printed.get(sample.text, ""), problem.choices) for sample in problem.samples
    ]
    names = [named(one, problem.choices) if one else "" for one in said]
    places = {name: place for place, name in enumerate(dict.fromkeys(filter(None, names)))}
    return (
        np.array([agrees(problem, one) for one in said], np.bool_),
        np.array([places.get(name, -1) for name in names], np.int64),
    )


def _answer(problem: Sampled, sample: Sample, printed: str) -> str:
    """What a sample arrives at, as one text; empty if at nothing."""
    found: Answer | None
    if sample.kind == "PoT":
        found = extract_output(printed) if printed else None
    else:
        found = extract(sample.text, problem.choices)
    return render_answer(found) if found else ""


def _pairs(some: Sequence[Sampled], answers: Sequence[Sequence[str]]) -> list[Pair]:
    """Each gold with each answer to it, and each two answers to one problem; every pair once."""
    pairs: dict[Pair, None] = {}
    for problem, said in zip(some, answers, strict=True):
        different = list(dict.fromkeys(one for one in said if one))
        pairs |= {(problem.gold, one, problem.choices): None for one in different}
        for place, one in enumerate(different):
            pairs |= {(other, one, problem.choices): None for other in different[:place]}
    return list(pairs)


def _equal(pairs: Sequence[Pair], grader: Grader) -> dict[Pair, str]:
    """The outcome of each pair: plain ones by columns, the rest by the graders."""
    golds, answers, choices = zip(*pairs, strict=True) if pairs else ((), (), ())
    fast = compare_columns(golds, answers, choices)
    slow = [pair for pair, known in zip(pairs, fast, strict=True) if known is None]
    graded = iter(grader.map(slow))
    return {pair: (known or next(graded)).outcome for pair, known in zip(pairs, fast, strict=True)}


def _clusters(said: Sequence[str], choices: tuple[str, ...], equal: dict[Pair, str]) -> list[int]:
    """The cluster of each answer: that of the first one that it is equal to."""
    firsts: dict[str, int] = {}
    clusters = []
    for one in said:
        if one and one not in firsts:
            same = (n for first, n in firsts.items() if equal.get((first, one, choices)) == "equal")
            firsts[one] = next(same, len(set(firsts.values())))
        clusters.append(firsts[one] if one else -1)
    return clusters
