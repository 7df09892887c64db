"""Selects the evaluation questions that a question may repeat, before any text is compared.

In: evaluation sets and problems objects. Out: SQL of the index of all evaluation questions, and the
candidates of each problem: items. An item is a distinct evaluation question. A problem
has an item as candidate if it has the item's whole text, up to numbers; one of its rarest runs of
words; most of its rare words and numbers; or some of them and the same numbers. What is rare is
counted in a measured table (`frequencies`) and in the evaluation sets. What this misses, no matcher
sees; `bench/contamination.py` measures both together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curator.core.arrow import make_array
from curator.screens import normalize
from curator.screens.frequencies import count_tokens, size
from datastore.engine import literal, scan

NUMBER_WORDS = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
"""Words that count as the numbers from 2."""
RUN = 3
"""Words per run."""
MIN_RUN = 30_000_000
"""Weight below which a run is a phrase such as `how many are`, however few items contain it."""
STEM = 5
"""Characters by which words are compared here: `multiply` and `multiplied` are one stem."""
MAX_SHARE = 1 / 100
"""Maximum share of the counted questions and the items that contain a rare word."""
MAX_FOUND = 128
"""Number of items that may contain a rare word even where it is a larger share of them."""
MAX_ITEMS = 32
"""Maximum number of candidates per problem."""
MIN_COVERED = 100_000
"""Minimum share of an item's words, by weight, that a candidate has as rare words; in millionths,
as all shares here, so that sums do not depend on their order."""
SAME_NUMBERS = 300_000
"""What the same numbers, at least two of them, add to that share."""
ALIKE = 450_000
"""Minimum of that share plus half of the Jaccard index of the numbers."""
SURE = 4_000_000
"""The weight of a whole text or a rare run, above all sums of shares."""
NUMBERS_ALIKE = 500_000
"""What a Jaccard index of 1 adds to the share."""
COUNTED = 1 << 40
"""Added to each weight, so that one sum has the weight and the number of shared hashes."""
LOW_BITS = np.uint64((1 << 20) - 1)

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Ints = np.ndarray[Any, np.dtype[np.signedinteger[Any]]]

MEMBER = pa.struct(
    [
        ("number", pa.int64()),
        ("name", pa.string()),
        ("place", pa.string()),
        ("id", pa.binary()),
        ("folded", pa.string()),
        ("gold", pa.string()),
        ("choices", pa.list_(pa.string())),
    ]
)
"""An evaluation question in the set `name`; `number` orders the questions."""
POSTINGS = pa.schema(
    [
        ("hash", pa.uint64()),
        ("item", pa.int32()),
        ("weight", pa.int64()),
        ("numbers", pa.list_(pa.uint64())),
        ("members", pa.list_(MEMBER)),
    ]
)
"""An item occurs once per hash, and once without a hash but with its numbers and members."""


def _select_items(evals: Mapping[str, Sequence[Path]]) -> str:
    """SELECT of (item, number, name, place, id, folded, gold, choices): all evaluation questions.

    `number` orders the questions. Questions with the same folded text are one item, which has the
    lowest of their numbers.
    """
    sets = " UNION ALL ".join(
        f"SELECT {order} AS set_order, {literal(name)} AS name, place, id, gold, choices, question "
        f"FROM {scan(paths)}"
        for order, (name, paths) in enumerate(evals.items())
    )
    return f"""
        SELECT min(number) OVER (PARTITION BY folded)::INTEGER AS item, *
        FROM (
            SELECT row_number() OVER (ORDER BY set_order, place, id) AS number, name, place, id,
                {normalize.stem(normalize.fold("question"))} AS folded, gold, choices
            FROM ({sets})
        )
        WHERE folded <> ''
    """


def index_items(evals: Mapping[str, Sequence[Path]]) -> str:
    """SELECT of `POSTINGS`: the items, and the hashes by which problems find them."""
    template = normalize.mask_numbers(normalize.key("folded"))
    items = "SELECT item, any_value(folded) AS folded FROM member GROUP BY item"
    names = ", ".join(f"{name} := {name}" for name in MEMBER.names)
    return f"""
        WITH member AS MATERIALIZED ({_select_items(evals)}),
        items AS MATERIALIZED ({_features(items, "item, folded")}),
        members AS (
            SELECT item, list(struct_pack({names}) ORDER BY number) AS members
            FROM member GROUP BY item
        ),
        size AS (SELECT count(*) AS items FROM items),
        word AS (
            SELECT item, hash, bool_or(is_number) AS is_number
            FROM (
                SELECT item, unnest(stems) AS hash, false AS is_number FROM items
                UNION ALL SELECT item, unnest(numbers), true FROM items
            )
            GROUP BY item, hash
        ),
        counted AS ({_count_tokens()}),
        word_count AS MATERIALIZED (
            SELECT hash, found, items + {size()} AS questions,
                found + coalesce(counted.count, 0) AS total,
                round(1000000 * ln((questions + 1) / (total + 0.5)) ** 2)::BIGINT AS weight
            FROM (SELECT hash, count(*) AS found FROM word GROUP BY hash)
            LEFT JOIN counted USING (hash), size
        ),
        weighed AS MATERIALIZED (
            SELECT item, hash, is_number, found, total, questions, weight
            FROM word JOIN word_count USING (hash)
        ),
        whole AS (
            SELECT item, greatest(sum(weight) FILTER (NOT is_number), 1) AS of_words,
                -- One number of `what is (-44)/55*1?`, whose words weigh nothing, is not enough.
                greatest(of_words, sum(weight) // 2) AS of_numbers
            FROM weighed GROUP BY item
        ),
        token AS (
            SELECT item, unnest(stems) AS word, unnest(range(1, len(stems) + 1)) AS place FROM items
        ),
        run_weight AS (
            SELECT item, place, sum(weight) OVER (
                PARTITION BY item ORDER BY place ROWS BETWEEN CURRENT ROW AND {RUN - 1} FOLLOWING
            ) AS weight
            FROM token LEFT JOIN (SELECT hash AS word, weight FROM word_count) USING (word)
        ),
        run AS (
            SELECT item, hash, weight
            FROM (
                SELECT item, unnest(runs) AS hash, unnest(range(1, len(runs) + 1)) AS place
                FROM items
            ) JOIN run_weight USING (item, place)
        ),
        run_count AS (SELECT hash, count(DISTINCT item) AS found FROM run GROUP BY hash),
        postings AS (
            SELECT hash, item,
                (1000000 * weight // if(is_number, of_numbers, of_words))::BIGINT AS weight
            FROM weighed JOIN whole USING (item), size
            WHERE found <= greatest({MAX_FOUND}, items * {MAX_SHARE})
                AND total <= questions * {MAX_SHARE}
            UNION ALL
            SELECT hash, item, {SURE}
            FROM (SELECT item, hash, max(weight) AS weight FROM run GROUP BY item, hash)
            JOIN run_count USING (hash)
            QUALIFY row_number() OVER (
                PARTITION BY item ORDER BY found, weight < {MIN_RUN}, hash
            ) <= 2
            UNION ALL
            SELECT whole, item, {SURE} FROM items
            UNION ALL
            SELECT masked, min(item), {SURE} FROM items GROUP BY masked, {template}
            UNION ALL
            SELECT number_set, item, {SAME_NUMBERS} FROM items
        )
        SELECT hash::UBIGINT AS hash, item, max(weight)::BIGINT AS weight, NULL AS numbers,
            NULL AS members
        FROM postings WHERE hash IS NOT NULL GROUP BY hash, item
        UNION ALL
        SELECT NULL, item, NULL, list_distinct(numbers), members
        FROM items JOIN members USING (item)
        ORDER BY hash, item
    """


def select_questions(source: str) -> str:
    """SELECT of (id, question, folded, gold, choices, hashes, numbers): what `Index.find` and the
    matcher read of each problem of `source`."""
    kept = "id, question, folded, gold, choices"
    problems = f"""
        SELECT {kept}, {normalize.stem("folded")} AS stemmed
        FROM (
            SELECT id, question, {normalize.fold("question")} AS folded, gold, choices
            FROM {source}
        )
    """
    return f"""
        SELECT {kept}, list_concat(stems, numbers, runs, [whole, masked, number_set]) AS hashes,
            list_distinct(numbers) AS numbers
        FROM ({_features(problems, kept, "stemmed")})
    """


class Index:
    """The postings as sparse matrices: hashes by items, and items by numbers.

    The weights of all items that share a hash with a problem are one product of matrices: about 200
    pairs per problem, which DuckDB groups 20 times as slowly.
    """

    def __init__(self, postings: pa.Table) -> None:
        """`postings` has the columns of `POSTINGS`."""
        from scipy.sparse import csr_array  # a quarter of a second per process

        self._csr = csr_array
        by_hash = postings.filter(pc.is_valid(postings["hash"]))
        by_item = postings.filter(pc.is_null(postings["hash"]))
        items = int(pc.max(postings["item"]).as_py() or 0) + 1 if postings.num_rows else 0
        known, columns = np.unique(_values(by_hash, "hash"), return_inverse=True)
        self._hashes = _Hashes(known)
        places = (columns, _values(by_hash, "item"))
        weights = _values(by_hash, "weight") + COUNTED
        self._weights = csr_array((weights, places), (len(known), items), dtype=np.int64)
        numbers = _join(by_item["numbers"])
        known, columns = np.unique(_numpy(numbers.flatten()), return_inverse=True)
        self._numbers = _Hashes(known)
        places = (_values(by_item, "item")[_rows(numbers)], columns)
        self._its = csr_array((np.ones(len(columns), np.int64), places), (items, len(known)))
        self._sizes = np.bincount(places[0], minlength=items)

    def find(self, batch: pa.RecordBatch) -> tuple[Ints, Ints]:
        """Return the candidates of a batch of `select_questions`: places of problems, and items.

        A problem has a maximum of `MAX_ITEMS` candidates. They are sorted by problem.
        """
        hits = self._matrix(batch["hashes"], self._hashes) @ self._weights
        counts, weights = np.divmod(hits.data, COUNTED)
        good = weights >= np.where(counts > 1, MIN_COVERED, SURE)
        problem = np.repeat(np.arange(batch.num_rows), np.diff(hits.indptr))[good]
        item, weight = hits.indices[good], weights[good]
        with_hits, place = np.unique(problem, return_inverse=True)
        numbers = batch["numbers"].take(make_array(with_hits.tolist(), pa.int64()))
        common = self._matrix(numbers, self._numbers)[place] * self._its[item]
        mine = _numpy(pc.list_value_length(numbers))[place]
        common = common.sum(axis=1)
        either = np.maximum(mine + self._sizes[item] - common, 1)
        alike = weight + NUMBERS_ALIKE * common // either >= ALIKE
        problem, item, weight = problem[alike], item[alike], weight[alike]
        order = np.lexsort((item, -weight, problem))
        problem, item = problem[order], item[order]
        rank = np.arange(len(problem)) - np.searchsorted(problem, problem)
        return problem[rank < MAX_ITEMS], item[rank < MAX_ITEMS]

    def _matrix(self, lists: pa.ListArray, hashes: "_Hashes") -> Any:
        """Return which rows have which of the known hashes, as a matrix of ones."""
        values = lists.flatten()
        rows = _rows(lists)
        if values.null_count:
            rows = rows[_numpy(pc.indices_nonzero(values.is_valid()))]
        found, columns = hashes.locate(_numpy(values.drop_null()))
        size = len(hashes.known)
        places = np.sort(rows[found] * size + columns)  # `np.unique` takes five times as long
        places = places[np.flatnonzero(np.diff(places, prepend=-1))]
        ones = np.ones(len(places), np.int64)
        return self._csr((ones, np.divmod(places, max(size, 1))), (len(lists), size))


class _Hashes:
    """The known hashes, in order."""

    def __init__(self, known: Hashes) -> None:
        self.known = known
        self._low = np.zeros(LOW_BITS + np.uint64(1), bool)
        self._low[known & LOW_BITS] = True

    def locate(self, hashes: Hashes) -> tuple[Ints, Ints]:
        """Return the places of the hashes that are known, and their places among these."""
        # A search takes longer than all else here; most hashes end before it.
        places = np.flatnonzero(self._low[hashes & LOW_BITS])
        columns = np.searchsorted(self.known, hashes[places])
        columns[columns == len(self.known)] = 0
        good = self.known[columns] == hashes[places]
        return places[good], columns[good]


def _numpy(numbers: pa.Array) -> Any:
    """Return numbers, none of them null, without a copy; `to_numpy` would import pandas."""
    return np.from_dlpack(numbers)


def _values(table: pa.Table, name: str) -> Any:
    """Return a column of numbers."""
    return _numpy(_join(table[name]))


def _join(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; `combine_chunks` imports pandas if the column is empty."""
    return pa.concat_arrays(column.chunks or [make_array([], column.type)])


def _rows(lists: pa.ListArray) -> Ints:
    """Return the row of each value of the lists."""
    return np.repeat(np.arange(len(lists)), np.diff(_numpy(lists.offsets)))


def _count_tokens() -> str:
    """SELECT of (hash, count): how many counted questions contain a word or number."""
    counts = sorted(count_tokens(lambda token: token[:STEM]).items())
    tokens = ", ".join(literal(token) for token, _ in counts)
    found = [count for _, count in counts]
    return f"SELECT hash(unnest([{tokens}])) AS hash, unnest({found}) AS count"


def _features(source: str, columns: str, text: str = "folded") -> str:
    """SELECT of (`columns`, …) with the hashes of each folded text of `source`, as lists.

    `stems` has the words, `runs` the runs of `RUN` words, `numbers` the distinct numbers, `whole`
    the hash of the text without layout, `masked` of that without numbers, and `number_set` of the
    numbers in any order if there are three.
    """
    run = f"hash({', '.join(f'hashes[i + {place}]' for place in range(RUN))})"
    names = ", ".join(map(literal, NUMBER_WORDS))
    digits = f"CASE WHEN w < ':' THEN w ELSE (list_position([{names}], w) + 1)::VARCHAR END"
    return f"""
        SELECT {columns}, hashes AS stems, numbers,
            list_transform(range(1, len(hashes) - {RUN - 2}), lambda i: {run}) AS runs,
            hash(hashes) AS whole,
            hash(list_transform(
                hashes, lambda h: CASE WHEN list_contains(numbers, h) THEN 0 ELSE h END
            )) AS masked,
            CASE WHEN len(numbers) > 1 THEN hash('numbers', list_sort(numbers)) END AS number_set
        FROM (
            SELECT {columns},
                list_transform(words, lambda w: hash(substring(w, 1, {STEM}))) AS hashes,
                list_transform(
                    list_filter(words, lambda w: w < ':' OR w IN ({names})),
                    lambda w: hash(substring({digits}, 1, {STEM}))
                ) AS numbers
            FROM (SELECT {columns}, {normalize.words(text)} AS words FROM ({source}))
        )
    """
