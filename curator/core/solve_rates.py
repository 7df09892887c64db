"""Solve rates: how often a model's attempts at a problem succeed, with an interval.

In: counts of attempts in the layout `SOLVE_COUNTS`. Out: SELECTs for DuckDB. Only counts are
stored, and rates are computed from them. Undecided attempts are neither successes nor failures, and
no rate counts them.
"""

import pyarrow as pa

from curator.core.arrow import ID
from datastore.engine import literal

SOLVE_COUNTS = pa.schema(
    [("problem_id", ID), ("model", pa.string())]
    + [(name, pa.int64()) for name in ("successes", "failures", "undecided")]
)
"""One row per problem and model that has attempts."""
Z = 1.959964
"""Quantile of the normal distribution for a two-sided interval of 95%."""
NO_COUNTS = (
    "(SELECT ''::BLOB AS problem_id, '' AS model, 0::BIGINT AS successes, 0::BIGINT AS failures, "
    "0::BIGINT AS undecided WHERE false)"
)
"""FROM item of counts without a row."""


def select_rates(counts: str) -> str:
    """SELECT of the counts of a FROM item with `attempts`, `rate`, `low` and `high`.

    `low` and `high` are the 95% Wilson score interval of the rate (Wilson 1927). All three are NULL
    without a decided attempt.
    """
    wide = f"({Z} * {Z} / decided)"
    half = f"{Z} * sqrt(rate * (1 - rate) / decided + {wide} / (4 * decided))"
    return f"""
        SELECT * EXCLUDE (decided),
            CASE WHEN rate = 0 THEN 0 ELSE (rate + {wide} / 2 - {half}) / (1 + {wide}) END AS low,
            CASE WHEN rate = 1 THEN 1 ELSE (rate + {wide} / 2 + {half}) / (1 + {wide}) END AS high
        FROM (
            SELECT *, successes + failures + undecided AS attempts,
                nullif(successes + failures, 0) AS decided, successes / decided AS rate
            FROM {counts}
        )
    """


def sum_models(counts: str, model: str = "") -> str:
    """FROM item of counts with one row per problem: those of a model, or of all models together."""
    chosen = f"WHERE model = {literal(model)}" if model else ""
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in SOLVE_COUNTS.names[2:])
    return f"(SELECT problem_id, {sums} FROM {counts} {chosen} GROUP BY problem_id)"
