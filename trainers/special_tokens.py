"""Encodes the special tokens that a row writes as plain text, and those of a template as tokens.

In: texts of rows, which may contain `<|im_end|>` or `</s>`, and the text that a chat template makes
of them. Out: token ids. Otherwise a row could end its turn, or begin one of another role. Marks of
thoughts, programs and outputs that are special tokens stay special: the model has to write them.

Not covered: servers, most of which read special tokens in a question as such. Tokenizers that write
a blank before the first word of a text also write one behind each special token of such a row.
"""

import re
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
        names = sorted(self._tokens, key=len, reverse=True)
        foreign = [name for name in names if not is_mark(name) and not any(find_marks(name))]
        self._special = _any_of(names)
        self._foreign = _any_of(foreign)
        self._marked = _any_of([_mark(name) for name in foreign])

    def mark(self, text: str) -> str:
        """Return the text of a row with its special tokens marked."""
        return self._foreign.sub(lambda found: _mark(found[0]), text)

    def unmark(self, text: str) -> str:
        """Return a marked text as it was."""
        return self._marked.sub(lambda found: found[0].replace(MARKER, "", 1), text)

    def has_marks(self, text: str) -> bool:
        """Return whether a text has a marked special token."""
        return MARKER in text and bool(self._marked.search(text))

    def encode(self, text: str, offsets: bool = False) -> Encoded:
        """Encode a marked text; marked tokens become plain text.

        With `offsets`, which needs a fast tokenizer, return the places in the text without marks.
        """
        ids: list[int] = []
        places: list[tuple[int, int]] = []
        start = base = 0
        before = None
        for found in [*self._special.finditer(text), None]:
            token = self._tokens[found[0]] if found else None
            part = self.unmark(text[start : found.start() if found else len(text)])
            # As the tokenizer does: some special tokens take the blanks around them.
            left = part.lstrip() if before and before.rstrip else part
            shift = base + len(part) - len(left)
            if kept := left.rstrip() if token and token.lstrip else left:
                own, spans = self._encode_plain(kept, offsets)
                ids += own
                places += [(first + shift, last + shift) for first, last in spans]
            base += len(part)
            if found:
                ids.append(self._tokenizer.convert_tokens_to_ids(found[0]))
                places += [(base, base + len(found[0]))] if offsets else []
                start, base, before = found.end(), base + len(found[0]), token
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


def _mark(name: str) -> str:
    return f"{name[0]}{MARKER}{name[1:]}"


def _any_of(names: list[str]) -> re.Pattern[str]:
    """Return a pattern of the longest of the names at a place; it finds nothing without a name."""
    return re.compile("|".join(map(re.escape, names)) or r"(?!)")
