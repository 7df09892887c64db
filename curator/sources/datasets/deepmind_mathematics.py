"""Mathematics: 1,000 questions from DeepMind's generator, MAmmoTH's selection. Evaluation only.

One row: {"question": "What is the remainder when 34925 is divided by 53?", "answer": "51"}. Answers
are text: mostly one number, some a list (`[3, 5]`) or several numbers without commas (`12 3 0`).
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import answer, text
from curator.sources.source import Row, Source


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield Problem(
        source="mathematics",
        question=text(row, "question"),
        gold=answer(row, "answer"),
        licence="Apache-2.0",
        place=place,
    )


EVAL = Source(
    name="mathematics",
    about="Generated school mathematics (DeepMind)",
    licence="Apache-2.0",
    parse=parse,
    folder="evals/deepmind_mathematics",
    github="TIGER-AI-Lab/MAmmoTH2",
    revision="9c67cb137b87e3c2f68ab412c6731b1f47a51b55",
    files=("math_eval/dataset/deepmind/deepmind.json",),
    split="test",
    rows=1_000,
    fields=("question", "answer"),
    citation="arXiv:1904.01557",
)
