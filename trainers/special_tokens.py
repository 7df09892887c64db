"""Encodes the special tokens that a row writes as plain text, and those of a template as tokens.

In: texts of rows, which may contain `<|im_end|>` or `</s>`, and the text that a chat template makes
of them. Out: token ids. Otherwise a row could end its turn, or begin one of another role. Marks of
thoughts, programs and outputs that are special tokens stay special: the model has to write them.

TRL's GRPO tokenizes prompts itself; there, a blank breaks up the special tokens of a row.

Not covered: servers, most of which read special tokens in a question as such. Tokenizers that write
a blank before the first word of a text also write one behind each special token of such a row.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from curator.core.thoughts import find_marks
from curator.core.turns import is_mark

MARKER = "\ufdd0"
"""Stands behind the first character of a special token that a row writes. Not a character: no text
has it, and a row that has it writes no special token with it either."""

Encoded = tuple[list[int], list[tuple[int, int]]]
"""Token ids, and the offsets of each token."""


class SpecialTokens:
    """The special tokens of a tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = [each for each in tokenizer.added_tokens_decoder.values() if each.special]
        self._tokens = {each.content: each for each in added if each.content}
        foreign = [each for each in self._tokens if not is_mark(each) and not any(find_marks(each))]
        self._marks = {name: f"{name[0]}{MARKER}{name[1:]}" for name in foreign}
        self._names = {marked: name for name, marked in self._marks.items()}
        self._broken = {name: f"{name[0]} {name[1:]}" for name in foreign}

    def mark(self, text: str) -> str:
        """Return the text of a row with its special tokens marked."""
        return _replace(text, self._marks)

    def unmark(self, text: str) -> str:
        """Return a marked text as it was."""
        return _replace(text, self._names) if MARKER in text else text

    def break_up(self, text: str) -> str:
        """Return the text of a row with a blank in its special tokens, for others to tokenize."""
        return _replace(text, self._broken)

    def has_marks(self, text: str) -> bool:
        """Return whether a text has a marked special token."""
        return MARKER in text and any(_find(text, self._names))

    def encode(self, text: str, offsets: bool = False) -> Encoded:
        """Encode a marked text; marked tokens become plain text.

        With `offsets`, which needs a fast tokenizer, return the places in the text without marks.
        """
        ids: list[int] = []
        places: list[tuple[int, int]] = []
        start = base = 0
        before = None
        for place, name in [*_find(text, self._tokens), (len(text), "")]:
            token = self._tokens.get(name)
            part = self.unmark(text[start:place])
            # As the tokenizer does: some special tokens take the blanks around them.
            left = part.lstrip() if before and before.rstrip else part
            shift = base + len(part) - len(left)
            if kept := left.rstrip() if token and token.lstrip else left:
                own, spans = self._encode_plain(kept, offsets)
                ids += own
                places += [(first + shift, last + shift) for first, last in spans]
            base += len(part)
            if token:
                ids.append(self._tokenizer.convert_tokens_to_ids(name))
                places += [(base, base + len(name))] if offsets else []
                start, base, before = place + len(name), base + len(name), token
        return ids, places

    def _encode_plain(self, text: str, offsets: bool) -> Encoded:
        found = self._tokenizer(
            text,
            add_special_tokens=False,
            split_special_tokens=True,
            return_offsets_mapping=offsets,
            verbose=False,
        )
        return found["input_ids"], found["offset_mapping"] if offsets else []


def _find(text: str, names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield where names are in a text, and which; of those at one place, the longest."""
    ahead = {name: place for name in names if (place := text.find(name)) >= 0}
    while ahead:
        first = min(ahead, key=lambda name: (ahead[name], -len(name)))
        yield ahead[first], first
        end = ahead[first] + len(first)
        found = {n: place if place >= end else text.find(n, end) for n, place in ahead.items()}
        ahead = {name: place for name, place in found.items() if place >= 0}


def _replace(text: str, names: Mapping[str, str]) -> str:
    parts, at = [], 0
    for place, name in _find(text, names):
        parts += [text[at:place], names[name]]
        at = place + len(name)
    return "".join([*parts, text[at:]])
