"""How long rows are, in tokens of a real tokenizer.

In: the tables of a version, and a function that counts. Out: quantiles and a histogram for each
kind. Of large versions a sample is counted: the rows with the smallest ids, which are hashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datastore.engine import Engine

SAMPLE = 10_000
"""Rows that are counted at most: about two seconds."""

EDGES = (0, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048)
"""Where the columns of the histogram begin; the last one has no end."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of instruction and rationale together, of the rows of one kind."""

    kind: str
    rows: int
    """Rows that were counted."""
    middle: int
    """Median of all tokens of a row."""
    ninety: int
    """90% of the rows have at most so many."""
    longest: int
    instruction: int
    """Median of the instruction alone."""
    rationale: int
    """Median of the rationale alone."""
    over: int
    """Rows with more than 2,048, at which MAmmoTH's training cut."""
    bins: Sequence[tuple[str, int]]
    """Columns of the histogram: where they begin, rows."""


def lengths(engine: Engine, count: Callable[[str], int]) -> list[Lengths]:
    """CoT and PoT, as far as the version has rows of them."""
    query = f"""
        SELECT kind, instruction, text FROM now.rationale SEMI JOIN (
            SELECT id, subset FROM now.judged WHERE fate = 'kept' ORDER BY id, subset
            LIMIT {SAMPLE}
        ) USING (id, subset)
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for batch in engine.batches(query):
        for kind, instruction, text in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            found.setdefault(kind, []).append((count(instruction), count(text)))
    return [_summed(kind, counted) for kind, counted in sorted(found.items())]


def _summed(kind: str, counted: Sequence[tuple[int, int]]) -> Lengths:
    whole = sorted(a + b for a, b in counted)
    bins = []
    for place, edge in enumerate(EDGES):
        end = EDGES[place + 1] if place + 1 < len(EDGES) else whole[-1] + 1
        bins.append((_edge(edge), sum(edge <= each < end for each in whole)))
    return Lengths(
        kind=kind,
        rows=len(whole),
        middle=_quantile(whole, 0.5),
        ninety=_quantile(whole, 0.9),
        longest=whole[-1],
        instruction=_quantile(sorted(a for a, _ in counted), 0.5),
        rationale=_quantile(sorted(b for _, b in counted), 0.5),
        over=sum(each > EDGES[-1] for each in whole),
        bins=bins,
    )


def _edge(edge: int) -> str:
    return f"{edge // 1024}k+" if edge == EDGES[-1] else str(edge) if edge < 1024 else "1k"


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
