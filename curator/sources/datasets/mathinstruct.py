"""MathInstruct as released: 262,039 rows in 14 parts, each with its own licence.

One row: {"source": "data/PoT/TheoremQA.json", "instruction": "The planet Mercury … Let's write a
Python program to solve it.", "output": "import math\\n…\\nprint(solve())"}.
`part` is the `source` string and `solution` the unchanged output; there are no gold answers. The
dataset is tagged MIT, but the Camel part is CC BY-NC 4.0 and the RFT part has no licence.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, text
from curator.sources.source import Row, Source

PARTS = {
    "data/CoT/aqua_rat.json": "Apache-2.0",
    "data/CoT/gsm_train.json": "MIT",
    "data/CoT/gsm_rft.json": "none stated",
    "data/CoT/MATH_train.json": "MIT",
    "data/CoT/TheoremQA.json": "MIT",
    "data/CoT/math50k_camel.json": "CC-BY-NC-4.0",
    "data/CoT/college_math.json": "MIT",
    "data/CoT/number_comparison.json": "none stated",
    "data/PoT/gsm_gpt4.json": "MIT",
    "data/PoT/aqua_rat_filtered.json": "Apache-2.0",
    "data/PoT/MATH_train.json": "MIT",
    "data/PoT/TheoremQA.json": "MIT",
    "data/PoT/mathqa.json": "Apache-2.0",
    "data/PoT/numglue.json": "Apache-2.0",
}


def part_of(row: Row) -> str:
    """Return the `source` string of a row, which must be one of the 14."""
    part = text(row, "source")
    if part not in PARTS:
        raise Unreadable("unknown source string")
    return part


def parse(row: Row, place: str) -> Iterator[Problem]:
    part = part_of(row)
    text(row, "output")
    yield Problem(
        source="mathinstruct",
        question=text(row, "instruction"),
        gold="",
        # Not stripped: released texts stay unchanged.
        solution=row["output"],
        part=part,
        licence=PARTS[part],
        place=place,
    )


SOURCE = Source(
    name="mathinstruct",
    about="MathInstruct as released, 14 parts (TIGER-Lab)",
    licence="MIT as a whole; per part in its rows",
    parse=parse,
    folder="sources/mathinstruct",
    hub="TIGER-Lab/MathInstruct",
    revision="b4fdc323a7be1379c9c7c0b67b1de72dfee2111a",
    files=("MathInstruct.json",),
    split="train",
    rows=262_039,
    paper_rows=260_000,
    fields=("source", "instruction", "output"),
    citation="arXiv:2309.05653",
)
