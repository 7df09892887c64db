"""The rationales on a page: their parts, and what is left out of long ones.

In: rationales. Out: plain values for JSON, bounded in size whatever the rationales contain. A few
long ones are whole, so that a page shows what traces are like; of the others, each part has its
beginning and its end.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curator.core.model import Kind, LabelledStep
from curator.core.parts import Part, split_rationale

MAX_TEXT = 6_000
"""Maximum number of characters of a text on a page, except of those that are whole."""
MAX_PARTS = 60
"""Maximum number of parts of a rationale that is not whole, and of its thought."""
MAX_WHOLE_TEXT = 300_000
"""Maximum number of characters of a text that is whole."""
MAX_WHOLE = 3_000_000
"""Maximum number of characters of all long texts that are whole."""
_END = 3
"""What is shown of a long text is its end in a ratio of 1 to this: it states the answer."""

LEFT_OUT = "left out"
"""The kind of a value that stands for parts that are left out."""


@dataclass(frozen=True, slots=True)
class PageText:
    """A rationale on a page."""

    kind: Kind
    text: str
    steps: Sequence[LabelledStep] = ()
    results: Sequence[str] = ()
    """Results of the replay of its programs."""

    def plain(self, whole: bool) -> str | list[dict[str, Any]]:
        """Return a short text or program as it is, and any other rationale as a list of parts.

        Nothing is left out of one that is `whole`. Keys of a part are short: k kind, t text, n
        number, r note, a 1 for an alternative, p parts; of a text with its middle left out, t has
        the beginning, e the end and l the number of all characters. Of `LEFT_OUT`, n is the number
        of parts.
        """
        parts = split_rationale(self.kind, self.text, self.steps, self.results)
        if not parts:
            return ""
        if len(parts) == 1 and parts[0].kind in ("text", "program") and len(self.text) <= MAX_TEXT:
            return parts[0].text
        if whole:
            return [_plain(part, None) for part in parts]
        return _plain_ends(parts, share_evenly(map(len, _shown_texts(parts)), MAX_TEXT))


def share_evenly(sizes: Iterable[int], total: int) -> int:
    """Return how much each group may give so that all groups together give at most `total`."""
    rest, share = total, 0
    ordered = sorted(sizes)
    for place, size in enumerate(ordered):
        share = rest // (len(ordered) - place)
        if size > share:
            return max(1, share)
        rest -= size
    return max(1, ordered[-1] if ordered else share)


def choose_whole(sizes: Iterable[tuple[str, int]]) -> Iterator[bool]:
    """Yield for each rationale whether it is whole: (group, characters) in, in the page's order.

    The first long ones of each group come first, then the second ones, until `MAX_WHOLE` is
    reached. Short ones have nothing to leave out.
    """
    listed = list(sizes)
    ranks: dict[str, int] = {}
    order = []
    for place, (group, size) in enumerate(listed):
        if MAX_TEXT < size <= MAX_WHOLE_TEXT:
            ranks[group] = ranks.get(group, 0) + 1
            order.append((ranks[group], place))
    chosen: set[int] = set()
    rest = MAX_WHOLE
    for _, place in sorted(order):
        if listed[place][1] <= rest:
            rest -= listed[place][1]
            chosen.add(place)
    yield from (place in chosen for place in range(len(listed)))


def _ends(parts: Sequence[Part]) -> tuple[Sequence[Part], int, Sequence[Part]]:
    """Return the first parts, the number of those that are left out, and the last ones."""
    hidden = len(parts) - MAX_PARTS
    if hidden <= 1:
        return parts, 0, ()
    last = MAX_PARTS // _END
    return parts[: MAX_PARTS - last], hidden, parts[-last:]


def _shown_texts(parts: Sequence[Part]) -> Iterator[str]:
    first, _, last = _ends(parts)
    for part in (*first, *last):
        if part.parts:
            yield from _shown_texts(part.parts)
        else:
            yield part.text


def _plain_ends(parts: Sequence[Part], share: int) -> list[dict[str, Any]]:
    first, hidden, last = _ends(parts)
    middle = [{"k": LEFT_OUT, "n": hidden}] if hidden else []
    before, behind = ([_plain(each, share) for each in some] for some in (first, last))
    return [*before, *middle, *behind]


def _plain(part: Part, share: int | None) -> dict[str, Any]:
    """Return a part; `share` is the maximum number of characters per text, None for a whole one."""
    values: dict[str, Any] = {"k": part.kind}
    if part.number:
        values["n"] = part.number
    if part.note:
        values["r"] = part.note
    if not part.chosen:
        values["a"] = 1
    if part.parts:
        values["l"] = len(part.text)
        if share is None:
            values["p"] = [_plain(each, None) for each in part.parts]
        else:
            values["p"] = _plain_ends(part.parts, share)
    elif share is None or len(part.text) <= share:
        values["t"] = part.text
    else:
        end = share // _END
        values |= {"t": part.text[: share - end], "e": part.text[len(part.text) - end :]}
        values["l"] = len(part.text)
    return values
