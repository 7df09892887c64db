"""The length of rows in tokens of a real tokenizer.

In: the tables of a version, and a function that counts tokens. Out: quantiles and a histogram per
kind. For large versions a sample is counted: the rows with the smallest ids, which are hashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datastore.engine import Engine

SAMPLE = 10_000
"""Maximum number of rows that are counted; this takes about two seconds."""

EDGES = (0, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048)
"""Lower bounds of the histogram's columns; the last column has no upper bound."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of instruction and rationale together, for the rows of one kind."""

    kind: str
    rows: int
    """Number of rows that were counted."""
    median: int
    percentile_90: int
    maximum: int
    instruction: int
    """Median of the instruction alone."""
    rationale: int
    """Median of the rationale alone."""
    over_2048: int
    """Rows above 2,048 tokens, where MAmmoTH's training cut them."""
    bins: Sequence[tuple[str, int]]
    """Columns of the histogram: lower bound, rows."""


def measure_lengths(engine: Engine, count: Callable[[str], int]) -> list[Lengths]:
    """Measure the kept rows per kind; `count` returns the tokens of a text."""
    query = f"""
        SELECT kind, instruction, text FROM current.rationale SEMI JOIN (
            SELECT id, subset FROM current.row_status WHERE status = 'kept' ORDER BY id, subset
            LIMIT {SAMPLE}
        ) USING (id, subset)
    """
    tokens: dict[str, list[tuple[int, int]]] = {}
    for batch in engine.batches(query):
        for kind, instruction, text in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            tokens.setdefault(kind, []).append((count(instruction), count(text)))
    return [_summarize(kind, pairs) for kind, pairs in sorted(tokens.items())]


def _summarize(kind: str, pairs: Sequence[tuple[int, int]]) -> Lengths:
    totals = sorted(a + b for a, b in pairs)
    bins = []
    for place, edge in enumerate(EDGES):
        end = EDGES[place + 1] if place + 1 < len(EDGES) else totals[-1] + 1
        bins.append((_format_edge(edge), sum(edge <= each < end for each in totals)))
    return Lengths(
        kind=kind,
        rows=len(totals),
        median=_quantile(totals, 0.5),
        percentile_90=_quantile(totals, 0.9),
        maximum=totals[-1],
        instruction=_quantile(sorted(a for a, _ in pairs), 0.5),
        rationale=_quantile(sorted(b for _, b in pairs), 0.5),
        over_2048=sum(each > EDGES[-1] for each in totals),
        bins=bins,
    )


def _format_edge(edge: int) -> str:
    return f"{edge // 1024}k+" if edge == EDGES[-1] else str(edge) if edge < 1024 else "1k"


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
