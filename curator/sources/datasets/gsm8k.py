"""GSM8K: grade-school word problems with worked solutions; train and, for evaluation, test.

One row: {"question": "Natalia sold clips to 48 …", "answer": "Natalia sold 48/2 = <<48/2=24>>24
clips in May.\\n…\\n#### 72"}. `program` is the text with the calculator annotations
`<<a op b=c>>`; `solution` omits them and the `####` line. Gold answers keep their commas (1,000).
"""

import re
from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, text
from curator.sources.source import Row, Source

ANNOTATION = re.compile(r"<<[^<>]*>>")


def problem_from_solution(
    question: str, annotated: str, source: str, licence: str, place: str
) -> Problem:
    """Return the problem of a solution in GSM8K's notation, which ends with `#### answer`."""
    body, marker, gold = annotated.rpartition("####")
    if not marker or not gold.strip():
        raise Unreadable("no answer after ####")
    return Problem(
        source=source,
        question=question,
        gold=gold.strip(),
        solution=ANNOTATION.sub("", body).strip(),
        program=annotated,
        notation="gsm8k",
        gold_in="solution",
        licence=licence,
        place=place,
    )


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield problem_from_solution(text(row, "question"), text(row, "answer"), "gsm8k", "MIT", place)


SOURCE = Source(
    name="gsm8k",
    about="Grade-school word problems with human-written solutions (OpenAI)",
    licence="MIT",
    parse=parse,
    folder="sources/gsm8k",
    hub="openai/gsm8k",
    revision="740312add88f781978c0658806c59bc2815b9866",
    files=("main/train-00000-of-00001.parquet",),
    config="main",
    split="train",
    rows=7_473,
    paper_rows=21_000,
    fields=("question", "answer"),
    citation="arXiv:2110.14168",
)
EVAL = Source(
    name="gsm8k",
    about="GSM8K test",
    licence="MIT",
    parse=parse,
    folder="evals/gsm8k",
    hub="openai/gsm8k",
    revision="740312add88f781978c0658806c59bc2815b9866",
    files=("main/test-00000-of-00001.parquet",),
    config="main",
    split="test",
    rows=1_319,
    fields=("question", "answer"),
    citation="arXiv:2110.14168",
)
