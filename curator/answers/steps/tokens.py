r"""Split a worked solution into the tokens of its arithmetic, in one pass.

In: any text. Out: `tokenize(text)`, `Token`s with their places. Currency signs, LaTeX spacing and
markup are left out; `<<48/2=24>>` is one token. A barrier is what no expression spans: the end of
a sentence, a line, a comma, an inequality.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple


class Token(NamedTuple):
    """A token, its place, and whether a blank precedes it.

    Kinds: number · spaced (17 500) · opaque (digits that are no plain number: 5:30, 0930, 3,5) ·
    pi · root (text: its index) · fraction (or a binomial) · subscript · markup (a command with the
    brace that it opens) · operator · open · close · percent · of · word (or several plain ones) ·
    equals · annotation · broken (an annotation without its end) · barrier.
    """

    kind: str
    text: str
    start: int
    end: int
    gap: bool = False


UNKNOWN = r"\unknown"
"""A word that stands for what has a value that is not read: words that multiply a number, as in
`2(number of cats)`, dots, an operation with a sign of its own."""

_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_FRACTIONS = {char: unicodedata.normalize("NFKC", char) for char in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")

_PLAIN = r"(?!(?:of|per ?cent|equals|is equal to|sqrt|Rs)\b)[A-Za-z]{2,}(?![\w'’])"
_PATTERNS = {
    "plain": rf"(?<!\w){_PLAIN}(?: {_PLAIN})*",
    "open": r"[({\[]",
    "close": r"[)}\]]",
    "letter": r"[a-wyzA-WYZ](?![^\W_]|['’])",
    "annotation": r"<<[^<>\n]{0,1000}>>",
    "broken": r"<<",
    "newline": r"\n[ \t]*(?:(?:[-*•+]|\d{1,3}[.)])[ \t]+)?|\\\\[ \t]*\n?|\\q?quad(?![A-Za-z])",
    "opaque": r"\d+:\d+(?::\d+)*",
    "ordinal": r"\d+(?:st|nd|rd|th)\b",
    "number": r"(?:\d{1,3}(?:(?:\{,\}|\\[,!]|,\\!|[,\u00a0\u2009\u202f])\d{3})+(?!,?\d)(?:\.\d+)?"
    r"|\d{1,3}(?: \d{3})+(?![\d,]|\.\d)"
    r"|\d+(?:,\d+)*(?:\.\d+)?(?:[eE][-+]?\d{1,3}(?!\w))?|\.\d+)"
    r"(?:(?:\.{2,}|…)(?!\.|\s?[-+*/×]))?",
    "vulgar": "[" + "".join(_FRACTIONS) + "]",
    "superscript": "[⁰¹²³⁴⁵⁶⁷⁸⁹]+",
    "short": r"\\(?:[dtc]?frac|[dt]?binom) ?\d(?: ?\d|(?= ?\{))|\\sqrt ?\d",
    "barrier": r"\\[\[\]]|[<>:]=|(?<![\d)}])!=|=>|=<(?!<)|[-=]{1,40}>|--+|—|[≤≥≠<>→⇒;]"
    r"|##+|(?<!\S)#(?=\d)|\\(?:(?:[Ll]ong)?(?:[Ll]eft)?(?:[Rr]ight)?arrow|implies|iff|to|therefore|because|[lg]eq?|neq?"
    r"|[lg]t|equiv)(?![A-Za-z])"
    r"|\\(?:begin|end) ?\{(?:align|equation|gather|split|multline|eqnarray|center)[a-z]{0,9}\*?\}",
    "symbol": r"[|#@]|\\[{}&#@|]|\\ast(?![A-Za-z])|\\sqrt(?= ?\[ ?\D)",
    "dots": r"\.{2,}|…",
    "equals": r"==?|≈|≃|≅|~=|\\(?:approx|simeq|doteq)(?![A-Za-z])|\bequals\b|\bis equal to\b",
    "degree": r"\^ ?(?:\\circ(?![A-Za-z])|\{ ?\\circ ?\})",
    "power": r"\*\*(?<=[\d)]\*\*)(?=[\d(])|\^",
    "bold": r"\*\*",
    "times": r"[*×·⋅∙∗✕]|\\(?:times|cdot)(?![A-Za-z])"
    r"|(?<![^\W\d_])[xX](?=[ \t]{0,2}(?:\\?\$|[\d(£€¥₹]|\.\d|\\[dtc]?frac))",
    "divide": r"//?|[÷∕⁄]|\\div(?![A-Za-z])",
    "plus": r"\+",
    "hyphen": r"(?<=\w)[-‐‑–](?=[^\W\d_][a-z])",
    "minus": "[-−–‐‑]",
    "fraction": r"\\(?:[dtc]?frac|[dt]?binom)(?![A-Za-z])",
    "root": r"\\sqrt(?: ?\[ ?\d{1,2} ?\]|(?![A-Za-z]))|√|\bsqrt(?=\()",
    "pi": r"\\pi(?![A-Za-z])|π",
    "markup": r"\\(?:text\w*|mathrm|mathbf|mathit|mbox|boxed|fbox|operatorname) ?\{",
    "percent": r"\\?%|\bper ?cent\b",
    "currency": r"\\?\$|[£€¥₹]|\bRs\b\.?",
    "subscript": r"(?:(?<=[^\W_])|(?<=[)}\]]))_(?:\{[^{}\n]{0,40}\}|[^\W_]|\\[A-Za-z]+|(?=\{))",
    "blank": r"\\(?:left|right|[bB]igg?[lr]?|displaystyle)(?![A-Za-z])|\\[,;:!() ]"
    r"|[&~`_\"“”‘’'°]|\s",
    "of": r"\bof\b",
    "word": r"[^\W\d_]{4,}(?=\d)|[^\W\d_][^\W_]*(?:['’][^\W_]+)*|\\[A-Za-z]+",
    "bang": "!",
    "mark": "[.,:?]",
    "other": ".",
}
_TOKEN = re.compile(
    "[ $]*(?:" + "|".join(f"(?P<{name}>{text})" for name, text in _PATTERNS.items()) + ")", re.S
)
_ENDING = re.compile(
    r"[.?,](?=\s)(?<=[a-z)}$].)(?:(?<!,)\s\s?(?=[A-Z])|(?<=,)\s(?=[$\\]?[A-Za-z]))"
)
"""Where a clause ends for certain: after its first character."""
_EQUATION = re.compile(r"[=≈≃≅]|<<|\\(?:approx|simeq|doteq)|equal")
_DIGIT = re.compile(rf"[\d{''.join(_FRACTIONS)}]|<<")
_OPERATORS = {"power": "^", "times": "*", "divide": "/", "plus": "+", "minus": "-"}
_KINDS = {name: name for name in _PATTERNS} | dict.fromkeys(_OPERATORS, "operator")
_KINDS |= dict.fromkeys(
    ("plain", "letter", "ordinal", "hyphen", "symbol", "other", "degree"), "word"
)
_SIMPLE = {
    name: kind
    for name, kind in _KINDS.items()
    if name in (*_OPERATORS, "plain", "letter", "word", "ordinal", "hyphen", "other", "equals")
    or name in ("open", "close", "barrier", "pi", "percent", "of", "markup", "subscript", "broken")
}
"""The kinds of tokens that are written as one match."""
_SKIPPED = frozenset(("blank", "bold", "currency"))
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3,})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
_UNCLEAR_DIGITS = re.compile(r"0\d{3}$|\d+,\d")
_TIME = re.compile(r"\d{1,2}(?::[0-5]\d){1,2}")
_SEPARATORS = re.compile(r"[^\d.eE+-]")
_FACTORIAL = re.compile(r"\s{0,2}(?:[=*/+)×·÷&-]|\\[A-Za-z,;])|[$}\\(\d,.:;\]]")
_AFTER_SENTENCE = re.compile(r"\s+(?![a-z=+*/×÷-])|\s*\Z|[A-Z\"”)]")
_CONTINUES = re.compile(
    r"\s{0,50}+(?:&\s{0,50}+)?(?:=|≈|\\approx)|(?:\s|&|\\q?quad){0,8}"
    r"(?:\+|(?<=[&\sd])-[\s\\]|\\(?:times|cdot|div)(?![A-Za-z]))"
)
_RESULT = re.compile(r"\s{0,50}+(?:&\s{0,50}+)?(?:[-\d.$£€(<]|\\[dtc]?frac)")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a text of any length; linear in its length."""
    found: list[Token] = []
    _tokenize_part(_prepare(text), 0, len(text) + 1, found)
    return found


def _prepare(text: str) -> str:
    return "\n" + (text if text.isascii() else text.translate(_FULL_WIDTH))


def tokenize_equations(text: str) -> list[Token]:
    """Return the tokens of the clauses of a text that may have a step.

    Clauses without an equals sign or without a digit are one barrier each.
    """
    text = _prepare(text)
    found: list[Token] = []
    start = 0
    for end in (*(match.start() + 1 for match in _ENDING.finditer(text)), len(text)):
        if _EQUATION.search(text, start, end) and _DIGIT.search(text, start, end):
            _tokenize_part(text, start, end, found)
        else:
            line = "\n" if text.find("\n", start, end) >= 0 else "."
            found.append(Token("barrier", line, max(start - 1, 0), end - 1))
        start = end
    return found


def _tokenize_part(text: str, start: int, end: int, found: list[Token]) -> None:
    """Append the tokens of a part of a text that begins with an additional new line."""
    make = Token._make  # twice as fast as Token
    carried = True  # a blank stands before the next match
    for match in _TOKEN.finditer(text, start, end):
        name = match.lastgroup or ""
        start, end = match.span(name)
        first = match.start()
        gap = carried or (first < start and " " in text[first:start])
        carried = False
        written = text[start:end]
        if (kind := _SIMPLE.get(name)) is not None:
            found.append(make((kind, _OPERATORS.get(name, written), start - 1, end - 1, gap)))
        elif name == "number":
            kind, numeral = _read_number(written)
            found.append(make((kind, numeral, start - 1, end - 1, gap)))
        elif name in _SKIPPED:
            carried = written.isspace() or (gap and name == "currency")
        elif name in ("mark", "newline", "bang", "dots"):
            carried = name == "newline" and written.isspace()
            token = _mark(Token(name, written, start - 1, end - 1, gap), found, match)
            found += [token] if token else []
        elif name == "opaque" and _follows_words(found) and not _TIME.fullmatch(written):
            label, _, number = written.partition(":")  # 1:70*2=140
            found.append(Token("barrier", label, start - 1, end - 1))
            found.append(Token(*_read_number(number), end - 1 - len(number), end - 1, True))
        else:
            found += _tokens(name, written, start - 1, gap)


def _follows_words(found: list[Token]) -> bool:
    return not found or found[-1].kind in ("word", "barrier")


def _tokens(name: str, written: str, start: int, gap: bool) -> Iterator[Token]:
    end = start + len(written)
    match name:
        case "annotation":
            yield Token(name, written[2:-2], start, end, gap)
        case "vulgar" | "short":
            digits = _FRACTIONS.get(written, "").split("⁄") if name == "vulgar" else written
            kind = "root" if "sqrt" in written else "fraction"
            yield Token(kind, "" if kind == "root" else written, start, end, gap)
            for part in (digit for digit in digits if digit.isdigit()):
                yield Token("open", "{", start, end)
                yield Token("number", part, start, end)
                yield Token("close", "}", start, end)
        case "superscript":
            yield Token("operator", "^", start, end)
            yield Token("number", written.translate(_SUPERSCRIPTS), start, end)
        case "root":
            index = "".join(char for char in written if char.isdigit())
            yield Token(name, index, start, end, gap)
        case _:
            text = {"symbol": UNKNOWN, "degree": "°"}.get(name, written)
            yield Token(_KINDS[name], text, start, end, gap)


def _read_number(written: str) -> tuple[str, str]:
    """Return the kind and the plain numeral; `3,5` and `1,2,3` are opaque."""
    if written.isdecimal() and written[0] != "0":
        return "number", written
    if " " in written:
        return "spaced", written.replace(" ", "")
    text = written.rstrip("…")
    text = text.rstrip(".") if text.endswith("..") else text
    if _UNCLEAR_DIGITS.match(text) and not _GROUPED.fullmatch(text):
        return "opaque", text
    return "number", _SEPARATORS.sub("", text)


def _mark(token: Token, found: list[Token], match: re.Match[str]) -> Token | None:
    """Return the barrier, operator or unknown for punctuation or the end of a line, if it is one.

    `found`: the tokens before it.
    """
    if not found:
        return None
    before, text, end = found[-1].kind, match.string, match.end()
    barrier = Token("barrier", *token[1:])
    match token.kind:
        case "bang" if before in ("number", "close") and _FACTORIAL.match(text, end):
            return token._replace(kind="operator")
        case "bang":
            return barrier
        case "newline":
            after_equals = before == "equals"
            following = _RESULT.match(text, end) if after_equals else _CONTINUES.match(text, end)
            begun = before == "subscript" or found[-1].text[:1] == "\\"  # \log_2 and a line
            goes_on = before == "operator" or begun or following
            return None if goes_on else barrier
        case "dots" if before in ("number", "operator"):
            return token._replace(kind="word", text=UNKNOWN)  # 7 + 14 + ... + 98
    if token.text == ":" and token.gap:
        return token._replace(kind="word", text=UNKNOWN)  # the ratio 3 : 4
    ends = token.text[0] not in ".…" or _AFTER_SENTENCE.match(text, end)
    return barrier if ends else None
