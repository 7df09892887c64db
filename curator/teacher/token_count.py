"""How many tokens a text has, before anybody has asked a model: for plans, budgets and rates.

In: texts. Out: counts by a real tokenizer, offline: a model's own `tokenizer.json`, or OpenAI's
`o200k_base`. On GSM8K, MATH and model-written programs the latter is within 1% of GPT-4's
`cl100k_base`, Llama 3 and GLM-4, 6% of DeepSeek V3, 16% of Qwen 3 (which splits numbers into
digits), and 28% too low for the small vocabularies of Llama 2 and Mistral 7B.
"""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from curator.core.errors import UsageError

MESSAGE = 4
"""Tokens that mark one message of a chat: its beginning, its role, its end. OpenAI's models take 3
and the role; templates in ChatML's form, 4 or 5."""

REPLY = 3
"""Tokens that open the reply."""

Count = Callable[[str], int]


@cache
def counter(path: Path | None = None) -> Count:
    """A function that counts the tokens of a text: by the `tokenizer.json` at `path`, else o200k.

    Signs of a model's own (`<|im_start|>`) count as the plain text they are in a message, except
    by a `tokenizer.json`, which takes them for one token each. Raises UsageError for a file that
    is none. Loading takes 0.1 s; a second counts some 8 million characters.
    """
    if path is None:
        import splintr

        encode = splintr.Tokenizer.from_pretrained("o200k_base").encode_ordinary
        return lambda text: len(encode(_whole(text)))
    import tokenizers

    try:
        read = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read the tokenizer {path}: {error.strerror}") from None
    except Exception as error:  # the library raises nothing narrower
        seen = " ".join(str(error).split())[:200]
        raise UsageError(f"{path} is no tokenizer.json: {seen}") from None
    read.no_truncation()
    read.no_padding()
    return lambda text: len(read.encode(_whole(text), add_special_tokens=False).ids)


def prompt_tokens(count: Count, messages: Iterable[tuple[str, str]]) -> int:
    """Tokens of the prompt that a chat of (role, text) becomes: its texts, 4 a message and 3."""
    return sum(count(text) + MESSAGE for _, text in messages) + REPLY


def _whole(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()
