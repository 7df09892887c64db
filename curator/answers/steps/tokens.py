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
    pi · root · fraction · markup (a command with the brace that it opens) · operator · open ·
    close · percent · of · word · equals · annotation · broken (an annotation without its end) ·
    barrier.
    """

    kind: str
    text: str
    start: int
    end: int
    gap: bool = False


_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_FRACTIONS = {char: unicodedata.normalize("NFKC", char) for char in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")

_PATTERNS = {
    "plain": r"(?<!\w)(?!(?:of|per ?cent|equals|is equal to|sqrt|Rs)\b)[A-Za-z]{2,}(?![\w'’])",
    "space": " +",
    "annotation": r"<<[^<>\n]{0,1000}>>",
    "broken": r"<<",
    "newline": r"\n[ \t]*(?:(?:[-*•+]|\d{1,3}[.)])[ \t]+)?|\\\\",
    "opaque": r"\d+:\d+(?::\d+)*",
    "ordinal": r"\d+(?:st|nd|rd|th)\b",
    "number": r"(?:\d{1,3}(?:(?:\{,\}|\\[,!]|,\\!|[\u00a0\u2009\u202f])\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d{1,3}(?: \d{3})+(?![\d,]|\.\d)"
    r"|\d+(?:,\d+)*(?:\.\d+)?(?:[eE][-+]?\d{1,3}(?!\w))?|\.\d+)(?:\.{2,}|…)?",
    "vulgar": "[" + "".join(_FRACTIONS) + "]",
    "superscript": "[⁰¹²³⁴⁵⁶⁷⁸⁹]+",
    "short": r"\\[dtc]?frac ?\d ?\d",
    "barrier": r"\\[{}]|[<>!:]=|=>|=<(?!<)|[-=]+>|--+|—|[≤≥≠<>→⇒;#|\[\]@]",
    "equals": r"==?|≈|≃|≅|~=|\\(?:approx|simeq|doteq)(?![A-Za-z])|\bequals\b|\bis equal to\b",
    "power": r"\*\*(?<=[\d)]\*\*)(?=[\d(])|\^",
    "bold": r"\*\*",
    "times": r"[*×·⋅∙∗✕]|\\(?:times|cdot|ast)(?![A-Za-z])"
    r"|(?<![^\W\d_])[xX](?=\s{0,2}(?:\\?\$|[\d(£€¥₹]|\.\d|\\[dtc]?frac))",
    "divide": r"//?|[÷∕⁄]|\\div(?![A-Za-z])",
    "plus": r"\+",
    "hyphen": r"(?<=\w)[-‐‑–](?=[^\W\d_])",
    "minus": "[-−–‐‑]",
    "fraction": r"\\[dtc]?frac(?![A-Za-z])",
    "root": r"\\sqrt(?![A-Za-z])|√|\bsqrt(?=\()",
    "pi": r"\\pi(?![A-Za-z])|π",
    "markup": r"\\(?:text\w*|mathrm|mathbf|mathit|mbox|boxed|fbox|operatorname) ?\{",
    "percent": r"\\?%|\bper ?cent\b",
    "currency": r"\\?\$|[£€¥₹]|\bRs\b\.?",
    "blank": r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|q?quad)(?![A-Za-z])|\\[,;:!() ]"
    r"|[&~`_\"“”‘’'°]|\s",
    "of": r"\bof\b",
    "word": r"[^\W\d_]{4,}(?=\d)|[^\W\d_]\w*(?:['’]\w+)*|\\[A-Za-z]+",
    "open": r"[({]",
    "close": r"[)}]",
    "bang": "!",
    "mark": "[.,:?]",
    "other": ".",
}
_TOKEN = re.compile("|".join(f"(?P<{name}>{text})" for name, text in _PATTERNS.items()), re.S)
_OPERATORS = {"power": "^", "times": "*", "divide": "/", "plus": "+", "minus": "-"}
_WORDS = ("plain", "word", "ordinal", "hyphen", "other")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3,})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
_UNCLEAR_DIGITS = re.compile(r"0\d{3}$|\d+,\d")
_TIME = re.compile(r"\d{1,2}(?::[0-5]\d){1,2}")
_SEPARATORS = re.compile(r"[^\d.eE+-]")
_AFTER_FACTORIAL = re.compile(r"\s{0,2}[=*/+)-]")
_AFTER_SENTENCE = re.compile(r"\s+(?![a-z=+*/×÷-])|\s*\Z|[A-Z\"”)]")
_CONTINUES = re.compile(r"\s*&?\s*(?:=|≈|\\approx)")
_RESULT = re.compile(r"\s*&?\s*(?:[-\d.$£€(<]|\\[dtc]?frac)")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a text of any length; linear in its length."""
    text = text.translate(_FULL_WIDTH)
    found: list[Token] = []
    gap = True
    for match in _TOKEN.finditer("\n" + text):
        name = str(match.lastgroup)
        if name in ("mark", "newline", "bang"):
            token = _mark(match, found[-1].kind) if found else None
            found += [token] if token else []
        elif name == "opaque" and _follows_words(found) and not _TIME.fullmatch(match[0]):
            label, _, number = match[0].partition(":")  # 1:70*2=140
            found.append(Token("barrier", label, match.start() - 1, match.end() - 1))
            found += _tokens("number", number, match.end() - 1 - len(number), True)
        elif name not in ("space", "blank", "bold", "currency"):
            found += _tokens(name, match[0], match.start() - 1, gap)
        gap = match[0].isspace() or (gap and name == "currency")
    return found


def _follows_words(found: list[Token]) -> bool:
    return not found or found[-1].kind in ("word", "barrier")


def _tokens(name: str, written: str, start: int, gap: bool) -> Iterator[Token]:
    end = start + len(written)
    match name:
        case "number":
            yield Token(*_read_number(written), start, end, gap)
        case "annotation":
            yield Token(name, written[2:-2], start, end, gap)
        case "vulgar" | "short":
            digits = _FRACTIONS.get(written) or "⁄".join(re.findall(r"\d", written))
            top, bottom = digits.split("⁄")
            yield Token("fraction", "", start, end, gap)
            for part in (top, bottom):
                yield Token("open", "{", start, end)
                yield Token("number", part, start, end)
                yield Token("close", "}", start, end)
        case "superscript":
            yield Token("operator", "^", start, end)
            yield Token("number", written.translate(_SUPERSCRIPTS), start, end)
        case _ if name in _OPERATORS:
            yield Token("operator", _OPERATORS[name], start, end, gap)
        case _:
            yield Token("word" if name in _WORDS else name, written, start, end, gap)


def _read_number(written: str) -> tuple[str, str]:
    """Return the kind and the plain numeral; `3,5` and `1,2,3` are opaque."""
    if " " in written:
        return "spaced", written.replace(" ", "")
    text = written.rstrip("…")
    text = text.rstrip(".") if text.endswith("..") else text
    if _UNCLEAR_DIGITS.match(text) and not _GROUPED.fullmatch(text):
        return "opaque", text
    return "number", _SEPARATORS.sub("", text)


def _mark(match: re.Match[str], before: str) -> Token | None:
    """Return the barrier or factorial for a punctuation mark or the end of a line, if it is one."""
    text, start, end = match[0], match.start() - 1, match.end()
    if text == "!" and before in ("number", "close") and _AFTER_FACTORIAL.match(match.string, end):
        return Token("operator", "!", start, end - 1)
    if text == "." and not _AFTER_SENTENCE.match(match.string, end):
        return None
    following = _RESULT if before == "equals" else _CONTINUES
    if text[0] in "\n\\" and following.match(match.string, end):
        return None
    return Token("barrier", text, start, end - 1)
