"""An evaluation worth believing: graded samples as scores with intervals, by set, field and level.

In: graded problems. Out: a Result of plain values, which is what is stored and compared. Pass@k is
the unbiased estimate; Maj1@N and the re-ranking rules at fewer samples than there are take the
mean over subsets drawn by a fixed seed. Intervals are over problems.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curator.core.errors import MALFORMED, UsageError
from curator.core.files import write_aside
from curator.core.samples import SampledProblem
from trainers.evaluation.grade import Graded
from trainers.evaluation.metrics import (
    LOOKING,
    RULES,
    Rule,
    difference,
    interval,
    majority,
    pass_at_k,
)
from trainers.evaluation.overlap import Key

SUBSETS = 20
"""Random subsets of the samples that a point of a curve takes the mean over."""
FORMAT = 1
UNSEEN = ", unseen"
"""After the name of a set: without the problems that the model was trained on."""


@dataclass(frozen=True)
class Score:
    """One number of a table with its 95% interval."""

    group: str
    """Evaluation set, `set, unseen`, `set/field` or `set/level`."""
    metric: str
    """`Pass@1`, `Maj1@30`, `RR.Top-K@64`, `Pass@1 published`."""
    problems: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """Everything that is told of one model's samples."""

    name: str
    scores: tuple[Score, ...]
    problems: tuple[dict[str, Any], ...]
    """By problem: set, id, samples, right ones, and what each metric gave; for paired tests."""
    notes: tuple[str, ...] = ()
    format: int = FORMAT

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass
class _Table:
    """Values by group and metric, one a problem."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, problem: SampledProblem, unseen: bool, metric: str, value: float) -> None:
        groups = [problem.set]
        groups += [f"{problem.set}{UNSEEN}"] if unseen else []
        groups += [f"{problem.set}/{part}" for part in (problem.field, problem.level) if part]
        for group in dict.fromkeys(groups):
            self.values[group, metric].append(value)


def evaluate(
    graded: Iterable[Graded], name: str, seed: int = 0, seen: Set[Key] | None = None
) -> Result:
    """Scores of all metrics that the samples allow; re-ranking where all of them have scores.

    `seen` are the problems that are in what the model was trained on
    (`trainers.evaluation.overlap`): they
    are flagged, and each set is scored without them too. None where that is not known.
    """
    table, rows, scored = _Table(), [], True
    for one in graded:
        values = _values(one, seed)
        scored &= any(key.startswith("RR.") for key in values)
        unseen = seen is not None and (one.problem.set, one.problem.id) not in seen
        for metric, value in values.items():
            table.add(one.problem, unseen, metric, value)
        rows.append(
            {
                "set": one.problem.set,
                "id": one.problem.id,
                "samples": len(one.clusters),
                "right": int(one.right.sum()),
                "undecided": one.undecided,
                "seen": None if seen is None else not unseen,
                "values": values,
            }
        )
    scores = []
    for (group, metric), values_ in table.values.items():
        found = interval(values_, seed=seed)
        scores.append(Score(group, metric, len(values_), found.share, found.low, found.high))
    return Result(name, tuple(scores), tuple(rows), tuple(_warnings(rows) if scored else ()))


def _values(one: Graded, seed: int) -> dict[str, float]:
    """Every metric of one problem."""
    samples, right = len(one.clusters), int(one.right.sum())
    if not samples:
        return {"Pass@1": 0.0, "Pass@1 published": 0.0}
    values = {f"Pass@{k}": pass_at_k(samples, right, k) for k in sizes(samples)}
    values["Pass@1 published"] = float(one.published.mean())
    if samples == 1:
        return values
    voted = majority(one.published_clusters, one.scores)
    agreed = one.published_clusters == voted
    values[f"Maj1@{samples} published"] = float(voted >= 0 and one.published[agreed].mean() > 0.5)
    scored = not np.isnan(one.scores).any()
    for rule_name, rule in RULES.items():
        if rule_name == "Maj1" or scored:
            for size in sizes(samples)[1:]:
                values[f"{rule_name}@{size}"] = _won(one, rule, size, seed)
    if scored:
        # The same rules with all samples, over how many clusters or samples they look into.
        for name, looking in LOOKING.items():
            for k in sizes(samples):
                won = looking(one.clusters, one.scores, k)
                values[f"{name.replace('K', str(k)).replace('N', str(k))}@{samples}"] = _right(
                    one, won
                )
    return values


def sizes(samples: int) -> list[int]:
    """1, 2, 4, … and all of them: the points of a curve."""
    powers = [2**power for power in range(samples.bit_length()) if 2**power < samples]
    return [*powers, samples]


def _won(one: Graded, rule: Rule, size: int, seed: int) -> float:
    """How often the cluster that a rule chooses is the right one, over subsets of a size."""
    if size == len(one.clusters):
        return _right(one, rule(one.clusters, one.scores))
    random = np.random.default_rng([seed, size])
    won = 0.0
    for _ in range(SUBSETS):
        drawn = np.sort(random.choice(len(one.clusters), size, replace=False))
        won += _right(one, rule(one.clusters[drawn], one.scores[drawn]))
    return won / SUBSETS


def _right(one: Graded, cluster: int) -> float:
    """Whether a cluster's answer is right: that of most of its samples."""
    if cluster < 0:
        return 0.0
    return float(one.right[one.clusters == cluster].mean() > 0.5)


def _warnings(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Re-ranking that does not beat the vote outside its interval, said plainly."""
    told = []
    by_set: dict[str, list[dict[str, float]]] = defaultdict(list)
    for row in rows:
        by_set[row["set"]].append(row["values"])
    for group, values in by_set.items():
        votes = _largest(values, "Maj1")
        for rule in list(RULES)[1:]:
            ours = _largest(values, rule)
            if not ours or not votes:
                continue
            gap, p = difference(ours, votes)
            if gap.low <= 0:
                told.append(
                    f"{group}: {rule} is no better than the vote here ({gap.share:+.1%}, 95% "
                    f"interval {gap.low:+.1%} to {gap.high:+.1%}, p {p:.3f}); do not replace it"
                )
    return told


def _largest(values: Sequence[dict[str, float]], rule: str) -> list[float]:
    """A rule's values with all samples, a problem each; empty if some problem has none."""
    found = []
    for each in values:
        after = [key.removeprefix(f"{rule}@") for key in each if key.startswith(f"{rule}@")]
        points = [int(size) for size in after if size.isdigit()]
        if not points:
            return []
        found.append(each[f"{rule}@{max(points)}"])
    return found


def compare(one: Result, other: Result) -> list[dict[str, Any]]:
    """Metrics that both have on problems that both saw: gap, interval, p of a paired test."""
    seen = {(row["set"], row["id"]): row["values"] for row in other.problems}
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in one.problems:
        theirs = seen.get((row["set"], row["id"]), {})
        for metric, value in row["values"].items():
            if metric in theirs:
                pairs[row["set"], metric].append((value, theirs[metric]))
    found = []
    for (group, metric), values in pairs.items():
        ours, others = (list(side) for side in zip(*values, strict=True))
        gap, p = difference(ours, others)
        found.append(
            {
                "group": group,
                "metric": metric,
                "problems": len(values),
                "one": float(np.mean(ours)),
                "other": float(np.mean(others)),
                "gap": gap.share,
                "low": gap.low,
                "high": gap.high,
                "p": p,
            }
        )
    return found


def write_result(result: Result, path: Path) -> None:
    """Write a result as JSON, whole or not at all."""
    with write_aside(path) as temporary:
        temporary.write_text(json.dumps(result.plain(), allow_nan=False) + "\n", "utf-8")


def read_result(path: Path) -> Result:
    """A result that was written as JSON. Raises UsageError if the file holds none."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']!r:.20}, this release reads {FORMAT}")
        scores = tuple(Score(**score) for score in values["scores"])
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
        raise UsageError(f"Cannot read a result at {path}: {error.strerror}") from None
    except MALFORMED as error:
        why = " ".join(str(error).split())[:100]
        raise UsageError(
            f"{path} holds no result of 'curator evaluate -o' ({type(error).__name__}: {why})"
        ) from None
