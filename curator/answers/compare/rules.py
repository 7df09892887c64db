"""Equivalence by rules, in this process and without a symbolic grader.

In: gold and answer as texts, and the choices. Out: an `Equivalence`, or None where a symbolic
grader is needed. Bounded in time and memory for any input, never raises, symmetric in gold and
answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curator.answers.compare.choices import (
    compare_choices,
    letter_of,
    parse_selection,
    split_label,
)
from curator.answers.compare.decimals import (
    DIGITS,
    NUMERAL,
    Outcome,
    compare_numerals,
    require_digits,
)
from curator.answers.compare.scalars import Result
from curator.answers.compare.with_units import compare_quantities
from curator.answers.parse import normalize
from curator.answers.parse.atoms import FUNCTIONS
from curator.answers.parse.phrases import MATHEMATICAL, count_labels, parse_clock
from curator.answers.parse.read import Reading, read
from curator.core.model import Answer


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether an answer means the same as the gold answer."""

    outcome: Outcome
    rule: str
    """The name of the rule that decided: `number`, `rounded`, `option text`, `timeout`."""


NO_ANSWER = frozenset(("", "none", "nan", "null", "undefined", "n/a", "zoo", "?"))
_NO_SOLUTIONS = frozenset(
    (
        *("none", "no solution", "no solutions", "no real solution", "no real solutions"),
        *("no real roots", "empty set", "emptyset"),
    )
)
_NOTHING = re.compile(r"no|undef|empty|\{ *\\?\}|∅|varnothing", re.I)
_FORMULA = re.compile(r"[\d\\^=+*/<>|{}]")
_DERIVATIVE = re.compile(r"(?:\\frac ?\{ ?|\b)d[a-z]? ?(?:\} ?\{|/) ?d[a-z]\b")
_LETTERS_ALONE = re.compile(r"[a-z]{6,}")
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}")
_TRUTH_VALUES = {"yes": "true", "no": "false", "true": "true", "false": "false", "True": "true"}


PLAIN_RULES = frozenset(
    ("number", "same text", "letter", "no gold", "no answer", "boolean", "float noise")
)
"""Rules so simple that their results need no comparison with another grader."""


def render_answer(answer: Answer) -> str:
    """Return an answer as one text with its unit, as `equivalent` takes it."""
    if not answer.unit:
        return answer.text
    plain = NUMERAL.fullmatch(answer.text) is not None
    if answer.unit in ("$", "£", "€", "Rs") and plain:
        return f"{answer.unit} {answer.text}"
    unit = "dollars" if answer.unit == "$" else answer.unit
    return f"{answer.text if plain else f'({answer.text})'}{'' if unit in '%°' else ' '}{unit}"


def _no_value(text: str) -> str:
    """Return `no solution` or `undefined` if a text says so in words or as the empty set."""
    if len(text) > 60 or not _NOTHING.search(text):
        return ""
    plain = normalize.normalize(text)
    words = normalize.comparison_form(plain)
    if words == "undefined":
        return words
    if "{" in plain:
        return "no solution" if plain.replace(" ", "") in (r"\{\}", "{}") else ""
    return "no solution" if words in _NO_SOLUTIONS else ""


def _truth_value(reading: Reading) -> str:
    if reading.node is not None and reading.node.op == "bool":
        return reading.node.text
    return _TRUTH_VALUES.get(reading.words, "")


def _has_prose(text: str) -> bool:
    """Return whether a text contains words that are not functions or commands."""
    return any(word not in FUNCTIONS for word in _WORD.findall(text))


_SAME_WORDS = {
    "dne": "does not exist",
    "doesn t exist": "does not exist",
    "infinitely many": "infinite",
    "infinitely many solutions": "infinite",
    **{
        short: f"{day}day"
        for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")
        for short in (day[:3], day)
    },
}
"""Words and abbreviations with one meaning."""
_STEM_LENGTH = 5
_NEGATIVE = frozenset(["no", "none", "not", "dne", "impossible", "undefined", "nothing", "empty"])


def _may_mean_the_same(x: str, y: str) -> bool:
    """Return whether two different texts may mean the same.

    One contains, begins or abbreviates the other, or they share the stem of a word.
    """
    a, b = set(x.split()), set(y.split())
    short, long = sorted((x, y), key=len)
    if a <= b or b <= a or long.startswith(short) or (a & _NEGATIVE and b & _NEGATIVE):
        return True
    if short == "".join(word[0] for word in long.split()):
        return True
    return bool(_stems(a - b) & _stems(b - a))


def _stems(words: set[str]) -> set[str]:
    return {word[:_STEM_LENGTH] for word in words if len(word) >= _STEM_LENGTH}


def _compare_times(a: Reading, b: Reading) -> Result:
    """Compare two texts, at least one of them a time of day; `15:15` can also be a ratio."""
    x, y = (parse_clock(side.plain) if side.time is None else side.time for side in (a, b))
    if x is not None and x == y:
        return "equal", "time"
    return ("undecided" if a.time is None or b.time is None else "different"), "time"


def _compare_dates(a: tuple[int, int, int], b: tuple[int, int, int]) -> Result:
    """Compare dates; dates without a year are only equal or undecided."""
    if a == b:
        return "equal", "date"
    return ("different" if a[0] and b[0] else "undecided"), "date"


_BLANK = re.compile(r"(?<![A-Za-z0-9.]) | (?![0-9.])")
_LOST_MARKS = (
    re.compile(r"(?<![_^}\d])\d+ (?=\d)"),
    re.compile(r"(?<![A-Za-z\\])[A-Za-z] (?=\d)"),
    re.compile("'"),
    re.compile(r"\\(?:bar|hat|vec|d?dot|tilde|overline|wide\w+|overrightarrow|Re|Im|neg)(?![a-z])"),
    re.compile(r"\^ ?\{? ?(?:\*|T(?![A-Za-z])|\\top)"),
)
"""What math-verify drops or ignores: blanks between numbers, primes, accents, conjugates."""
_ACCENTS = re.compile(
    r"\\(?:bar|hat|vec|d*dot|tilde|check|breve|mathring|overline|underline|wide\w+|over\w*arrow)"
    r"(?![a-z])|\^ ?\{? ?(?:\*|\\ast|\\star|\\dagger|[-+] ?\}? ?$)"
)
_CAPITALS = re.compile("[A-Z]{3,20}|[IVXLCDM]{2}")
_RATIO_NAMES = re.compile(r"[A-Za-z]+ ?:[^=]{0,60}=")
_QUOTE = re.compile("(?<![A-Za-z)'])'")
_GROUPS = re.compile(r"[-+]?\d{1,3}(?: \d{3})+")
_LONG_WORD = re.compile(r"[A-Za-z]{3,}")


def _without_blanks(text: str) -> str:
    """Return a text without blanks except those between numbers: `1 2` is not `12`.

    Case counts in names of one or two letters only.
    """
    if _GROUPS.fullmatch(text) and _is_grouped(text):
        return text.replace(" ", "")
    return _LONG_WORD.sub(lambda m: m[0].casefold(), _BLANK.sub("", text))


def _is_grouped(text: str) -> bool:
    """Return whether blanks separate thousands: `5 000`, `1 234 567`, but not `100 200`."""
    first, *rest = text.lstrip("-+").split(" ")
    return any(group[0] == "0" for group in rest) or (len(rest) > 1 and len(first) < 3)


def _compare_texts(a: Reading, b: Reading) -> Result | None:
    """Compare two texts of which at least one is not a formula known here."""
    formulas = [bool(_FORMULA.search(reading.plain)) for reading in (a, b)]
    if not any(formulas) and (a.node is None or b.node is None):
        x, y = (_SAME_WORDS.get(side.words, side.words) for side in (a, b))
        if not x or not y:
            return "undecided", "text"
        if x == y:
            return ("equal" if _have_same_signs(a.plain, b.plain) else "undecided"), "text"
        if _may_mean_the_same(x, y):
            return "undecided", "part of the text"
        return "different", "text"
    if _without_blanks(a.plain) == _without_blanks(b.plain):
        return "equal", "text"
    if a.time is not None or b.time is not None:
        return _compare_times(a, b)
    if a.date is not None and b.date is not None:
        return _compare_dates(a.date, b.date)
    if a.ambiguous or b.ambiguous:
        return "undecided", "two readings"
    for side, has_formula in zip((a, b), formulas, strict=True):
        words = set(side.words.replace("-", " ").split())
        if (
            side.node is None
            and not has_formula
            and len(side.words) > 2
            and not (words & MATHEMATICAL)
        ):
            return "different", "words or formula"
    if _has_prose(a.plain) or _has_prose(b.plain):
        return "undecided", "words and formula"
    for pattern in _LOST_MARKS:
        if len(pattern.findall(a.plain)) != len(pattern.findall(b.plain)):
            return "undecided", "marks"
    return None


def _compare_without_choices(gold: str, answer: str) -> Result | None:
    a, b = read(gold), read(answer)
    if a.plain == b.plain:
        same = gold == answer or not _has_other_marks(gold, answer)
        return ("equal" if same else "undecided"), "same text"
    if _is_decimal_comma(a.plain, b.plain) or _is_decimal_comma(b.plain, a.plain):
        return "undecided", "decimal comma"
    values = _truth_value(a), _truth_value(b)
    if all(values):
        return ("equal" if values[0] == values[1] else "different"), "boolean"
    if _has_other_marks(gold, answer):
        return "undecided", "marks"
    if _without_only(a.plain) == _without_only(b.plain):
        return "equal", "text"
    selected = _compare_selections(a.plain, b.plain)
    if selected:
        return selected
    if _is_same_clock(a.plain, b.plain):
        return "equal", "time"
    if a.node is not None and b.node is not None:
        result = compare_quantities(a.node, a.unit, b.node, b.unit)
        if result == ("equal", "points") and _LETTERS_ALONE.fullmatch(a.plain + b.plain):
            return "undecided", "word or product"  # cat and act
        derivatives = [_DERIVATIVE.search(side.plain) is not None for side in (a, b)]
        if result and result[0] == "equal" and derivatives[0] != derivatives[1]:
            return "undecided", "derivative"  # dy/dx and y/x
        if result and result[0] == "equal" and _is_other_word(a.plain, b.plain):
            return "undecided", "order of letters"
        if a.label != b.label and all(_RATIO_NAMES.match(side.plain) for side in (a, b)):
            return "undecided", "names in another order"
        if a.label and b.label and a.label != b.label and result and result[0] == "equal":
            return "undecided", "other label"
        letters = _compare_letters(a.plain, b.plain)
        return letters if letters and not (result and result[0] == "equal") else result
    return _compare_letters(a.plain, b.plain) or _compare_texts(a, b)


def _without_only(text: str) -> str:
    return text[5:] if text[:5].lower() == "only " else text.removesuffix(" only")


def _have_same_signs(a: str, b: str) -> bool:
    """Return whether two short texts have as many primes and factorials: not `n!` and `n!!`."""
    if max(len(a), len(b)) > 8 or _QUOTE.search(a) or _QUOTE.search(b):
        return True
    return a.count("'") == b.count("'") and a.count("!!") == b.count("!!")


def _has_other_marks(a: str, b: str) -> bool:
    r"""Return whether the names on the left of two equations differ in marks: `\bar{x}`, `x^*`."""
    (left, equal, _), (other, also, _) = a.partition("="), b.partition("=")
    if not equal or not also:
        return False
    return len(_ACCENTS.findall(left)) != len(_ACCENTS.findall(other))


def _is_other_word(a: str, b: str) -> bool:
    """Return whether two texts are the same capitals in another order: `HTH` and `THH`."""
    both = _CAPITALS.fullmatch(a) and _CAPITALS.fullmatch(b)
    return both is not None and a != b and sorted(a) == sorted(b)


def _is_decimal_comma(a: str, b: str) -> bool:
    if "," not in a or "." not in b or a.count(",") != 1:
        return False
    return a.replace(",", ".") == b or a.replace(".", "").replace(",", ".") == b


def _is_same_clock(a: str, b: str) -> bool:
    """Return whether two texts are `20:34` and `20:34:00`."""
    short, long = sorted((a, b), key=len)
    return long == f"{short}:00" and parse_clock(short) is not None


def _compare_selections(a: str, b: str) -> Result | None:
    """Compare `ABD` with `A, B, D` and `I and II` with `II, I`; None for anything else."""
    x, y = parse_selection(a), parse_selection(b)
    if x is None or y is None or (a.isalpha() and b.isalpha()):
        return None
    if x == y and any(text[0] == "(" and text.count("(") == 1 for text in (a, b)):
        return "undecided", "other order"  # (B, A) may be a pair
    return ("equal" if x == y else "different"), "letters"


def _has_label(text: str) -> bool:
    return bool(split_label(text)[0]) or count_labels(text) > 0


def _compare_letters(gold: str, answer: str) -> Result | None:
    """Compare letters of choices whose texts are unknown: `(b)`, `B)`, `B. web`.

    Takes texts in plain notation. A bare letter is a variable.
    """
    marks = [letter_of(text) for text in (gold, answer)]
    labels = [split_label(text) for text in (gold, answer)]
    letters = [mark or label for mark, (label, _) in zip(marks, labels, strict=True)]
    if all(letters) and any(len(text.strip()) > 1 for text in (gold, answer)):
        if letters[0] != letters[1] or not (labels[0][1] and labels[1][1]):
            return ("equal" if letters[0] == letters[1] else "different"), "letter"
        if any(_has_label(rest) for _, rest in labels):
            return "undecided", "several labels"
        result = _compare_without_choices(labels[0][1], labels[1][1])
        same = result is not None and result[0] == "equal"
        return ("equal" if same else "undecided"), "letter"
    for (label, rest), other in zip(labels, (answer, gold), strict=True):
        if label and not split_label(other)[0]:
            if _has_label(rest):
                return "undecided", "several labels"
            if rest == other:
                return "equal", "same text"
            return _compare_without_choices(rest, other)
    return None


def compare_by_rules(
    gold: str | Answer,
    answer: str | Answer,
    choices: Sequence[str] = (),
    digits: int = DIGITS,
) -> Equivalence | None:
    """Return the outcome by rules alone, or None where a symbolic grader is needed.

    `digits` is the minimum number of significant digits of a decimal that counts as the rounding of
    another number (rules 3 to 5 of `decimals`); with more than 4, 0.6667 for 2/3 is undecided.
    """
    if digits != DIGITS:
        with require_digits(digits):
            return compare_by_rules(gold, answer, choices)
    a = gold if isinstance(gold, str) else render_answer(gold)
    b = answer if isinstance(answer, str) else render_answer(answer)
    if not choices:
        result = compare_numerals(a, b)
        if result is not None:
            return Equivalence(*result)
    a, b = a.strip(), b.strip()
    if not choices and (nothing := _no_value(a)) and nothing == _no_value(b):
        return Equivalence("equal", nothing)
    if a.lower() in NO_ANSWER and not choices:
        return Equivalence("undecided", "no gold")
    if b.lower() in NO_ANSWER and not (choices and b):
        return Equivalence("undecided", "no answer")
    if a == b:
        return Equivalence("equal", "same text")
    if max(len(a), len(b)) > normalize.MAX_LENGTH:
        return Equivalence("undecided", "too long")
    try:
        outcome = (
            compare_choices(a, b, tuple(choices)) if choices else _compare_without_choices(a, b)
        )
    except Exception as error:  # one strange answer must not end a build
        return Equivalence("undecided", f"rule failed: {type(error).__name__}")
    return Equivalence(*outcome) if outcome else None
