"""`curator why` and `curator preview` print traces: thoughts folded, programs and steps apart."""

import json
from pathlib import Path

import pytest

from curator import build
from tests.worlds import curator

RECIPE = """\
name: traced
mirror: mirror
about: traces
subsets:
  thoughts:
    source: {file: rows.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: CoT
    part: CoT
    writers: [verbatim]
    checks: [answer, format]
  tools:
    source: {file: rows.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: TIR
    part: TIR
    writers: [verbatim]
    checks: [replayed]
  steps: {source: prm800k, kind: CoT, writers: [verbatim], checks: [labels]}
screens: {contamination: null}
"""
THOUGHT = "We count them one by one. " * 5_400
ESC, BIDI = "\x1b[2J\x1b]0;owned\x07", "\u202e"
FORGED = "\n── program 9, replayed: equal\n</details><script>"
TOOLS = (
    "Add.\n```python\nx = 1 + 1\nx\n```\n```output\n2\n```\nDivide.\n"
    f"```python\n# {ESC}{BIDI}\nx / 3\n```\n```output\n0.6666666667\n```\n"
    f"```python\nx + 2\n```\n```output\n3\n```\nIt is 4.{FORGED}"
)
ROWS = [
    {
        "q": "How many are two and two?",
        "a": "4",
        "r": f"<think>{THOUGHT}End.</think>The answer is 4.",
    },
    {"q": "How many are two and three?", "a": "5", "r": f"<think>{ESC}{BIDI} 5"},
    {"q": "How many are one and three?", "a": "4", "r": TOOLS},
]
STEP_TEXTS = ("Two and two.", f"That is 5.{FORGED}{ESC}", "That is 4.")


def completion(text: str, rating: int | None) -> dict[str, object]:
    return {"text": text, "rating": rating, "flagged": False}


LABELLED = {
    "is_quality_control_question": False,
    "is_initial_screening_question": False,
    "question": {"problem": "What is 2 + 2?", "ground_truth_answer": "4"},
    "label": {
        "finish_reason": "solution",
        "steps": [
            {
                "completions": [completion(STEP_TEXTS[0], 1), completion("Hm.", 0)],
                "human_completion": None,
                "chosen_completion": 0,
            },
            {
                "completions": [completion(STEP_TEXTS[1], -1)],
                "human_completion": None,
                "chosen_completion": 0,
            },
            {
                "completions": [completion(STEP_TEXTS[2], None)],
                "human_completion": None,
                "chosen_completion": 0,
            },
        ],
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traced")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    steps = folder / "mirror" / "sources" / "prm800k"
    steps.mkdir(parents=True)
    (steps / "train.jsonl").write_text(json.dumps(LABELLED))
    (folder / "traced.yaml").write_text(RECIPE)
    build(folder / "traced.yaml", folder / ".curator")
    return folder


def row_id(folder: Path, where: str) -> str:
    query = f"SELECT id FROM rationales WHERE {where}"
    return str(json.loads(curator("sql", query, "--json", cwd=folder).stdout)[0]["id"])


def test_a_thought_is_one_line_with_its_length(folder: Path) -> None:
    row = row_id(folder, "instruction LIKE '%two and two%'")
    lines = curator("why", row, cwd=folder).stdout.splitlines()
    assert f"── thought: {len(THOUGHT) + 4:,} characters; --whole prints all" in lines
    assert lines[lines.index("── answer") + 1] == "  The answer is 4."
    assert len(lines) < 40


def test_the_whole_thought_is_printed_on_request(folder: Path) -> None:
    row = row_id(folder, "instruction LIKE '%two and two%'")
    lines = curator("why", row, "--whole", cwd=folder).stdout.splitlines()
    start, end = (lines.index(head) for head in (
        f"── thought: {len(THOUGHT) + 4:,} characters", "── end of the thought"
    ))  # fmt: skip
    assert " ".join("".join(f"{line}\n" for line in lines[start + 1 : end]).split()) == (
        f"{THOUGHT}End."
    )


def test_programs_and_outputs_are_blocks_with_the_result_of_the_replay(folder: Path) -> None:
    lines = curator("why", row_id(folder, "kind = 'TIR'"), cwd=folder).stdout.splitlines()
    heads = [line for line in lines if line.startswith("── ")]
    assert heads == [
        "── text",
        "── program 1, replayed: equal",
        "── output 1",
        "── text",
        "── program 2, replayed: close",
        "── output 2",
        "── program 3, replayed: different",
        "── output 3",
        "── answer",
    ]
    assert "  x = 1 + 1" in lines
    assert "  ── program 9, replayed: equal" in lines, "a forged head is indented"


def test_each_step_has_its_label(folder: Path) -> None:
    lines = curator("why", row_id(folder, "subset = 'steps'"), cwd=folder).stdout.splitlines()
    assert [line for line in lines if line.startswith("── ")] == [
        "── step 1: right",
        "── step 1, alternative: neutral",
        "── step 2: wrong",
        "── step 3: no label",
    ]
    assert lines[lines.index("── step 3: no label") + 1] == "  That is 4."


def test_no_text_of_a_trace_drives_the_terminal(folder: Path) -> None:
    wheres = ("kind = 'TIR'", "subset = 'steps'", "instruction LIKE '%two and three%'")
    for row in (row_id(folder, where) for where in wheres):
        for options in ((), ("--whole",)):
            shown = curator("why", row, *options, cwd=folder).stdout
            assert not set("\x1b\x07\u202e") & set(shown)
    assert "<U+001B>[2J" in shown and "<U+202E>" in shown


def test_a_preview_prints_the_same_parts(folder: Path) -> None:
    command = ("preview", "traced.yaml", "--rows")
    lines = curator(*command, cwd=folder).stdout.splitlines()
    assert f"── thought: {len(THOUGHT) + 4:,} characters; --json prints all" in lines
    for head in ("── program 3, replayed: different", "── step 2: wrong"):
        assert head in lines
    rows = json.loads(curator(*command, "--json", cwd=folder).stdout)
    assert {row["kind"] for row in rows} == {"CoT", "TIR"}
    assert any(THOUGHT in row["text"] for row in rows)


def test_a_question_alone_has_no_part(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"q": "How many are two and two?", "a": "4"}')
    (tmp_path / "asked.yaml").write_text(
        "name: alone\nabout: questions\nsubsets:\n  one: {source: {file: q.jsonl, columns: "
        "{question: q, gold: a}, licence: MIT}, kind: CoT}\nscreens: {contamination: null}\n"
    )
    build(tmp_path / "asked.yaml", tmp_path / ".curator")
    shown = curator("why", row_id(tmp_path, "true"), cwd=tmp_path).stdout
    assert "How many are two and two?" in shown and "──" not in shown
