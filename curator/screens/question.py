"""Reads what a question has in common with its rewordings: words, numbers, options, gold answer.

In: a question folded by `normalize`, its gold answer and its options. Out: a `Question`. Number
words, fractions, thousands separators and LaTeX are read as numbers. Not covered: number words of
other languages, and numbers in drawings.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from curator.screens.golds import Gold, read_gold, without_layout

Number = int | Fraction
"""A whole number is an `int`, whose hash takes a tenth of the time."""
MAX_TOKENS = 1_000
"""Maximum number of tokens that are compared at once. An evaluation question ends there; another
question is compared in parts."""
STEP = MAX_TOKENS // 2
"""Number of tokens between the starts of two parts of a long question."""
CJK = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Scripts in which each character counts as a word, as in `normalize`."""
TOKEN = re.compile(
    r"[0-9]+(?:\{?,\}?[0-9]{3}(?![0-9]))*(?:\.[0-9]+)?|\.[0-9]+"
    rf"|[{CJK}]|[^\W\d_{CJK}]+|[^\w\s.,;:?!'\"`$\\{{}}~&|，。、？！：；“”‘’《》]"
)
"""A number, a word or a sign."""
DRAWING = re.compile(r"\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL)
"""A drawing. Without the end of the text, which `_take_out_drawings` never meets, the time would
grow with the square of a text."""
OPTION = re.compile(r"(?<![\w(])\(?([a-j])\s?[).:]\s")
SENTENCE_END = re.compile(r"[.?!:\n。?!:]")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
UNITS = {word: value for value, word in enumerate(_SMALL.split())}
TENS = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
PARTS = {
    name + plural: Fraction(1, value)
    for value, name in {
        3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth",
    }.items()
    for plural in ("", "s")
}  # fmt: skip
MULTIPLES: dict[str, Number] = {
    **PARTS, "half": Fraction(1, 2), "halves": Fraction(1, 2), "quarter": Fraction(1, 4),
    "quarters": Fraction(1, 4), "twice": 2, "double": 2, "doubled": 2, "doubles": 2, "thrice": 3,
    "triple": 3, "tripled": 3, "triples": 3, "quadruple": 4, "dozen": 12,
}  # fmt: skip
WORD_VALUES: dict[str, Number] = {**MULTIPLES, **TENS, **UNITS}
NUMBER_WORDS = frozenset(WORD_VALUES)
PERCENT = frozenset(("%", "percent"))
VALUED = NUMBER_WORDS | SCALES.keys() | PERCENT
"""Words and signs that are a number or change the one before them."""
NO_STEMS = VALUED | {"a", "s"}
JOINERS = frozenset(("-", "and", "a"))
"""What may stand inside a number in words."""
DIGITS = frozenset("0123456789.")
MASK = "#"


@dataclass(frozen=True, slots=True)
class Question:
    """One question, read."""

    text: str
    """The folded text without drawings."""
    tokens: tuple[str, ...]
    """Words, numbers and signs in order. Numbers are canonical: `1,000` and `1000` are equal."""
    stems: frozenset[str]
    numbers: tuple[Number, ...]
    """All numbers but 1, also those in words, in order."""
    token_counts: Counter[str]
    number_counts: Counter[Number]
    drawing: str
    """The drawings without white space; empty without any."""
    gold: Gold
    """The gold answer: a number, or a text without layout. Empty if it is not known."""
    options: frozenset[str]
    """The options without layout."""

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each token in `text`; computed, since few questions need it."""
        found = islice(TOKEN.finditer(self.text), len(self.tokens))
        return [match.span() for match in found]


def read_question(folded: str, gold: str = "", options: Sequence[str] = ()) -> Question:
    """Read a question that `normalize.fold` has folded."""
    text, drawings = _take_out_drawings(folded)
    tokens = tuple(map(_plain, TOKEN.findall(text)[:MAX_TOKENS]))
    stems, all_numbers = _read(tokens)
    numbers = tuple(number for number in all_numbers if number != 1)
    return Question(
        text=text,
        tokens=tokens,
        stems=stems,
        numbers=numbers,
        token_counts=Counter(tokens),
        number_counts=Counter(numbers),
        drawing="".join(drawings.split()),
        gold=read_gold(gold, options),
        options=_read_options(options),
    )


def read_parts(folded: str, gold: str = "", options: Sequence[str] = ()) -> Iterator[Question]:
    """Yield a question, in overlapping parts if it is long: a prompt may have many examples."""
    first = read_question(folded, gold, options)
    yield first
    if len(first.tokens) < MAX_TOKENS:
        return
    spans = [match.span() for match in TOKEN.finditer(first.text)]
    for start in range(STEP, len(spans) - STEP, STEP):
        end = min(start + MAX_TOKENS, len(spans))
        yield read_question(first.text[spans[start][0] : spans[end - 1][1]], gold, options)


def _take_out_drawings(folded: str) -> tuple[str, str]:
    """Return a text without its drawings, and these. A drawing that does not end is text."""
    head, end, tail = folded.rpartition("[/asy]")
    if not end:
        return folded, ""
    head += end
    return DRAWING.sub(" ", head) + tail, "".join(DRAWING.findall(head))


def read_numbers(tokens: Sequence[str]) -> tuple[Number, ...]:
    """Return all numbers of tokens, also 1, in order."""
    return _read(tokens)[1]


def answer_otherwise(question: Question, gold: str, options: Sequence[str]) -> Question:
    """Return a question with another gold answer and other options."""
    return replace(question, gold=read_gold(gold, options), options=_read_options(options))


def _read_options(options: Sequence[str]) -> frozenset[str]:
    return frozenset(without_layout(option) for option in options)


def mask_numbers(tokens: Sequence[str]) -> list[str]:
    """Return tokens with `#` for each number, also for those that are written in words."""
    return [MASK if is_masked(token) else token for token in tokens]


def is_masked(token: str) -> bool:
    """Return whether a token is a number, also in words, or the sign that stands for one."""
    return token[0] in DIGITS or token in NUMBER_WORDS or token == MASK


@lru_cache(1 << 16)
def _plain(token: str) -> str:
    return _canonical(token) if is_number(token) else SIGNS.get(token, token)


SEPARATORS = str.maketrans("", "", "{,}")
SIGNS = {"×": "*", "·": "*", "∗": "*", "÷": "/", "−": "-", "–": "-", "∶": ":"}


def _canonical(number: str) -> str:
    number = number.translate(SEPARATORS)
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0"


def is_number(token: str) -> bool:
    return token[0] in DIGITS


def is_word(token: str) -> bool:
    return token[0].isalpha()


@lru_cache(1 << 16)
def stem(word: str) -> str:
    """Return a word without its most frequent English endings, cut to seven letters."""
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 4 and word.endswith("es") and word[-3] in "sxzh":
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    if len(word) > 4:
        word = word.removesuffix("e")
    if len(word) > 4:
        word = word.removesuffix("ly")
    return word[:7]


def _read(tokens: Sequence[str]) -> tuple[frozenset[str], tuple[Number, ...]]:
    """Return the stems of the words and the numbers, also those that are written in words."""
    stems = {stem(token) for token in set(tokens) - NO_STEMS if token[0].isalpha()}
    numbers: list[Number] = []
    whole: Number = 0  # what a word for a number adds to: of "two thousand five", two thousand
    for place in [n for n, token in enumerate(tokens) if token[0] in DIGITS or token in VALUED]:
        token, last = tokens[place], _find_last(tokens, place)
        if is_number(token):
            value = _value(token)
            if value and numbers and _is_fraction(tokens, place):
                numbers[-1] = Fraction(numbers[-1]) / value
            else:
                numbers.append(value)
                whole = 0
        elif token in NUMBER_WORDS:
            value = WORD_VALUES[token]
            if (token in UNITS and last in TENS and 0 < value < 10) or (
                last in SCALES and token not in MULTIPLES
            ):
                numbers[-1] += value
            else:
                numbers.append(value)
                whole = 0
        elif token in SCALES:
            scale = SCALES[token]
            if not (numbers and (is_number(last) or last in NUMBER_WORDS or last in SCALES)):
                numbers.append(scale)
                whole = 0
            else:
                numbers[-1:] = _scale(whole, numbers[-1] - whole, scale)
            if scale > 100:
                whole = numbers[-1]
        elif numbers:
            numbers[-1] = Fraction(numbers[-1]) / 100
        elif is_word(token):
            stems.add(stem(token))
    return frozenset(stems), tuple(map(simplify, numbers))


def _find_last(tokens: Sequence[str], place: int) -> str:
    """Return the last token before `place` that is not only a part of a number."""
    start = place
    while start and tokens[start - 1] in JOINERS:
        start -= 1
    last = tokens[start - 1] if start else ""
    for token in tokens[start:place]:
        if not _is_inside_number(token, last):
            last = token
    return last


def _scale(whole: Number, part: Number, scale: int) -> list[Number]:
    """Return the numbers for `whole` and `part` before a word such as thousand."""
    if not part:
        return [whole * scale]
    if scale == 100 and part > 100 and part % 100:  # one hundred, two hundred
        return [whole + part - part % 100, part % 100 * scale]
    if scale > 100 and whole % (1_000 * scale):  # two thousand, three thousand
        return [whole, part * scale]
    return [whole + part * scale]


def _is_inside_number(token: str, last: str) -> bool:
    """Return whether a token is only a part of a number: twenty-five, two hundred and five."""
    return (
        token == "-" or (token == "and" and last in SCALES) or (token == "a" and last in MULTIPLES)
    )


@lru_cache(1 << 12)
def _value(number: str) -> Number:
    return Fraction(number[:60])


def simplify(number: Number) -> Number:
    """Return a whole number as an `int`."""
    return number.numerator if number.denominator == 1 else number


def _is_fraction(tokens: Sequence[str], place: int) -> bool:
    """Return whether the number at `place` is the denominator of the number before it."""
    if tokens[place - 1] == "/":
        return is_number(tokens[place - 2])
    return place > 1 and is_number(tokens[place - 1]) and tokens[place - 2].endswith("frac")
