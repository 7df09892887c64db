"""Camel-Math: problems and solutions by GPT-4 in 25 topics × 25 sub-topics × 80, not validated.

One row: {"role_1": "Mathematician_RoleType.ASSISTANT", "topic;": "Algebra", "sub_topic": "Linear
equations", "message_1": "Solve …", "message_2": "We …"}. The key `topic;` really ends in a
semicolon. The Hub has a zip with one JSON file per problem, and a Parquet export with the same
columns. There is no gold answer. For non-commercial use only.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import optional, text
from curator.sources.source import Row, Source

LICENCE = "CC-BY-NC-4.0"


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield Problem(
        source="camel_math",
        question=text(row, "message_1"),
        gold="",
        solution=text(row, "message_2"),
        part=optional(row, "topic;") or optional(row, "topic"),
        field=optional(row, "sub_topic"),
        licence=LICENCE,
        place=place,
    )


SOURCE = Source(
    name="camel_math",
    about="Problems and solutions by GPT-4, not validated (CAMEL-AI)",
    licence=LICENCE,
    parse=parse,
    folder="sources/camel_math",
    hub="camel-ai/math",
    files=("math.zip",),
    split="train",
    rows=50_000,
    paper_rows=50_000,
    fields=("role_1", "topic;", "sub_topic", "message_1", "message_2"),
    citation="arXiv:2303.17760",
)
