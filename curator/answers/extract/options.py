"""Read the choice that a statement names: `(B)`, `option B`, `B) 6`, `A and C`.

In: the text of a statement, and the choices if they are known. Out: letters, or an `Answer` of kind
`option`; where the choices are unknown, it has the value beside the letter, too (`(B) 12`).
"""

import re

from curator.answers.compare.choices import match_choices, parse_letter, split_label
from curator.answers.extract.letters import ANY_LETTER, parse_letters
from curator.answers.parse.normalize import normalize
from curator.answers.parse.read import to_answer
from curator.core.model import LETTERS, Answer

Choices = tuple[str, ...]

_BARE_LETTER = re.compile(r"[A-H]|[(\[] ?[A-Ja-j] ?[)\]]|(?i:option|choice) ?[(\[]?[A-J][)\]]?")
_OPTION_WORD = re.compile(r"\(?(?:both|option|choice)s?\b\s?", re.I)
_OPTION_HEAD = re.compile(
    r"\(?\[?([A-Z])(?:[\])]|\s*[.:]|\s*,(?!\s*(?:and\s|or\s)?\(?[A-H]\b)|\s*$|\s+(?=[(=-]))|\(?([a-z])\s*(?:\)|:(?!\s*[a-z]\b))"
)
_LABELLED = re.compile(
    r"(?:\(([A-J]|[a-e])\)(?:\s|(?=\d))|([A-J])[).:] )"
    r"(?=[\w$(\[{√.-]|\\(?:[dt]?frac|sqrt|text|pi)\b)"
)
_LAST_LABEL = re.compile(r"(?P<value>.{1,200}?)\s*[(\[](?P<letter>[A-Z])[)\]]")
_ALTERNATIVES = re.compile(
    rf"{ANY_LETTER}(?:,\s{ANY_LETTER}){{0,6}}(?:,?\s(?:or|and/or)\s{ANY_LETTER}){{1,7}}[.\s]*"
)
_LABEL = re.compile(r"(?<!\w)(?:[(\[]([A-H])[)\]]|([A-H])(?:[).:](?=\s|\Z)))")
_WORD = re.compile(r"(?<!\\)\b[A-Za-z]{2,}")
_JOINS = re.compile(r"(?:^|(?<=\s)|(?<=[,;]))(?:and/or|and|or)(?=\s|\Z)")
_RANKED = re.compile(
    r"(?:the )?(?P<rank>first|second|third|fourth|fifth|last|[1-5](?:st|nd|rd|th))"
    r"(?: (?:option|choice|answer|one))?",
    re.I,
)
_RANKS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}
_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩"
_CYRILLIC = str.maketrans("АВСЕ", "ABCE")


def _match_mark(text: str, choices: Choices) -> str:
    """Return the letter of `③`, of a Cyrillic `В`, of `the last option`; empty for other texts."""
    ranked = _RANKED.fullmatch(text) if len(text) < 40 else None
    mark = text.strip("() .번")
    if ranked:
        rank = ranked["rank"].lower()
        index = int(rank[0]) - 1 if rank[0].isdigit() else _RANKS.get(rank, len(choices) - 1)
    elif len(mark) != 1 or mark.isascii():
        return ""
    elif mark in _CIRCLED:
        index = _CIRCLED.index(mark)
    else:
        index = LETTERS.find(
            "D" if mark == "Д" and len(choices) == 4 else mark.translate(_CYRILLIC)
        )
    return LETTERS[index] if 0 <= index < len(choices) else ""


def _match_last_label(text: str, choices: Choices) -> str:
    """Return the letter of `7 (C)` if that choice is 7."""
    label = _LAST_LABEL.fullmatch(text) if text[-1:] in (")", "]") and len(text) < 300 else None
    index = LETTERS.find(label["letter"]) if label else -1
    if (
        label is None
        or index >= len(choices)
        or index not in match_choices(label["value"], choices)[0]
    ):
        return ""
    return label["letter"]


def names_alternatives(text: str) -> bool:
    """Return whether a text leaves open which letter is meant: `(A) or (B)`."""
    return len(text) < 60 and _ALTERNATIVES.fullmatch(text) is not None


def _labelled_letters(text: str, choices: Choices) -> str:
    """Return `A, B` for `(A) 4 or (B) 5` and `(A)(B)`: each label alone, or with its choice.

    Where the choices are unknown, what stands behind a label has no words.
    """
    labels = list(_LABEL.finditer(text)) if len(text) < 300 else []
    if len(labels) < 2 or labels[0].start():
        return ""
    letters: set[str] = set()
    ends = [*(label.start() for label in labels[1:]), len(text)]
    for label, end in zip(labels, ends, strict=True):
        value = _JOINS.sub("", text[label.end() : end]).strip(" ,;.")
        letter = label[1] or label[2]
        if value and not _is_choice(value, LETTERS.index(letter), choices):
            return ""
        letters.add(letter)
    within = not choices or max(map(LETTERS.index, letters)) < len(choices)
    return ", ".join(sorted(letters)) if within and len(letters) > 1 else ""


def _is_choice(value: str, index: int, choices: Choices) -> bool:
    return index in match_choices(value, choices)[0] if choices else not _WORD.search(value)


def match_choice(text: str, choices: Choices) -> str:
    """Return the letters of the choices that a statement names; empty if none or undecided."""
    text = _OPTION_WORD.sub("", text, count=1) if _OPTION_WORD.match(text) else text
    several = parse_letters(text, len(choices)) or _labelled_letters(text, choices)
    if several:
        return several
    head = _OPTION_HEAD.match(text)
    if head and LETTERS.find((head[1] or head[2]).upper()) < len(choices):
        return (head[1] or head[2]).upper()
    matches, _ = match_choices(text, choices)
    if not matches:
        return _match_last_label(text, choices) or _match_mark(text, choices)
    if len({choices[index] for index in matches}) > 1:
        return ""
    return parse_letter(text) or LETTERS[matches[0]]


def read_label(text: str, choices: Choices) -> str:
    """Return the letter of `B) 6` if that choice is 6; otherwise nothing."""
    letter, rest = split_label(text.replace("**", ""))
    index = LETTERS.find(letter) if letter else -1
    return letter if 0 <= index < len(choices) and index in match_choices(rest, choices)[0] else ""


def read_option(content: str, span: tuple[int, int]) -> Answer | None:
    """Return the choice that is named where the choices are unknown: `(B)`, `E`, `(b) 12`."""
    if len(content) > 200:
        return None
    plain = normalize(content)
    if _BARE_LETTER.fullmatch(plain):
        return Answer("option", parse_letter(plain), span=span)
    if letters := _labelled_letters(plain, ()):
        return Answer("option", letters, span=span)
    label = _LABELLED.match(plain)
    if label:
        value = to_answer(plain[label.end() :])
        letter = (label[1] or label[2]).upper()
        return Answer("option", f"({letter}) {plain[label.end() :]}", span=span) if value else None
    several = parse_letters(plain, len(LETTERS)) if "," in plain or "and" in plain else ""
    return Answer("option", several, span=span) if several else None
