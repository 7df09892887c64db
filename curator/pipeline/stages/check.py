"""Stage `check`: the checks of a subset over its rationales, shard by shard.

In: a shard's objects of problems and of rationales. Out: its object `verdicts`, in the order of the
rationales, with counts.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from curator.checks import CHECKS, Candidate
from curator.core import arrow
from curator.core.model import Verdict
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import columns
from curator.pipeline.stages.write import WrittenRows
from curator.recipe.schema import Subset
from datastore.memo import Outputs

CODE = (
    __name__,
    "curator.checks",
    "curator.answers",
    "curator.core.languages",
    "curator.core.thoughts",
    "curator.core.tool_calls",
    "curator.core.turns",
    "curator.sandbox",
    "curator.pipeline.checker",
)


_GOLD = ["id", "gold", "choices"]
_TEXT = ["id", "problem_id", "instruction", "text", "as_written", "gold_in_text", "labelled_steps"]
Gold = tuple[Any, ...]
"""The values of the columns `_GOLD` of one problem."""
Text = tuple[Any, ...]
"""The values of the columns `_TEXT` of one rationale."""


def check(
    context: BuildContext,
    name: str,
    problems: Sequence[str],
    rationales: Sequence[str],
    agreements: str,
    rows: WrittenRows | None = None,
) -> Outputs:
    """Write object `verdicts` of one shard; counts are rows by outcome and by `outcome: reason`.

    The rationales are in the order of their problems. `agreements` is an object of verdicts about
    problems: how a teacher agreed on their golds. `rows` are those of objects that were just
    written, which are then not read again.
    """
    subset = context.recipe.subsets[name]

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts: Counter[str] = Counter()
        total = context.store.objects.total_rows(rationales)
        golds, texts = _rows_of(rows) if rows else _read(context, problems, rationales)
        agreed = _read_agreements(context, agreements)
        candidates = track_progress(
            _candidates(context, subset, golds, texts, agreed),
            context.listener,
            f"checking {name}",
            total,
        )
        verdicts = context.checker.check(candidates, subset.checks)
        batches = arrow.to_batches(_count(verdicts, counts), arrow.VERDICTS)
        written = context.store.objects.write(batches, arrow.VERDICTS)
        unchecked = total - sum(counts[outcome] for outcome in ("passed", "undecided", "failed"))
        if unchecked:  # no check applies to them
            counts["passed"] += unchecked
        return {"verdicts": written}, dict(counts)

    params = check_params(context, subset)
    inputs = [*problems, *rationales, *([agreements] if agreements else [])]
    return context.once(Stage("check", CODE), params, inputs, make, name)


def check_params(context: BuildContext, subset: Subset) -> dict[str, Any]:
    """Return the parameters on which verdicts depend: versions of the checks, and limits."""
    limits = context.recipe.limits.model_dump(exclude={"quarantine"})
    checks = {name: CHECKS[name].version for name in subset.checks}
    params = {"checks": checks, "limits": limits, "executor": context.checker.sandbox_version}
    return params | ({"evidence": subset.evidence} if subset.evidence else {})


def _rows_of(rows: WrittenRows) -> tuple[Iterator[Gold], Iterator[Text]]:
    """Return what the check reads of rows that were just written."""
    return map(attrgetter(*_GOLD), rows.problems), map(attrgetter(*_TEXT), rows.rationales)


def _read(
    context: BuildContext, problems: Sequence[str], rationales: Sequence[str]
) -> tuple[Iterator[Gold], Iterator[Text]]:
    """Return what the check reads of objects of problems and rationales."""
    texts = columns(context, rationales, _TEXT)
    read = ((*values, arrow.to_labelled_steps(steps)) for *values, steps in texts)
    return columns(context, problems, _GOLD), read


def _read_agreements(context: BuildContext, agreements: str) -> dict[bytes, Verdict]:
    return {
        row["row_id"]: Verdict(**row | {"evidence": json.loads(row["evidence"])})
        for batch in (context.store.objects.read(agreements) if agreements else ())
        for row in batch.to_pylist()
    }


def _candidates(
    context: BuildContext,
    subset: Subset,
    golds: Iterator[Gold],
    texts: Iterator[Text],
    agreed: Mapping[bytes, Verdict],
) -> Iterator[Candidate]:
    """Yield each rationale with the gold of its problem; both are in upstream's order."""
    kind, required, characters = subset.kind, subset.evidence, context.recipe.limits.characters
    id_, gold, choices = b"", "", ()
    for row_id, problem_id, instruction, text, as_written, gold_in_text, steps in texts:
        while id_ != problem_id:
            id_, gold, choices = next(golds)
        yield Candidate(
            row_id,
            kind,
            instruction,
            text,
            gold,
            tuple(choices),
            as_written=as_written or "",
            # Objects of older releases do not say where their gold answers come from.
            gold_in_text=gold_in_text is not False,
            required=required,
            characters=characters,
            agreement=agreed.get(problem_id),
            labelled_steps=steps,
        )


def _count(verdicts: Iterable[Verdict], counts: Counter[str]) -> Iterator[Verdict]:
    """Yield the verdicts; count rows by their worst outcome and its first reason.

    Passed verdicts with a reason, which report a row, are counted as `passed: reason`; verdicts of
    another version than their check states, as `check version NUMBER`.
    """
    severity = {"passed": 0, "undecided": 1, "failed": 2}
    row_id, outcome, reason = b"", "passed", ""

    def count_row() -> None:
        if row_id:
            counts[outcome] += 1
            if reason:
                counts[f"{outcome}: {reason}"] += 1

    for verdict in verdicts:
        if verdict.version != CHECKS[verdict.check].version:
            counts[f"{verdict.check} version {verdict.version}"] += 1
        if verdict.row_id != row_id:
            count_row()
            row_id, outcome, reason = verdict.row_id, "passed", ""
        if severity[verdict.outcome] > severity[outcome]:
            outcome, reason = verdict.outcome, verdict.reason
        elif verdict.outcome == "passed" and verdict.reason:
            counts[f"passed: {verdict.reason}"] += 1
        yield verdict
    count_row()
