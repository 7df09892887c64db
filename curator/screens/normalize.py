"""The text normalisation of all screens, as DuckDB expressions over a text column.

In: the SQL of a VARCHAR expression. Out: the SQL of the normalised text:

    fold    lower case, ASCII digits, quotes and dashes, no LaTeX layout
    stem    folded text without answer choices and without the request for a program
    key     stem or folded text without white space; equal keys mean equal text up to layout
    words   words and numbers only, as a list, for n-grams
    tokens  words, numbers and operators, as a list, for similarity

Regular expressions are used only for patterns that seldom match; literal replacements, which are
five times faster, do the rest.
"""

import re

from curator.screens.characters import (
    DIGITS,
    FORMS,
    FRACTIONS,
    INDICES,
    LOWERED,
    POWERS,
    RAISED,
    ZEROS,
)
from datastore.engine import literal

REQUESTS = (
    "let's write a program.",
    "let's write a python program.",
    "let's program in python in the response.",
    "let's write a python program to solve it.",
    "please write a program to solve it",
)
"""Requests for a program at the end of MathInstruct's instructions, in lower case."""

LAYOUT = (
    r"\\(?:(?:left|right|displaystyle|textstyle|q?quad|big+[lr]?)\b"
    r"|[,;:!> ()\[\]$])"
)
"""LaTeX that changes the layout but not the meaning, including math delimiters."""

PLAIN = {
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "–": "-",
    "—": "-",
    "−": "-",
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
}
"""Typographic variants of ASCII characters, and characters without width; applied only to text that
is not ASCII."""
DIGIT = f"[{''.join(f'{zero}-{chr(ord(zero) + 9)}' for zero in ZEROS)}]"
FORM = rf"[{''.join(map(re.escape, FORMS))}]"

DRAWING = r"\[asy\].*?\[/asy\]"
OPTIONS = r"answer choices:\s*\(?a\s?[).][^\n?]*(?:\n\s*\(?[b-j]\s?[).][^\n?]*)*(\n|\z)"
"""Choices after `answer choices:`, on one line or on several. What follows them stays, since it may
be the question, and so does a line with a question mark. Without choices, the words are a part of a
prompt. Not covered: a question without a question mark on the line of its choices."""
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts that do not put spaces between words."""
WORD = rf"[{UNSPACED}]\pM*|[^\PL{UNSPACED}]+|[0-9]+(?:\.[0-9]+)?|[^\PN0-9{UNSPACED}]"
NUMBER = r"[0-9]+(?:\.[0-9]+)?"
OPERATOR = r"[-+*/^=<>%!|&~±×÷·√≤≥≠]"
MASK = "<n>"


def _replace(expression: str, pairs: dict[str, str]) -> str:
    for old, new in pairs.items():
        expression = f"replace({expression}, {literal(old)}, {literal(new)})"
    return expression


def _replace_if(marker: str, expression: str, pairs: dict[str, str]) -> str:
    """Return `_replace` for texts with `marker`, which each key of `pairs` contains.

    Searching a text is ten times as fast as copying it.
    """
    replaced = _replace("t", pairs)
    return _bind(expression, f"CASE WHEN contains(t, {literal(marker)}) THEN {replaced} ELSE t END")


def _bind(expression: str, body: str) -> str:
    """Return SQL that computes `expression` as `t` of `body`.

    DuckDB would compute it once however often it occurs, but would plan each occurrence.
    """
    return f"list_transform([{expression}], lambda t: {body})[1]"


def _to_ascii(column: str) -> str:
    """Return text with digits of all scripts, full-width forms and numerals as ASCII.

    The SQL of `characters.to_ascii`. `translate` builds its table per text, so it gets an empty one
    where no character needs it.
    """
    text = f"nfc_normalize({column})"
    for pattern, table in ((DIGIT, DIGITS), (FORM, FORMS)):
        old, new = (literal("".join(each)) for each in (table, table.values()))
        needed = f"regexp_matches({column}, {literal(pattern)})"
        text = f"translate({text}, CASE WHEN {needed} THEN {old} ELSE '' END, {new})"
    small = _replace(text, FRACTIONS)
    for pattern, mark in ((RAISED, "^"), (LOWERED, "_")):
        small = rf"regexp_replace({small}, {literal(pattern)}, '{mark}\1', 'g')"
    small = f"translate({small}, {literal(POWERS + INDICES)}, repeat('0123456789', 2))"
    needed = rf"regexp_matches({column}, '\p{{No}}')"
    return f"CASE WHEN {needed} THEN {small} ELSE {text} END"


def fold(column: str) -> str:
    """Return lower case without typographic variants and LaTeX layout; white space stays.

    Numbers are written with ASCII digits.
    """
    ascii_ = f"lower({_replace(_to_ascii(column), PLAIN)})"
    cased = f"CASE WHEN strlen({column}) = length({column}) THEN lower({column}) ELSE {ascii_} END"
    layout = f"regexp_replace({cased}, {literal(LAYOUT)}, '', 'g')"
    plain = _replace_if("\\", layout, {"\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\%": "%"})
    return _replace(plain, {"$": ""})


def stem(folded_column: str) -> str:
    """Return folded text without its answer choices and without a request for a program.

    Answer choices stay where they are all of the text.
    """
    without = rf"regexp_replace(t, {literal(OPTIONS)}, '\1', 'g')"
    some = rf"regexp_matches({without}, '[^ \n\t\r.?!:;]')"  # what `squeeze` leaves
    # `AND` would compute both sides for every text.
    listed = (
        "CASE WHEN contains(t, 'answer choices:') "
        f"THEN CASE WHEN {some} THEN {without} ELSE t END ELSE t END"
    )
    text = _bind(folded_column, listed)
    longest_first = sorted(REQUESTS, key=len, reverse=True)
    return _replace_if("program", text, dict.fromkeys(longest_first, ""))


def key(folded_column: str) -> str:
    """Return folded text without white space and closing punctuation, to compare by equality.

    White space between two digits becomes `_`, so that `1 1/2` and `11/2` differ. Programs that
    differ only in indentation have the same key.
    """
    spaced = "t"
    for _ in range(2):  # the first pass over `1 2 3` consumes the 2 and leaves the second gap
        spaced = rf"regexp_replace({spaced}, '([0-9])\s+([0-9])', '\1_\2', 'g')"
    gaps = r"regexp_matches(t, '[0-9]\s+[0-9]')"
    return squeeze(_bind(folded_column, f"CASE WHEN {gaps} THEN {spaced} ELSE t END"))


def squeeze(folded_column: str) -> str:
    """Return folded text without white space and closing punctuation.

    `translate` and `rtrim` would take three times as long.
    """
    unspaced = rf"regexp_replace(replace({folded_column}, ' ', ''), '[\n\t\r]+', '', 'g')"
    return rf"regexp_replace({unspaced}, '[.?!:;]+\z', '')"


def mask_numbers(key_column: str) -> str:
    """Return a key with every number replaced by `<n>`."""
    return f"regexp_replace({key_column}, '{NUMBER}', '{MASK}', 'g')"


def words(folded_column: str) -> str:
    """Return the words and unsigned numbers of folded text in order, as a list.

    In scripts without spaces between words, such as Chinese and Thai, each character is a word.
    Operators are left out. So are drawings, because two Asymptote drawings of a triangle share long
    runs of code although the questions differ.
    """
    return _find_all(folded_column, WORD)


def tokens(folded_column: str) -> str:
    """Return the words, unsigned numbers and operators of folded text in order, as a list."""
    return _find_all(folded_column, f"{WORD}|{OPERATOR}")


def _find_all(folded_column: str, pattern: str) -> str:
    """Return all matches of a pattern that matches no space, in order, as a list.

    A match takes longer than its text, so words with one space between them are one match, which is
    then split at the spaces.
    """
    phrase = f"(?:{pattern})(?: (?:{pattern}))*"
    phrases = f"regexp_extract_all({_without_drawings(folded_column)}, '{phrase}')"
    return f"coalesce(string_split(list_aggregate({phrases}, 'string_agg', ' '), ' '), [])"


def _without_drawings(folded_column: str) -> str:
    return (
        f"CASE WHEN contains({folded_column}, '[asy]') "
        f"THEN regexp_replace({folded_column}, {literal(DRAWING)}, ' ', 'gs') "
        f"ELSE {folded_column} END"
    )
