"""SimulEq: 514 word problems that need simultaneous equations. Evaluation only.

One row: {"question": "A writing workshop enrolls … How many novelists are there? How many poets are
there?", "answer": "15"}. Trap: many questions ask for two numbers, but the answer is only one.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import answer, text
from curator.sources.source import Row, Source


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield Problem(
        source="simuleq",
        question=text(row, "question"),
        gold=answer(row, "answer"),
        licence="unclear",
        place=place,
    )


EVAL = Source(
    name="simuleq",
    about="Word problems with simultaneous equations",
    licence="unclear",
    parse=parse,
    folder="evals/simuleq",
    github="TIGER-AI-Lab/MAmmoTH2",
    revision="9c67cb137b87e3c2f68ab412c6731b1f47a51b55",
    files=("math_eval/dataset/simuleq/simuleq.json",),
    split="test",
    rows=514,
    fields=("question", "answer"),
    citation="https://aclanthology.org/N16-1136",
)
