"""Decides how a question repeats an evaluation question: the levels of a match and their evidence.

In: two questions, read. Out: the level with what they share, or None. Levels, from strong to weak:

    same question   the whole evaluation question, also inside other text or with a sentence added
    reworded        other words, the same numbers and, where both are known, the same gold answer
    same template   the same words, but other numbers, another gold answer or the opposite
    shared phrase   a long run of the same words

Words count by how rare they are, so that stock phrases weigh little. Thresholds were chosen on the
half `tune` of the data of `bench/contamination.py`. Not covered: translations, and questions in
pictures.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

from curator.core.model import MATCH_LEVELS, MatchLevel
from curator.screens.alignment import (
    LONG,
    Pair,
    align,
    count_longest_run,
    find_runs,
    find_whole,
)
from curator.screens.frequencies import MAX_CACHED, Rarity
from curator.screens.golds import Golds, compare_golds
from curator.screens.opposites import is_opposed
from curator.screens.question import (
    OPTION,
    Number,
    Question,
    is_masked,
    is_number,
    is_word,
    mask_numbers,
    read_numbers,
    stem,
)

LEVELS: tuple[MatchLevel, ...] = tuple(MATCH_LEVELS)

COVERED = 0.9
"""Minimum share of the evaluation question that is repeated in order by the same question."""
COVERED_WITHOUT_GOLD = 0.97
"""The same where the gold answers do not agree because one is unknown."""
TEMPLATE, TEMPLATE_SPAN = 0.82, 0.84
"""Minimum share of the words, by rarity, that two questions with other numbers have in the same
order: of the evaluation question, and of the question from the first to the last of these words."""
REWORDED = 1.7
"""Minimum of `Matcher.score` where both gold answers are known."""
REWORDED_WITHOUT_GOLD = 2.0
"""Minimum of `Matcher.score` where a gold answer is not known."""
NUMBERS_WITHOUT_GOLD = 0.6
"""Minimum of the Jaccard index of the numbers, by rarity, where a gold answer is not known."""
MIN_SHARED = 2
"""Minimum number of words in common: `evaluate` alone says nothing about a computation."""
MIN_COSINE = 0.1
MAX_ORDERED, ORDERED_WEIGHT = 20.0, 0.05
"""The numbers in the same order count up to this information (in nats), with this weight."""
ENOUGH = 5.0
"""Information of the numbers in the same order below which their Jaccard index counts less."""
MAX_WORDS, WORDS_WEIGHT = 30.0, 0.02
"""The same for the words in common, in any order."""
MIN_INFORMATION = 16.0
"""Information (in nats) below which a question is trivial: `What is 2 + 3?` has about 7."""
PHRASE = 13
"""Minimum number of words of a shared phrase."""
NEARLY = 0.75
"""Minimum share of an evaluation question that is repeated in order where a negation or an opposite
makes it another one."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a question repeats an evaluation question."""

    level: MatchLevel
    covered: float
    """Share of the tokens of the evaluation question that the question repeats in order."""
    shared: tuple[str, ...]
    """The repeated spans of the text, the longest three in order."""
    numbers: tuple[Number, ...]
    """The numbers that both have."""
    golds: Golds
    score: float
    whole_template: bool = False
    """Whether only the numbers differ."""

    @property
    def rank(self) -> tuple[float, ...]:
        """Sorts better matches first."""
        return rank_match(self.level, self.covered, self.score)


def rank_match(level: MatchLevel, covered: float, score: float) -> tuple[float, ...]:
    """Return what sorts better matches first."""
    return (LEVELS.index(level), -round(covered, 6), -round(score, 6))


class Matcher:
    """Compares questions; knows how rare words and numbers are."""

    def __init__(self, items: Iterable[Question]) -> None:
        """`items` are the evaluation questions, whose words count beside those of the table."""
        self._rarity = Rarity(items)
        self._information_of = lru_cache(MAX_CACHED)(self._weigh)

    def match(self, question: Question, item: Question) -> Match | None:
        """Return the strongest level at which `question` repeats the evaluation question `item`."""
        if not item.tokens or not self._may_match(question, item):
            return None
        golds = compare_golds(question.gold, item.gold)
        span = find_whole(question, item)
        if span and self._is_whole(question, item, span, golds):
            pairs = [(span[0] + place, place) for place in range(len(item.tokens))]
            return self._evidence("same question", question, item, pairs, golds)
        pairs = align(question.tokens, item.tokens)
        nearly = len(pairs) >= NEARLY * len(item.tokens)
        opposed = golds != "equal" and nearly and is_opposed(question, item, pairs)
        if not opposed and self._is_same(question, item, pairs, golds):
            return self._evidence("same question", question, item, pairs, golds)
        score = self.score(question, item)
        level: MatchLevel | None = None
        changed = _drawn_otherwise(question, item) or _has_other_numbers(question, item)
        template = self._is_template(question, item)
        other_values = item.number_counts - question.number_counts
        if golds == "equal" and score >= REWORDED and not (template and other_values):
            level = "reworded"
        elif opposed or (template and (golds in ("different", "not compared") or changed)):
            level = "same template"
        elif golds == "unknown" and self._is_reworded(question, item, score):
            level = "reworded"
        elif count_longest_run(question, pairs) >= PHRASE:
            level = "shared phrase"
        return self._evidence(level, question, item, pairs, golds, score) if level else None

    def _may_match(self, question: Question, item: Question) -> bool:
        """Return False if no level is possible, whatever the order of tokens and numbers.

        Most candidates share a few words and numbers; this decides them in a tenth of the time.
        """
        mine, its = question.token_counts, item.token_counts
        common = sum(min(mine[token], its[token]) for token in mine.keys() & its.keys())
        if common >= min(PHRASE, NEARLY * len(item.tokens)):
            return True
        # Without a number in common, the score is less than REWORDED.
        numbers = question.number_counts.keys() & item.number_counts.keys()
        if numbers and self._score(question, item, None) >= REWORDED:
            return True
        total = missing = 0.0
        for token, times in its.items():
            information = self._information_of(token)
            total += times * information
            if not is_masked(token):
                missing += max(times - mine.get(token, 0), 0) * information
        return total - missing >= TEMPLATE * total

    def score(self, question: Question, item: Question) -> float:
        """Return how alike the words and the numbers of two questions are: from 0 to 3.6.

        The sum of the cosine of the words and the Jaccard index of the numbers, both weighted by
        rarity, and of the information of the words in common and of the numbers that come in the
        same order.
        """
        return self._score(question, item, align(question.numbers, item.numbers))

    def _score(self, question: Question, item: Question, pairs: Sequence[Pair] | None) -> float:
        """Return the score; without the pairs of equal numbers its upper bound."""
        shared = question.stems & item.stems
        if len(shared) < MIN_SHARED:
            return 0.0
        words = self._rarity.of_words(shared)
        common = self._rarity.squares(shared)
        norm = self._rarity.squares(question.stems) * self._rarity.squares(item.stems)
        cosine = common / sqrt(norm)
        if cosine < MIN_COSINE:
            return 0.0
        index, both = self._number_index(question, item)
        ordered = both
        if pairs is not None:
            ordered = self._rarity.of_numbers(Counter(item.numbers[other] for _, other in pairs))
        return (
            cosine
            + index * min(ordered / ENOUGH, 1)
            + ORDERED_WEIGHT * min(ordered, MAX_ORDERED)
            + WORDS_WEIGHT * min(words, MAX_WORDS)
        )

    def _number_index(self, question: Question, item: Question) -> tuple[float, float]:
        """Return the Jaccard index of the numbers by rarity, and the information of those in
        common."""
        mine, its = question.number_counts, item.number_counts
        both, all_ = self._rarity.of_numbers(mine & its), self._rarity.of_numbers(mine | its)
        return (both / all_ if all_ else 0.0), both

    def _is_reworded(self, question: Question, item: Question, score: float) -> bool:
        """Return whether two questions ask the same in other words, without their gold answers."""
        if score < REWORDED_WITHOUT_GOLD:
            return False
        return self._number_index(question, item)[0] >= NUMBERS_WITHOUT_GOLD

    def _is_whole(self, question: Question, item: Question, span: Pair, golds: Golds) -> bool:
        """Return whether a question that contains another one asks for the same."""
        if _has_other_options(question, item):
            return False
        if _drawn_otherwise(question, item) and not self._agrees(item, golds):
            return False
        start, end = span
        if (start, end) == (0, len(question.tokens)):
            return True
        stated = bool(item.numbers) or sum(map(is_word, item.tokens)) >= LONG
        if stated and self._rarity.of_question(item) >= MIN_INFORMATION:
            return True
        outside = (*question.tokens[:start], *question.tokens[end:])
        more = any(map(is_number, outside)) and not _has_options(question, span)
        return golds == "equal" or (golds != "different" and not more)

    def _agrees(self, item: Question, golds: Golds) -> bool:
        """Return whether equal gold answers prove that two drawings show the same."""
        return golds == "equal" and self._rarity.of_question(item) >= MIN_INFORMATION

    def _is_same(
        self, question: Question, item: Question, pairs: Sequence[Pair], golds: Golds
    ) -> bool:
        """Return whether a question repeats another one but for a few words or a sentence more."""
        if golds == "different" or len(pairs) < COVERED * len(item.tokens):
            return False
        if _has_other_options(question, item):
            return False
        if _drawn_otherwise(question, item) and not self._agrees(item, golds):
            return False
        matched = {place for _, place in pairs}
        missing = [token for place, token in enumerate(item.tokens) if place not in matched]
        if not all(map(is_word, missing)):
            return False
        first, last = pairs[0][0], pairs[-1][0]
        mine = {place for place, _ in pairs}
        added = [question.tokens[n] for n in range(first, last) if n not in mine]
        if len(added) > max(24, len(item.tokens)):
            return False
        if golds == "equal":
            return True
        plain = all(map(is_word, added))
        return (
            plain
            and len(pairs) >= COVERED_WITHOUT_GOLD * len(item.tokens)
            and self._rarity.of_question(item) >= MIN_INFORMATION
        )

    def _is_template(self, question: Question, item: Question) -> bool:
        """Return whether two questions are alike in order but for their numbers."""
        mine, its = mask_numbers(question.tokens), mask_numbers(item.tokens)
        if mine == its:
            return True
        pairs = align(mine, its)
        if not pairs:
            return False
        shared = sum(self._information_of(its[place]) for _, place in pairs)
        span = mine[pairs[0][0] : pairs[-1][0] + 1]
        total, own = (sum(map(self._information_of, tokens)) for tokens in (its, span))
        enough = shared >= TEMPLATE * total and shared >= TEMPLATE_SPAN * own
        return enough and shared >= MIN_INFORMATION

    def _weigh(self, token: str) -> float:
        if is_word(token) and not is_masked(token):
            return self._rarity.of_word(stem(token))
        return 1.0

    def _evidence(
        self,
        level: MatchLevel,
        question: Question,
        item: Question,
        pairs: Sequence[Pair],
        golds: Golds,
        score: float = 0.0,
    ) -> Match:
        common = Counter(question.numbers) & Counter(item.numbers)
        runs = sorted(find_runs(pairs), key=lambda run: (run[0] - run[1], run[0]))[:3]
        spans = question.spans
        shared = tuple(
            question.text[spans[start][0] : spans[end - 1][1]] for start, end in sorted(runs)
        )
        covered = len(pairs) / len(item.tokens) if item.tokens else 1.0
        return Match(
            level,
            covered,
            shared,
            tuple(sorted(common.elements())),
            golds,
            score,
            level == "same template" and mask_numbers(question.tokens) == mask_numbers(item.tokens),
        )


def _drawn_otherwise(question: Question, item: Question) -> bool:
    return question.drawing != item.drawing and bool(question.drawing and item.drawing)


def _has_other_numbers(question: Question, item: Question) -> bool:
    """Return whether a number of `item` is missing from `question`, however it is written there."""
    if item.number_counts - question.number_counts:
        return True
    if "1" not in item.token_counts:  # the word `one` is seldom a number
        return False
    return read_numbers(item.tokens).count(1) > read_numbers(question.tokens).count(1)


def _has_other_options(question: Question, item: Question) -> bool:
    """Return whether both have options and none in common: "Which statement is true?" """
    return bool(question.options and item.options) and not question.options & item.options


def _has_options(question: Question, span: Pair) -> bool:
    """Return whether the text around a span lists options."""
    spans = question.spans
    start, end = spans[span[0]][0], spans[span[1] - 1][1]
    return len(OPTION.findall(question.text, 0, start)) > 1 or (
        len(OPTION.findall(question.text, end)) > 1
    )
