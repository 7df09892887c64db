"""MMLU-Math: the five mathematical subjects of MMLU test, four choices. Evaluation only.

One row: {"question": "What is the value of p in 24 = 2p?", "subject": "elementary_mathematics",
"choices": ["p = 4", "p = 8", "p = 12", "p = 24"], "answer": 2}. `answer` counts from 0.
"""

from collections.abc import Iterator

from curator.core.model import LETTERS, Problem
from curator.sources.fields import Unreadable, optional, text, texts, value
from curator.sources.source import Row, Source

SUBJECTS = (
    "elementary_mathematics",
    "high_school_mathematics",
    "formal_logic",
    "college_mathematics",
    "abstract_algebra",
)


def parse(row: Row, place: str) -> Iterator[Problem]:
    choices = tuple(each.strip() for each in texts(row, "choices"))
    at = value(row, "answer")
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(choices):
        raise Unreadable("marked option does not exist")
    yield Problem(
        source="mmlu_math",
        question=text(row, "question"),
        gold=LETTERS[at],
        choices=choices,
        field=optional(row, "subject"),
        licence="MIT",
        place=place,
    )


EVAL = Source(
    name="mmlu_math",
    about="Five mathematical subjects of MMLU test, four choices (Hendrycks et al.)",
    licence="MIT",
    parse=parse,
    folder="evals/mmlu_math",
    hub="cais/mmlu",
    revision="c30699e8356da336a370243923dbaf21066bb9fe",
    files=tuple(f"{subject}/test-00000-of-00001.parquet" for subject in SUBJECTS),
    split="test",
    rows=974,
    fields=("question", "subject", "choices", "answer"),
    citation="arXiv:2009.03300",
)
