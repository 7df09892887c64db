"""Finds similar texts in bounded memory: MinHash of 3-grams, then the exact Jaccard index.

In: texts in an order of preference. Out: the texts that are similar to preferred ones, each with
the text that is kept instead. Bands of 64 hashes select candidates. The grams of candidates alone
are computed from their texts; pairs that share a band or a rare gram are compared exactly, so that
there are no false positives. All tables are DuckDB's, which spills them; Python holds two bytes per
text and the items of one band or gram. Not covered: paraphrases.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import shake_128
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curator.core.arrow import ID, make_batch
from curator.screens import normalize
from curator.screens.meaning import Meaning
from datastore.engine import Engine, literal

GRAM = 3
"""Number of tokens per n-gram."""
HASHES = 64
LOWEST = 0.5
"""Minimum threshold: below it, the hashes select too many candidates."""
RECALL = 0.995
"""Minimum probability that two texts whose index equals the threshold become candidates."""
NEIGHBOURS = 4
"""A text is compared with this many first and this many preceding texts of its bucket, since all
texts of a template share one."""
MOST_CHARACTERS = 20_000
"""Characters of a text that are compared: a vector of DuckDB has 2,048 texts."""
CHUNK = 1 << 20
"""Number of grams that are hashed at a time."""
BATCH = 2_048
SLICES, CHUNK_ITEMS = 4, 1_024
"""The grams of a slice of items take at most one part in `SLICES` of the engine's memory; a slice
consists of whole chunks of items."""

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Ints = np.ndarray[Any, np.dtype[np.signedinteger[Any]]]

KEYS = pa.schema(
    [
        ("id", ID),
        ("question", pa.uint64()),
        ("length", pa.int32()),
        ("size", pa.int32()),
        ("grams", pa.uint64()),
        ("bands", pa.list_(pa.uint64())),
    ]
)
"""The keys of a text: `question` is the hash of the normalised question, `length` is in
characters, `size` is the number of different grams and `grams` the hash of their set."""
PAIRS = pa.schema([("item", pa.int32()), ("earlier", pa.int32())])
INDEXED = pa.schema([*PAIRS, ("index", pa.float64())])
GRAMS = pa.schema([("item", pa.int32()), ("grams", pa.list_(pa.uint64()))])
SHARED = pa.schema(
    [("item", pa.int32()), ("items", pa.int32()), ("size", pa.int32()), ("gram", pa.uint64())]
)
"""The grams of several items: `items` is the number of items with the gram, `size` the number of
grams of the item."""
RARE = pa.schema([("item", pa.int32()), ("gram", pa.uint64())])
SIMILAR = pa.schema(
    [("item", pa.int32()), ("kept", pa.int32()), ("index", pa.float64()), ("method", pa.string())]
)

_Group = tuple[int, list[tuple[int, int, float]]]
"""An item and its pairs (item, earlier, index), the most similar first."""

_SEEDS = np.frombuffer(shake_128(b"minhash").digest(HASHES * 8), np.uint32).reshape(2, HASHES)
_FACTORS = np.frombuffer(shake_128(b"grams").digest(GRAM * 8), np.uint64) | np.uint64(1)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Which texts are similar."""

    threshold: float
    """Minimum Jaccard index of their 3-grams."""
    folded: str
    """SQL of a text without differences that do not count, over the column `text`."""
    most: int = 1
    """Number of similar texts to keep."""
    ignore_numbers: bool = False
    model: str = ""
    """Model of the vectors, for evidence."""

    @property
    def method(self) -> str:
        """How texts are compared, for evidence."""
        return f"{GRAM}-grams{' without numbers' if self.ignore_numbers else ''}"


def select_tokens(source: str, columns: str, folded: str, ignore_numbers: bool = False) -> str:
    """SELECT of `columns` and `hashes`: the hashed tokens of the text `folded`."""
    shown = f"CASE WHEN t >= '0' AND t < ':' THEN '{normalize.MASK}' ELSE t END"
    token = shown if ignore_numbers else "t"
    return f"""
        SELECT * EXCLUDE folded,
            list_transform({normalize.tokens("folded")}, lambda t: hash({token})) AS hashes
        FROM (SELECT {columns}, left({folded}, {MOST_CHARACTERS:d}) AS folded FROM {source})
    """


def add_signatures(batches: Iterable[pa.RecordBatch], threshold: float) -> Iterator[pa.RecordBatch]:
    """Yield batches in the layout `KEYS` for batches of (id, question, length, hashes)."""
    width = _band_width(threshold)
    for batch in batches:
        for part, grams, starts in _distinct_grams(batch):
            bands = _bands(grams, starts, width)
            mixed = (grams ^ (grams >> np.uint64(29))) * _MIX
            offsets = np.arange(len(bands) + 1, dtype=np.int32) * bands.shape[1]
            columns = [
                *(part.column(name).cast(KEYS.field(name).type) for name in KEYS.names[:3]),
                pa.array(np.diff(starts).astype(np.int32)),
                pa.array(np.add.reduceat(mixed, starts[:-1])),
                pa.ListArray.from_arrays(pa.array(offsets), pa.array(bands.ravel())),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=KEYS)


def _band_width(threshold: float) -> int:
    """Return the largest number of hashes per band that finds a pair at the threshold."""
    return max(
        (w for w in range(1, 17) if 1 - (1 - threshold**w) ** (HASHES // w) >= RECALL), default=1
    )


def _distinct_grams(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, Hashes, Ints]]:
    """Yield parts of a batch: its rows, their different grams, where each text begins.

    The grams of a text are sorted. Texts without a token are left out.
    """
    batch = batch.filter(pc.greater(pc.list_value_length(batch.column("hashes")), 0))
    lists = batch.column("hashes")
    ends = lists.offsets.to_numpy().astype(np.int64)
    first = 0
    while first < len(lists):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + CHUNK, "right")) - 1)
        tokens = lists.values[ends[first] : ends[last]].to_numpy().astype(np.uint64)
        grams, sizes = _hash_grams(tokens, np.diff(ends[first : last + 1]))
        texts = np.repeat(np.arange(last - first), sizes)
        order = np.lexsort((grams, texts))
        grams, texts = grams[order], texts[order]
        new = (grams[1:] != grams[:-1]) | (texts[1:] != texts[:-1])
        new = np.append(True, new)
        starts = np.searchsorted(texts[new], np.arange(last - first + 1))
        yield batch.slice(first, last - first), grams[new], starts
        first = last


def _hash_grams(tokens: Hashes, sizes: Ints) -> tuple[Hashes, Ints]:
    """Return the hashes of all 3-grams, and how many each text has: at least one.

    A text of fewer tokens is filled up with zeros.
    """
    missing = np.maximum(GRAM - sizes, 0)
    tokens = np.insert(tokens, np.repeat(np.cumsum(sizes), missing), 0)
    sizes = sizes + missing
    inside = np.ones(len(tokens), bool)
    for place in range(1, GRAM):  # the last tokens of a text begin no gram
        inside[np.cumsum(sizes) - place] = False
    starts = np.flatnonzero(inside)
    mixed = np.zeros(len(starts), np.uint64)
    for place, factor in enumerate(_FACTORS):
        mixed += tokens[starts + place] * factor
    return (mixed ^ (mixed >> np.uint64(32))) * _MIX, sizes - (GRAM - 1)


def _bands(grams: Hashes, starts: Ints, width: int) -> Hashes:
    """Return an array (texts, bands). Two texts that agree in a band may be similar."""
    short = (grams >> np.uint64(32)).astype(np.uint32)
    bands = np.zeros((len(starts) - 1, HASHES // width), np.uint64)
    for place in range(bands.shape[1] * width):
        factor, shift = _SEEDS[:, place]
        least = np.minimum.reduceat(short * (factor | np.uint32(1)) + shift, starts[:-1])
        band = bands[:, place // width]
        band += least + np.uint64(place + 1)
        band *= _MIX
        band ^= band >> np.uint64(29)
    return bands


def find_similar(
    engine: Engine, keys: str, texts: str, likeness: Likeness, meaning: Meaning | None = None
) -> None:
    """Create table `matches` (item, kept, index, method) from table `items`.

    `items` (item, id, question, size, grams) has the texts to compare, numbered from 0 in the order
    of preference; only texts with the same `question` are compared. `keys` is a FROM item in the
    layout `KEYS`, `texts` a SELECT of (id, text), whose ids may repeat. `kept` precedes `item` and
    is not an `item` itself; `index` is the Jaccard index of the two, or the cosine of their vectors
    if only their `meaning` is similar. `meaning` needs that `likeness` keeps one text.
    """
    most = likeness.most
    engine.sql("""
        CREATE TABLE sets AS
        SELECT item, id, question, size, min(item) OVER same AS first,
            row_number() OVER (same ORDER BY item) AS rank
        FROM items WINDOW same AS (PARTITION BY question, size, grams)
    """)
    bands = f"""
        SELECT question, item, unnest(bands) AS shared
        FROM sets JOIN (SELECT id, bands FROM {keys}) USING (id)
        WHERE rank <= {most:d}
    """
    engine.create_view("pairs", _pairs(engine, bands, most), PAIRS)
    (count,) = engine.sql("SELECT count(*) FROM items").fetchall()[0]
    engine.create_view("grams", _grams(engine, texts, likeness, count), GRAMS)
    # Texts of a template share most bands, so that a text may lack its nearest one among them.
    engine.create_view("rare", _rare_grams(engine, likeness.threshold), RARE)
    shared = "SELECT question, item, gram AS shared FROM rare JOIN sets USING (item)"
    engine.create_view("more_pairs", _pairs(engine, shared, most), PAIRS)
    similar = _choose(engine, bytearray(count), likeness, meaning)
    engine.create_view("near", similar, SIMILAR)
    engine.sql(f"""
        CREATE TABLE matches AS
        SELECT * FROM near
        UNION ALL
        SELECT s.item, coalesce(n.kept, s.first), coalesce(n.index, 1),
            coalesce(n.method, {literal(likeness.method)})
        FROM sets s LEFT JOIN near n ON n.item = s.first WHERE s.rank > {most:d}
    """)
    engine.drop("sets", "pairs", "rare", "more_pairs", "grams", "indexed", "near")


def _rare_grams(engine: Engine, threshold: float) -> Iterator[pa.RecordBatch]:
    """Yield the rarest grams of each item of table `grams` in layout `RARE`, of those in several.

    Of two sets with an index of at least the threshold, those of any common order that are beyond
    threshold · size share one (prefix filtering; Chaudhuri, Ganti and Kaushik, 2006).
    """
    # Two sorts, which DuckDB spills better than an aggregate and a join of all grams.
    engine.create_view("shared", _shared_grams(engine), SHARED)
    query = "SELECT item, items, gram, size FROM shared ORDER BY item, items, gram"
    for item, _, gram, size in _by_first(engine.batches(query, size=1 << 18)):
        begins, several = _runs(item)
        # Grams of one item alone come before these.
        place = (
            np.arange(len(item)) - np.repeat(begins, several) + size - np.repeat(several, several)
        )
        rare = place <= size - np.ceil(threshold * size - 1e-9)
        yield pa.RecordBatch.from_arrays([pa.array(item[rare]), pa.array(gram[rare])], schema=RARE)
    engine.drop("shared")


def _shared_grams(engine: Engine) -> Iterator[pa.RecordBatch]:
    """Yield the grams of several items, in the layout `SHARED`."""
    query = """
        SELECT gram, item, size FROM (
            SELECT item, len(grams)::INTEGER AS size, unnest(grams) AS gram FROM grams
        ) ORDER BY gram
    """
    for gram, item, size in _by_first(engine.batches(query, size=1 << 18)):
        _, several = _runs(gram)
        items = np.repeat(several, several).astype(np.int32)
        some = items > 1
        columns = [pa.array(each[some]) for each in (item, items, size, gram)]
        yield pa.RecordBatch.from_arrays(columns, schema=SHARED)


def _by_first(batches: Iterable[pa.RecordBatch]) -> Iterator[list[Any]]:
    """Yield the columns of sorted batches as arrays, all rows of a first value together."""
    left: list[Any] = []
    for batch in batches:
        columns = [column.to_numpy() for column in batch.columns]
        if left:
            columns = [np.concatenate(each) for each in zip(left, columns, strict=True)]
        # The rows of the last value may go on in the next batch.
        whole = int(np.searchsorted(columns[0], columns[0][-1]))
        yield [column[:whole] for column in columns]
        left = [column[whole:] for column in columns]
    if left:
        yield left


def _runs(values: Any) -> tuple[Ints, Ints]:
    """Return where the runs of equal values begin, and how many values each has."""
    if not len(values):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    return begins, np.diff(np.append(begins, len(values)))


def _pairs(engine: Engine, shared: str, most: int) -> Iterator[pa.RecordBatch]:
    """Yield the pairs of items that share something, in the layout `PAIRS`; pairs may repeat.

    `shared` is a SELECT of (question, item, shared).
    """
    query = f"SELECT hash(question, shared) AS bucket, item FROM ({shared}) ORDER BY bucket, item"
    neighbours = max(NEIGHBOURS, most)
    for buckets, items in _by_first(engine.batches(query, size=1 << 18)):
        again = (buckets[1:] == buckets[:-1]) & (items[1:] == items[:-1])  # ids may repeat
        new = np.append(True, ~again)[: len(items)]
        yield from _pairs_of_buckets(buckets[new], items[new], neighbours)


def _pairs_of_buckets(buckets: Hashes, items: Ints, neighbours: int) -> Iterator[pa.RecordBatch]:
    begins, sizes = _runs(buckets)
    shared = np.repeat(sizes > 1, sizes)
    start = np.repeat(begins, sizes)[shared]
    position = np.flatnonzero(shared)
    for near in range(1, neighbours + 1):
        some = position - near >= start
        yield _pair_batch(items[position[some]], items[position[some] - near])
    for first in range(neighbours):
        some = position - neighbours > start + first
        yield _pair_batch(items[position[some]], items[start[some] + first])


def _pair_batch(items: Ints, earlier: Ints) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(items), pa.array(earlier)], schema=PAIRS)


def _grams(engine: Engine, texts: str, likeness: Likeness, count: int) -> Iterator[pa.RecordBatch]:
    """Yield the grams of the items that are in a pair, once each, in the layout `GRAMS`.

    Items are below `count`.
    """
    candidates = f"""(
        SELECT item, text FROM ({texts}) JOIN (
            SELECT id, item FROM sets SEMI JOIN (
                SELECT item FROM pairs UNION SELECT earlier FROM pairs
            ) USING (item)
        ) USING (id)
    )"""
    query = select_tokens(candidates, "item", likeness.folded, likeness.ignore_numbers)
    # Ids may repeat. An aggregate over texts would hold all of them, which DuckDB cannot spill.
    seen = np.zeros(count, bool)
    for batch in engine.batches(query, size=BATCH):
        items = batch.column("item").to_numpy()
        first = np.zeros(len(items), bool)
        first[np.unique(items, return_index=True)[1]] = True
        batch = batch.filter(pa.array(first & ~seen[items]))
        seen[items] = True
        for part, grams, starts in _distinct_grams(batch):
            lists = pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(grams))
            yield pa.RecordBatch.from_arrays([part.column("item"), lists], schema=GRAMS)


def _indexed(engine: Engine, threshold: float) -> Iterator[pa.RecordBatch]:
    """Yield the pairs with at least the threshold and their Jaccard index, in layout `INDEXED`.

    DuckDB does not spill lists that it joins, so it holds those of a slice of the earlier items at
    a time. The optimizers are off, since they would also hold those of the later items.
    """
    engine.sql(f"""
        CREATE TABLE compared AS
        SELECT DISTINCT p.item, p.earlier
        FROM (FROM pairs UNION ALL FROM more_pairs) p
        JOIN sets a ON a.item = p.item JOIN sets b ON b.item = p.earlier
        WHERE least(a.size, b.size) / greatest(a.size, b.size) >= {threshold!r}
    """)
    engine.sql("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    try:
        for first, last in _slices(engine):
            pairs = f"(FROM compared WHERE earlier BETWEEN {first} AND {last})"
            held = f"(FROM grams WHERE item BETWEEN {first} AND {last})"
            yield from engine.batches(f"""
                SELECT item, earlier, common / (size + other - common) AS index FROM (
                    SELECT p.item, p.earlier, len(a.grams) AS size, len(b.grams) AS other,
                        len(list_intersect(a.grams, b.grams)) AS common
                    FROM grams a
                    JOIN {pairs} p ON a.item = p.item
                    JOIN {held} b ON b.item = p.earlier
                ) WHERE common / (size + other - common) >= {threshold!r}
            """)
    finally:
        engine.sql("RESET disabled_optimizers")
    engine.drop("compared")


def _slices(engine: Engine) -> Iterator[tuple[int, int]]:
    """Yield the first and the last item of slices whose grams take a part of the memory."""
    most = engine.memory_bytes() // SLICES
    chunks = engine.sql(f"""
        SELECT item // {CHUNK_ITEMS:d} AS chunk, 8 * sum(len(grams)) FROM grams
        GROUP BY chunk ORDER BY chunk
    """).fetchall()
    first = size = end = 0
    for chunk, needed in chunks:
        if size and size + needed > most:
            yield first, end - 1
            first, size = end, 0
        size, end = size + needed, (chunk + 1) * CHUNK_ITEMS
    if size:
        yield first, end - 1


def _choose(
    engine: Engine, left_out: bytearray, likeness: Likeness, meaning: Meaning | None
) -> Iterator[pa.RecordBatch]:
    """Yield the items with `most` kept similar items before them, in the layout `SIMILAR`."""
    engine.create_view("indexed", _indexed(engine, likeness.threshold), INDEXED)
    query = "SELECT item, earlier, index FROM indexed ORDER BY item, index DESC, earlier"
    found: list[tuple[int, int, float, str]] = []
    rows: Iterator[tuple[int, int, float]] = (
        row
        for batch in engine.batches(query)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    groups = _group(rows)
    if meaning:
        # Equal texts are left out below.
        for (item,) in engine.sql(
            f"SELECT item FROM sets WHERE rank > {likeness.most:d}"
        ).fetchall():
            left_out[item] = 1
        groups = _fill(groups, len(left_out))
    for item, pairs in groups:
        if left_out[item]:
            continue
        kept = [pair for pair in pairs if not left_out[pair[1]]]
        if len(kept) >= likeness.most:
            left_out[item] = 1
            found.append((*kept[0], likeness.method))
        elif meaning and (near := meaning.nearest(item, left_out)):
            left_out[item] = 1
            found.append((item, *near, f"embeddings of {likeness.model}"))
        if len(found) == BATCH:
            yield _similar_batch(found)
            found.clear()
    if found:
        yield _similar_batch(found)


def _group(rows: Iterator[tuple[int, int, float]]) -> Iterator[_Group]:
    for item, pairs in groupby(rows, key=lambda row: row[0]):
        yield item, list(pairs)


def _fill(groups: Iterator[_Group], count: int) -> Iterator[_Group]:
    """Yield the groups of all items, also the empty ones."""
    following = next(groups, None)
    for item in range(count):
        if following and following[0] == item:
            yield following
            following = next(groups, None)
        else:
            yield item, []


def _similar_batch(found: list[tuple[int, int, float, str]]) -> pa.RecordBatch:
    return make_batch(list(zip(*found, strict=True)), SIMILAR)
