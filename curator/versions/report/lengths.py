"""The length of rows in tokens of a real tokenizer.

In: the tables of a version, and a function that counts tokens. Out: quantiles and a histogram per
kind. For large versions a sample is counted: the rows with the smallest ids, which are hashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from curator.core.thoughts import split_thought
from datastore.engine import Engine

BATCH = 64
"""Number of rows that are held in memory: a text may have a million characters."""
SAMPLE = 10_000
"""Maximum number of rows that are counted; this takes about two seconds."""

EDGES = (0, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048)
"""Lower bounds of the histogram's columns; the last column has no upper bound."""
LONG_EDGES = (4096, 8192, 16384, 32768, 65536)
"""Further bounds, as many as the longest row needs."""


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
    thoughts: int
    """Number of rows with a thought before their answer."""
    thought: int
    """Median of these thoughts alone."""
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
    tokens: dict[str, list[tuple[int, int, int]]] = {}
    for batch in engine.batches(query, size=BATCH):
        for kind, instruction, text in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            thought, answer = split_thought(text)
            parts = (count(instruction), count(thought) if thought else 0, count(answer))
            tokens.setdefault(kind, []).append(parts)
    return [_summarize(kind, rows) for kind, rows in sorted(tokens.items())]


def _summarize(kind: str, rows: Sequence[tuple[int, int, int]]) -> Lengths:
    """Summarize the tokens of instruction, thought and answer of the rows of a kind."""
    totals = sorted(map(sum, rows))
    thoughts = sorted(thought for _, thought, _ in rows if thought)
    edges = [*EDGES, *(edge for edge in LONG_EDGES if edge <= totals[-1])]
    bins = []
    for edge, end in zip_longest(edges, edges[1:]):
        count = sum(edge <= each and (end is None or each < end) for each in totals)
        bins.append((_format_edge(edge, last=end is None), count))
    return Lengths(
        kind=kind,
        rows=len(totals),
        median=_quantile(totals, 0.5),
        percentile_90=_quantile(totals, 0.9),
        maximum=totals[-1],
        instruction=_quantile(sorted(instruction for instruction, _, _ in rows), 0.5),
        rationale=_quantile(sorted(thought + answer for _, thought, answer in rows), 0.5),
        thoughts=len(thoughts),
        thought=_quantile(thoughts, 0.5) if thoughts else 0,
        over_2048=sum(each > EDGES[-1] for each in totals),
        bins=bins,
    )


def _format_edge(edge: int, last: bool) -> str:
    return (str(edge) if edge < 1024 else f"{edge // 1024}k") + ("+" if last else "")


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
