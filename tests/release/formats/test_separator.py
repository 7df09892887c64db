"""Prompt and completion have a separator at which no token crosses from one to the other.

TRL's SFTTrainer tokenizes the prompt alone and the two texts joined, and takes as completion what
follows the tokens that both have in common. Checked with the kinds of tokenizers that models use.
"""

import io
import json
from collections.abc import Callable

import pyarrow as pa
import pytest
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from curator.release.formats import prompt_completion

QUESTIONS = [
    "How many pears are in 3 baskets of 12?",
    "Compute $x^2$ for x = 3.  ",
    "Which is right?\nAnswer Choices: (A) 1 (B) 2\n",
    "Write a program\n\n",
    "What is 2+2",
]
TEXTS = [
    "3*12 = 36\nThe answer is 36.",
    "\n\nLet's think.\n\n9",
    "  (B)",
    "\tprint(4)\n",
    "import math\nprint(36)",
    "$x$",
]
PAIRS = [(question, text) for question in QUESTIONS for text in TEXTS]
# Texts in which newlines, spaces and what stands before and after them become tokens.
CORPUS = [
    f"{question}{separator}{text}"
    for question, text in PAIRS
    for separator in ("", "\n", "\n\n", " ", "?\n", ".\n")
] * 20
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def gpt_2() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _train_bytes(tokenizer)


def llama_3() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(LLAMA_3), "isolated")
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    return _train_bytes(tokenizer)


def _train_bytes(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, show_progress=False, min_frequency=1
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def llama_2() -> Tokenizer:
    """Like sentencepiece's BPE: ▁ for a space and before the text, bytes for unknown characters."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    names = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=names, show_progress=False)
    # As sentencepiece's training: no token holds a newline.
    tokenizer.train_from_iterator([part for text in CORPUS for part in text.split("\n")], trainer)
    return tokenizer


def unigram() -> Tokenizer:
    """Like sentencepiece's unigram models: a newline becomes a space, spaces are joined."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level BPE of GPT-2": gpt_2,
    "byte-level BPE of Llama 3": llama_3,
    "sentencepiece-like BPE of Llama 2": llama_2,
    "sentencepiece-like unigram": unigram,
}
MADE: dict[str, Tokenizer] = {}


def tokenizer_of(kind: str) -> Tokenizer:
    if kind not in MADE:
        MADE[kind] = KINDS[kind]()
    return MADE[kind]


def exported(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    rows = [
        {"id": bytes(16), "release_as": "s", "instruction": question, "text": text, "gold": "1"}
        for question, text in pairs
    ]
    out = io.BytesIO()
    assert prompt_completion.lines(iter(pa.Table.from_pylist(rows).to_batches()), out) == len(rows)
    lines = map(json.loads, out.getvalue().splitlines())
    return [(line["prompt"], line["completion"]) for line in lines]


def crossing(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of which the tokens of the prompt are not the first tokens of the joined text."""

    def ids(text: str) -> list[int]:
        encoded: list[int] = tokenizer.encode(text).ids
        return encoded

    return [
        (prompt, completion)
        for prompt, completion in pairs
        if ids(prompt + completion)[: len(ids(prompt))] != ids(prompt)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_the_prompt_are_the_first_ones_of_both_texts_together(kind: str) -> None:
    tokenizer, pairs = tokenizer_of(kind), exported(PAIRS)
    assert crossing(tokenizer, pairs) == []
    for prompt, completion in pairs:
        whole = tokenizer.encode(prompt + completion).ids
        rest = tokenizer.decode(whole[len(tokenizer.encode(prompt).ids) :], False)
        assert rest.split() == completion.split(), "what carries loss is the completion"
        if kind.startswith("byte-level"):
            apart = tokenizer.encode(prompt).ids + tokenizer.encode(completion).ids
            assert apart == whole


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("byte-level BPE of GPT-2", "\n\n", ""),
        ("byte-level BPE of GPT-2", " ", ""),
        ("byte-level BPE of Llama 3", "", "\n"),
        ("sentencepiece-like unigram", "", ""),
    ],
)
def test_other_separators_let_tokens_cross(kind: str, before: str, after: str) -> None:
    pairs = [(question.rstrip() + before, after + text.lstrip()) for question, text in PAIRS]
    assert crossing(tokenizer_of(kind), pairs)


def test_the_separator_is_one_newline_and_nothing_else_changes() -> None:
    for (question, text), (prompt, completion) in zip(PAIRS, exported(PAIRS), strict=True):
        assert prompt == question.rstrip() + prompt_completion.SEPARATOR
        assert completion == text.lstrip()
