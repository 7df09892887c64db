"""SVAMP: 1,000 elementary word problems with varied wording. Evaluation only.

One row: {"ID": "chal-1", "Body": "Each pack of dvds costs 76 dollars. …", "Question": "How much
do you have to pay to buy each pack?", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0, "Type":
"Subtraction"}. The question is Body and Question together: `Question` alone is not unique (396
rows). The benchmark is all 1,000 rows; the Hub splits them 700/300 and stores answers as text.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import answer, join_context, optional, strip_zero_decimals, text
from curator.sources.source import Row, Source


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield Problem(
        source="svamp",
        question=join_context(text(row, "Body"), text(row, "Question")),
        gold=strip_zero_decimals(answer(row, "Answer")),
        field=optional(row, "Type"),
        licence="MIT",
        place=place,
    )


EVAL = Source(
    name="svamp",
    about="Elementary word problems with varied wording (Patel et al.)",
    licence="MIT",
    parse=parse,
    folder="evals/svamp",
    hub="ChilleD/SVAMP",
    revision="5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef",
    files=("data/*.parquet",),
    split="test",
    rows=1_000,
    fields=("ID", "Body", "Question", "Equation", "Answer", "Type"),
    citation="arXiv:2103.07191",
)
