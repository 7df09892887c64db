"""Grades samples and clusters their answers.

In: problems with samples. Out: for each problem its clusters of equal answers and which samples are
right, by Curator's rules and by MAmmoTH's published rule. `curator evaluate` and the training of a
verifier use it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations, islice
from typing import Any

import numpy as np

from curator.answers import render_answer
from curator.checks.candidate import Candidate
from curator.checks.check import ComparePairs, Evidence, Pair, RunPrograms
from curator.checks.evidence import collect_evidence, compare_pairs
from curator.checks.mammoth_rule import is_right, read_answer, vote_key
from curator.core.samples import Sample, SampledProblem

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Booleans = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

CHUNK = 64
"""Problems graded at once."""
NEEDS: tuple[Evidence, ...] = ("execution", "answer", "equivalence")


@dataclass(frozen=True)
class GradedProblem:
    """A problem with graded samples; arrays have one element per sample."""

    problem: SampledProblem
    clusters: Ints
    """Cluster of equal answers, by number; -1 if there is no answer."""
    right: Booleans
    """Whether the answer equals the gold answer; false if undecided."""
    undecided: int
    """Number of samples whose answer could not be compared with the gold answer."""
    published: Booleans
    """Whether MAmmoTH's published rule accepts the answer."""
    published_clusters: Ints
    """Cluster of answers that are equal by that rule; -1 if there is no answer."""
    wrong: Booleans
    """Whether the answer is missing or differs from the gold answer; false if undecided."""

    @cached_property
    def scores(self) -> Floats:
        """A verifier's scores; NaN without a verifier."""
        return np.array([np.nan if s.score is None else s.score for s in self.problem.samples])


def grade(
    problems: Iterable[SampledProblem], run: RunPrograms, grade_pairs: ComparePairs
) -> Iterator[GradedProblem]:
    """Yield the problems with graded samples, in order.

    `run` executes programs. `grade_pairs` compares the pairs of answers that exact and numeric
    rules cannot decide.
    """
    rest = iter(problems)
    while some := list(islice(rest, CHUNK)):
        yield from _grade_chunk(some, run, partial(compare_pairs, grade=grade_pairs))


def _grade_chunk(
    some: Sequence[SampledProblem], run: RunPrograms, compare: ComparePairs
) -> Iterator[GradedProblem]:
    samples = [_candidate(problem, sample) for problem in some for sample in problem.samples]
    candidates = iter(collect_evidence(samples, NEEDS, run, compare))
    by_problem = [list(islice(candidates, len(problem.samples))) for problem in some]
    answers = [[_answer(each) for each in group] for group in by_problem]
    pairs = _pairs(some, answers)
    equal = dict(zip(pairs, (each.outcome for each in compare(pairs)), strict=True))
    for problem, group, given in zip(some, by_problem, answers, strict=True):
        outcomes = [_outcome(candidate) for candidate in group]
        yield GradedProblem(
            problem,
            np.array(_clusters(given, problem.choices, equal), np.int64),
            np.array([outcome == "equal" for outcome in outcomes], np.bool_),
            sum(outcome == "undecided" for outcome in outcomes),
            *_apply_published_rule(problem, [_program_output(candidate) for candidate in group]),
            np.array([outcome in ("", "different") for outcome in outcomes], np.bool_),
        )


def _candidate(problem: SampledProblem, sample: Sample) -> Candidate:
    return Candidate(b"", sample.kind, "", sample.text, problem.gold, problem.choices)


def _answer(candidate: Candidate) -> str:
    """Return the answer of a sample as text; empty if it has none."""
    return render_answer(candidate.answer) if candidate.answer else ""


def _program_output(candidate: Candidate) -> str:
    """Return the output of a program that ended well; empty for a text."""
    execution = candidate.execution
    return execution.stdout if execution and execution.status == "ok" else ""


def _outcome(candidate: Candidate) -> str:
    """Return how the answer compares with the gold; empty if the sample has no answer."""
    if candidate.equivalence:
        return candidate.equivalence.outcome
    return "undecided" if candidate.answer else ""


def _apply_published_rule(problem: SampledProblem, printed: Sequence[str]) -> tuple[Booleans, Ints]:
    """Return which samples are right, and which are equal, under MAmmoTH's rule."""
    given = [
        read_answer(sample, output, problem.choices)
        for sample, output in zip(problem.samples, printed, strict=True)
    ]
    names = [vote_key(one, problem.choices) if one else "" for one in given]
    places = {name: place for place, name in enumerate(dict.fromkeys(filter(None, names)))}
    return (
        np.array([is_right(problem, one) for one in given], np.bool_),
        np.array([places.get(name, -1) for name in names], np.int64),
    )


def _pairs(some: Sequence[SampledProblem], answers: Sequence[Sequence[str]]) -> list[Pair]:
    """Return each pair of different answers to one problem, once."""
    pairs: dict[Pair, None] = {}
    for problem, given in zip(some, answers, strict=True):
        distinct = dict.fromkeys(filter(None, given))
        pairs |= {(one, other, problem.choices): None for one, other in combinations(distinct, 2)}
    return list(pairs)


def _clusters(
    given: Sequence[str], choices: tuple[str, ...], equal: Mapping[Pair, str]
) -> list[int]:
    """Return the cluster of each answer: that of the first answer that equals it."""
    firsts: dict[str, int] = {}
    clusters = []
    for one in given:
        if one and one not in firsts:
            same = (n for first, n in firsts.items() if equal.get((first, one, choices)) == "equal")
            firsts[one] = next(same, len(set(firsts.values())))
        clusters.append(firsts[one] if one else -1)
    return clusters
