"""Stage `draw`: the rows of a version, drawn from all rows that pass the screens.

In: the objects of the subsets and the verdicts of the screens. Out: the object `rows`, with counts.
"""

from collections.abc import Mapping, Sequence

from curator.core import arrow
from curator.pipeline import mixture
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.screen import CODE, create_tables, input_digests
from curator.screens.rows import Rows
from curator.versions import queries
from curator.versions.queries import Part
from curator.versions.rows import rows_digest
from datastore.engine import scan
from datastore.memo import Outputs

ROWS_SHA256 = "sha256"
"""Name of the count that is the digest of the rows as a number, so that it is cached with them."""


def draw(context: BuildContext, parts: Sequence[Part], screened: Mapping[str, Outputs]) -> Outputs:
    """Write object `rows` (id, subset), sorted by id.

    Counts: `sha256` of the rows, `available|SUBSET`, `kept|SUBSET`, and kept rows by evidence
    level, `LEVEL|SUBSET`.
    """
    mix = context.recipe.mixture
    built = {part.subset for part in parts}
    amounts = {name: amount for name, amount in mix.subsets.items() if name in built}
    shares = mixture.shares(context.recipe)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        with context.store.guard_query(inputs), context.store.engine() as engine:
            create_tables(engine, context, parts, screened)
            rows = Rows("SELECT * FROM alive", queries.problems(parts))
            counted = mixture.available(engine, rows)
            available = {part.subset: counted.get(part.subset, 0) for part in parts}
            counts = mixture.plan(available, amounts, mix.rows, shares).counts
            drawn = mixture.draw(engine, rows, counts, context.recipe.seed)
            digest = context.store.objects.write(drawn, arrow.VERSION_ROWS)
            levels = queries.evidence_levels(
                queries.verdicts(path for part in parts for path in part.verdicts)
            )
            by_level = engine.sql(
                "SELECT coalesce(evidence_level, 'form') || '|' || subset, count(*) "
                f"FROM {scan([context.store.objects.path(digest)])} "
                f"LEFT JOIN ({levels}) ON row_id = id GROUP BY 1 ORDER BY 1"
            ).fetchall()
        kept = {f"kept|{subset}": count for subset, count in counts.items()}
        found = {f"available|{name}": count for name, count in available.items()}
        sha256 = int(rows_digest(context.store.objects, digest), 16)
        return {"rows": digest}, kept | found | dict(by_level) | {ROWS_SHA256: sha256}

    params = {
        "subsets": [part.subset for part in parts],
        "rows": mix.rows,
        "amounts": amounts,
        "seed": context.recipe.seed,
        "undecided": context.recipe.undecided,
    } | ({"kinds": dict(mix.kinds)} if mix.kinds else {})
    inputs = input_digests(parts, screened)
    return context.once(
        Stage("draw", (__name__, "curator.pipeline.mixture", *CODE)), params, inputs, make
    )
