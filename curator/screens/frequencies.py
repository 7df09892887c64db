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
from math import log
from pathlib import Path

from curator.screens.question import Question, is_word, stem


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


def count_numbers() -> Counter[Fraction]:
    """Return how many questions contain a number."""
    return Counter(
        {Fraction(token): count for token, count in _table()[1].items() if not is_word(token)}
    )


class Rarity:
    """The rarity of words and numbers: -log of the share of the questions that contain them."""

    def __init__(self, items: Iterable[Question]) -> None:
        self._words, self._numbers, self._size = count_tokens(stem), count_numbers(), size() + 1
        for item in items:
            self._words.update(item.stems)
            self._numbers.update(set(item.numbers))
            self._size += 1

    def of_word(self, word: str) -> float:
        """Return the rarity of a stem."""
        return log((self._size + 1) / (self._words[word] + 0.5))

    def of_numbers(self, numbers: Counter[Fraction]) -> float:
        """Return the sum of the rarity of numbers."""
        return sum(
            times * log((self._size + 1) / (self._numbers[number] + 0.5))
            for number, times in sorted(numbers.items())
        )

    def of_words(self, stems: Iterable[str]) -> float:
        """Return the sum of the rarity of stems."""
        return sum(map(self.of_word, sorted(stems)))

    def of_question(self, question: Question) -> float:
        """Return the information of a question: `What is 2 + 3?` has about 7 nats."""
        return self.of_words(question.stems) + self.of_numbers(Counter(question.numbers))
