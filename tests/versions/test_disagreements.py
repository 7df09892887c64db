"""`curator disagreements` lists the pairs that two graders decide in opposite ways."""

import json
from pathlib import Path

import pytest

from curator import build
from datastore.store import Store
from tests.worlds import curator

ROWS = [
    # Ours: rounded, equal. math-verify: different.
    ("What are two thirds of a metre, in metres?", "2/3", "print(0.6667)"),
    ("What are two thirds of a litre, in litres?", "2/3", "print(0.6667)"),
    # Both: equal.
    ("What is twice the number pi, exactly?", r"2\pi", "print('2*pi')"),
    # Both: different.
    ("What is thrice the number pi, exactly?", r"3\pi", "print('2*pi')"),
    # Plain numbers: skipped.
    ("What is one more than one, as a number?", "2", "print(2)"),
    ("What is two more than one, as a number?", "3", "print(2)"),
]
RECIPE = """\
name: pairs
about: pairs for two graders
subsets:
  one:
    source:
      file: rows.jsonl
      columns: {question: q, gold: a, program: p}
      licence: MIT
    kind: PoT
    writers: [annotated]
screens: {contamination: null}
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    lines = [json.dumps(dict(zip("qap", row, strict=True))) for row in ROWS]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    (tmp_path / "pairs.yaml").write_text(RECIPE)
    build(tmp_path / "pairs.yaml", tmp_path / "store")
    return tmp_path / "store"


def test_only_pairs_with_opposite_outcomes_are_listed_with_their_rows(store: Path) -> None:
    result = json.loads(curator("disagreements", "pairs", "--store", store, "--json").stdout)
    assert (result["pairs"], result["undecided"]) == (3, 0)
    [pair] = result["disagreements"]
    row = pair.pop("row")
    assert pair == {
        "gold": "2/3",
        "answer": "0.6667",
        "outcome": "equal",
        "rule": "rounded",
        "other": "different",
        "rows": 2,
        "subset": "one",
    }
    history = curator("why", row, "--store", store).stdout
    assert "two thirds of a" in history


def test_a_second_opinion_is_cached(store: Path) -> None:
    first = curator("disagreements", "pairs", "--store", store)
    with Store(store, readonly=True) as opened:
        cached = opened.ledger("gradings").count()
    again = curator("disagreements", "pairs", "--store", store)
    with Store(store, readonly=True) as opened:
        assert opened.ledger("gradings").count() == cached
    assert first.stdout == again.stdout
    assert "3 different pairs of gold answer and answer: 1 contradictions" in again.stdout
