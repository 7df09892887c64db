"""The stages of a build, each remembered by its inputs: ingest, write, verify, screen, draw.

In: a recipe, a store and where upstream files are. Out: immutable objects and their counts. A stage
runs when nothing like it is remembered; with `dry` it raises NotBuilt instead, which is how a plan
knows what a build would do.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from curator.checks import CHECKS, Candidate
from curator.core import arrow
from curator.core.model import Kind, Verdict
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import columns
from curator.recipe.schema import Subset
from datastore.memo import Outputs


def verify(
    context: BuildContext,
    name: str,
    subset: Subset,
    problems: Sequence[str],
    rationales: str,
    agreements: str = "",
) -> Outputs:
    """Object `verdicts`: what each check found about each rationale; counts of outcomes.

    `agreements` is an object of verdicts that name problems: how their golds were agreed on.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts: Counter[str] = Counter()
        candidates = track_progress(
            _candidates(context, subset.kind, problems, rationales, agreements),
            context.listener,
            f"verifying {name}",
            context.store.objects.rows(rationales),
        )
        verdicts = context.checker.check(candidates, subset.checks)
        batches = arrow.to_batches(_tallied(verdicts, counts), arrow.VERDICTS)
        return {"verdicts": context.store.objects.write(batches, arrow.VERDICTS)}, dict(counts)

    params = verify_params(context, subset)
    code = (
        __name__,
        "curator.checks",
        "curator.answers",
        "curator.sandbox",
        "curator.pipeline.checker",
    )
    inputs = [*problems, rationales, *([agreements] if agreements else [])]
    return context.once(Stage("verify", code), params, inputs, make, name)


def verify_params(context: BuildContext, subset: Subset) -> dict[str, Any]:
    """What verdicts depend on, apart from what is judged."""
    limits = context.recipe.limits.model_dump(exclude={"quarantine"})
    checks = {name: CHECKS[name].version for name in subset.checks}
    return {"checks": checks, "limits": limits, "executor": context.checker.executor}


def _candidates(
    context: BuildContext, kind: Kind, problems: Sequence[str], rationales: str, agreements: str
) -> Iterator[Candidate]:
    """Rationales with the gold of their problems: both are in upstream's order."""
    agreed = {
        row["row_id"]: Verdict(**row | {"evidence": json.loads(row["evidence"])})
        for batch in (context.store.objects.read(agreements) if agreements else ())
        for row in batch.to_pylist()
    }
    golds = columns(context, problems, ["id", "gold", "choices"])
    id_, gold, choices = b"", "", ()
    for row_id, problem_id, instruction, text in columns(
        context, [rationales], ["id", "problem_id", "instruction", "text"]
    ):
        while id_ != problem_id:
            id_, gold, choices = next(golds)
        agreement = agreed.get(problem_id)
        yield Candidate(row_id, kind, instruction, text, gold, tuple(choices), agreement)


def _tallied(verdicts: Iterable[Verdict], counts: Counter[str]) -> Iterator[Verdict]:
    """The same verdicts; `counts` gets rows by outcome and first reason: `failed: wrong answer`."""
    row, outcome, reason = b"", "passed", ""

    def close() -> None:
        if row:
            counts[outcome] += 1
            if reason:
                counts[f"{outcome}: {reason}"] += 1

    for verdict in verdicts:
        if verdict.row_id != row:
            close()
            row, outcome, reason = verdict.row_id, "passed", ""
        worse = {"passed": 0, "undecided": 1, "failed": 2}
        if worse[verdict.outcome] > worse[outcome]:
            outcome, reason = verdict.outcome, verdict.reason
        yield verdict
    close()
