"""How rare words and numbers are in questions of mathematics.

In: a table measured on 31,191 questions of training and evaluation sets (`bench/frequencies.py`),
and the questions of the sets that are compared. Out: their rarity, in nats. With the table, stock
phrases weigh little also where one small set is compared, and the level of a match hardly depends
on what else is compared. Not covered: words of other languages; only the sets count for them.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from math import fsum, log
from pathlib import Path

from curator.screens.question import Number, Question, is_word, simplify, stem

MAX_CACHED = 50_000
"""Questions whose sums are kept in memory."""


@cache
def _table() -> tuple[int, dict[str, int]]:
    """Return the number of questions, and how many of them contain each word or number."""
    lines = Path(__file__).with_name("frequencies.tsv").read_text("utf-8").splitlines()
    counts = {token: int(count) for token, count in (line.split("\t") for line in lines)}
    return counts.pop(""), counts


def size() -> int:
    """Return the number of questions that were counted."""
    return _table()[0]


def count_tokens(shorten: Callable[[str], str]) -> Counter[str]:
    """Return how many questions contain a word or number, by shortened token."""
    counts: Counter[str] = Counter()
    for token, count in _table()[1].items():
        counts[shorten(token)] += count
    return counts


def count_numbers() -> Counter[Number]:
    """Return how many questions contain a number."""
    counts = _table()[1].items()
    return Counter(
        {simplify(Fraction(token)): count for token, count in counts if not is_word(token)}
    )


class Rarity:
    """The rarity of words and numbers: -log of the share of the questions that contain them."""

    def __init__(self, items: Iterable[Question]) -> None:
        self._words, self._numbers, self._size = count_tokens(stem), count_numbers(), size() + 1
        self.of_word = cache(self._compute)
        """(stem) -> its rarity."""
        self._square_of = cache(lambda word: self.of_word(word) ** 2)
        self._squares: dict[frozenset[str], float] = {}
        for item in items:
            self._words.update(item.stems)
            self._numbers.update(set(item.numbers))
            self._size += 1

    def _compute(self, word: str) -> float:
        return log((self._size + 1) / (self._words[word] + 0.5))

    def of_numbers(self, numbers: Counter[Number]) -> float:
        """Return the sum of the rarity of numbers."""
        return fsum(
            times * log((self._size + 1) / (self._numbers[number] + 0.5))
            for number, times in numbers.items()
        )

    def of_words(self, stems: Iterable[str]) -> float:
        """Return the sum of the rarity of stems."""
        return fsum(map(self.of_word, stems))

    def squares(self, stems: frozenset[str]) -> float:
        """Return the sum of the squares of the rarity of stems."""
        total = self._squares.get(stems)
        if total is None:
            if len(self._squares) > MAX_CACHED:
                self._squares.clear()
            total = self._squares[stems] = fsum(map(self._square_of, stems))
        return total

    def of_question(self, question: Question) -> float:
        """Return the information of a question: `What is 2 + 3?` has about 7 nats."""
        return self.of_words(question.stems) + self.of_numbers(Counter(question.numbers))
