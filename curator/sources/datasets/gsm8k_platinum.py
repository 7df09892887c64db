"""GSM8K-Platinum: GSM8K test without its ambiguous questions and with corrected answers.
Evaluation only.

One row: {"question": "…", "answer": "…\\n#### 72", "cleaning_status": "consensus"}, or "verified",
or "revised". The answer is in GSM8K's own form. The revision is not pinned: opening the set reads
the newest commit, and versions and releases record which one it was.
"""

from collections.abc import Iterator
from dataclasses import replace

from curator.core.model import Problem
from curator.sources.datasets.gsm8k import problem_from_solution
from curator.sources.fields import optional, text
from curator.sources.source import Row, Source

LICENCE = "CC-BY-SA-4.0"


def parse(row: Row, place: str) -> Iterator[Problem]:
    question, annotated = text(row, "question"), text(row, "answer")
    problem = problem_from_solution(question, annotated, "gsm8k_platinum", LICENCE, place)
    yield replace(problem, field=optional(row, "cleaning_status"))


EVAL = Source(
    name="gsm8k_platinum",
    about="GSM8K test, revised by hand (Vendrow et al.)",
    licence=LICENCE,
    parse=parse,
    folder="evals/gsm8k_platinum",
    hub="madrylab/gsm8k-platinum",
    files=("main/test-*.parquet",),
    config="main",
    split="test",
    rows=1_209,
    fields=("question", "answer", "cleaning_status"),
    citation="arXiv:2502.03461",
)
