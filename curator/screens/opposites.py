"""Tells whether two questions in nearly the same words differ in a negation or an opposite.

In: two questions and their aligned tokens. Out: true for "is 91 prime" and "is 91 not prime", or
for "it increases" and "it decreases". A sentence that only one of them has does not count. Not
covered: opposites that are not in the list and have no prefix, and other changes of the task.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from curator.screens.alignment import Pair
from curator.screens.question import SENTENCE_END, Question, stem

NEGATIONS = frozenset((
    "not", "no", "never", "none", "neither", "nor", "without", "cannot", "except", "nobody",
    "nothing", "nicht", "kein", "keine", "pas", "jamais", "не", "нет", "不", "没", "無", "无", "非",
    "未",
))  # fmt: skip
CONTRACTED = "t"
"""What follows the apostrophe of `isn't`."""
PAIRS = (
    "increase decrease", "increasing decreasing", "more less", "more fewer", "most least",
    "most fewest", "maximum minimum", "maximal minimal", "maximize minimize", "max min",
    "greater less", "greater smaller", "greater lesser", "greatest least", "greatest smallest",
    "larger smaller", "largest smallest", "large small", "big small", "bigger smaller", "high low",
    "higher lower", "highest lowest", "longer shorter", "longest shortest", "long short",
    "taller shorter", "older younger", "oldest youngest", "faster slower", "fastest slowest",
    "first last", "before after", "earlier later", "even odd", "positive negative", "add subtract",
    "added subtracted", "sum difference", "plus minus", "multiply divide", "multiplied divided",
    "gain lose", "gains loses", "gained lost", "gain loss", "profit loss", "buy sell", "buys sells",
    "bought sold", "true false", "prime composite", "with without", "left right", "above below",
    "over under", "up down", "open closed", "convex concave", "parallel perpendicular",
    "inside outside", "interior exterior", "inscribed circumscribed", "numerator denominator",
    "clockwise counterclockwise", "ascending descending", "all none", "always never",
    "same different", "horizontal vertical", "enter leave", "arrive leave", "win lose",
    "wins loses", "present absent", "including excluding", "inclusive exclusive",
    "possible impossible",
    "upstream downstream", "won lost", "save spend", "give take", "gave took", "增 减", "大 小",
    "奇 偶", "加 减", "乘 除", "正 负", "多 少", "前 后", "长 短", "高 低",
)  # fmt: skip
OPPOSITES = frozenset(
    pair
    for one, other in (each.split() for each in PAIRS)
    for pair in ((stem(one), stem(other)), (stem(other), stem(one)))
)
PREFIXES = ("un", "in", "im", "ir", "non", "dis", "de")


def is_opposed(question: Question, item: Question, pairs: Sequence[Pair]) -> bool:
    """Return whether a negation or an opposite differs between the aligned tokens."""
    negations: Counter[str] = Counter()
    for added, missing in _gaps(question, item, pairs):
        negations["added"] += _count_negations(question.tokens, added)
        negations["missing"] += _count_negations(item.tokens, missing)
        ours = [question.tokens[place] for place in added]
        if any(_are_opposites(one, item.tokens[other]) for one in ours for other in missing):
            return True
    return negations["added"] != negations["missing"]


def _gaps(
    question: Question, item: Question, pairs: Sequence[Pair]
) -> Iterator[tuple[range, range]]:
    """Yield the places between aligned tokens, in both questions, but for whole sentences.

    What precedes the first and follows the last aligned token of a question is other text.
    """
    last = (pairs[0][0] - 1, -1) if pairs else (-1, -1)
    ends = [*pairs, (pairs[-1][0] + 1, len(item.tokens))] if pairs else []
    for one, other in ends:
        added, missing = range(last[0] + 1, one), range(last[1] + 1, other)
        if missing or (added and not _is_sentence(question, added)):
            yield added, missing
        last = (one, other)


def _is_sentence(question: Question, places: range) -> bool:
    """Return whether tokens are a sentence of their own, or several."""
    text, spans = question.text, question.spans
    start, end = spans[places[0]], spans[places[-1]]
    before, after = spans[places[0] - 1], spans[places[-1] + 1]
    return bool(
        SENTENCE_END.search(text, before[1], start[0])
        and SENTENCE_END.search(text, end[1], after[0])
    )


def _count_negations(tokens: Sequence[str], places: range) -> int:
    return sum(
        tokens[place] in NEGATIONS
        or (tokens[place] == CONTRACTED and place > 0 and tokens[place - 1].endswith("n"))
        for place in places
    )


def _are_opposites(one: str, other: str) -> bool:
    if (stem(one), stem(other)) in OPPOSITES:
        return True
    short, long = sorted((one, other), key=len)
    return len(short) > 3 and any(long == prefix + short for prefix in PREFIXES)
