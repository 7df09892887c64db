"""Exports of right and wrong attempts: what is paired with what, and what length still tells."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator import build
from curator.core.errors import UsageError
from curator.core.model import EVIDENCE_LEVELS
from curator.release.attempts import Pairing, pair_attempts
from curator.release.export import Exported, ExportOptions, export
from curator.release.folder import write_folder
from curator.release.formats import COLUMNS, FORMATS
from datastore.store import Store
from tests.worlds import curator

ATTEMPTS = [name for name, form in FORMATS.items() if form.pairs]
RECIPE = """\
name: tried
about: several responses per problem
screens: {contamination: null}
subsets:
  text: {source: {file: rows.jsonl, columns: {question: q, gold: g, response: r}, licence: MIT},
         kind: CoT, writers: [verbatim]}
  code: {source: {file: rows.jsonl, columns: {question: q, gold: g, response: p}, licence: MIT},
         kind: PoT, writers: [verbatim]}
"""


def row(number: int, **values: Any) -> dict[str, Any]:
    texts = dict.fromkeys(COLUMNS, "")
    given = {"id": number.to_bytes(16, "big"), "choices": [], "instruction": "Q", "is_right": True}
    level = "independent" if values.get("is_right", True) else ""
    return {**texts, **given, "evidence_level": level, "reason": "", **values}


def pairs_of(
    rows: Sequence[dict[str, Any]], per_problem: int = 4, size: int = 3
) -> tuple[list[dict[str, Any]], Pairing]:
    types = {"id": pa.binary(16), "choices": pa.list_(pa.string()), "is_right": pa.bool_()}
    names = (*COLUMNS, "is_right", "reason")
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    batches = [
        pa.RecordBatch.from_pylist(list(rows[start : start + size]), schema)
        for start in range(0, len(rows), size)
    ]
    pairing = Pairing()
    with TemporaryDirectory() as folder:
        found = pair_attempts(iter(batches), pairing, Path(folder), per_problem)
        pairs = [pair for batch in found for pair in batch.to_pylist()]
        assert not list(Path(folder).iterdir())
    assert pairing.pairs == len(pairs)
    return pairs, pairing


def numbers(pairs: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(pair["id"][-1], pair["rejected_id"][-1]) for pair in pairs]


def test_the_strongest_right_attempt_takes_the_wrong_one_nearest_in_length() -> None:
    rows = [
        row(1, text="a" * 20, evidence_level="same text"),
        row(2, text="b" * 20, evidence_level="executed"),
        row(3, text="c" * 90, is_right=False),
        row(4, text="d" * 20, is_right=False, reason="contradicts the gold"),
    ]
    pairs, pairing = pairs_of(rows, per_problem=1)
    assert numbers(pairs) == [(2, 4)]
    assert pairs[0]["rejected_reason"] == "contradicts the gold"
    assert pairing.left_out == {"enough pairs of its problem": 1}


def test_attempts_at_different_prompts_are_not_paired() -> None:
    rows = [
        row(1, text="right", instruction="Q1"),
        row(2, text="wrong", instruction="Q2", is_right=False),
        row(3, text="wrong", instruction=" Q1\n", is_right=False),
    ]
    assert numbers(pairs_of(rows)[0]) == [(1, 3)]


def test_a_right_attempt_that_was_never_compared_is_in_no_pair() -> None:
    rows = [row(1, text="right", evidence_level="form"), row(2, text="wrong", is_right=False)]
    pairs, pairing = pairs_of(rows)
    assert not pairs
    assert pairing.left_out == {"answer not compared": 1}


def test_equal_texts_count_once() -> None:
    rows = [row(1, text="yes"), row(2, text="yes "), row(3, text="not", is_right=False)]
    pairs, pairing = pairs_of([*rows, row(4, text="not", is_right=False)])
    assert numbers(pairs) == [(1, 3)]
    assert pairing.left_out == {"same attempt": 1} and pairing.wrong == 1


def test_pairs_in_which_the_right_attempt_is_shorter_need_as_many_in_which_it_is_longer() -> None:
    def pair(number: int, right: int, wrong: int, level: str = "independent") -> list[Any]:
        values = {"instruction": f"Q{number}"}
        return [
            row(2 * number, text="r" * right, evidence_level=level, **values),
            row(2 * number + 1, text="w" * wrong, is_right=False, **values),
        ]

    rows = [
        *pair(1, 100, 120),
        *pair(2, 100, 121, "executed"),
        *pair(3, 120, 100),
        *pair(4, 50, 50),
        *pair(5, 10, 900),
    ]
    pairs, pairing = pairs_of(rows)
    assert numbers(pairs) == [(4, 5), (6, 7), (8, 9)]
    assert pairing.left_out == {"no match in length": 2}
    assert pairing.auc_before == pytest.approx(19 / 25)
    assert pairing.auc_after == pytest.approx(5 / 9)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(1, 40), st.booleans(), st.sampled_from([*EVIDENCE_LEVELS])
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(ROWS, st.integers(1, 3))
def test_no_attempt_is_used_twice_and_every_right_one_is_counted(
    values: list[tuple[int, int, bool, str]], per_problem: int
) -> None:
    rows = [
        row(
            n,
            instruction=f"Q{prompt}",
            text="x" * length,
            is_right=is_right,
            evidence_level=level if is_right else "",
        )
        for n, (prompt, length, is_right, level) in enumerate(values)
    ]
    pairs, pairing = pairs_of(rows, per_problem)
    right = {each["id"]: each for each in rows if each["is_right"]}
    wrong = {each["id"]: each for each in rows if not each["is_right"]}
    assert len(pairs) + pairing.left_out.total() == len(right)
    ids = [pair[key] for pair in pairs for key in ("id", "rejected_id")]
    assert len(ids) == len(set(ids))
    for pair in pairs:
        assert pair["evidence_level"] != "form"
        assert right[pair["id"]]["instruction"] == wrong[pair["rejected_id"]]["instruction"]
        assert pair["rejected_text"] == wrong[pair["rejected_id"]]["text"]
    counts = Counter(pair["instruction"] for pair in pairs)
    assert all(count <= per_problem for count in counts.values())
    gaps = [len(pair["text"]) - len(pair["rejected_text"]) for pair in pairs]
    assert sum(gap < 0 for gap in gaps) == sum(gap > 0 for gap in gaps)
    assert pairs_of(rows, per_problem, size=7)[0] == pairs


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `tried@1`: of 40 problems, 8 have only wrong and 8 only right attempts."""
    folder = tmp_path_factory.mktemp("tried")
    rows = []
    for n in range(40):
        texts = [f"{n}+{n}={2 * n}. The answer is {2 * n}.", f"I add {n}. The answer is {2 * n}."]
        if n % 5 == 0:
            texts = [text.replace(f"{2 * n}.", f"{2 * n + 1}.") for text in texts]
        elif n % 5 != 1:
            texts.append(f"{n}+{n}={2 * n}. The answer is {3 * n}.")
        programs = [f"print({n} + {n})", f"print({n} / 0)", f"print({n} * {n} + 7)"]
        question = f"Ann has {n} pears and Ben has as many. How many do they have?"
        rows.append({"q": question, "g": str(2 * n), "r": texts, "p": programs})
    rows.append({"q": "What is left?", "g": "", "r": ["The answer is 1."], "p": ["print(1)"]})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "tried.yaml").write_text(RECIPE)
    build(folder / "tried.yaml", folder / "store")
    return folder / "store"


def write(store: Path, form: str, target: Path, **options: Any) -> tuple[list[Any], Exported]:
    with Store(store, readonly=True) as opened:
        version = opened.versions.get("tried")
        done = export(opened, version, form, target, options=ExportOptions(**options))
    lines = [line for path in done.files for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines], done


def test_failed_rationales_of_solved_problems_are_the_wrong_attempts(
    tried: Path, tmp_path: Path
) -> None:
    rows, done = write(tried, "preference", tmp_path / "out.jsonl")
    assert len(rows) == done.pairing.pairs > 20
    assert {each["rejected_reason"] for each in rows} == {"contradicts the gold", "error"}
    assert {each["evidence_level"] for each in rows} <= {"independent", "executed"}
    # Without the texts at the 8 problems that have no right one, and so no row.
    assert done.pairing.wrong == 40 * 2 + 24
    for each in rows:
        (prompt,), (right,), (wrong,) = each["prompt"], each["chosen"], each["rejected"]
        n = int(prompt["content"].split()[2])
        assert str(2 * n) in right["content"] or f"print({n} + {n})" == right["content"]
        assert ("print" in right["content"]) == ("print" in wrong["content"])


@pytest.mark.parametrize("form", ATTEMPTS)
def test_a_problem_is_on_one_side_of_a_held_out_split(
    tried: Path, tmp_path: Path, form: str
) -> None:
    _, done = write(tried, form, tmp_path / "out.jsonl", held_out=0.4)
    sides = [
        {str(json.loads(line)["prompt"]) for line in path.read_text("utf-8").splitlines()}
        for path in done.files
    ]
    questions = [{prompt.partition("?")[0] for prompt in side} for side in sides]
    assert all(questions) and not questions[0] & questions[1]


def test_the_three_formats_state_the_same_attempts(tried: Path, tmp_path: Path) -> None:
    pairs, _ = write(tried, "preference", tmp_path / "a.jsonl")
    labels, _ = write(tried, "kto", tmp_path / "b.jsonl")
    scores, _ = write(tried, "scored", tmp_path / "c.jsonl")
    ids = [each[key] for each in pairs for key in ("id", "rejected_id")]
    assert [each["id"] for each in labels] == [each["id"] for each in scores] == ids
    assert [each["label"] for each in labels] == [True, False] * len(pairs)
    assert [each["score"] for each in scores] == [1.0, 0.0] * len(pairs)
    assert [each["completion"][0]["content"] for each in labels] == [
        each["completion"] for each in scores
    ]


def test_the_command_states_what_length_tells(tried: Path, tmp_path: Path) -> None:
    words = ("export", "tried", "--format", "preference", "--per-problem", "1", "--store", tried)
    done = curator(*words, cwd=tmp_path)
    assert "AUC of shortness: 0." in done.stdout and "after it" in done.stdout
    shown = json.loads(curator(*words, "--json", "--overwrite", cwd=tmp_path).stdout)
    assert shown["pairs"] == shown["rows"] > 0
    assert shown["pairs"] + sum(shown["left_out"].values()) == 64 + 40
    assert 0 < shown["length_auc_before"] < 1 and abs(shown["length_auc_after"] - 0.5) < 0.1


def test_the_card_of_a_release_states_its_attempts(tried: Path, tmp_path: Path) -> None:
    with Store(tried, readonly=True) as opened:
        write_folder(opened, opened.versions.get("tried"), tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "## Attempts" in card and "The AUC of shortness" in card


def test_a_version_without_pairs_is_an_error(small: Path, tmp_path: Path) -> None:
    with Store(small, readonly=True) as opened:
        version = opened.versions.get("small")
        with pytest.raises(UsageError, match="no right and wrong attempts at one problem"):
            export(opened, version, "kto", tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())
