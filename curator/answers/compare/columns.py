"""Equivalence of whole columns by rules.

In: columns of golds and answers (lists, Arrow arrays) and the choices of each row.
Out: what `compare_by_rules` returns for each row. Rows that repeat are compared once.
"""

from collections.abc import Sequence

from curator.answers.compare.decimals import DIGITS
from curator.answers.compare.rules import Equivalence, compare_by_rules


def compare_columns(
    golds: Sequence[str],
    answers: Sequence[str],
    choices: Sequence[Sequence[str]] | None = None,
    digits: int = DIGITS,
) -> list[Equivalence | None]:
    """Return `compare_by_rules(gold, answer, choices, digits)` for every row, in order.

    `choices` holds the choices of each row, an empty sequence for a row without choices. Raises
    ValueError if the columns differ in length.
    """
    choice_rows = [()] * len(golds) if choices is None else [tuple(texts) for texts in choices]
    if not len(golds) == len(answers) == len(choice_rows):
        lengths = f"{len(golds)} golds, {len(answers)} answers, {len(choice_rows)} choices"
        raise ValueError(f"The columns differ in length: {lengths}.")
    cached: dict[tuple[str, str, tuple[str, ...]], Equivalence | None] = {}
    results = []
    for row in zip(map(str, golds), map(str, answers), choice_rows, strict=True):
        if row not in cached:
            cached[row] = compare_by_rules(*row, digits)
        results.append(cached[row])
    return results
