"""Examples as tokens: a prompt that carries no loss, an answer that does, both counted first.

In: examples, a tokenizer, a template. Out: `Row`s of token ids, and `Counts` that tell before any
training what is long, what would be cut, and how many tokens each subset has.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from curator.core.errors import UsageError
from trainers.release import Example

ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
"""Alpaca's template without input, which MAmmoTH trains and asks with."""

CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of an example."""

    prompt: "array[int]"
    answer: "array[int]"
    """With the token that ends it."""


@dataclass(frozen=True)
class Counts:
    """What was counted before training."""

    rows: int
    """Rows that are trained on."""
    prompt_tokens: int
    answer_tokens: int
    longest: int
    """Tokens of the longest row, before anything is cut."""
    cut: int
    """Rows whose answer loses its end."""
    left_out: int
    """Rows whose prompt alone fills `max_length`."""
    answers: dict[str, int]
    """Answer tokens, which alone carry loss, by subset."""

    def shares(self) -> dict[str, float]:
        """Share of the answer tokens by subset, the largest first."""
        order = sorted(self.answers, key=lambda name: (-self.answers[name], name))
        return {name: self.answers[name] / max(1, self.answer_tokens) for name in order}


def encode(
    examples: Sequence[Example],
    tokenizer: Any,
    template: Literal["alpaca", "chat"],
    max_length: int,
    truncate: Literal["refuse", "allow"],
) -> tuple[list[Row], Counts]:
    """Tokens of all examples.

    Raises UsageError, with counts, if answers would be cut and that is not allowed, and if the
    tokenizer lacks an end token or a chat template.
    """
    if tokenizer.eos_token_id is None:
        raise UsageError("The model's tokenizer has no end-of-text token; name another model")
    render = _alpaca if template == "alpaca" else _chat
    rows, subsets, places = [], Counter[str](), []
    prompts = answers = longest = cut = left_out = 0
    todo = _tokens(examples, tokenizer, render(tokenizer), add_special=template == "alpaca")
    for example, row in zip(examples, todo, strict=True):
        length = len(row.prompt) + len(row.answer)
        longest = max(longest, length)
        if length > max_length:
            places.append(example.place)
            if len(row.prompt) >= max_length:
                left_out += 1
                continue
            cut += 1
            row = Row(row.prompt, row.answer[: max_length - len(row.prompt)])
        rows.append(row)
        prompts += len(row.prompt)
        answers += len(row.answer)
        subsets[example.subset] += len(row.answer)
    if places and truncate == "refuse":
        raise UsageError(
            f"{len(places):,} of {len(examples):,} rows are longer than max_length {max_length:,} "
            f"tokens, so that {cut:,} answers would be cut and {left_out:,} lost (longest "
            f"{longest:,}; first: {places[0]}): raise max_length, or set truncate: allow"
        )
    if not rows:
        raise UsageError(f"No row has an answer within max_length {max_length:,} tokens")
    counts = Counts(len(rows), prompts, answers, longest, cut, left_out, dict(subsets))
    return rows, counts


Render = Callable[[Example], tuple[str, str]]


def _alpaca(tokenizer: Any) -> Render:
    def render(example: Example) -> tuple[str, str]:
        if len(example.asked) != 1:
            raise UsageError(
                f"{example.place}: the template alpaca takes one question and one answer, saw "
                f"{len(example.asked) + 1} messages; set template: chat"
            )
        return ALPACA.format(instruction=example.asked[0].content), example.answer

    return render


def _chat(tokenizer: Any) -> Render:
    if not tokenizer.chat_template:
        raise UsageError("The model's tokenizer has no chat template; set template: alpaca")

    def render(example: Example) -> tuple[str, str]:
        asked = [{"role": turn.role, "content": turn.content} for turn in example.asked]
        answer = {"role": "assistant", "content": example.answer}
        prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*asked, answer], tokenize=False)
        if not whole.startswith(prompt):
            raise UsageError(
                f"{example.place}: the model's chat template writes a prompt with an answer "
                "differently from one without, so that the loss cannot be kept to the answer; "
                "set template: alpaca"
            )
        return prompt, whole.removeprefix(prompt)

    return render


def _tokens(
    examples: Iterable[Example], tokenizer: Any, render: Render, add_special: bool
) -> Iterator[Row]:
    """Rows of examples; a chat template writes its special tokens itself."""
    rest = iter(examples)
    end = [tokenizer.eos_token_id] if add_special else []
    while some := list(islice(rest, CHUNK)):
        texts = [render(example) for example in some]
        prompts = _ids(tokenizer, [prompt for prompt, _ in texts], add_special)
        wholes = _ids(tokenizer, [prompt + answer for prompt, answer in texts], add_special)
        for (_, answer), prompt, whole in zip(texts, prompts, wholes, strict=True):
            prompt = _bare(prompt, end)
            if whole[: len(prompt)] == prompt:
                yield Row(array("i", prompt), array("i", [*_bare(whole[len(prompt) :], end), *end]))
            else:
                # A token crosses the boundary: the prompt stays what it is when the model is asked.
                (alone,) = _ids(tokenizer, [answer], False)
                yield Row(array("i", prompt), array("i", [*alone, *end]))


def _bare(ids: list[int], end: list[int]) -> list[int]:
    """Without the end token that some tokenizers add themselves."""
    return ids[:-1] if end and ids[-1:] == end else ids


def _ids(tokenizer: Any, texts: list[str], add_special: bool) -> list[list[int]]:
    found: list[list[int]] = tokenizer(
        texts, add_special_tokens=add_special, return_attention_mask=False, verbose=False
    )["input_ids"]
    return found
