"""College-Math: questions and answers by GPT-4 (Self-Instruct), not validated. Published only as
the rows of MathInstruct with the source string data/CoT/college_math.json.

One row: {"source": "data/CoT/college_math.json", "instruction": "What is …?\\nAnswer Choices: (A)
…", "output": "…\\nThe answer is B."}. The letter at the end is the gold answer. Rows of other
parts are skipped.
"""

import re
from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.datasets import mathinstruct
from curator.sources.fields import choice_letter, split_choices, text
from curator.sources.source import Row, Source

PART = "data/CoT/college_math.json"
_CLAIM = re.compile(r"\bThe answer is:?\s*+(?P<gold>[^\n]{1,1000}+)\Z")


def parse(row: Row, place: str) -> Iterator[Problem]:
    if mathinstruct.part_of(row) != PART:
        return
    question, choices = split_choices(text(row, "instruction"))
    output = text(row, "output")
    claim = _CLAIM.search(output.rstrip().removesuffix(".").rstrip())
    gold = claim["gold"] if claim else ""
    yield Problem(
        source="college_math",
        question=question,
        gold=choice_letter(gold, choices) if choices and gold else gold,
        choices=choices,
        solution=output[: claim.start()].rstrip() if claim else output,
        solution_as_written=output if claim else "",
        gold_in="solution" if claim else "",
        licence="MIT",
        place=place,
    )


SOURCE = Source(
    name="college_math",
    about="College problems by GPT-4, not validated (TIGER-Lab, within MathInstruct)",
    licence="MIT",
    parse=parse,
    folder="sources/college_math",
    hub=mathinstruct.SOURCE.hub,
    revision=mathinstruct.SOURCE.revision,
    files=mathinstruct.SOURCE.files,
    split="train",
    rows=1_840,
    paper_rows=1_800,
    fields=("source", "instruction", "output"),
    citation="arXiv:2309.05653",
)
