"""Outputs of tools carry no loss: a sandbox writes them when the model is used."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.test_turns import FORMS, TORA
from tests.trainers.test_templates import CHATML, train_tokenizer
from trainers.release import Example, Message
from trainers.tokenize import IGNORED, encode, set_template

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

OUTPUT = "²77 \n 7²"
FIRST = TORA.replace("output\n2", f"output\n{OUTPUT}")
TWICE = f"π\n{FIRST}\n```python\nprint(5)\n```\n```output\n5\n```\nDone: 5"


def example(text: str) -> Example:
    return Example((Message("user", "How many are 1 and 1?"),), text, "", "row 1")


def parts(tokenizer: Any, row: Any) -> tuple[str, str]:
    """Return what carries loss and what does not, of an answer."""
    pairs = list(zip(row.answer, row.label_answer(), strict=True))
    assert all(label in (token, IGNORED) for token, label in pairs)
    shown = [tokenizer.decode([token for token, label in pairs if (label == IGNORED) == masked])
             for masked in (False, True)]  # fmt: skip
    return shown[0], shown[1]


@pytest.mark.parametrize("template", ["alpaca", "chat"])
@pytest.mark.parametrize("kind", ["bytes", "first", "always"])
def test_outputs_and_their_closing_marks_carry_no_loss(kind: str, template: Any) -> None:
    tokenizer = train_tokenizer(kind, True)
    tokenizer.chat_template = CHATML if template == "chat" else None
    set_template(tokenizer, template)
    (row,), counts = encode([example(TWICE)], tokenizer, 10_000, "refuse")
    trained, masked = parts(tokenizer, row)
    assert "7" not in trained and "print(" in trained and "boxed" in trained
    assert "77" in masked and "print" not in masked
    if kind == "bytes":  # the others have no token for a backtick
        assert trained.endswith("Done: 5" + ("<|im_end|>\n" if template == "chat" else "</s>"))
        assert trained.count("```") == 2 * 3 and trained.count("```output") == 2
        assert masked.count("```") == 2
    assert counts.answer_tokens == row.count_loss() == counts.answers[""]
    assert counts.prompt_tokens + counts.answer_tokens == len(row.prompt + row.answer)


@pytest.mark.parametrize("form", FORMS)
def test_outputs_of_every_form_are_masked(form: str) -> None:
    tokenizer = train_tokenizer("bytes", False)
    set_template(tokenizer, "alpaca")
    text = FORMS[form].replace("2", "99").replace("boxed{99}", "boxed{4}")
    (row,), _ = encode([example(text)], tokenizer, 10_000, "refuse")
    trained, masked = parts(tokenizer, row)
    assert "99" not in trained and "99" in masked and "boxed{4}" in trained


@pytest.mark.parametrize("text", ["It is 2.", "```python\nprint(2)\n```"])
def test_a_text_without_programs_and_outputs_carries_loss_everywhere(text: str) -> None:
    tokenizer = train_tokenizer("bytes", False)
    set_template(tokenizer, "alpaca")
    (row,), _ = encode([example(text)], tokenizer, 10_000, "refuse")
    assert row.masked == () and row.label_answer() == list(row.answer)


def test_an_answer_that_is_cut_within_an_output_keeps_its_mask() -> None:
    tokenizer = train_tokenizer("bytes", False)
    set_template(tokenizer, "alpaca")
    (whole,), _ = encode([example(TWICE)], tokenizer, 10_000, "refuse")
    limit = len(whole.prompt) + whole.masked[0][0] + 1
    (row,), counts = encode([example(TWICE)], tokenizer, limit, "allow")
    assert row.label_answer() == whole.label_answer()[: len(row.answer)]
    assert row.label_answer()[-1] == IGNORED and counts.answer_tokens == len(row.answer) - 1


def test_labels_reach_the_trainer(tmp_path: Path) -> None:
    from trainers.encoded import to_dataset

    tokenizer = train_tokenizer("bytes", False)
    set_template(tokenizer, "alpaca")
    rows, _ = encode([example(TWICE), example("It is 2.")], tokenizer, 10_000, "refuse")
    for row, one in zip(rows, to_dataset(rows), strict=True):
        assert one["labels"] == [IGNORED] * len(row.prompt) + row.label_answer()
