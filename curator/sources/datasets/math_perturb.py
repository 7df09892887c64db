"""MATH-Perturb: 279 hard problems of MATH, each with a simple and a hard change. Evaluation only.

One row: {"problem_id": 0, "problem": "…", "answer": 12, "level": "Level 5", "type": "Algebra",
"original_split": "train"}. Answers of one file are integers, floats and texts. `problem_id` pairs
the two sets. 164 of the original problems are in MATH train, so a model may know them.
"""

from collections.abc import Iterator
from functools import partial

from curator.core.model import Problem
from curator.sources.fields import answer, optional, strip_zero_decimals, text
from curator.sources.source import Row, Source

LICENCE = "Apache-2.0; data for research only, not for training"


def parse(name: str, row: Row, place: str) -> Iterator[Problem]:
    yield Problem(
        source=name,
        question=text(row, "problem"),
        gold=strip_zero_decimals(answer(row, "answer")),
        field=optional(row, "type"),
        level=optional(row, "level"),
        licence=LICENCE,
        place=place,
    )


def _source(change: str) -> Source:
    return Source(
        name=f"math_perturb_{change}",
        about=f"MATH problems with a {change} change (Huang et al.)",
        licence=LICENCE,
        parse=partial(parse, f"math_perturb_{change}"),
        folder=f"evals/math_perturb_{change}",
        github="Kaffaljidhmah2/MATH-Perturb",
        revision="df4840f680fce405c9449008564574961c7f4df1",
        files=(f"math_perturb/math_perturb_{change}.jsonl",),
        split="test",
        rows=279,
        fields=("problem_id", "problem", "answer", "level", "type", "original_split"),
        citation="arXiv:2502.06453",
    )


EVAL_SIMPLE, EVAL_HARD = _source("simple"), _source("hard")
