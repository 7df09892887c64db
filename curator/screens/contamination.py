"""Screen `contamination`: finds questions that are in an evaluation set, by n-grams of words.

In: rows and the problems objects of the evaluation sets. Out: verdicts `contaminated` with the
evaluation item, and `near contamination` for questions that match only after their numbers are
masked. A question with fewer than n words is compared whole. Not covered: paraphrases,
translations, questions in images, and short evaluation questions inside longer ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field

from curator.core.arrow import ID, VERDICTS, to_batches
from curator.core.model import Verdict
from curator.core.section import Section, one_of
from curator.screens import normalize
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from curator.sources import EVALS
from datastore.engine import Engine, literal, scan

NAME = "contamination"
VERSION = 1


class Contamination(Section):
    """Rejects rows whose question is in an evaluation set."""

    against: tuple[Annotated[str, one_of("evaluation set", EVALS)], ...] = tuple(EVALS)
    """Evaluation sets to compare with. Default: all of them."""
    ngram: int = Field(default=13, ge=5, le=50)
    """Length in words of the n-grams that are compared."""
    masked: Literal["report", "reject"] = "report"
    """What to do with questions that match only after their numbers are masked."""


def find_contamination(
    engine: Engine,
    rows: Rows,
    evals: Mapping[str, Sequence[Path]],
    ngram: int = 13,
    masked: Literal["report", "reject"] = "report",
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id, at most one per row.

    `evals` has the problems objects of each evaluation set. The evidence names the item that shares
    the most n-grams; of equal items, the one in the first set. Masked matches have the outcome
    `passed` unless `masked` is `reject`: they are reported, not rejected.
    """
    if not evals:
        return
    # Pre-filter by hashed n-grams; only a few per cent of the problems are then compared as text.
    # The second step also makes hash collisions harmless.
    engine.sql(f"CREATE OR REPLACE TABLE screen_items AS {_items(evals, ngram)}")
    prepared = f"({hashes_of_items(evals, ngram)})"
    keys = rows.keys or f"({select_keys(f'({rows.problems})', prepared, ngram)})"
    engine.sql(
        f"CREATE OR REPLACE TABLE screen_suspects AS SELECT DISTINCT id FROM {keys} "
        f"WHERE id IN (SELECT problem_id FROM ({rows.rows}))"
    )
    verdicts = (
        _verdict(row, ngram, masked == "reject")
        for batch in engine.batches(_matches(rows, ngram))
        for row in batch.to_pylist()
    )
    yield from to_batches(verdicts, VERDICTS)
    engine.sql("DROP TABLE screen_items")
    engine.sql("DROP TABLE screen_suspects")


def _verdict(row: Mapping[str, Any], ngram: int, reject_masked: bool) -> Verdict:
    evidence = {
        "set": row["name"],
        "item": row["place"],
        "problem": row["problem"].hex(),
        "method": f"{ngram}-gram" if row["long"] else "whole question",
        "text": row["text"],
        "shared": f"{row['shared']} of {row['total']}",
    }
    if not row["masked"]:
        return Verdict(row["row_id"], NAME, VERSION, "failed", "contaminated", evidence)
    outcome: Literal["passed", "failed"] = "failed" if reject_masked else "passed"
    return Verdict(row["row_id"], NAME, VERSION, outcome, "near contamination", evidence)


def _items(evals: Mapping[str, Sequence[Path]], ngram: int) -> str:
    """Return a SELECT of the evaluation questions with their n-grams."""
    sets = " UNION ALL ".join(
        f"SELECT {order} AS number, {literal(name)} AS name, place, id, question FROM {scan(paths)}"
        for order, (name, paths) in enumerate(evals.items())
    )
    items = f"SELECT row_number() OVER (ORDER BY number, place, id) AS item, * FROM ({sets})"
    with_ngrams = _with_ngrams(items, ("item", "name", "place", "id"), ngram)
    return f"SELECT * FROM ({with_ngrams}) WHERE plain <> ['']"


def hashes_of_items(
    evals: Mapping[str, Sequence[Path]], ngram: int = 13, **parameters: object
) -> str:
    """SELECT of (hash): the hashes of the n-grams of all evaluation questions."""
    return f"SELECT DISTINCT unnest(hashes) AS hash FROM ({_items(evals, ngram)}) ORDER BY hash"


def select_keys(source: str, prepared: str, ngram: int = 13, **parameters: object) -> str:
    """SELECT of (id): the problems that share a hash with an evaluation question."""
    questions = f"SELECT id, question FROM {source}"
    return f"""
        SELECT DISTINCT id
        FROM (SELECT id, unnest(hashes) AS hash FROM ({_with_ngrams(questions, ("id",), ngram)}))
        SEMI JOIN {prepared} USING (hash)
    """


def _matches(rows: Rows, ngram: int) -> str:
    """Return a SELECT of each contaminated row with the item that shares most of its n-grams.

    Masked n-grams with more numbers than words are ignored, because any two tables share them.
    """
    questions = f"""
        SELECT id, any_value(question) AS question FROM ({rows.problems})
        SEMI JOIN screen_suspects USING (id) GROUP BY id
    """
    return f"""
        WITH suspect AS MATERIALIZED ({_with_ngrams(questions, ("id",), ngram)}),
        suspect_text AS (
            SELECT id, long, false AS masked, unnest(plain) AS text,
                generate_subscripts(plain, 1) AS position FROM suspect
            UNION ALL
            SELECT id, long, true, unnest(masked), generate_subscripts(masked, 1) FROM suspect
        ),
        item_text AS MATERIALIZED (
            SELECT DISTINCT item, false AS masked, unnest(plain) AS text FROM screen_items
            UNION ALL
            SELECT DISTINCT item, true, text
            FROM (SELECT item, unnest(masked) AS text FROM screen_items)
            WHERE len(string_split(text, '{normalize.MASK}')) <= {ngram // 2 + 1:d}
        ),
        match AS (
            SELECT id, long, masked, item, count(DISTINCT text) AS shared,
                arg_min(text, position) AS text
            FROM suspect_text JOIN item_text USING (masked, text) GROUP BY id, long, masked, item
        ),
        best AS (
            SELECT * FROM match
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY masked, shared DESC, item) = 1
        ),
        size AS (SELECT item, masked, count(*) AS total FROM item_text GROUP BY item, masked)
        SELECT alive.id AS row_id, best.long, best.masked, shared, total, best.text,
            screen_items.name, screen_items.place, screen_items.id AS problem
        FROM best JOIN size USING (item, masked) JOIN screen_items USING (item)
        JOIN ({rows.rows}) AS alive ON alive.problem_id = best.id
        ORDER BY row_id
    """


def _with_ngrams(source: str, columns: tuple[str, ...], ngram: int) -> str:
    """Return a SELECT of `columns` and the n-grams of each question of `source`, as lists.

    `plain` has the n-grams as text, or the whole question if it is shorter. `masked` has the same
    with numbers masked. `hashes` has the masked n-grams hashed word by word: hashes of all rows
    take seconds, texts would take minutes.
    """
    names = ", ".join(columns)
    is_number = "w < ':'"  # words begin with a digit or a letter, and digits sort first
    whole, masked = normalize.key("stem"), normalize.mask_numbers(normalize.key("stem"))
    return f"""
        SELECT {names}, len(words) >= {ngram:d} AS long,
            {_windows("words", "array_to_string({}, ' ')", whole, ngram)} AS plain,
            {_windows("masked_words", "array_to_string({}, ' ')", masked, ngram)} AS masked,
            {_windows("word_hashes", "hash({})", f"hash({masked})", ngram)} AS hashes
        FROM (
            SELECT {names}, stem, words,
                list_transform(
                    words, lambda w: CASE WHEN {is_number} THEN '{normalize.MASK}' ELSE w END
                )
                    AS masked_words,
                list_transform(words, lambda w: CASE WHEN {is_number} THEN 0 ELSE hash(w) END)
                    AS word_hashes
            FROM (
                SELECT {names}, stem, {normalize.words("stem")} AS words
                FROM (
                    SELECT {names}, {normalize.stem(normalize.fold("question"))} AS stem
                    FROM ({source})
                )
            )
        )
    """


def _windows(words: str, gram: str, whole: str, ngram: int) -> str:
    """Return SQL: `gram` of each window of `ngram` words, or `whole` if there are fewer words."""
    window = gram.format(f"list_slice({words}, i, i + {ngram - 1:d})")
    windows = f"list_transform(range(1, len({words}) - {ngram - 2:d}), lambda i: {window})"
    return f"CASE WHEN len({words}) < {ngram:d} THEN [{whole}] ELSE {windows} END"


SCREEN = Screen(
    VERSION,
    "Reject rows whose question is in an evaluation set.",
    find_contamination,
    parameters=Contamination,
    needs=frozenset({"evals"}),
    keys=Keys(
        "problems",
        select_keys,
        pa.schema([("id", ID)]),
        hashes_of_items,
        pa.schema([("hash", pa.uint64())]),
    ),
    on=True,
    always_digested=True,
)
