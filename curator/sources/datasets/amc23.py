"""AMC 2023: 40 problems of the two AMC 12 papers, without their choices. Evaluation only.

One row: {"id": 0, "answer": 27.0, "url": "…", "question": "Cities $A$ and $B$ are …"}. Upstream
reworded the multiple-choice questions so that every answer is an integer, and writes it as a float.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import answer, strip_zero_decimals, text
from curator.sources.source import Row, Source

LICENCE = "none stated on the card; problems of the MAA"


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield Problem(
        source="amc23",
        question=text(row, "question"),
        gold=strip_zero_decimals(answer(row, "answer")),
        licence=LICENCE,
        place=place,
    )


EVAL = Source(
    name="amc23",
    about="AMC 12 of 2023, reworded to integer answers",
    licence=LICENCE,
    parse=parse,
    folder="evals/amc23",
    hub="math-ai/amc23",
    revision="80815d37005feb82cd7f8fbc6901d5d3eff43057",
    files=("test-00000-of-00001.parquet",),
    split="test",
    rows=40,
    fields=("id", "answer", "url", "question"),
)
