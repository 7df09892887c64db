"""Order the rows of an export by solve rate: a curriculum.

In: batches of rows of a version. Out: the same rows, easy or hard problems first; rows of problems
without a solve rate come last. Rows of equal rates stay in the order of the version: by subset,
then id. DuckDB sorts through temporary files, so memory does not grow with the number of rows.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Literal

import pyarrow as pa

from curator.core.errors import UsageError
from curator.core.solve_rates import select_rates, sum_models
from curator.versions.content import content_of, objects_of
from curator.versions.queries import solve_counts, version_rationales
from datastore.engine import Engine, literal
from datastore.store import Store
from datastore.versions import Manifest

Order = Literal["", "easy-first", "hard-first"]
"""Empty for the order of the version."""
ORDERS = ("easy-first", "hard-first")
_VIEW = "rows_to_order"


def check_order(manifest: Manifest, order: Order) -> None:
    """Raise UsageError if a version has no attempts to order by."""
    if order and not objects_of(manifest).solve_counts:
        raise UsageError(
            f"{manifest.ref} has no attempts, so its problems have no solve rates. Name files in "
            "the recipe's key 'attempts', or export without --order."
        )


def order_rows(
    engine: Engine,
    store: Store,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    order: Order,
) -> tuple[Iterator[pa.RecordBatch], int]:
    """Return the rows in order, and how many have no solve rate.

    All attempts at a problem count together. All batches are read first.
    """
    first = next(batches, None)
    if not order or first is None:
        return (batches if first is None else chain([first], batches)), 0
    engine.drop(_VIEW, "rated")
    engine.create_view(_VIEW, chain([first], batches), first.schema)
    rates = select_rates(sum_models(solve_counts(store, manifest)))
    engine.sql(
        "CREATE TABLE rated AS SELECT id, subset, any_value(rate) AS rate FROM "
        f"({version_rationales(store, manifest)}) JOIN ({rates}) USING (problem_id) "
        f"SEMI JOIN {_VIEW} USING (id, subset) GROUP BY ALL"
    )
    joined = f"{_VIEW} LEFT JOIN rated USING (id, subset)"
    unrated = engine.sql(f"SELECT count(*) FROM {joined} WHERE rate IS NULL").fetchall()[0][0]
    subsets = ", ".join(map(literal, content_of(manifest).order))
    direction = "DESC" if order == "easy-first" else "ASC"
    query = (
        f"SELECT {_VIEW}.* FROM {joined} ORDER BY rate {direction} NULLS LAST, "
        f"list_position([{subsets}], subset), id"
    )
    return engine.batches(query), int(unrated)
