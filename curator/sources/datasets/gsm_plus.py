"""GSM-Plus: 1,319 questions of GSM8K test, each changed in eight ways. Evaluation only.

One row: {"question": "…", "solution": "…\\n#### 140", "answer": "140", "perturbation_type":
"numerical substitution", "seed_question": "…", "seed_solution": "…", "seed_answer": "63"}. `part`
is the kind of change.

Questions of the kind `critical thinking` lack a quantity that their solution needs; upstream's
answer is the text "None". No comparison of answers can grade them, so they have no gold answer
here: they are screened against, but not sampled.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import answer, optional, text
from curator.sources.source import Row, Source

UNANSWERABLE = "None"


def parse(row: Row, place: str) -> Iterator[Problem]:
    gold = answer(row, "answer")
    yield Problem(
        source="gsm_plus",
        question=text(row, "question"),
        gold="" if gold == UNANSWERABLE else gold,
        part=optional(row, "perturbation_type"),
        field=optional(row, "perturbation_type"),
        licence="CC-BY-SA-4.0",
        place=place,
    )


EVAL = Source(
    name="gsm_plus",
    about="GSM8K test questions changed in eight ways (Li et al.)",
    licence="CC-BY-SA-4.0",
    parse=parse,
    folder="evals/gsm_plus",
    hub="qintongli/GSM-Plus",
    revision="3b708db57b96a16e8e3368ed2956990c0809440e",
    files=("data/test-00000-of-00001.jsonl",),
    split="test",
    rows=10_552,
    fields=("question", "solution", "answer", "perturbation_type", "seed_question", "seed_answer"),
    citation="arXiv:2402.19255",
)
