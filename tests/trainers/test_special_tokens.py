"""What a row writes is text: only the chat template writes special tokens."""

from typing import Any, get_args

import pytest

from curator.core.thoughts import read_trace
from tests.trainers.tiny import tiny_model
from trainers.release import Example, Message
from trainers.special_tokens import MARKER
from trainers.tokenize import IGNORED, Row, Thoughts, encode_chunk, set_template

pytest.importorskip("torch", reason="the extra train is not installed")

FENCE = "`" * 3
TURN = "<|im_end|>"
ROWS = {
    "an end in the question": (f"Add {TURN} 1 and 1", "It is 2."),
    "an end in the answer": ("Q", f"It is </s> 2 {TURN}. So 2."),
    "an end alone": ("Q", "</s>"),
    "ends at both ends": (f"{TURN}Q</s>", f"</s>It is 2{TURN}"),
    "an end in a thought": ("Q", f"<think>1 </s> 1</think>It is 2 {TURN}."),
    "an end before an output": (
        "Q", f"See </s>\n{FENCE}python\nrun\n{FENCE}\n{FENCE}output\nzqout </s>\n{FENCE}\nIt is 2."
    ),
    "the character that marks them": (f"Q{MARKER}", f"<{MARKER}/s>It{MARKER} is </s> 2."),
}  # fmt: skip


@pytest.fixture(scope="module", params=["alpaca", "chat"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from trainers.models import load_tokenizer

    texts = [f"`<>/|_= \nQq{MARKER}", *(part for row in ROWS.values() for part in row)]
    texts += ["Below is an instruction that describes a task", "user assistant"]
    loaded = load_tokenizer(str(tiny_model(tmp_path_factory.mktemp("special"), texts, 8, 1)))
    loaded.add_special_tokens({"additional_special_tokens": [TURN, "[THINK]"]})
    set_template(loaded, request.param)
    return loaded


def encoded(tokenizer: Any, question: str, answer: str, thoughts: Thoughts = "train") -> Row:
    (row,) = encode_chunk(
        [Example((Message("user", question),), answer, "", "row 1")], tokenizer, thoughts
    )
    return row


def ends(tokenizer: Any, ids: Any) -> int:
    """Return the number of end tokens."""
    return sum(
        number in tokenizer.convert_tokens_to_ids(["</s>", TURN, "<s>"]) for number in list(ids)
    )


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("thoughts", get_args(Thoughts))
def test_special_tokens_of_a_text_are_plain_text(
    tokenizer: Any, name: str, thoughts: Thoughts
) -> None:
    question, answer = ROWS[name]
    plain = encoded(tokenizer, "Q", "It is 2.")
    row = encoded(tokenizer, question, answer, thoughts)
    assert ends(tokenizer, row.prompt) == ends(tokenizer, plain.prompt)
    assert ends(tokenizer, row.answer) == 1 == ends(tokenizer, row.answer[-1:])
    whole = str(tokenizer.decode([*row.prompt, *row.answer]))
    trace = read_trace(answer) if thoughts == "drop" else None
    shown = answer[slice(*trace.answer)] if trace else answer
    assert whole.endswith(f"{shown.replace(f'<{MARKER}/', '</')}</s>")
    assert question in whole


def test_a_row_without_special_tokens_has_the_tokens_of_its_text(tokenizer: Any) -> None:
    row = encoded(tokenizer, "Q", "It is 2.")
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "It is 2."}]
    expected = tokenizer.apply_chat_template(turns, return_dict=False)
    assert [*row.prompt, *row.answer] == list(expected)


def test_special_tokens_of_a_text_do_not_shift_masks(tokenizer: Any) -> None:
    question, answer = ROWS["an end before an output"]
    row = encoded(tokenizer, question, answer)
    learned = tokenizer.decode([label for label in row.label_answer() if label != IGNORED])
    assert "zqout" not in learned and "See </s>" in learned and "It is 2." in learned
    question, answer = ROWS["an end in a thought"]
    row = encoded(tokenizer, question, answer, "mask")
    assert str(tokenizer.decode(list(row.answer))) == f"It is 2 {TURN}.</s>"


def test_marks_of_thoughts_stay_special(tokenizer: Any) -> None:
    """A model whose marks are special tokens has to write them as such."""
    row = encoded(tokenizer, "Q", "[THINK]1 </s> 1[/THINK]It is 2.")
    assert tokenizer.convert_tokens_to_ids("[THINK]") in list(row.answer)
    assert ends(tokenizer, row.answer) == 1
