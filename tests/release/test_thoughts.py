"""Where an export writes the thoughts of a version."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curator import build
from curator.core.errors import UsageError
from curator.core.model import Kind
from curator.core.thoughts import split_thought
from curator.release.export import ExportOptions, export
from curator.release.formats import FORMATS, THOUGHTS, Thoughts
from datastore.store import Store

RECIPE = """\
name: traced
about: solutions with and without a thought
subsets:
  one:
    source: {file: rows.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: CoT
    writers: [verbatim]
    part: CoT
screens: {contamination: null}
"""
ROWS = {
    "How many are two and two?": "<think>2 + 2 = 4</think>The answer is 4.",
    "How many are two and three?": "The answer is 5.",
    "How many are two and four?": (
        "<|begin_of_thought|>\n2 + 4\n<|end_of_thought|>\n\n"
        "<|begin_of_solution|>\nThe answer is 6.<|end_of_solution|>"
    ),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traced")
    golds = ("4", "5", "6")
    rows = [{"q": q, "a": a, "r": r} for (q, r), a in zip(ROWS.items(), golds, strict=True)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "traced.yaml").write_text(RECIPE)
    build(folder / "traced.yaml", folder / "store")
    return folder / "store"


def write(store: Path, form: str, thoughts: Thoughts, target: Path) -> Path:
    with Store(store, readonly=True) as opened:
        manifest = opened.versions.get("traced")
        assert (
            export(opened, manifest, form, target, options=ExportOptions(thoughts=thoughts)).rows
            == 3
        )
    return target


@pytest.mark.parametrize(
    ("thoughts", "expected"),
    [
        ("keep", {(text, None) for text in ROWS.values()}),
        ("drop", {(f"The answer is {n}.", None) for n in (4, 5, 6)}),
        (
            "apart",
            {
                ("The answer is 4.", "2 + 2 = 4"),
                ("The answer is 5.", None),
                ("The answer is 6.", "2 + 4"),
            },
        ),
    ],
)
def test_messages_state_thoughts_as_asked(
    store: Path, tmp_path: Path, thoughts: Thoughts, expected: set[tuple[str, str | None]]
) -> None:
    path = write(store, "messages", thoughts, tmp_path / "rows.jsonl")
    turns = [json.loads(line)["messages"][1] for line in path.read_text().splitlines()]
    assert {(turn["content"], turn.get("reasoning_content")) for turn in turns} == expected


def test_parquet_has_a_column_of_thoughts_if_they_are_apart(store: Path, tmp_path: Path) -> None:
    apart = pq.read_table(write(store, "parquet", "apart", tmp_path / "apart.parquet"))
    assert sorted(apart["thought"].to_pylist()) == ["", "2 + 2 = 4", "2 + 4"]
    kept = pq.read_table(write(store, "parquet", "keep", tmp_path / "kept.parquet"))
    assert "thought" not in kept.schema.names
    assert sorted(kept["output"].to_pylist()) == sorted(ROWS.values())


@pytest.mark.parametrize("form", [name for name, each in FORMATS.items() if not each.thoughts])
def test_a_format_without_a_field_for_thoughts_says_which_have_one(
    store: Path, tmp_path: Path, form: str
) -> None:
    with pytest.raises(UsageError, match=r"messages, parquet"):
        write(store, form, "apart", tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("form", ["alpaca", "prompt-completion"])
def test_every_format_can_drop_thoughts(store: Path, tmp_path: Path, form: str) -> None:
    text = write(store, form, "drop", tmp_path / "rows").read_text()
    assert "2 + 2" not in text and "The answer is 4." in text


FENCE = "`" * 3
PROGRAM = 'print("<think>2</think>")\nprint(4)'
TIR = f"Run.\n{FENCE}python\nprint('</think>')\n{FENCE}\n{FENCE}output\n</think>\n{FENCE}\nIt is 4."


@pytest.mark.parametrize(("kind", "text", "expected"), [
    ("PoT", PROGRAM, ("", PROGRAM)),
    ("TIR", TIR, ("", TIR)),
    ("TIR", f"<think>Hm.</think>\n{TIR}", ("Hm.", TIR)),
    ("TIR", f"<think>{TIR}</think>\nIt is 4.", (TIR, "It is 4.")),
    ("CoT", "<think>Hm.</think>It is 4.", ("Hm.", "It is 4.")),
])  # fmt: skip
def test_a_mark_that_a_program_contains_or_prints_cuts_nothing(
    kind: Kind, text: str, expected: tuple[str, str]
) -> None:
    assert split_thought(text, kind) == expected


@pytest.mark.parametrize("form", [name for name, each in FORMATS.items() if each.pairs])
def test_both_sides_of_a_pair_are_without_thoughts(tmp_path: Path, form: str) -> None:
    """A thought on one side alone would tell a model which side is wrong."""
    responses = [
        f"<think>{'Hm. ' * n}</think>So it is {n} I say. The answer is {n}." for n in (4, 5)
    ]
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({"q": "How many are two and two?", "a": "4", "r": responses})
    )
    (tmp_path / "traced.yaml").write_text(RECIPE)
    build(tmp_path / "traced.yaml", tmp_path / "store")
    with Store(tmp_path / "store", readonly=True) as opened:
        options = ExportOptions(thoughts="drop")
        manifest = opened.versions.get("traced")
        export(opened, manifest, form, tmp_path / "rows", options=options)
    written = (tmp_path / "rows").read_text()
    assert "think" not in written and "Hm." not in written
    assert all(f"The answer is {n}." in written for n in (4, 5))


MANY = {
    "q": "How many are two and two?",
    "a": "4",
    "r": [
        "<think>Hm, two.</think>So it is 4 I say. The answer is 4.",
        "<think>Hm, odd.</think>So it is 5 I say. The answer is 5.",
        "<think>Hm. So it is 6 I say. The answer is 6.",
        "<think>Hm.</think></think>So it is 7 I say. The answer is 7.",
        "So it is 8 I say. The answer is 8.",
    ],
}


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Right and wrong attempts: with a thought, with one that nothing closes, and without."""
    folder = tmp_path_factory.mktemp("attempts")
    rows = [MANY, MANY | {"q": "What is twice two?"}]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "traced.yaml").write_text(RECIPE)
    build(folder / "traced.yaml", folder / "store")
    return folder / "store"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("thoughts", THOUGHTS)
def test_no_format_states_a_thought_where_none_is_wanted(
    attempts: Path, tmp_path: Path, form: str, thoughts: Thoughts
) -> None:
    """A thought on one side alone would tell a model which side is wrong."""
    each, path = FORMATS[form], tmp_path / "rows"
    with Store(attempts, readonly=True) as opened:
        manifest = opened.versions.get("traced")
        options = ExportOptions(thoughts=thoughts)
        if each.steps or (thoughts == "apart" and not each.thoughts):
            reason = "thoughts" if thoughts == "apart" else "labelled steps"
            with pytest.raises(UsageError, match=reason):
                export(opened, manifest, form, path, options=options)
            return
        done = export(opened, manifest, form, path, options=options)
    is_table = each.suffix == ".parquet"
    written = str(pq.read_table(path).to_pylist()) if is_table else path.read_text()
    assert done.rows and written
    assert ("<think>" in written) == (thoughts == "keep" and not each.prompts)
    assert ("Hm, two" in written) == (thoughts != "drop" and not each.prompts)
    if each.pairs:
        assert done.pairing.pairs
        assert ("think>" in written) == ("Hm" in written) == (thoughts == "keep")
