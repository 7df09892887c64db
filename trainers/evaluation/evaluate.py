"""Computes scores with intervals from graded samples, by evaluation set, field and level.

In: graded problems. Out: a Result of plain values, which can be stored and compared. Pass@k is the
unbiased estimate, Maj1@k the expected vote of k samples: both are exact. Pass@1 is the share of
right samples of a problem, so with k samples per problem its mean is avg@k, which has a standard
error of sampling besides its interval. Re-ranking rules are means over `SUBSETS` random subsets in
random orders, so that ties favour no sample; the seed is that of the problem. Intervals are over
problems.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curator.checks.grade_samples import GradedProblem, Ints
from curator.core.errors import MALFORMED, UsageError
from curator.core.files import write_aside
from curator.core.json_text import parse_json
from curator.core.model import content_id
from curator.core.words import counted, verb
from trainers.evaluation.metrics import (
    LIMITED_RULES,
    RULES,
    Draws,
    bootstrap_intervals,
    format_p,
    paired_differences,
    pass_at_k,
    sampling_variance,
    standard_error,
)
from trainers.evaluation.overlap import Key
from trainers.evaluation.votes import right_clusters, vote_share

SUBSETS = 20
"""Number of random subsets of samples per problem and point of a curve; of orders where the subset
has all samples."""
MAMMOTH = " published"
"""Suffix of a metric by MAmmoTH's published rule instead of Curator's."""
FORMAT = 1
MAX_RESULT = 5_000_000
"""Maximum number of values in the file of a result: 50,000 problems with 100 metrics."""
UNSEEN = ", unseen"
"""Suffix of a set's name: without problems that the model was trained on."""


@dataclass(frozen=True)
class Score:
    """A score with its 95% interval."""

    group: str
    """Evaluation set, `set, unseen`, `set/field` or `set/level`."""
    metric: str
    """`Pass@1`, `Maj1@30`, `RR.Top-K@64`, `Pass@1 published` (by MAmmoTH's rule)."""
    problems: int
    share: float
    low: float
    high: float
    samples: int = 0
    """Samples per problem; 0 if problems have different numbers of samples."""
    standard_error: float | None = None
    """Standard error of Pass@1 (avg@k) if the same problems were sampled again; None for other
    metrics, and if a problem has fewer than two samples."""


@dataclass(frozen=True)
class Result:
    """The evaluation of one model's samples."""

    name: str
    scores: tuple[Score, ...]
    problems: tuple[dict[str, Any], ...]
    """Per problem: set, id, number of samples and of right ones, value of each metric."""
    notes: tuple[str, ...] = ()
    format: int = FORMAT

    def sets(self) -> set[str]:
        """Return the names of the evaluation sets; other groups are parts of them."""
        return {row["set"] for row in self.problems}

    def plain(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return asdict(self)


@dataclass
class _Table:
    """Values by group and metric, one per problem."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    right: dict[tuple[str, str], list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Number of samples and of right ones of each problem, for Pass@1."""

    def add(self, one: GradedProblem, unseen: bool, values: Mapping[str, float]) -> None:
        problem, samples = one.problem, len(one.clusters)
        right = {"Pass@1": one.right, f"Pass@1{MAMMOTH}": one.published}
        groups = [problem.set]
        groups += [f"{problem.set}{UNSEEN}"] if unseen else []
        groups += [f"{problem.set}/{part}" for part in (problem.field, problem.level) if part]
        for group in dict.fromkeys(groups):
            for metric, value in values.items():
                self.values[group, metric].append(value)
            for metric, flags in right.items():
                self.right[group, metric].append((samples, int(flags.sum())))

    def samples(self, group: str) -> int:
        """Return the number of samples per problem of a group; 0 if it differs."""
        numbers = {samples for samples, _ in self.right[group, "Pass@1"]}
        return numbers.pop() if len(numbers) == 1 else 0

    def error(self, group: str, metric: str) -> float | None:
        """Return the standard error of a metric of a group; None if it has none."""
        right = self.right.get((group, metric), [])
        if not right or min(samples for samples, _ in right) < 2:
            return None
        return standard_error([sampling_variance(*each) for each in right])


def evaluate(
    graded: Iterable[GradedProblem], name: str, seed: int = 0, seen: Set[Key] | None = None
) -> Result:
    """Compute all metrics that the samples allow; re-ranking needs scores of all samples.

    `seen` are problems from the training data (see `trainers.evaluation.overlap`): they are
    flagged, and each set is also scored without them. None if the training data is unknown.
    """
    table, rows, scored = _Table(), [], True
    questions: dict[str, Counter[bytes]] = defaultdict(Counter)
    for one in graded:
        problem = one.problem
        questions[problem.set][content_id(problem.question, problem.gold, *problem.choices)] += 1
        values = _metric_values(one, seed)
        scored &= any(key.startswith("RR.") for key in values)
        unseen = seen is not None and (problem.set, problem.id) not in seen
        table.add(one, unseen, values)
        rows.append(
            {
                "set": problem.set,
                "id": problem.id,
                "samples": len(one.clusters),
                "right": int(one.right.sum()),
                "undecided": one.undecided,
                "failed": sum(s.finish == "failed" for s in problem.samples),
                "truncated": sum(s.finish == "length" for s in problem.samples),
                "seen": None if seen is None else not unseen,
                "values": values,
            }
        )
    notes = (*_note_repeats(questions), *(_warnings(rows) if scored else ()))
    return Result(name, tuple(_scores(table, seed)), tuple(rows), notes)


def _note_repeats(questions: Mapping[str, Counter[bytes]]) -> Iterator[str]:
    """Report the problems of each set that repeat another one under another id."""
    for group, counts in questions.items():
        total, repeats = counts.total(), counts.total() - len(counts)
        if repeats:
            yield (
                f"{group}: {repeats:,} of {counted(total, 'problem')} "
                f"{verb(repeats, 'repeats', 'repeat')} the question, gold answer and choices of "
                "another one. If they are its samples, give them its id: as problems they make "
                "the intervals too narrow."
            )


def _scores(table: _Table, seed: int) -> Iterator[Score]:
    """Yield the score of each group and metric; those of as many problems are computed together."""
    alike: dict[tuple[str, int], list[str]] = defaultdict(list)
    for (group, metric), values in table.values.items():
        alike[group, len(values)].append(metric)
    found: dict[tuple[str, str], Score] = {}
    for (group, problems), metrics in alike.items():
        columns = np.array([table.values[group, metric] for metric in metrics]).T
        for metric, mean in zip(metrics, bootstrap_intervals(columns, seed), strict=True):
            found[group, metric] = Score(
                group,
                metric,
                problems,
                mean.share,
                mean.low,
                mean.high,
                table.samples(group),
                table.error(group, metric),
            )
    return (found[key] for key in table.values)


def _metric_values(one: GradedProblem, seed: int) -> dict[str, float]:
    """Return the value of every metric for one problem."""
    samples, right = len(one.clusters), int(one.right.sum())
    if not samples:
        return {"Pass@1": 0.0, f"Pass@1{MAMMOTH}": 0.0}
    values = {f"Pass@{k}": pass_at_k(samples, right, k) for k in subset_sizes(samples)}
    values[f"Pass@1{MAMMOTH}"] = float(one.published.mean())
    if samples == 1:
        return values
    values[f"Maj1@{samples}{MAMMOTH}"] = vote_share(
        one.published_clusters, right_clusters(one.published_clusters, one.published), samples
    )
    winners = right_clusters(one.clusters, one.right)
    for size in subset_sizes(samples)[1:]:
        values[f"Maj1@{size}"] = vote_share(one.clusters, winners, size)
    if np.isnan(one.scores).any():
        return values
    draws = {size: _draw(one, size, seed) for size in subset_sizes(samples)[1:]}
    for name, rule in RULES.items():
        for size in draws if name != "Maj1" else ():
            values[f"{name}@{size}"] = _win_rate(rule(draws[size]), winners)
    # The same rules on all samples, with K or N as the limit.
    for name, limited in LIMITED_RULES.items():
        for k in subset_sizes(samples):
            metric = f"{name.replace('K', str(k)).replace('N', str(k))}@{samples}"
            values[metric] = _win_rate(limited(draws[samples], k), winners)
    return values


def subset_sizes(samples: int) -> list[int]:
    """Return the points of a curve: 1, 2, 4, … and the number of samples."""
    powers = [2**power for power in range(samples.bit_length()) if 2**power < samples]
    return [*powers, samples]


def _draw(one: GradedProblem, size: int, seed: int) -> Draws:
    """Return `SUBSETS` random subsets of the samples in random orders."""
    problem = content_id("vote", one.problem.set, one.problem.id)
    random = np.random.default_rng([seed, size, int.from_bytes(problem[:8], "big")])
    drawn = np.stack([random.permutation(len(one.clusters))[:size] for _ in range(SUBSETS)])
    return Draws(one.clusters[drawn], one.scores[drawn])


def _win_rate(chosen: Ints, winners: Sequence[int]) -> float:
    """Return how often a right cluster was chosen."""
    return float(np.isin(chosen, winners).mean())


def _warnings(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Warn about re-ranking rules that do not beat the majority vote significantly."""
    warnings = []
    by_set: dict[str, list[dict[str, float]]] = defaultdict(list)
    for row in rows:
        by_set[row["set"]].append(row["values"])
    for group, values in by_set.items():
        votes = _values_with_all_samples(values, "Maj1")
        found = {rule: _values_with_all_samples(values, rule) for rule in list(RULES)[1:]}
        reranked = {rule: each for rule, each in found.items() if each and votes}
        if not reranked:
            continue
        first = np.array(list(reranked.values())).T
        second = np.repeat(np.array([votes]).T, len(reranked), axis=1)
        for rule, (gap, p) in zip(reranked, paired_differences(first, second), strict=True):
            if gap.low <= 0:
                warnings.append(
                    f"{group}: {rule} is no better than majority voting ({gap.share:+.1%}, "
                    f"95% interval {gap.low:+.1%} to {gap.high:+.1%}, p {format_p(p)}). "
                    "Use the vote."
                )
    return warnings


def _values_with_all_samples(values: Sequence[dict[str, float]], rule: str) -> list[float]:
    """Return a rule's value with all samples per problem; empty if any problem lacks it."""
    result = []
    for each in values:
        suffixes = [key.removeprefix(f"{rule}@") for key in each if key.startswith(f"{rule}@")]
        points = [int(size) for size in suffixes if size.isdigit()]
        if not points:
            return []
        result.append(each[f"{rule}@{max(points)}"])
    return result


def compare(one: Result, other: Result) -> list[dict[str, Any]]:
    """Compare two results on common metrics and problems: gap, interval, p of a paired test."""
    values_of = {(row["set"], row["id"]): row["values"] for row in other.problems}
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in one.problems:
        theirs = values_of.get((row["set"], row["id"]), {})
        for metric, value in row["values"].items():
            if metric in theirs:
                pairs[row["set"], metric].append((value, theirs[metric]))
    alike: dict[tuple[str, int], list[str]] = defaultdict(list)
    for (group, metric), values in pairs.items():
        alike[group, len(values)].append(metric)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for (group, problems), metrics in alike.items():
        both = np.array([pairs[group, metric] for metric in metrics])  # (metrics, problems, 2)
        first, second = both[:, :, 0].T, both[:, :, 1].T
        differences = paired_differences(first, second)
        for column, (metric, (gap, p)) in enumerate(zip(metrics, differences, strict=True)):
            found[group, metric] = {
                "group": group,
                "metric": metric,
                "problems": problems,
                "one": float(first[:, column].mean()),
                "other": float(second[:, column].mean()),
                "gap": gap.share,
                "low": gap.low,
                "high": gap.high,
                "p": p,
            }
    return [found[key] for key in pairs]


def metric_name(metric: str, samples: int = 0) -> str:
    """Return a metric as tables name it: with the owner of the published rule.

    `samples` is the number per problem: Pass@1 of several is also known as avg@k.
    """
    name = metric.removesuffix(MAMMOTH)
    shown = f"{name} = avg@{samples}" if name == "Pass@1" and samples > 1 else name
    return shown if name == metric else f"{shown} (MAmmoTH)"


def write_result(result: Result, path: Path) -> None:
    """Write a result as JSON, atomically."""
    with write_aside(path) as temporary:
        temporary.write_text(json.dumps(result.plain(), allow_nan=False) + "\n", "utf-8")


def _read_score(values: Mapping[str, Any]) -> Score:
    """Return a score. Raises ValueError if it has a value of another type, TypeError for keys."""
    one = Score(**values)
    texts, counts = (one.group, one.metric), (one.problems, one.samples)
    error = 0.0 if one.standard_error is None else one.standard_error
    valid = all(isinstance(each, str) for each in texts)
    valid = valid and all(type(each) is int for each in counts)
    shares = (one.share, one.low, one.high, error)
    if not valid or not all(type(each) in (int, float) and 0 <= each <= 1 for each in shares):
        raise ValueError("a score has a value that is not valid")
    return one


def read_result(path: Path) -> Result:
    """Read a result from JSON. Raises UsageError if the file is not a result."""
    try:
        values = parse_json(path.read_bytes(), MAX_RESULT)
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']!r:.20}, expected {FORMAT}")
        scores = tuple(_read_score(score) for score in values["scores"])
        rows = tuple(
            {
                "set": str(row["set"]),
                "id": str(row["id"]),
                "values": {str(key): float(value) for key, value in row["values"].items()},
            }
            for row in values["problems"]
        )
        return Result(str(values["name"]), scores, rows, tuple(map(str, values["notes"])))
    except OSError as error:
        raise UsageError(f"Cannot read the result {path}: {error.strerror}") from None
    except MALFORMED as error:
        reason = " ".join(str(error).split())[:100]
        raise UsageError(
            f"{path} is not a result of 'curator evaluate -o' ({type(error).__name__}: {reason})"
        ) from None
