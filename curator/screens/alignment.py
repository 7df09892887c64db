"""Aligns two questions token by token: what one repeats of the other, in order and in a row.

In: sequences of tokens, or two questions. Out: pairs of places, runs of such pairs, and the place
where all of an evaluation question stands.
"""

from collections.abc import Hashable, Sequence

from curator.screens.question import (
    OPTION,
    SENTENCE_END,
    Question,
    is_number,
    is_word,
)

LONG = 13
"""From this number of words, a question inside other text need not be delimited."""
OPERATOR_WORDS = frozenset(("times", "plus", "minus", "divided", "multiplied", "squared", "cubed"))

Pair = tuple[int, int]


def align(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[Pair]:
    """Return the places of a longest common subsequence, in order.

    Bit-parallel (Hyyrö 2004): a row of the table is one integer, whose zeros mark where the length
    grows.
    """
    places: dict[Hashable, int] = {}
    for place, value in enumerate(other):
        places[value] = places.get(value, 0) | 1 << place
    full = (1 << len(other)) - 1
    row = full
    rows = [row]
    for value in one:
        matched = row & places.get(value, 0)
        row = ((row + matched) | (row - matched)) & full
        rows.append(row)

    def length(n: int, m: int) -> int:
        return m - (rows[n] & ((1 << m) - 1)).bit_count()

    pairs: list[Pair] = []
    n, m = len(one), len(other)
    while n and m:
        if one[n - 1] == other[m - 1]:
            n, m = n - 1, m - 1
            pairs.append((n, m))
        elif length(n - 1, m) >= length(n, m - 1):
            n -= 1
        else:
            m -= 1
    return pairs[::-1]


def find_runs(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the start and end, in the first sequence, of tokens that stand together in both."""
    runs: list[Pair] = []
    for number, (one, other) in enumerate(pairs):
        if number and (one - 1, other - 1) == pairs[number - 1]:
            runs[-1] = (runs[-1][0], one + 1)
        else:
            runs.append((one, one + 1))
    return runs


def count_longest_run(question: Question, pairs: Sequence[Pair]) -> int:
    """Return the number of words and numbers in the longest run."""
    return max(
        (
            sum(is_word(token) or is_number(token) for token in question.tokens[start:end])
            for start, end in find_runs(pairs)
        ),
        default=0,
    )


def find_whole(question: Question, item: Question) -> Pair | None:
    """Return where all tokens of an evaluation question stand in a row, as start and end.

    An expression that continues beyond them does not count, nor does a short question that is only
    a part of a sentence.
    """
    if not item.tokens or len(item.tokens) > len(question.tokens):
        return None
    text = "\0".join(("", *question.tokens, ""))
    part = "\0".join(("", *item.tokens, ""))
    at = text.find(part)
    while at >= 0:
        start = text.count("\0", 0, at)
        end = start + len(item.tokens)
        if _is_delimited(question, item, start, end):
            return start, end
        at = text.find(part, at + 1)
    return None


def _is_delimited(question: Question, item: Question, start: int, end: int) -> bool:
    text, spans, tokens = question.text, question.spans, question.tokens
    if (
        start
        and _in_expression(tokens[start])
        and _in_expression(tokens[start - 1])
        and not SENTENCE_END.search(text, spans[start - 1][1], spans[start][0])
    ):
        return False
    if end == len(tokens) or SENTENCE_END.search(text, spans[end - 1][1], spans[end][0]):
        return True
    if OPTION.match(text, spans[end][0]):
        return True
    if _in_expression(tokens[end - 1]):
        return not (_in_expression(tokens[end]) or tokens[end] in OPERATOR_WORDS)
    if sum(map(is_word, item.tokens)) >= LONG:
        return True
    return not SENTENCE_END.search(item.text, item.spans[-1][1])


def _in_expression(token: str) -> bool:
    return not is_word(token) or (len(token) == 1 and token.isascii())
