"""Normalise text from people, LaTeX and programs to one plain notation.

In: any text. Out: `normalize(text)`, in which fractions, roots, spaces, fonts, delimiters and
Unicode characters have one form each, ready for the parser; `comparison_form(text)`, in which texts
are compared; `to_latex(text)`, the formula of a program in LaTeX.
"""

import re
import unicodedata

_NAMES = re.compile(
    r"(?<![\\A-Za-z])(pi|sin|cos|tan|cot|sec|csc|log|ln|exp|min|max|gcd|alpha|theta)\b"
)
_MATRIX = re.compile(r"\[(\[[^\[\]]*\](?:\s*,\s*\[[^\[\]]*\])*)\]")
_ROUND = re.compile(r"(?<![\\A-Za-z])sqrt\(|[()]")

MAX_LENGTH = 10_000
"""Maximum length of a text that is parsed, in characters; longer ones are compared as they are."""

CURRENCY = "\ue000"  # a private character in place of a dollar sign that means money

_FRACTIONS = [
    (char, *unicodedata.normalize("NFKC", char).split("⁄")) for char in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
]
_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_CHARACTERS = str.maketrans(
    {
        **_FULL_WIDTH,
        **dict.fromkeys("−–—‐‑‒﹣－", "-"),
        **dict.fromkeys("×·⋅∙∗✕", "*"),
        **dict.fromkeys("÷∕⁄", "/"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u200a\u202f\t\r\n\f\v", " "),
        **dict.fromkeys("\u200b\u2060\ufeff\u00ad\x00", None),
        **dict.fromkeys("º˚", "°"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’ʼ", "'"),
        "π": " pi ",
        "∞": " inf ",
        "ℝ": " (-inf, inf) ",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "⩽": "<=",
        "⩾": ">=",
        "∪": " ∪ ",
        **{char: f" {top}/{bottom}" for char, top, bottom in _FRACTIONS},
        "\u3000": " ",
        "、": ",",
        "。": ".",
        "′": "'",
        "″": "''",
        "∅": r"\emptyset ",
        "⇒": r"\Rightarrow ",
        "∈": r" \in ",
        "⌊": r"\lfloor ",
        "⌋": r"\rfloor ",
        "⌈": r"\lceil ",
        "⌉": r"\rceil ",
        "∛": " cbrt ",
    }
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_ROOT = re.compile(r"√\s*(\d+(?:\.\d+)?|[A-Za-z])?")

_FONT = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mathtt"
    r"|mathbb|mathcal|mbox|hbox|operatorname|boldsymbol|bm|rm|emph|underline|fbox|boxed)"
    r"\s*+(?:\*\s*+)?(\{)|\\[{}]|[{}]"
)
_DROPPED = re.compile(
    r"\\(?:left|right|bigg?|Bigg?|bigl|bigr|Bigl|Bigr|biggl|biggr|displaystyle|textstyle|limits"
    r"|rm|bf|it|tt|sf|mathstrut|strut|hfill|allowbreak|nonumber)(?![A-Za-z])"
)
_REALS = re.compile(r"\\mathbb\s*(?:\{\s*R\s*\}|R(?![A-Za-z]))|\\R(?![A-Za-z])|\\Reals")
_COLOR = re.compile(r"\\(?:text)?color\s*\{\s*[A-Za-z]{1,20}\s*\}")
_REPEATED_DIGIT = re.compile(
    r"((?<!\d)\d{1,20}\.\d{0,20})\\dot ?\{ ?(\d) ?\}(?! ?[\d\\])", re.ASCII
)
_SPACES = re.compile(
    r"(?<!\\)\\(?:[,;:> ]"
    r"|(?:q?quad|enskip|(?:en|(?:neg)?(?:thin|med|thick)|nobreak)?space)(?![A-Za-z])"
    r"|hspace\*?\{[^{}]*\}|[hv]?phantom\{[^{}]*\})|~"
)
_COMMANDS = {
    "dfrac": r"\frac",
    "tfrac": r"\frac",
    "cfrac": r"\frac",
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "div": "/",
    "infty": " inf ",
    "degree": "°",
    "cup": " ∪ ",
    "le": "<=",
    "leq": "<=",
    "leqslant": "<=",
    "ge": ">=",
    "geq": ">=",
    "geqslant": ">=",
    "lt": "<",
    "gt": ">",
    "ne": "!=",
    "neq": "!=",
    "pm": "±",
    "mp": "∓",
    "approx": "≈",
    "equiv": "=",
    "prime": "'",
    "varnothing": r"\emptyset",
    "land": " and ",
    "lor": " or ",
    "ldots": "...",
    "dots": "...",
    "lbrace": r"\{",
    "rbrace": r"\}",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "|",
    "lbrack": "[",
    "rbrack": "]",
    "lparen": "(",
    "rparen": ")",
    "colon": ":",
    "langle": "(",
    "rangle": ")",
    "percent": "%",
}
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_ESCAPED_TWICE = re.compile(
    r"\\\\(?=(?:[dt]?frac|sqrt|[lg]e|[lg]eq|ne|pi|infty|cup|in|times|cdot|pm|text|left|right|circ)"
    r"(?![A-Za-z]))"
)
_PRIMES = re.compile(r" ?\^ ?\{? ?('(?: ?')*) ?\}?")
_FRACTION_ARG = re.compile(
    r"(\\(?:frac|[dt]?binom)\s*(?:\{[^{}]*\}|\d)|\\(?:frac|[dt]?binom)|\\sqrt)\s*(\d)(?!\s*\])"
)
_DEGREES = re.compile(
    r"\^\s*+(?:\{\s*+\\circ\s*+([CFK]?)\s*+\}|\\circ)"
    r"|(?<=[\d})])\\circ(?![A-Za-z])|(?<=[\d})] )\\circ(?![A-Za-z])"
)
_GROUPED = re.compile(r"(?<=\d)(?:\{,\}|,\\!|\\!,|,\s*\\!)\s*(?=\d{3}(?!\d))")
_GROUPED_ARG = re.compile(r"(?<=[a-z}])\{\d{1,3}(?:,\d{3}){1,9}\}", re.ASCII)
_THIN_SPACE = re.compile(r"(?<=\d)(?:\\,|[\u00a0\u2009\u202f])(?=\d{3}(?!\d))", re.ASCII)
_SWISS = re.compile(r"(?<![\d'])\d{1,3}(?:'\d{3})+(?![\d'])")
_ENCLOSED = re.compile(r"\\\[(.*)\\\]\.?|\*\*([^*]+)\*\*\.?", re.S)
_UNION = re.compile(r"(?<=[)\]]) ?U ?(?=[(\[])")
_BLANKS = re.compile(r"\s+")


_PRICE = re.compile(r"\$\s*[-+]?(?:\d|\.\d)")


def _mark_money(text: str) -> str:
    """Replace dollar signs that mean money by `CURRENCY` and remove those around formulas."""
    text = text.replace(r"\$", CURRENCY)
    if "$" not in text:
        return text
    core = text.strip(" .,;:")
    enclosed = len(core) > 1 and core.startswith("$") and core.endswith("$")
    if not enclosed and _PRICE.search(core):
        count = core.count("$")
        before_number = len(_PRICE.findall(core))
        if count % 2 == 1 or count == before_number:
            return _PRICE.sub(lambda m: CURRENCY + m[0][1:], text).replace("$", " ")
    return text.replace("$", " ")


def _normalize_latex(text: str) -> str:
    if r"\begin" not in text:
        text = _ESCAPED_TWICE.sub(r"\\", text)
    text = _GROUPED_ARG.sub(lambda m: m[0].replace(",", ""), _GROUPED.sub("", text))
    text = text.replace(r"\!", "").replace(r"\(", " ").replace(r"\)", " ")
    if r"\begin" not in text:
        text = re.sub(r"\\\[|\\\]", " ", text)
    text = _REPEATED_DIGIT.sub(r"\1\\overline{\2}", _COLOR.sub(" ", text))
    text = _remove_fonts(_REALS.sub(" (-inf, inf) ", _DROPPED.sub(" ", text)))
    text = _DEGREES.sub(r"°\1", text)
    text = text.replace(r"\%", "%").replace(r"\#", "#").replace(r"\&", "&").replace(r"\_", "_")
    text = _SPACES.sub(" ", text)
    text = _COMMAND.sub(lambda m: _COMMANDS.get(m[1], m[0]), text)
    if "'" in text:
        text = _PRIMES.sub(lambda m: m[1].replace(" ", ""), text)
    while (wrapped := _FRACTION_ARG.sub(r"\1{\2}", text)) != text:
        text = wrapped
    return text


def _remove_fonts(text: str) -> str:
    """Remove font and box commands with their braces, however deeply nested."""
    if "{" not in text:
        return text
    stack: list[re.Match[str]] = []
    spans: list[tuple[int, int]] = []
    for match in _FONT.finditer(text):
        if match[0][-1] == "{" and match[0] != r"\{":
            stack.append(match)
        elif match[0] == "}" and stack:
            opening = stack.pop()
            if opening[1]:
                spans += [opening.span(), match.span()]
    out, at = [], 0
    for start, end in sorted(spans):
        out += [text[at:start], " "]
        at = end
    return "".join([*out, text[at:]])


def _open_enclosed(text: str) -> str:
    r"""Return the inside of `\[...\]` and of Markdown's `**...**`; other texts as they are."""
    match = _ENCLOSED.fullmatch(text)
    return (match[1] or match[2]) if match else text


def normalize(text: str) -> str:
    """Return the text in plain notation. Callers limit the text to `MAX_LENGTH` characters."""
    if "\\," in text or not text.isascii():
        text = _THIN_SPACE.sub("", text)
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(char, char)) for char in text)
        text = _RAISED.sub(lambda m: f"^({m[0].translate(_SUPERSCRIPTS)})", text)
        text = _LOWERED.sub(lambda m: f"_{{{m[0].translate(_SUBSCRIPTS)}}}", text)
        text = text.translate(_CHARACTERS)
        text = _ROOT.sub(lambda m: f"sqrt({m[1]})" if m[1] else " sqrt", text)
    if "$" in text:
        text = _mark_money(text)
    if "'" in text:
        text = _SWISS.sub(lambda m: m[0].replace("'", ""), text)
    if text.startswith((r"\[", "**")):
        text = _open_enclosed(text)
    if "\\" in text or "{,}" in text or "~" in text:
        text = _normalize_latex(text)
    text = _UNION.sub(" ∪ ", _BLANKS.sub(" ", text)).strip()
    while text and text[-1] in ".,;:" and not text.endswith("..."):
        text = text[:-1].rstrip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        text = text[1:-1].strip()
    return text


_ARTICLES = re.compile(r"^(?:the|a|an) (?=\w{2})")
_NOT_WORDS = re.compile(r"[^\w%<>=+*/^.-]+")
_PRIME = re.compile(r"(?<![A-Za-z'\"])([A-Za-z])('+)(?![A-Za-z])")
_LETTER_PRIME = "\u02b9"  # a letter, so that primes are part of the word


def comparison_form(text: str) -> str:
    """Return a text for comparison: no case, punctuation or leading article, single spaces."""
    if "'" in text:
        text = _PRIME.sub(lambda m: m[1] + _LETTER_PRIME * len(m[2]), text)
    text = _NOT_WORDS.sub(" ", text.replace(CURRENCY, "$ ").casefold()).strip(" .").rstrip("-")
    return _ARTICLES.sub("", text)


def to_latex(text: str) -> str:
    """Turn a formula as programs write it (`2*pi`, `sqrt(3)`, `[[1, 2], [3, 4]]`) into LaTeX.

    A LaTeX parser would read a bare `pi` as p times i.
    """
    text = _roots_to_latex(_MATRIX.sub(_matrix_to_latex, text))
    return _NAMES.sub(r"\\\1", text).replace("**", "^")


def _roots_to_latex(text: str) -> str:
    r"""Return `sqrt(…)` as `\sqrt{…}` where no other round brackets are inside."""
    out, opened = list(text), list[list[int]]()  # start of each open bracket, whether it is a root
    for match in _ROUND.finditer(text):
        at = match.end() - 1
        if text[at] == "(":
            opened.append([match.start(), len(match[0]) > 1])
        elif opened:
            start, is_root = opened.pop()
            if is_root:
                out[start], out[start + 4], out[at] = r"\s", "{", "}"
            elif opened:
                opened[-1][1] = False
    return "".join(out)


def _matrix_to_latex(match: re.Match[str]) -> str:
    rows = re.split(r"\]\s*,\s*\[", match[1][1:-1])
    inner = r" \\ ".join(row.replace(",", " & ") for row in rows)
    return rf"\begin{{pmatrix}} {inner} \end{{pmatrix}}"
