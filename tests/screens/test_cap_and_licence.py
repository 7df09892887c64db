"""`cap` keeps rows per question in a seeded order; `licence` keeps rows with an allowed licence."""

import json
from collections import Counter
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pyarrow as pa

from curator.core.arrow import VERDICTS
from curator.screens import SCREENS, Rows
from datastore.engine import Engine

RowsOf = Callable[..., tuple[Rows, list[bytes]]]


def screen(engine: Engine, name: str, rows: Rows, **params: object) -> list[dict[str, Any]]:
    batches = SCREENS[name].run(engine, rows, **params)
    verdicts: list[dict[str, Any]] = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    return verdicts


def test_a_cap_keeps_the_first_rows_in_seeded_md5_order(engine: Engine, rows_of: RowsOf) -> None:
    given = [("a", "What is 2 + 3?", f"way {n}") for n in range(5)]
    given += [("b", "what is $2+3$", f"route {n}") for n in range(3)]
    given += [("b", "What is 2 - 3?", "alone")]
    rows, ids = rows_of(given)
    expected = {}
    for seed in (1, 2):
        order = sorted(ids[:8], key=lambda i: md5(f"cap:{seed}:".encode() + i).hexdigest())
        expected[seed] = set(order[2:])
        verdicts = screen(engine, "cap", rows, rationales=2, seed=seed)
        assert {v["row_id"] for v in verdicts} == expected[seed]
        assert {v["reason"] for v in verdicts} == {"over the cap"}
        assert json.loads(verdicts[0]["evidence"])["cap"] == "2"
    assert expected[1] != expected[2]


def test_a_cap_rejects_only_rows_beyond_the_limit_of_their_question(
    engine: Engine, rows_of: RowsOf
) -> None:
    given = [("a", f"What is {n}?", f"way {w}") for n in range(20) for w in range(n % 5)]
    rows, ids = rows_of(given)
    rejected = {v["row_id"] for v in screen(engine, "cap", rows, rationales=3, seed=0)}
    remaining = Counter(
        q for (_, q, _), row_id in zip(given, ids, strict=True) if row_id not in rejected
    )
    total = Counter(question for _, question, _ in given)
    assert remaining == {question: min(count, 3) for question, count in total.items()}


def test_a_row_without_an_allowed_licence_is_rejected_with_its_licence(
    engine: Engine, rows_of: RowsOf
) -> None:
    given = [("a", "One?", "x"), ("b", "Two?", "x"), ("c", "Three?", "x")]
    rows, ids = rows_of(given, licences={"a": "MIT", "b": "CC-BY-NC-4.0", "c": ""})
    verdicts = screen(engine, "licence", rows, licences=["MIT", "Apache-2.0"])
    licences = {v["row_id"]: json.loads(v["evidence"])["licence"] for v in verdicts}
    assert licences == {ids[1]: "CC-BY-NC-4.0", ids[2]: ""}
    assert {v["reason"] for v in verdicts} == {"licence not allowed"}
    assert {v["outcome"] for v in verdicts} == {"failed"}
