"""The length of rows in tokens of a real tokenizer, in the same buckets wherever it is stated.

In: rows of a version, and a function that counts tokens. Out: quantiles and a histogram per kind,
for reports, exports and cards. For large versions a sample is counted: the rows with the smallest
ids, which are hashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from curator.core.model import Kind
from curator.core.thoughts import split_thought
from curator.teacher.token_count import counter
from datastore.engine import Engine

__all__ = ["LengthCounter", "Lengths", "counter", "measure_lengths", "plain_lengths", "sampled"]

TOKENIZER = "o200k_base"
"""The tokenizer of `counter`, which loads it."""
BATCH = 64
"""Number of rows that are held in memory: a text may have a million characters."""
SAMPLE = 10_000
"""Maximum number of rows that are counted; this takes about two seconds."""

EDGES = (0, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048)
"""Lower bounds of the buckets; the last bucket has no upper bound."""
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
    buckets: Sequence[tuple[int, int]]
    """Lower bound and number of rows of each bucket."""

    @property
    def bins(self) -> list[tuple[str, int]]:
        """Return the buckets with their lower bounds as labels: `512`, `1k`, `2k+`."""
        last = self.buckets[-1][0]
        return [(_format_edge(edge, last=edge == last), rows) for edge, rows in self.buckets]

    def plain(self) -> dict[str, Any]:
        """Return the values of the JSON of an export, and of the manifest of a release."""
        return {
            "rows": self.rows,
            "median": self.median,
            "percentile_90": self.percentile_90,
            "maximum": self.maximum,
            "thoughts": self.thoughts,
            "median_thought": self.thought,
            "buckets": [{"from": edge, "rows": rows} for edge, rows in self.buckets],
        }


class LengthCounter:
    """Counts the tokens of rows one by one; `count` returns those of a text."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._tokens: dict[str, list[tuple[int, int, int]]] = {}

    def add(self, kind: Kind, instruction: str, text: str, thought: str = "") -> None:
        """Count a row; without a `thought` apart, it is looked for in the text."""
        first, answer = (thought, text) if thought else split_thought(text, kind)
        count = self._count
        parts = (count(instruction), count(first) if first else 0, count(answer))
        self._tokens.setdefault(kind, []).append(parts)

    def lengths(self) -> list[Lengths]:
        """Return the lengths per kind."""
        return [_summarize(kind, rows) for kind, rows in sorted(self._tokens.items())]


def measure_lengths(engine: Engine, query: str, count: Callable[[str], int]) -> list[Lengths]:
    """Measure the rows of a SELECT of (kind, instruction, text) per kind."""
    found = LengthCounter(count)
    for batch in engine.batches(query, size=BATCH):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            found.add(*values)
    return found.lengths()


def sampled(rows: str) -> str:
    """SELECT of (id, subset): the rows that are counted, of a FROM item with these columns."""
    return f"SELECT id, subset FROM {rows} ORDER BY id, subset LIMIT {SAMPLE}"


def plain_lengths(lengths: Sequence[Lengths]) -> dict[str, Any]:
    """Return lengths as JSON values: the tokenizer, and the buckets of each kind."""
    return {"tokenizer": TOKENIZER, "kinds": {each.kind: each.plain() for each in lengths}}


def _summarize(kind: str, rows: Sequence[tuple[int, int, int]]) -> Lengths:
    """Summarize the tokens of instruction, thought and answer of the rows of a kind."""
    totals = sorted(map(sum, rows))
    thoughts = sorted(thought for _, thought, _ in rows if thought)
    edges = [*EDGES, *(edge for edge in LONG_EDGES if edge <= totals[-1])]
    buckets = []
    for edge, end in zip_longest(edges, edges[1:]):
        count = sum(edge <= each and (end is None or each < end) for each in totals)
        buckets.append((edge, count))
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
        buckets=buckets,
    )


def _format_edge(edge: int, last: bool) -> str:
    return (str(edge) if edge < 1024 else f"{edge // 1024}k") + ("+" if last else "")


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
