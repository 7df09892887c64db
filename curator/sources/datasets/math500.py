"""MATH-500: the 500 MATH test problems of PRM800K's split. Evaluation only.

One row: {"problem": "…", "solution": "…", "answer": "p - q", "subject": "Algebra", "level": 2,
"unique_id": "test/precalculus/807.json"}. All are also in the evaluation set `math`.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import answer, optional, text
from curator.sources.source import Row, Source

LICENCE = "none stated on the card; MATH is MIT"


def parse(row: Row, place: str) -> Iterator[Problem]:
    level = row.get("level")
    yield Problem(
        source="math500",
        question=text(row, "problem"),
        gold=text(row, "answer"),
        solution=optional(row, "solution"),
        # Upstream took the column from the last box of the solution.
        gold_in="solution",
        field=optional(row, "subject"),
        level=f"Level {answer(row, 'level')}" if level is not None else "",
        licence=LICENCE,
        place=place,
    )


EVAL = Source(
    name="math500",
    about="500 problems of MATH test (PRM800K's split)",
    licence=LICENCE,
    parse=parse,
    folder="evals/math500",
    hub="HuggingFaceH4/MATH-500",
    revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
    files=("test.jsonl",),
    split="test",
    rows=500,
    fields=("problem", "solution", "answer", "subject", "level", "unique_id"),
    citation="arXiv:2305.20050",
)
