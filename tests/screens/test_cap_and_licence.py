"""Caps keep so many rows a problem by a seeded order; licences keep what is allowed."""

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


def found(engine: Engine, name: str, rows: Rows, **params: object) -> list[dict[str, Any]]:
    batches = SCREENS[name].run(engine, rows, **params)
    verdicts: list[dict[str, Any]] = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    return verdicts


def test_a_cap_leaves_the_rows_that_come_first_by_seeded_md5(
    engine: Engine, rows_of: RowsOf
) -> None:
    made = [("a", "What is 2 + 3?", f"way {n}") for n in range(5)]
    made += [("b", "what is $2+3$", f"route {n}") for n in range(3)]
    made += [("b", "What is 2 - 3?", "alone")]
    rows, ids = rows_of(made)
    expected = {}
    for seed in (1, 2):
        order = sorted(ids[:8], key=lambda i: md5(f"cap:{seed}:".encode() + i).hexdigest())
        expected[seed] = set(order[2:])
        verdicts = found(engine, "cap", rows, rationales=2, seed=seed)
        assert {v["row_id"] for v in verdicts} == expected[seed]
        assert {v["reason"] for v in verdicts} == {"over the cap"}
        assert json.loads(verdicts[0]["evidence"])["cap"] == "2"
    assert expected[1] != expected[2]


def test_a_cap_is_kept_by_every_problem_and_wastes_no_row(engine: Engine, rows_of: RowsOf) -> None:
    made = [("a", f"What is {n}?", f"way {w}") for n in range(20) for w in range(n % 5)]
    rows, ids = rows_of(made)
    refused = {v["row_id"] for v in found(engine, "cap", rows, rationales=3, seed=0)}
    left = Counter(q for (_, q, _), row_id in zip(made, ids, strict=True) if row_id not in refused)
    whole = Counter(question for _, question, _ in made)
    assert left == {question: min(count, 3) for question, count in whole.items()}


def test_a_row_without_an_allowed_licence_is_refused_and_says_which_it_has(
    engine: Engine, rows_of: RowsOf
) -> None:
    made = [("a", "One?", "x"), ("b", "Two?", "x"), ("c", "Three?", "x")]
    rows, ids = rows_of(made, licences={"a": "MIT", "b": "CC-BY-NC-4.0", "c": ""})
    verdicts = found(engine, "licence", rows, licences=["MIT", "Apache-2.0"])
    seen = {v["row_id"]: json.loads(v["evidence"])["licence"] for v in verdicts}
    assert seen == {ids[1]: "CC-BY-NC-4.0", ids[2]: ""}
    assert {v["reason"] for v in verdicts} == {"licence not allowed"}
    assert {v["outcome"] for v in verdicts} == {"failed"}
