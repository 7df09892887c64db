"""Lila: questions of many datasets with Python programs; MathInstruct's PoT rows of MathQA and
NumGLUE come from it.

One instance of a file {"Source": …, "Instances": […]}: {"Input": "120 is what percent of 50 ?",
"Output Program": ["n0 = 120.0\\n…\\nprint(answer)"], "Output Answer": ["240"], "split": "train"}.
The Hub's export has rows {"input", "output_program", "output_answer", "split", "dataset"}.
`part` is upstream's split: files hold train, dev and test together. Trap: an answer was computed by
its own program, so their agreement proves that the program runs, not that it is right.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, optional, text, value
from curator.sources.source import Row, Source

LICENCE = "CC-BY-4.0"


def instance(row: Row, source: str, place: str) -> Problem:
    """A problem from either of Lila's two forms; of several programs or answers the first."""
    row = {key.lower().replace(" ", "_"): cell for key, cell in row.items() if isinstance(key, str)}
    return Problem(
        source=source,
        question=text(row, "input"),
        gold=text(_first(row, "output_answer"), "output_answer"),
        program=text(_first(row, "output_program"), "output_program"),
        notation="python",
        part=optional(row, "split"),
        field=optional(row, "dataset"),
        licence=LICENCE,
        place=place,
    )


def _first(row: Row, key: str) -> Row:
    found = value(row, key)
    if isinstance(found, list) and not found:
        raise Unreadable(f"{key} is empty")
    return {key: found[0] if isinstance(found, list) else found}


def parse(row: Row, place: str) -> Iterator[Problem]:
    yield instance(row, "lila", place)


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
