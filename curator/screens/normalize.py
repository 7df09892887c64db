"""The one text normalisation of the screens, as DuckDB expressions over a text column.

In: the SQL of a VARCHAR expression. Out: the SQL of `folded`, `stem`, `key` or `words`:

    folded  lower case, Unicode quotes and dashes made plain, LaTeX layout removed
    stem    folded, without answer choices and without the request for a program
    key     white space removed: equal keys are the same text up to its layout
    words   the words and numbers alone, as a list: what n-grams are made of

Regular expressions are kept to patterns that seldom match; the rest are literal replacements, which
are five times faster.
"""

from datastore.engine import literal

REQUESTS = (
    "let's write a program.",
    "let's write a python program.",
    "let's program in python in the response.",
    "let's write a python program to solve it.",
    "please write a program to solve it",
)
"""How MathInstruct asks for a program, at the end of an instruction, in lower case."""

LAYOUT = (
    r"\\(?:(?:left|right|displaystyle|textstyle|q?quad|big+[lr]?)\b"
    r"|[,;:!> ()\[\]$])"
)
"""LaTeX that moves ink and changes no meaning, math delimiters included."""

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
    "\u200b": "",
    "²": "^2",
    "³": "^3",
}
"""Typographic forms of ASCII; applied only to text that is not ASCII."""

DRAWING = r"\[asy\].*?(\[/asy\]|$)"
WORD = r"\pL+|[0-9]+(?:\.[0-9]+)?"
NUMBER = r"[0-9]+(?:\.[0-9]+)?"
MASK = "<n>"


def _replace(expression: str, pairs: dict[str, str]) -> str:
    for old, new in pairs.items():
        expression = f"replace({expression}, {literal(old)}, {literal(new)})"
    return expression


def folded(column: str) -> str:
    """Lower case without typographic variants and LaTeX layout; white space is kept."""
    plain = f"lower({_replace(f'nfc_normalize({column})', PLAIN)})"
    cased = f"CASE WHEN strlen({column}) = length({column}) THEN lower({column}) ELSE {plain} END"
    layout = f"regexp_replace({cased}, {literal(LAYOUT)}, '', 'g')"
    return _replace(layout, {"\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\%": "%", "$": ""})


def stem(folded_column: str) -> str:
    """A folded question alone: cut at `answer choices:`, without a request for a program."""
    alone = f"split_part({folded_column}, 'answer choices:', 1)"
    for request in sorted(REQUESTS, key=len, reverse=True):
        alone = f"replace({alone}, {literal(request)}, '')"
    return alone


def key(folded_column: str) -> str:
    """Folded text without white space and closing punctuation, for comparing by equality.

    White space between two digits is kept as `_`, so that `1 1/2` and `11/2` differ. Programs that
    differ in indentation alone have one key.
    """
    apart = folded_column
    for _ in range(2):  # `1 2 3`: one pass uses up the 2 and leaves the second gap
        apart = rf"regexp_replace({apart}, '([0-9])\s+([0-9])', '\1_\2', 'g')"
    closed = _replace(apart, {" ": "", "\n": "", "\t": "", "\r": ""})
    return f"rtrim({closed}, '.?!:;')"


def masked(key_column: str) -> str:
    """A key with every number replaced by `<n>`."""
    return f"regexp_replace({key_column}, '{NUMBER}', '{MASK}', 'g')"


def words(folded_column: str) -> str:
    """Words and unsigned numbers of folded text in order, as a list; operators are left out.

    So are drawings: two triangles drawn in Asymptote share long runs of code and no question.
    """
    text = (
        f"CASE WHEN contains({folded_column}, '[asy]') "
        f"THEN regexp_replace({folded_column}, {literal(DRAWING)}, ' ', 'gs') "
        f"ELSE {folded_column} END"
    )
    return f"regexp_extract_all({text}, '{WORD}')"
