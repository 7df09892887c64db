"""Tokenizes examples into prompts, which carry no loss, and answers, which do.

In: examples, and a tokenizer with the chat template of the training. Out: `Row`s of token ids, and
`Counts`, which report before the training how long rows are, what would be cut, and how many tokens
each subset has. Rows are rendered by the chat template that is saved with the model, so that a
server sends the model what it was trained on.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from curator.core.errors import UsageError, to_one_line
from curator.core.thoughts import read_trace
from curator.core.turns import find_outputs, hide_blocks, may_have_outputs
from curator.core.words import counted, verb
from trainers.release import Example, Message
from trainers.special_tokens import SpecialTokens

ALPACA = (
    "{% if messages | length > 2 or messages[0].role != 'user' %}"
    "{{ raise_exception('Alpaca has one question and one answer, saw ' ~ messages | length"
    " ~ ' messages') }}"
    "{% endif %}"
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{{ messages[0].content }}\n\n### Response:"
    "{% if messages | length == 2 %}{{ messages[1].content }}{{ eos_token }}{% endif %}"
)
"""Alpaca's template without input, which MAmmoTH uses for training and evaluation."""
PROBE = "42"
"""Answer that shows what a template writes after an answer."""

IGNORED = -100
"""Label that torch ignores in the loss."""
CHUNK = 1_000
"""Number of examples per call of the tokenizer."""
Thoughts = Literal["train", "mask", "drop"]
"""Whether thoughts carry loss, carry none, or are left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of an example."""

    prompt: "array[int]"
    """Includes a thought that is masked."""
    answer: "array[int]"
    """Includes the end token."""
    masked: tuple[tuple[int, int], ...] = ()
    """Spans of the answer's tokens that carry no loss: the outputs of tools, which a sandbox writes
    when the model is used, with the marks that close them."""

    def label_answer(self) -> list[int]:
        """Return the labels of the answer's tokens."""
        labels = list(self.answer)
        for start, end in self.masked:
            labels[start:end] = [IGNORED] * len(labels[start:end])
        return labels

    def count_loss(self) -> int:
        """Return the number of tokens that carry loss."""
        return len(self.answer) - sum(len(self.answer[a:b]) for a, b in self.masked)


@dataclass(frozen=True)
class Counts:
    """Counts of rows and tokens."""

    rows: int
    """Rows to train on."""
    prompt_tokens: int
    """With those of masked thoughts and of outputs of tools."""
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


def set_template(tokenizer: Any, template: Literal["alpaca", "chat"]) -> int:
    """Give a tokenizer the chat template of a training; return the token that ends an answer.

    Raises UsageError without a chat template, or if the template does not end answers with a
    special token: a model trained with it would never stop.
    """
    if tokenizer.eos_token_id is None:
        raise UsageError("The model's tokenizer has no end-of-text token. Choose another model.")
    if template == "alpaca":
        starts = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
        tokenizer.chat_template = f"{'{{ bos_token }}' if starts else ''}{ALPACA}"
    if not tokenizer.chat_template:
        raise UsageError("The model's tokenizer has no chat template. Set template: alpaca.")
    probe = Example((Message("user", "6 * 7?"),), PROBE, "", "The first row")
    special = SpecialTokens(tokenizer)
    _, answer = _render(tokenizer, special, probe)
    (end,) = _token_ids(tokenizer, special, [answer.rpartition(PROBE)[2]])
    numbers = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    if not (found := [number for number in end if number in numbers]):
        raise UsageError(
            "The model's chat template writes no end token after an answer. Set template: alpaca."
        )
    return found[0]


class Tally:
    """Fits rows to a maximum length, and counts them and their tokens."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._rows = self._prompts = self._longest = self._cut = self._left_out = 0
        self._answers = Counter[str]()
        self._first = ""

    def fit(self, row: Row, subset: str, place: str) -> Row | None:
        """Return the row with its answer cut; None if its prompt fills the maximum length."""
        length = len(row.prompt) + len(row.answer)
        self._longest = max(self._longest, length)
        if length > self._max_length:
            self._first = self._first or place
            if len(row.prompt) >= self._max_length:
                self._left_out += 1
                return None
            self._cut += 1
            row = replace(row, answer=row.answer[: self._max_length - len(row.prompt)])
        self._rows += 1
        loss = row.count_loss()
        self._prompts += len(row.prompt) + len(row.answer) - loss
        self._answers[subset] += loss
        return row

    def count(self, truncate: Literal["refuse", "allow"]) -> Counts:
        """Return the counts.

        Raises UsageError if no row is left, or answers were cut and `truncate` does not allow it.
        """
        long, total = self._cut + self._left_out, self._rows + self._left_out
        if long and truncate == "refuse":
            raise UsageError(
                f"{long:,} of {counted(total, 'row')} "
                f"{verb(long, 'is', 'are')} longer than max_length {self._max_length:,} "
                f"tokens: {counted(self._cut, 'answer')} would be cut and "
                f"{counted(self._left_out, 'row')} excluded (longest {self._longest:,}; "
                f"first: {self._first}). Increase max_length, or set truncate: allow."
            )
        if not self._rows:
            raise UsageError(f"No row has an answer within max_length {self._max_length:,} tokens")
        answers = dict(self._answers)
        return Counts(
            self._rows,
            self._prompts,
            sum(answers.values()),
            self._longest,
            self._cut,
            self._left_out,
            answers,
        )


def encode(
    examples: Iterable[Example],
    tokenizer: Any,
    max_length: int,
    truncate: Literal["refuse", "allow"],
    thoughts: Thoughts = "train",
) -> tuple[list[Row], Counts]:
    """Tokenize examples with the tokenizer's chat template, in memory.

    Raises UsageError if answers would be cut and `truncate` does not allow it, or if the template
    cannot render a row.
    """
    tally, rows, rest = Tally(max_length), [], iter(examples)
    while some := list(islice(rest, CHUNK)):
        for example, row in zip(some, encode_chunk(some, tokenizer, thoughts), strict=True):
            if fitted := tally.fit(row, example.subset, example.place):
                rows.append(fitted)
    return rows, tally.count(truncate)


def _render(tokenizer: Any, special: SpecialTokens, example: Example) -> tuple[str, str]:
    """Return the texts of the prompt and of the answer, with special tokens.

    Those that the row writes are marked (`trainers.special_tokens`).
    """
    turns = [{"role": turn.role, "content": special.mark(turn.content)} for turn in example.prompt]
    answer = {"role": "assistant", "content": special.mark(example.answer)}
    try:
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*turns, answer], tokenize=False)
    except Exception as error:  # a template raises whatever its expressions raise
        raise UsageError(
            f"{example.place}: the chat template fails ({to_one_line(str(error))}). Choose another "
            "template: alpaca or chat."
        ) from None
    if not whole.startswith(prompt):
        raise UsageError(
            f"{example.place}: the model's chat template changes the prompt when an answer "
            "follows, so that the loss cannot be limited to the answer. Set template: alpaca."
        )
    return prompt, whole.removeprefix(prompt)


def _split_loss(
    tokenizer: Any, special: SpecialTokens, example: Example, thoughts: Thoughts
) -> tuple[str, str]:
    """Return the text without loss and the text with loss of an example."""
    # Marks that a program contains or prints do not count.
    if thoughts == "drop":
        found = read_trace(hide_blocks(example.answer))
        if found and not found.fault:
            example = replace(example, answer=example.answer[slice(*found.answer)])
    prompt, answer = _render(tokenizer, special, example)
    trace = read_trace(hide_blocks(answer)) if thoughts == "mask" else None
    # Of a doubled thought, all up to the last mark; an unclosed one is all that there is to learn.
    is_closed = (
        trace and trace.fault in ("", "doubled thought") and trace.answer[0] < trace.answer[1]
    )
    start = trace.answer[0] if trace and is_closed else 0
    return prompt + answer[:start], answer[start:]


def encode_chunk(examples: Sequence[Example], tokenizer: Any, thoughts: Thoughts) -> list[Row]:
    """Return the tokens of each example, of any length."""
    special = SpecialTokens(tokenizer)
    texts = [_split_loss(tokenizer, special, example, thoughts) for example in examples]
    prompts = _token_ids(tokenizer, special, [prompt for prompt, _ in texts])
    wholes = _token_ids(tokenizer, special, [prompt + answer for prompt, answer in texts])
    rows = []
    for (before, answer), prompt, whole in zip(texts, prompts, wholes, strict=True):
        if whole[: len(prompt)] == prompt:
            row = Row(array("i", prompt), array("i", whole[len(prompt) :]))
        else:
            # A token crosses the boundary. Keep the prompt's tokens as they are in inference.
            (alone,) = _token_ids(tokenizer, special, [answer])
            row, before = Row(array("i", prompt), array("i", alone)), ""
        masked: tuple[tuple[int, int], ...] = ()
        if may_have_outputs(answer):
            masked = _find_outputs(tokenizer, special, before, answer, len(row.answer))
        rows.append(replace(row, masked=masked) if masked else row)
    return rows


def _find_outputs(
    tokenizer: Any, special: SpecialTokens, before: str, answer: str, tokens: int
) -> tuple[tuple[int, int], ...]:
    """Return the spans of the answer's tokens that are outputs of tools.

    A token that reaches into an output counts, so that no part of it carries loss.
    """
    if not (outputs := find_outputs(answer)):
        return ()
    if not tokenizer.is_fast:
        raise UsageError(
            "The model's tokenizer is a slow one, which does not state where its tokens are, so "
            "that outputs of tools cannot be masked. Choose a model with tokenizer.json."
        )
    whole, size = before + answer, len(special.unmark(before))
    if special.has_marks(whole):
        found = special.encode(whole, offsets=True)[1]
        outputs = [
            (len(special.unmark(answer[:inner])), len(special.unmark(answer[:end])))
            for inner, end in outputs
        ]
    else:
        found = tokenizer(
            whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
    offsets = found[len(found) - tokens :]
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    spans = []
    for inner, end in outputs:
        first = bisect_right(ends, inner + size)
        last = bisect_left(starts, end + size)
        if first < last:
            spans.append((first, last))
    return tuple(spans)


def _token_ids(tokenizer: Any, special: SpecialTokens, texts: list[str]) -> list[list[int]]:
    """Return token ids; the texts contain their special tokens, those of rows marked."""
    ids: list[list[int]] = tokenizer(
        texts, add_special_tokens=False, return_attention_mask=False, verbose=False
    )["input_ids"]
    for place, text in enumerate(texts):
        if special.has_marks(text):
            ids[place] = special.encode(text)[0]
    return ids
