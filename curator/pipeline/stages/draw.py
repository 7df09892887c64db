"""Draw the rows of a version from all rows that the screens let through.

In: the objects of the subsets and the verdicts of the screens. Out: the object `rows`, with counts.
"""

from collections.abc import Mapping, Sequence

from curator.core import arrow
from curator.pipeline import mixture
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.screen import CODE, _inputs, _tables
from curator.screens.rows import Rows
from curator.versions import queries
from curator.versions.queries import Part
from datastore.memo import Outputs


def draw(context: BuildContext, parts: Sequence[Part], screened: Mapping[str, Outputs]) -> Outputs:
    """Object `rows` (id, subset), sorted by id; counts `available|SUBSET` and `kept|SUBSET`."""
    wanted = context.recipe.mixture
    built = {part.subset for part in parts}
    asked = {name: amount for name, amount in wanted.subsets.items() if name in built}

    def make() -> tuple[dict[str, str], dict[str, int]]:
        with context.store.wrap_query_errors(inputs), context.store.engine() as engine:
            _tables(engine, context, parts, screened)
            rows = Rows("SELECT * FROM alive", queries.problems(parts))
            found = mixture.available(engine, rows)
            available = {part.subset: found.get(part.subset, 0) for part in parts}
            counts = mixture.plan(available, asked, wanted.rows).counts
            drawn = mixture.draw(engine, rows, counts, context.recipe.seed)
            digest = context.store.objects.write(drawn, arrow.VERSION_ROWS)
        told = {f"available|{subset}": count for subset, count in available.items()}
        return {"rows": digest}, told | {f"kept|{subset}": n for subset, n in counts.items()}

    params = {
        "subsets": [part.subset for part in parts],
        "rows": wanted.rows,
        "wanted": asked,
        "seed": context.recipe.seed,
        "undecided": context.recipe.undecided,
    }
    inputs = _inputs(parts, screened)
    return context.once(
        Stage("draw", (__name__, "curator.pipeline.mixture", *CODE)), params, inputs, make
    )
