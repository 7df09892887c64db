"""Tokenizes examples into prompts, which carry no loss, and answers, which do.

In: examples, a tokenizer, a template. Out: `Row`s of token ids, and `Counts`, which report before
the training how long rows are, what would be cut, and how many tokens each subset has.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from curator.core.errors import UsageError, to_one_line
from curator.core.thoughts import read_trace, split_thought
from curator.core.words import counted, verb
from trainers.release import Example

ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
"""Alpaca's template without input, which MAmmoTH uses for training and evaluation."""

CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class TextForm:
    """How an example becomes a text."""

    template: Literal["alpaca", "chat"] = "alpaca"
    thoughts: Literal["train", "mask", "drop"] = "train"
    """Whether thoughts carry loss, carry none, or are left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of an example."""

    prompt: "array[int]"
    """Includes a thought that is masked."""
    answer: "array[int]"
    """Includes the end token."""


@dataclass(frozen=True)
class Counts:
    """Counts of rows and tokens."""

    rows: int
    """Rows to train on."""
    prompt_tokens: int
    """With those of masked thoughts."""
    answer_tokens: int
    longest: int
    """Tokens of the longest row, before cutting."""
    cut: int
    """Rows whose answer is cut."""
    left_out: int
    """Rows excluded because the prompt alone fills `max_length`."""
    answers: dict[str, int]
    """Answer tokens by subset."""

    def shares(self) -> dict[str, float]:
        """Return the share of the answer tokens by subset, in descending order."""
        order = sorted(self.answers, key=lambda name: (-self.answers[name], name))
        return {name: self.answers[name] / max(1, self.answer_tokens) for name in order}


def encode(
    examples: Sequence[Example],
    tokenizer: Any,
    form: TextForm,
    max_length: int,
    truncate: Literal["refuse", "allow"],
) -> tuple[list[Row], Counts]:
    """Tokenize all examples.

    Raises UsageError if answers would be cut and `truncate` does not allow it, or if the tokenizer
    has no end token or no chat template.
    """
    if tokenizer.eos_token_id is None:
        raise UsageError("The model's tokenizer has no end-of-text token. Choose another model.")
    make_renderer = _alpaca_renderer if form.template == "alpaca" else _chat_renderer
    render = _with_thoughts(make_renderer(tokenizer), form.thoughts)
    rows, subsets, places = [], Counter[str](), []
    prompts = answers = longest = cut = left_out = 0
    encoded = _encode_rows(examples, tokenizer, render, add_special=form.template == "alpaca")
    for example, row in zip(examples, encoded, strict=True):
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
            f"{len(places):,} of {counted(len(examples), 'row')} "
            f"{verb(len(places), 'is', 'are')} longer than max_length {max_length:,} "
            f"tokens: {counted(cut, 'answer')} would be cut and {counted(left_out, 'row')} "
            f"excluded (longest "
            f"{longest:,}; first: {places[0]}). Increase max_length, or set truncate: allow."
        )
    if not rows:
        raise UsageError(f"No row has an answer within max_length {max_length:,} tokens")
    counts = Counts(len(rows), prompts, answers, longest, cut, left_out, dict(subsets))
    return rows, counts


Render = Callable[[Example], tuple[str, str]]
"""Return the text without loss and the text with loss of an example."""


def _with_thoughts(render: Render, thoughts: Literal["train", "mask", "drop"]) -> Render:
    """Return a function that renders examples with their thoughts masked, or without them."""

    def mask(example: Example) -> tuple[str, str]:
        prompt, answer = render(example)
        trace = read_trace(answer)
        start = trace.answer[0] if trace and not trace.fault else 0
        return prompt + answer[:start], answer[start:]

    def drop(example: Example) -> tuple[str, str]:
        return render(replace(example, answer=split_thought(example.answer)[1]))

    return {"train": render, "mask": mask, "drop": drop}[thoughts]


def _alpaca_renderer(tokenizer: Any) -> Render:
    def render(example: Example) -> tuple[str, str]:
        if len(example.prompt) != 1:
            raise UsageError(
                f"{example.place}: the template alpaca needs one question and one answer, saw "
                f"{len(example.prompt) + 1} messages. Set template: chat."
            )
        return ALPACA.format(instruction=example.prompt[0].content), example.answer

    return render


def _chat_renderer(tokenizer: Any) -> Render:
    if not tokenizer.chat_template:
        raise UsageError("The model's tokenizer has no chat template. Set template: alpaca.")

    def render(example: Example) -> tuple[str, str]:
        turns = [{"role": turn.role, "content": turn.content} for turn in example.prompt]
        answer = {"role": "assistant", "content": example.answer}
        try:
            prompt = tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
            whole = tokenizer.apply_chat_template([*turns, answer], tokenize=False)
        except Exception as error:  # a template raises whatever its expressions raise
            raise UsageError(
                f"{example.place}: the model's chat template fails ({to_one_line(str(error))}). "
                "Set template: alpaca."
            ) from None
        if not whole.startswith(prompt):
            raise UsageError(
                f"{example.place}: the model's chat template changes the prompt when an answer "
                "follows, so that the loss cannot be limited to the answer. Set template: alpaca."
            )
        return prompt, whole.removeprefix(prompt)

    return render


def _encode_rows(
    examples: Iterable[Example], tokenizer: Any, render: Render, add_special: bool
) -> Iterator[Row]:
    """Yield the rows of examples; a chat template contains its special tokens."""
    rest = iter(examples)
    end = [tokenizer.eos_token_id] if add_special else []
    while some := list(islice(rest, CHUNK)):
        texts = [render(example) for example in some]
        prompts = _token_ids(tokenizer, [prompt for prompt, _ in texts], add_special)
        wholes = _token_ids(tokenizer, [prompt + answer for prompt, answer in texts], add_special)
        for (_, answer), prompt, whole in zip(texts, prompts, wholes, strict=True):
            prompt = _strip_end(prompt, end)
            if whole[: len(prompt)] == prompt:
                yield Row(
                    array("i", prompt), array("i", [*_strip_end(whole[len(prompt) :], end), *end])
                )
            else:
                # A token crosses the boundary. Keep the prompt's tokens as they are in inference.
                (alone,) = _token_ids(tokenizer, [answer], False)
                yield Row(array("i", prompt), array("i", [*alone, *end]))


def _strip_end(ids: list[int], end: list[int]) -> list[int]:
    """Remove the end token that some tokenizers add."""
    return ids[:-1] if end and ids[-1:] == end else ids


def _token_ids(tokenizer: Any, texts: list[str], add_special: bool) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(
        texts, add_special_tokens=add_special, return_attention_mask=False, verbose=False
    )["input_ids"]
    return ids
