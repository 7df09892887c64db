"""Turn quantities in words, compound units, ordinals and times of day into numbers.

In: plain text from `normalize`. Out: `words_to_digits(text)`, the text with its leading number in
digits (`two thirds` → `2/3`, `five dollars` → `5 dollars`); `parse_compound(text)`, one quantity
for `3 hours 20 minutes`; `parse_time(text)`, `parse_clock(text)`, `parse_ordinal(text)`. Each
returns None for any other text.
"""

import re
from decimal import Decimal
from itertools import pairwise

from curator.answers.parse.units import Unit, parse_unit

_SMALL_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen"""
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: number for number, word in enumerate(_SMALL_WORDS.split())}
_TENS = {word: 10 * number for number, word in enumerate(_TENS_WORDS.split(), 2)}
_LARGE = {"thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINAL_WORDS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh
twelfth"""
_ORDINALS = {word: number for number, word in enumerate(_ORDINAL_WORDS.split(), 1)}
PARTS = {
    **{f"{word}s": number for word, number in _ORDINALS.items() if number > 2},
    **{word: number for word, number in _ORDINALS.items() if number > 2},
    "half": 2,
    "halves": 2,
    "quarter": 4,
    "quarters": 4,
}
"""Parts of a whole: `third` and `thirds` are 3, `half` is 2."""
_MONTH_NAMES = """january february march april may june july august september october november
december"""
MONTHS = {
    name: number
    for number, month in enumerate(_MONTH_NAMES.split(), 1)
    for name in (month, month[:3])
}
_NUMBER_WORDS = {*_SMALL, *_TENS, *_LARGE, *_ORDINALS, *PARTS, "hundred", "dozen"}
_OTHER = """all real reals infinite infinity infinitely none no noon midnight pi root squared cubed
percent twice thrice double triple single both pair couple negative minus plus times over dne"""
MATHEMATICAL = frozenset((*_NUMBER_WORDS, *_OTHER.split()))
"""Words that may state a value: a text with one of them can be equal to a formula."""


_JOINING_WORDS = ("of", "or", "and", "to", "past", "after", "in")


def parse_number_words(text: str) -> int | None:
    """Return the whole number of `four`, `twenty-one`, `three hundred and five`."""
    total = current = 0
    parts = text.lower().replace("-", " ").split()
    if not parts or len(parts) > 12 or parts[-1] == "and":
        return None
    last = 0
    for part in parts:
        if part in _SMALL or part in _TENS:
            number = _SMALL.get(part, _TENS.get(part, 0))
            if last and not ((last % 10 == 0 and number < last and number < 10) or last == 100):
                return None  # `one two`: two numbers
            current, last = current + number, number or 1
        elif part == "hundred" and current:
            current, last = current * 100, 100
        elif part in _LARGE and current:
            total, current, last = total + current * _LARGE[part], 0, 0
        elif part != "and" or not (current or total):
            return None
    return total + current


def _parse_fraction_words(words: list[str]) -> str | None:
    """Return `two thirds`, `a half`, `three and a half` in digits."""
    if "and" in words:
        cut = len(words) - 1 - words[::-1].index("and")
        whole = parse_number_words(" ".join(words[:cut]))
        part = _parse_fraction_words(words[cut + 1 :])
        return f"{whole} {part}" if whole is not None and part else None
    if not words or words[-1] not in PARTS:
        return None
    top = 1 if words[:-1] in ([], ["a"], ["an"]) else parse_number_words(" ".join(words[:-1]))
    if top is None or (words[:-1] == [] and words[-1] not in ("half",)):
        return None
    return f"{top}/{PARTS[words[-1]]}"


def _parse_decimal_words(sign: str, words: list[str]) -> str | None:
    """Return `one point five` in digits."""
    cut = words.index("point")
    whole = parse_number_words(" ".join(words[:cut]))
    digits = [_SMALL.get(word, 10) for word in words[cut + 1 :]]
    if whole is None or not digits or max(digits) > 9:
        return None
    return f"{sign}{whole}." + "".join(map(str, digits))


def words_to_digits(text: str) -> str | None:
    """Return a text that begins with a number in words with that number in digits.

    A maximum of two words may follow: `six eggs`, but not `two sides are equal`.
    """
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > 12 or not text[0].isalpha():
        return None
    sign = ""
    if words[0] in ("negative", "minus"):
        sign, words = "-", words[1:]
    if words[:2] in (["a", "dozen"], ["one", "dozen"]):
        words[:2] = ["twelve"]
    elif words[:3] == ["half", "a", "dozen"]:
        words[:3] = ["six"]
    elif words[0:1] == ["a"] and words[1:2] and words[1] in ("hundred", *_LARGE):
        words[0] = "one"
    if "point" in words:
        return _parse_decimal_words(sign, words)
    for end in range(len(words), max(0, len(words) - 3), -1):
        number = parse_number_words(" ".join(words[:end]))
        value = str(number) if number is not None else _parse_fraction_words(words[:end])
        if value is not None:
            rest = words[end:]
            if rest and (
                parse_unit(" ".join(rest)) is None or MATHEMATICAL.union(_JOINING_WORDS) & {*rest}
            ):
                return None
            return " ".join([sign + value, *rest])
    return None


_PAIR = re.compile(
    r"\s*+(?:(?P<money>\$)\s*+)?(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)\s*(?P<name>(?!and\b)[a-z]+)?\.?\s*"
    r"(?:,|and|&)?(?=\s|\d|$)",
    re.I,
)


def parse_compound(text: str) -> tuple[str, Unit] | None:
    """Return digits and smallest unit of `3 hours 20 minutes`, `5 ft 6 in`, `$3 and 50 cents`."""
    if len(text) > 80 or not text[:1] or not (text[0].isdigit() or text[0] == "$"):
        return None
    parts: list[tuple[Decimal, Unit]] = []
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        name = ("dollar" if pair["money"] else pair["name"]) if pair else None
        unit = parse_unit(name) if name else None
        if not pair or not unit or not unit.dimensions or (pair["money"] and pair["name"]):
            return None
        parts.append((Decimal(pair["number"].replace(",", "")), unit))
        at = pair.end()
    if not 2 <= len(parts) <= 4 or len({unit.dimensions for _, unit in parts}) > 1:
        return None
    smallest = parts[-1][1]
    total = parts[-1][0]
    for (number, unit), (below, smaller) in pairwise(parts):
        ratio, step = unit.factor / smallest.factor, unit.factor / smaller.factor
        ordered = ratio.denominator == 1 and step > 1 and below < step
        if not ordered or number != int(number) or not smallest.known:
            return None
        total += number * int(ratio)
    return f"{total:f}", Unit(smallest.dimensions, smallest.factor, smallest.text, compound=True)


_TIME = re.compile(r"(\d{1,2})(?::([0-5]\d))?(?::([0-5]\d))? ?([ap])\.? ?m\b\.?", re.I)
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?")
_HALF_DAY = 12 * 3600


def parse_time(text: str) -> int | None:
    """Return the seconds after midnight of `4:30 p.m.`, `8 am`, `noon`."""
    text = text.strip(" .").lower()
    if text in ("noon", "midnight", "12 noon", "12 midnight"):
        return _HALF_DAY if text.endswith("noon") else 0
    match = _TIME.fullmatch(text)
    if not match or not 1 <= int(match[1]) <= 12:
        return None
    hours = int(match[1]) % 12 + (12 if match[4].lower() == "p" else 0)
    return hours * 3600 + int(match[2] or 0) * 60 + int(match[3] or 0)


def parse_clock(text: str) -> int | None:
    """Return the seconds after midnight of `15:15`, which can also be a ratio."""
    match = _CLOCK.fullmatch(text.strip())
    if not match or int(match[1]) > 23:
        return None
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)


_LABEL = re.compile(r"(?<![A-Za-z'\\^_])\([A-H]\)(?![\^_'!])|(?:^|(?<= ))\([a-h]\) (?=[\w\\-])")


def count_labels(text: str) -> int:
    """Return how many letters in brackets a text has that are no arguments of functions."""
    return len(_LABEL.findall(text)) if "(" in text else 0


_NTH = re.compile(r"(\d+)(?:st|nd|rd|th)", re.I)


def parse_ordinal(text: str) -> int | None:
    """Return the number of `3rd` or `third`."""
    match = _NTH.fullmatch(text)
    return int(match[1]) if match and len(match[1]) < 10 else _ORDINALS.get(text.lower())
