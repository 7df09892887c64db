"""SAT-Math: 220 multiple-choice questions with four choices. Evaluation only.

MAmmoTH's copy: {"question": "If … ? \\nAnswer Choices: (A) 2 (B) 4 (C) 9 (D) 10", "answer": "D"}.
The Hub's copy (AGIEval): {"query": "Q: If … ? Answer Choices: (A)2 (B)4 (C)9 (D)10\\nA: Among A
through D, the answer is", "choices": ["(A)2", …], "gold": [3]}. Both give the same problem.
"""

import re
from collections.abc import Iterator

from curator.core.model import LETTERS, Problem
from curator.sources.fields import (
    Unreadable,
    choice_letter,
    split_choices,
    strip_labels,
    text,
    texts,
    value,
)
from curator.sources.source import Row, Source

LICENCE = "College Board text in an MIT repository"


def parse(row: Row, place: str) -> Iterator[Problem]:
    if "query" in row:
        question = re.sub(r"^Q:\s*", "", text(row, "query").partition("Answer Choices:")[0]).strip()
        choices = strip_labels(texts(row, "choices"))
        gold = value(row, "gold")
        at = gold[0] if isinstance(gold, list) and len(gold) == 1 else gold
        if not isinstance(at, int) or not 0 <= at < len(choices):
            raise Unreadable("marked option does not exist")
        mark = LETTERS[at]
    else:
        question, choices = split_choices(text(row, "question"))
        mark = choice_letter(text(row, "answer"), choices)
    if not question:
        raise Unreadable("question is empty")
    yield Problem(
        source="sat_math",
        question=question,
        gold=mark,
        choices=choices,
        licence=LICENCE,
        place=place,
    )


EVAL = Source(
    name="sat_math",
    about="SAT mathematics, four choices (College Board, through AGIEval)",
    licence=LICENCE,
    parse=parse,
    folder="evals/sat_math",
    hub="dmayhem93/agieval-sat-math",
    revision="385ef339b8285867cf276eee44cbbd785d467879",
    files=("data/test-*.parquet",),
    split="test",
    rows=220,
    fields=("query", "choices", "gold"),
    citation="arXiv:2304.06364",
)
