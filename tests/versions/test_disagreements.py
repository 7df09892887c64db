"""The queue of answers about which two graders contradict each other."""

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
    # Plain numbers: nothing to ask.
    ("What is one more than one, as a number?", "2", "print(2)"),
    ("What is two more than one, as a number?", "3", "print(2)"),
]
RECIPE = """\
name: pairs
about: pairs that graders see
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


def test_only_what_two_graders_decide_in_opposite_ways_is_shown_with_its_rows(store: Path) -> None:
    queue = json.loads(curator("disagreements", "pairs", "--store", store, "--json").stdout)
    assert (queue["pairs"], queue["undecided"]) == (3, 0)
    [found] = queue["disagreements"]
    row = found.pop("row")
    assert found == {
        "gold": "2/3",
        "answer": "0.6667",
        "outcome": "equal",
        "rule": "rounded",
        "other": "different",
        "rows": 2,
        "subset": "one",
    }
    told = curator("why", row, "--store", store).stdout
    assert "two thirds of a" in told


def test_a_second_opinion_is_asked_once(store: Path) -> None:
    first = curator("disagreements", "pairs", "--store", store)
    with Store(store, readonly=True) as opened:
        kept = opened.ledger("gradings").count()
    again = curator("disagreements", "pairs", "--store", store)
    with Store(store, readonly=True) as opened:
        assert opened.ledger("gradings").count() == kept
    assert first.stdout == again.stdout
    assert "3 different pairs put to both graders: 1 contradictions" in again.stdout
