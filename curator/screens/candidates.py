"""Selects the evaluation questions that a question may repeat, before any text is compared.

In: evaluation sets and problems objects. Out: SQL of the index of all evaluation questions, and of
(id, item): the candidates of each problem. An item is a distinct evaluation question. A problem
has an item as candidate if it has the item's whole text, up to numbers; one of its rarest runs of
words; most of its rare words; or some of them and the same numbers. Rare words are found by
counting in the evaluation sets. What this misses, no matcher sees; `bench/contamination.py`
measures both together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from curator.core.arrow import ID
from curator.screens import normalize
from datastore.engine import literal, scan

RUN = 3
"""Words per run."""
STEM = 5
"""Characters by which words are compared here: `multiply` and `multiplied` are one stem."""
MAX_SHARE = 1 / 200
"""Maximum share of the items that contain a rare word."""
MAX_ITEMS = 16
"""Maximum number of candidates per problem."""
MIN_COVERED = 0.25
"""Minimum share of an item's words, by weight, that a candidate has as rare words."""
SAME_NUMBERS = 0.3
"""What the same numbers, at least three of them, add to that share."""
MOSTLY_COVERED = 0.5
"""From this share, numbers may differ."""
MIN_NUMBERS = 0.3
"""Minimum share of numbers in common below it."""
NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SURE = 4.0
"""The weight of a whole text or a rare run, above all sums of shares."""

POSTINGS = pa.schema(
    [
        ("hash", pa.uint64()),
        ("item", pa.int32()),
        ("weight", pa.float32()),
        ("numbers", pa.list_(pa.uint64())),
    ]
)
"""An item occurs once per hash, and once without a hash but with its numbers."""
CANDIDATES = pa.schema([("id", ID), ("item", pa.int32())])


def select_items(evals: Mapping[str, Sequence[Path]]) -> str:
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


def index_items(evals: Mapping[str, Sequence[Path]], **parameters: object) -> str:
    """SELECT of `POSTINGS`: the hashes by which problems find the items."""
    items = f"SELECT item, any_value(folded) AS folded FROM ({select_items(evals)}) GROUP BY item"
    return f"""
        WITH items AS MATERIALIZED ({_features(items, "item")}),
        size AS (SELECT count(*) AS items FROM items),
        word AS (
            SELECT DISTINCT item, unnest(list_filter(stems, lambda h: NOT list_contains(numbers, h))) AS hash FROM items
        ),
        word_count AS (SELECT hash, count(*) AS found FROM word GROUP BY hash),
        weighed AS MATERIALIZED (
            SELECT item, hash, found, ln((items + 1) / (found + 0.5)) ** 2 AS weight
            FROM word JOIN word_count USING (hash), size
        ),
        total AS (SELECT item, sum(weight) AS total FROM weighed GROUP BY item),
        run AS (SELECT DISTINCT item, unnest(runs) AS hash FROM items),
        run_count AS (SELECT hash, count(*) AS found FROM run GROUP BY hash),
        postings AS (
            SELECT hash, item, weight / total AS weight
            FROM weighed JOIN total USING (item), size
            WHERE found <= greatest(8, items * {MAX_SHARE})
            UNION ALL
            SELECT hash, item, {SURE} FROM run JOIN run_count USING (hash)
            QUALIFY row_number() OVER (PARTITION BY item ORDER BY found, hash) <= 2
            UNION ALL
            SELECT unnest([whole, masked]), item, {SURE} FROM (
                SELECT item, whole, CASE WHEN row_number() OVER (PARTITION BY masked ORDER BY item)
                    = 1 THEN masked END AS masked FROM items
            )
            UNION ALL
            SELECT number_set, item, {SAME_NUMBERS} FROM items
        )
        SELECT hash::UBIGINT AS hash, item, max(weight)::FLOAT AS weight, NULL AS numbers
        FROM postings WHERE hash IS NOT NULL GROUP BY hash, item
        UNION ALL SELECT NULL, item, NULL, numbers FROM items
        ORDER BY hash, item
    """


def select_candidates(source: str, prepared: str, **parameters: object) -> str:
    """SELECT of (id, item): at most `MAX_ITEMS` candidates of each problem of `source`."""
    problems = f"""
        SELECT id, {normalize.stem(normalize.fold("question"))} AS folded FROM {source}
    """
    common = "len(list_intersect(problem.numbers, one.numbers))"
    return f"""
        WITH problem AS MATERIALIZED ({_features(problems, "id")}),
        hashed AS (
            SELECT id, unnest(list_concat(stems, runs, [whole, masked, number_set])) AS hash
            FROM problem
        ),
        found AS (
            SELECT id, item, sum(weight) AS weight FROM (SELECT DISTINCT id, hash FROM hashed)
            JOIN (SELECT hash, item, weight FROM {prepared}) AS posting USING (hash)
            GROUP BY id, item HAVING sum(weight) >= CASE WHEN count(*) > 1 THEN {MIN_COVERED} ELSE {SURE} END
        )
        SELECT DISTINCT id, item FROM found JOIN problem USING (id)
        JOIN (SELECT item, numbers FROM {prepared} WHERE hash IS NULL) AS one USING (item)
        WHERE found.weight >= {MOSTLY_COVERED} OR {common} >= {MIN_NUMBERS}
            * (len(list_distinct(problem.numbers)) + len(list_distinct(one.numbers)) - {common})
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY found.weight DESC, item) <= {MAX_ITEMS}
    """


def _features(source: str, column: str) -> str:
    """SELECT of (`column`, …) with the hashes of each folded text of `source`, as lists.

    `stems` has the words, `runs` the runs of `RUN` words, `numbers` the distinct numbers, `whole`
    the hash of the text without layout, `masked` of that without numbers, and `number_set` of the
    numbers in any order if there are three.
    """
    names = ", ".join(map(literal, NUMBER_WORDS))
    run = f"hash(list_slice(hashes, i, i + {RUN - 1}))"
    return f"""
        SELECT {column}, hashes AS stems, numbers,
            list_transform(range(1, len(hashes) - {RUN - 2}), lambda i: {run}) AS runs,
            hash(hashes) AS whole,
            hash(list_transform(hashes, lambda h: CASE WHEN list_contains(numbers, h) THEN 0 ELSE h END)) AS masked,
            CASE WHEN len(numbers) > 1 THEN hash('numbers', list_sort(numbers)) END AS number_set
        FROM (
            SELECT {column}, list_transform(words, lambda w: hash(substring(w, 1, {STEM}))) AS hashes,
                list_transform(
                    list_filter(words, lambda w: w < ':' OR w IN ({names})),
                    lambda w: hash(substring(CASE WHEN w < ':' THEN w ELSE (list_position([{names}], w) + 1)::VARCHAR END, 1, {STEM}))
                ) AS numbers
            FROM (SELECT {column}, {normalize.words("folded")} AS words FROM ({source}))
        )
    """
