"""Outputs of tools and masked thoughts never carry loss, token by token, whatever the text is."""

from typing import Any, get_args

import pytest

from curator.core.turns import MAX_BLOCKS
from tests.trainers.tiny import tiny_model
from trainers.release import Example, Message
from trainers.tokenize import IGNORED, Thoughts, encode_chunk, set_template

pytest.importorskip("torch", reason="the extra train is not installed")

FENCE = "`" * 3
OUT, THINK, END = "zqout", "zqthink", "zqend"
"""Words of outputs, of thoughts, and of the text that is to be learned."""
BLOCK = f"{FENCE}python\nrun\n{FENCE}\n{FENCE}output\n{OUT}\n{FENCE}\n"
TEXTS = {
    "one output": f"{BLOCK}{END}",
    "two outputs": f"{BLOCK}then\n{BLOCK}{END}",
    "a name in capitals": f"{BLOCK.replace('output', 'Output')}{END}",
    "blanks before the name": f"{BLOCK.replace(f'{FENCE}output', f'{FENCE}  output')}{END}",
    "a stray fence before it": f"{FENCE}\nlook\n{BLOCK}{END}",
    "an output without a program": f"{FENCE}output\n{OUT}\n{FENCE}\n{END}",
    "an output that is not closed": f"{END}\n{FENCE}python\nrun\n{FENCE}\n{FENCE}output\n{OUT}",
    "fences in an output": (
        f"{FENCE}python\nrun\n{FENCE}\n`{FENCE}output\n{FENCE}\n{OUT}\n`{FENCE}\n{END}"
    ),
    "a mark of a thought in an output": f"{BLOCK.replace(OUT, f'</think> {OUT}')}{END}",
    "a mark of an end in an output": f"{BLOCK.replace(OUT, f'</s> {OUT}')}{END}",
    "MathCoder": f"<|code|>run<|endofblock|><|execution|>{OUT}<|endofblock|>{END}",
    "ReTool": f"<code>run</code><interpreter>{OUT}</interpreter>{END}",
    "behind the last block that is read": f"{END}{BLOCK * (MAX_BLOCKS // 2 + 2)}",
}


@pytest.fixture(scope="module", params=["alpaca", "chat"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from trainers.models import load_tokenizer

    folder = tiny_model(
        tmp_path_factory.mktemp("masks"), ["`<>/|_= \nq", *TEXTS.values(), f"{THINK} think Q"], 8, 1
    )
    loaded = load_tokenizer(str(folder))
    set_template(loaded, request.param)
    return loaded


def learned(tokenizer: Any, text: str, thoughts: Thoughts) -> str:
    """Return the tokens that carry loss as one text."""
    example = Example((Message("user", "Q"),), text, "", "row 1")
    (row,) = encode_chunk([example], tokenizer, thoughts)
    kept = [label for label in row.label_answer() if label != IGNORED]
    assert len(kept) == row.count_loss()
    return str(tokenizer.decode(kept))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("thoughts", get_args(Thoughts))
def test_no_token_of_an_output_carries_loss(tokenizer: Any, name: str, thoughts: Thoughts) -> None:
    found = learned(tokenizer, TEXTS[name], thoughts)
    assert OUT not in found and END in found
    for space in ("", "\n"):
        behind = learned(tokenizer, f"<think>{THINK}</think>{space}{TEXTS[name]}", thoughts)
        assert OUT not in behind and END in behind
        assert (THINK in behind) == (thoughts == "train")


@pytest.mark.parametrize("text", [
    f"<think>{THINK}</think>{END}",
    f"{THINK}</think>{END}",
    f"<think>{THINK}</think><think>{THINK}</think>{END}",
    f"<think>{THINK}\n{BLOCK}{THINK}</think>{END}",
    f"<think>{THINK}\n{BLOCK.replace(OUT, '</think>')}{THINK}</think>{END}",
    f"<think>{THINK}\n{FENCE}python\n{THINK}</think>{END}",
])  # fmt: skip
def test_no_token_of_a_masked_thought_carries_loss(tokenizer: Any, text: str) -> None:
    found = learned(tokenizer, text, "mask")
    assert THINK not in found and OUT not in found and END in found
