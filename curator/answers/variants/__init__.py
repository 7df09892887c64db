"""Hard pairs: answers that are certainly right or certainly wrong, made from a gold answer.

In: a gold answer and its choices. Out: `generate_variants(gold, choices)`, which yields a `Variant`
per answer: true forms, which are equal to the gold answer, and near misses, which are not. Run any
grader or reward function on them and count its outcomes by kind.

The same gold answer always has the same variants. Rules apply where a text has one meaning; other
texts have fewer variants or none. Labels do not come from Curator's graders: formulas are read,
rewritten and evaluated here by code of its own, and a near miss whose value is not certainly
different is left out. Not covered: answers in sentences, proofs, units that only the question
states, rounded decimals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from curator.answers.variants.rules import NEAR_MISSES, TRUE_FORMS
from curator.answers.variants.rules.rule import Rule, read_gold

__all__ = ["NEAR_MISSES", "TRUE_FORMS", "Rule", "Variant", "generate_variants"]

Expected = Literal["equal", "different"]
_TABLES: tuple[tuple[Expected, tuple[Rule, ...]], ...] = (
    ("equal", TRUE_FORMS),
    ("different", NEAR_MISSES),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """An answer with the outcome that a right grader finds."""

    kind: str
    """The name of its rule in `TRUE_FORMS` or `NEAR_MISSES`."""

    text: str
    expected: Expected


def generate_variants(gold: str, choices: Sequence[str] = ()) -> Iterator[Variant]:
    """Yield true forms, then near misses of a gold answer, each text once and never the gold's own.

    With `choices` the gold answer is the letter of one of them. Never raises; a gold answer that
    cannot be read has few variants or none.
    """
    seen = {gold, gold.strip(), ""}
    answer = read_gold(gold, choices)
    if not answer.text:
        return
    for expected, rules in _TABLES:
        for rule in rules:
            for text in rule.make(answer):
                if text not in seen:
                    seen.add(text)
                    yield Variant(rule.name, text, expected)
