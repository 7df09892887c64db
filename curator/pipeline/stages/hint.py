"""Stage of the writer `hinted`: rows of another subset with a user's claim put in front.

In: the rationales of another subset that passed its checks. Out: their hinted rows, in the same
order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import partial

from curator.core import arrow
from curator.core.model import Rationale
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, NotBuilt, Stage
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.read import columns, read_problems
from curator.pipeline.stages.write import CopyNumbers
from curator.pipeline.stages.writer_stage import WriterStage
from curator.pipeline.state import Rationales, SubsetInputs, SubsetState, Written
from curator.recipe.schema import Subset, SubsetSource
from curator.writers.hinted import add_hint
from datastore.engine import scan
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
    rows = context.store.objects.rows
    triples = zip(base.problems, base.rationales, base.verdicts, strict=True)
    shards = [Shard(partial(rows, each[1]), (name, *each)) for each in triples]
    done = run_shards(context, hint, shards, f"writing {name}")
    counts = {key: sum(each.counts[key] for each in done) for key in ("without", "rationales")}
    counts["problems"] = done[0].counts["problems"] if len(done) == 1 else _count(context, base)
    return state, Rationales([each.objects["rationales"] for each in done], counts)


def max_rows(context: BuildContext, subset: Subset, rows: Mapping[str, int]) -> int:
    """Return the number of rows of the other subset: each gives one row at most."""
    return rows[_source(subset)]


STAGE = WriterStage(order=2, run=run, max_rows=max_rows)


def _source(subset: Subset) -> str:
    assert isinstance(subset.source, SubsetSource)
    return subset.source.subset


def hint(
    context: BuildContext, name: str, problems: str, rationales: str, verdicts: str
) -> Outputs:
    """Write object `rationales` from one shard of the other subset.

    Counts: problems, rationales, and `without`: passed rationales without a hinted row.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts = {"problems": 0, "without": 0, "rationales": 0}
        passed = _passed(context, rationales, verdicts)
        hinted = track_progress(
            _hinted(context, problems, passed, counts), context.listener, f"writing {name}"
        )
        batches = arrow.to_batches(CopyNumbers().number(hinted), arrow.RATIONALES)
        return {"rationales": context.store.objects.write(batches, arrow.RATIONALES)}, counts

    code = ("curator.writers", "curator.answers", __name__)
    digests = [problems, rationales, verdicts]
    return context.once(Stage("hint", code), {"seed": context.recipe.seed}, digests, make, name)


def _hinted(
    context: BuildContext, problems: str, passed: Iterator[Rationale], counts: dict[str, int]
) -> Iterator[Rationale]:
    read = read_problems(context, [problems])
    problem = None
    seen: set[bytes] = set()
    for rationale in passed:
        while problem is None or problem.id != rationale.problem_id:
            problem = next(read)
        seen.add(problem.id)
        counts["problems"] = len(seen)
        if row := add_hint(problem, rationale, context.recipe.seed):
            counts["rationales"] += 1
            yield row
        else:
            counts["without"] += 1


def _count(context: BuildContext, base: SubsetState) -> int:
    """Return the number of different problems that have a rationale which passed."""
    path, digests = context.store.objects.path, [*base.rationales, *base.verdicts]
    with context.store.guard_query(digests), context.store.engine() as engine:
        verdicts = scan(map(path, base.verdicts))
        query = f"""
            SELECT count(DISTINCT problem_id) FROM {scan(map(path, base.rationales))}
            SEMI JOIN (SELECT row_id AS id FROM {verdicts}
                GROUP BY row_id HAVING bool_and(outcome = 'passed')) USING (id)
        """
        return int(engine.sql(query).fetchall()[0][0])


def _passed(context: BuildContext, rationales: str, verdicts: str) -> Iterator[Rationale]:
    """Yield the rationales whose verdicts all passed. Verdicts are in the order of rationales."""
    outcomes_of = columns(context, [verdicts], ["row_id", "outcome"])
    row_id, outcome = next(outcomes_of, (None, ""))
    names = [field.name for field in fields(Rationale) if field.init]
    names = ["id", *names[: names.index("labelled_steps")]]  # a hinted text has other steps
    for rationale_id, *values in columns(context, [rationales], names):
        outcomes = []
        while row_id == rationale_id:
            outcomes.append(outcome)
            row_id, outcome = next(outcomes_of, (None, ""))
        if outcomes and set(outcomes) == {"passed"}:
            yield Rationale(*values)
