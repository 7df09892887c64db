"""TheoremQA: university problems that need a theorem; answers without solutions.

One row: {"Question": "How many ways …?", "Answer": 11760, "Answer_type": "integer", "Picture":
null, "subfield": "Combinatorics", …}. Answers are numbers, booleans, lists or `(c)`; the Hub's copy
has all of them as text, and neither subfield nor id. 53 of the 800 problems need a picture and are
quarantined. `part` is the answer type. MathInstruct contains these questions: do not evaluate on
them.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, answer, optional, text
from curator.sources.source import Row, Source


def parse(row: Row, place: str) -> Iterator[Problem]:
    question = text(row, "Question")
    picture = row.get("Picture")
    if any(picture.values()) if isinstance(picture, dict) else picture:
        raise Unreadable("needs a picture")
    yield Problem(
        source="theoremqa",
        question=question,
        gold=answer(row, "Answer"),
        part=optional(row, "Answer_type"),
        field=optional(row, "subfield"),
        licence="MIT",
        place=place,
    )


SOURCE = Source(
    name="theoremqa",
    about="University problems that need a theorem, answers only (TIGER-Lab)",
    licence="MIT",
    parse=parse,
    folder="sources/theoremqa",
    hub="TIGER-Lab/TheoremQA",
    revision="a340b1782960a712843aae3ed25f1e013cc008a5",
    files=("data/test-00000-of-00001.parquet",),
    split="test",
    rows=800,
    paper_rows=1_300,
    fields=("Question", "Answer", "Answer_type", "Picture"),
    citation="arXiv:2305.12524",
)
