"""Stage of the writer `hinted`: rows of another subset with a user's claim put in front.

In: the rationales of another subset that passed its checks. Out: their hinted rows, in the same
order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from curator.core import arrow
from curator.core.model import Rationale
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, NotBuilt, Stage
from curator.pipeline.stages.read import columns, read_problems
from curator.pipeline.stages.write import number_copies
from curator.pipeline.stages.writer_stage import WriterStage, Written
from curator.pipeline.state import SubsetInputs, SubsetState
from curator.recipe.schema import Subset, SubsetSource
from curator.writers.hinted import add_hint
from datastore.memo import Outputs


def run(
    context: BuildContext, name: str, inputs: SubsetInputs, built: Mapping[str, SubsetState]
) -> Written:
    """Write the hinted rows of a subset; it waits while the other subset does."""
    subset = context.recipe.subsets[name]
    source = _source(subset)
    if source not in built:
        raise NotBuilt("hint")
    base = built[source]
    if not base.verdicts:
        return SubsetState(subset, base.licence, (f"subset {source}",)), None
    state = SubsetState(
        subset, base.licence, (), problems=base.problems, agreements=base.agreements
    )
    return state, hint(context, name, base)


def max_rows(context: BuildContext, subset: Subset, rows: Mapping[str, int]) -> int:
    """Return the number of rows of the other subset: each gives one row at most."""
    return rows[_source(subset)]


STAGE = WriterStage(order=2, run=run, max_rows=max_rows)


def _source(subset: Subset) -> str:
    assert isinstance(subset.source, SubsetSource)
    return subset.source.subset


def hint(context: BuildContext, name: str, base: SubsetState) -> Outputs:
    """Write object `rationales`.

    Counts: problems, rationales, and `without`: passed rationales without a hinted row.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts = {"problems": 0, "without": 0, "rationales": 0}
        rationales = track_progress(
            _rationales(context, base, counts), context.listener, f"writing {name}"
        )
        batches = arrow.to_batches(number_copies(rationales), arrow.RATIONALES)
        return {"rationales": context.store.objects.write(batches, arrow.RATIONALES)}, counts

    code = ("curator.writers", "curator.answers", __name__)
    digests = [*base.problems, base.rationales, base.verdicts]
    return context.once(Stage("hint", code), {"seed": context.recipe.seed}, digests, make, name)


def _rationales(
    context: BuildContext, base: SubsetState, counts: dict[str, int]
) -> Iterator[Rationale]:
    problems = read_problems(context, base.problems)
    problem = None
    seen: set[bytes] = set()
    for rationale in _passed(context, base):
        while problem is None or problem.id != rationale.problem_id:
            problem = next(problems)
        seen.add(problem.id)
        counts["problems"] = len(seen)
        if row := add_hint(problem, rationale, context.recipe.seed):
            counts["rationales"] += 1
            yield row
        else:
            counts["without"] += 1


def _passed(context: BuildContext, base: SubsetState) -> Iterator[Rationale]:
    """Yield the rationales whose verdicts all passed. Verdicts are in the order of rationales."""
    verdicts = columns(context, [base.verdicts], ["row_id", "outcome"])
    row_id, outcome = next(verdicts, (None, ""))
    names = ["id", *(field.name for field in fields(Rationale) if field.init)]
    for rationale_id, *values in columns(context, [base.rationales], names):
        outcomes = []
        while row_id == rationale_id:
            outcomes.append(outcome)
            row_id, outcome = next(verdicts, (None, ""))
        if outcomes and set(outcomes) == {"passed"}:
            yield Rationale(*values)
