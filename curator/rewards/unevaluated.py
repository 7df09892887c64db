r"""Recognise an answer that restates what is to be computed, such as `123 \cdot 456`.

In: an answer that is equal to its gold, and the gold. Out: whether the answer leaves a computation
to the grader that the gold has done. A policy that copies the formula of the question would be
rewarded otherwise, as equal values are equal. Not covered: formulas with letters that are to be
expanded, factored or simplified, and constants such as `\sqrt{8}` for `2\sqrt{2}`.
"""

import re

_OPERATOR = re.compile(
    r"\\(?:i{0,3}nt|oint|sum|prod|lim(?:sup|inf)?|max|min|sup|inf|gcd|lcm|det|[bp]?mod|lfloor|lceil)"
    r"(?![a-zA-Z])|\\d?frac\s?\{?d\}?\s?\{d[a-z]\}|[⌊⌈∫∑∏]"
    r"|\b(?:max|min|gcd|lcm|sum|prod|integrate|mod|floor|ceil|abs|round)\b"
)
_NUMBER = re.compile(r"(?:\d[\d,]*(?:\.\d+)?|\.\d+)\s?(?:\\?%)?")
_FRACTION = re.compile(
    r"(?:(?<!\d)\d{1,15}\s?)?\\[dtc]?frac\s?(?:\{\s?[-+]?\d{1,15}\s?\}\s?\{\s?\d{1,15}\s?\}|\d\d)"
    r"|(?<!\d)(?:\d{1,15}\s(?:\+\s)?)?\d{1,15}\s?/\s?\d{1,15}"
)
_SIGN = re.compile(r"[-+−]\s?")
_POWER_OF_TEN = re.compile(r"(?:\\times|\\cdot|[*×·])\s?10\s?(?:\^|\*\*)\s?\{?\s?-?\d{1,3}\s?\}?")
_COMPUTATION = re.compile(
    r"[\d)}]\s?(?:\\left|\\right)?\s?(?:[-+−*×·÷^!]|\\(?:cdot|times|div|ast)\b)\s?(?:\\left)?[-\d({\\]"
    r"|\d!|\\[dt]?binom|\\sqrt|√|\|\s?\{?\s?[-−\d]|[)}]\s?[({]\s?[-\d]|\b(?:sqrt|root|log|ln|exp|binomial)\b"
    r"|\\(?:log|ln|exp|sin|cos|tan|sec|csc|cot|arc\w{3})(?![a-zA-Z])"
)
_DIVISION = re.compile(r"\\[dtc]?frac\s?\{?\s?[-\d(]|\d\s?\)?\s?/\s?\(?\s?\d")
_UNIT = re.compile(
    r"\\(?:text|mathrm|mbox|textbf|operatorname)\s?\{[^{}]{0,60}\}(?:\s?\^\s?\{?\s?-?\d\s?\}?)?"
    r"|[a-z]\s?\^\s?\{?\s?[23]\s?\}?"
)
_DEGREE_SIGN = re.compile(r"\^\s?\{?\s?\\circ\s?\}?|°")
_DEGREES = re.compile(r"\^\s?\{?\s?(?:\\circ|°|[a-z]{2})?\s?\}?(?![-\d({\\])")
_RELATION = re.compile(r"=|\\(?:approx|equiv)\b|≈")
_BLANK = re.compile(r"\\[,;:! ]|\\(?:left|right|displaystyle)\b|[$~]")


def is_unevaluated(answer: str, gold: str) -> bool:
    """Return whether an answer has a computation that its gold has not; they are equal."""
    answer, gold = _plain(answer), _plain(gold)
    if _DEGREE_SIGN.search(answer):  # both count degrees, unlike `90^\circ` and `\frac{\pi}{2}`
        gold = _DEGREE_SIGN.sub("", gold).strip()
    if _OPERATOR.search(answer) and not _OPERATOR.search(gold):
        return True
    signed = _SIGN.match(gold)
    size = gold[signed.end() :] if signed else gold
    integer = _NUMBER.fullmatch(size)
    if not integer and not _FRACTION.fullmatch(size):
        return False
    rest = _DEGREES.sub("", _UNIT.sub("", _POWER_OF_TEN.sub("", answer)))
    if integer and "." not in gold and "%" not in gold and _DIVISION.search(rest):
        return True
    return bool(_COMPUTATION.search(_FRACTION.sub("1", rest)))


def _plain(text: str) -> str:
    """Return what stands behind the last sign of equality, with single blanks."""
    return " ".join(_BLANK.sub(" ", _RELATION.split(text)[-1]).split())
