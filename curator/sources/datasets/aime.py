"""AIME 2024 and 2025: 30 problems of a year's two papers, whose answers are integers from 0 to 999.
Evaluation only.

One row of 2024: {"id": 60, "problem": "Every morning …", "solution": "…", "answer": "025", "url":
"…", "year": "2024"}; of 2025: {"problem": "…", "answer": "336^\\circ", "id": "4"}. Answers may have
leading zeros, as on the answer sheet, or a sign of degrees; the gold answer is the plain integer.
"""

import re
from collections.abc import Iterator
from functools import partial

from curator.core.model import Problem
from curator.sources.fields import Unreadable, answer, optional, text
from curator.sources.source import Row, Source

LICENCE = "none stated on the card; problems of the MAA"
_INTEGER = re.compile(r"0*([0-9]{1,3})(?:\.0)?(?: ?\^ ?\{?\\circ\}?|°)?", re.ASCII)


def parse(name: str, row: Row, place: str) -> Iterator[Problem]:
    gold = _INTEGER.fullmatch(answer(row, "answer").strip("$ "))
    if not gold:
        raise Unreadable("answer is not an integer from 0 to 999")
    yield Problem(
        source=name,
        question=text(row, "problem"),
        gold=gold[1],
        solution=optional(row, "solution"),
        licence=LICENCE,
        place=place,
    )


EVAL_2024 = Source(
    name="aime24",
    about="AIME 2024, both papers",
    licence=LICENCE,
    parse=partial(parse, "aime24"),
    folder="evals/aime24",
    hub="HuggingFaceH4/aime_2024",
    revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
    files=("data/train-00000-of-00001.parquet",),
    split="train",
    rows=30,
    fields=("id", "problem", "solution", "answer", "url", "year"),
)
EVAL_2025 = Source(
    name="aime25",
    about="AIME 2025, both papers",
    licence=LICENCE,
    parse=partial(parse, "aime25"),
    folder="evals/aime25",
    hub="math-ai/aime25",
    revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
    files=("test.jsonl",),
    split="test",
    rows=30,
    fields=("problem", "answer", "id"),
)
