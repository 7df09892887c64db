"""Escapes outside text for the place that shows it: one function per target.

In: any text. Out: text that the target shows and never obeys. A character that cannot be shown is
written as its code, such as `<U+001B>`. Files for programs (JSON Lines, Parquet) keep every
character and need none of this. There is no function for spreadsheets, since Curator writes none.
Not covered: letters of scripts that run from right to left, which a terminal may reorder within
their line.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from unicodedata import category

from markupsafe import Markup, escape

MAX_MARKS = 4
"""Maximum number of combining marks in a row; a pile of them covers the lines around it."""

_NOT_PLAIN = re.compile(r"[^ -~]+")
_NOT_PLAIN_LINES = re.compile(r"[^ -~\n\t]+")

# Blank characters that Python counts as printable: fillers, and variation selectors except the
# two for emoji.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]"
)

_MARKDOWN = re.compile(r"([\\`*\[\]|#~$]|(?<!\w)_|_(?!\w))")
_STARTS_LIST = re.compile(r"^(\d{0,9})([-+=.)])(?!\d)")
_AUTOLINK = re.compile(r":(?=//)|(?<=www)\.|(?<=\w)@(?=[\w-]+\.)", re.IGNORECASE)


def for_terminal(text: str) -> str:
    """Return text as one line that cannot drive a terminal."""
    line = text.replace("\r\n", "\n").replace("\n", "\\n").replace("\t", " ")
    return _NOT_PLAIN.sub(partial(_show, code=_name), line)


def for_terminal_lines(text: str) -> str:
    """Return text of several lines that cannot drive a terminal; line feeds and tabs are kept."""
    return _NOT_PLAIN_LINES.sub(partial(_show, code=_name), text.replace("\r\n", "\n"))


def for_json(document: str) -> str:
    """Return a JSON document with the same values that cannot drive a terminal."""
    return _NOT_PLAIN_LINES.sub(partial(_show, code=_json_escape), document)


def for_html(value: object) -> Markup:
    """Return a value as text of an HTML element or of a quoted attribute; markup is kept."""
    return value if isinstance(value, Markup) else escape(for_terminal_lines(str(value)))


def for_markdown(text: object) -> str:
    """Return text as one line of Markdown without markup, cells, comments, formulas or links.

    Not covered: a renderer that links addresses after it has decoded character references.
    """
    line = _MARKDOWN.sub(r"\\\1", for_terminal(" ".join(str(text).split())).replace("&", "&amp;"))
    line = _STARTS_LIST.sub(r"\1\\\2", line.replace("<", "&lt;").replace(">", "&gt;"))
    return _AUTOLINK.sub(lambda match: f"&#{ord(match[0])};", line)


def _show(match: re.Match[str], code: Callable[[str], str]) -> str:
    """Return a run of characters; those that cannot be shown are replaced by their code."""
    shown, marks = [], 0
    for character in match[0]:
        kind = _kind(character)
        marks = marks + 1 if kind == "mark" else 0
        shown.append(code(character) if kind == "hidden" or marks > MAX_MARKS else character)
    return "".join(shown)


@lru_cache(maxsize=10_000)
def _kind(character: str) -> str:
    """Return `shown`, `mark`, or `hidden`.

    Hidden are control characters (C0, DEL, C1), directions of writing, invisible characters, line
    separators, lone surrogates, private use and unassigned characters.
    """
    kind = category(character)
    if kind == "Zs" or (character.isprintable() and not _BLANK.match(character)):
        return "mark" if kind[0] == "M" else "shown"
    return "hidden"


def _name(character: str) -> str:
    return f"<U+{ord(character):04X}>"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
