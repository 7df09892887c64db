"""Lila: questions of many datasets with Python programs; the origin of MathInstruct's PoT rows of
MathQA and NumGLUE.

One instance of a file {"Source": …, "Instances": […]}: {"Input": "120 is what percent of 50 ?",
"Output Program": ["n0 = 120.0\\n…\\nprint(answer)"], "Output Answer": ["240"], "split": "train"}.
The Hub's export has rows {"input", "output_program", "output_answer", "split", "dataset"}.
`part` is upstream's split, since each file contains train, dev and test. Trap: answers were
computed by their programs, so agreement proves that the program runs, not that it is right.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, optional, text, value
from curator.sources.source import Row, Source

LICENCE = "CC-BY-4.0"


def parse_instance(row: Row, source: str, place: str) -> Problem:
    """Return the problem of either form; of several programs or answers, take the first."""
    row = {key.lower().replace(" ", "_"): cell for key, cell in row.items() if isinstance(key, str)}
    return Problem(
        source=source,
        question=text(row, "input"),
        gold=text(_first(row, "output_answer"), "output_answer"),
        program=text(_first(row, "output_program"), "output_program"),
        notation="python",
        gold_in="program",
        part=optional(row, "split"),
        field=optional(row, "dataset"),
        licence=LICENCE,
        place=place,
    )


def _first(row: Row, key: str) -> Row:
    cell = value(row, key)
    if isinstance(cell, list) and not cell:
        raise Unreadable(f"{key} is empty")
    return {key: cell[0] if isinstance(cell, list) else cell}


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield parse_instance(row, "lila", place)


SOURCE = Source(
    name="lila",
    about="MathQA questions with Python programs (Allen Institute for AI)",
    licence=LICENCE,
    parse=parse,
    folder="sources/lila",
    hub="allenai/lila",
    revision="2330bf9f83d60bc67ec955c869902f1d4c6f9e30",
    files=("mathqa_*/train/*.parquet",),
    split="train",
    fields=("Input", "Output Program", "Output Answer", "split"),
    citation="arXiv:2210.17517",
)
