"""NumGLUE: eight kinds of questions that need arithmetic; train, and MAmmoTH's 1,042 test
questions.

Native JSON Lines: {"question": "A jug …", "answer": 5, "type": "Type_1"}; Type_3 has "Option1"
and "Option2" and answers "Option 1"; Types 5 and 6 have a "passage" and an answer {"number": "3",
"spans": [], "date": {…}}; Type_7 has "statement1", "statement2" and "options". Answers of one
type are numbers or texts, which no Arrow column can store. The evaluation copy writes Type_3 as "…
Answer Choices: (A) web (B) tree" with answer "B". Only Lila's copy has programs (see `lila`); the
files on the Hub are its training split.
"""

from collections.abc import Iterator, Mapping

from curator.core.model import Problem
from curator.sources.datasets.lila import parse_instance
from curator.sources.fields import Unreadable, answer, choice_letter, optional, split_choices, text
from curator.sources.source import Row, Source

LICENCE = "ODC-By-1.0"


def parse(row: Row, place: str) -> Iterator[Problem]:
    if "Input" in row or "input" in row:
        yield parse_instance(row, "numglue", place)
        return
    question, choices, gold = _parse_native(row)
    yield Problem(
        source="numglue",
        question=question,
        gold=gold,
        choices=choices,
        part=optional(row, "type"),
        licence=LICENCE,
        place=place,
    )


def _parse_native(row: Row) -> tuple[str, tuple[str, ...], str]:
    if "Option1" in row:
        options = (text(row, "Option1"), text(row, "Option2"))
        mark = text(row, "answer").removeprefix("Option").strip()
        if mark not in ("1", "2"):
            raise Unreadable("marked option does not exist")
        return text(row, "question"), options, "AB"[int(mark) - 1]
    first, second = (
        optional(row, "statement1") or optional(row, "premise"),
        optional(row, "statement2") or optional(row, "hypothesis"),
    )
    if first and second:
        request = optional(row, "options") or "Entailment, contradiction or neutral?"
        return f"{first}\n{second}\n{request}", (), text(row, "answer")
    question, choices = split_choices(text(row, "question"))
    passage = optional(row, "passage")
    gold = _native_answer(row)
    return (
        f"{passage}\n{question}" if passage else question,
        choices,
        choice_letter(gold, choices) if choices else gold,
    )


def _native_answer(row: Row) -> str:
    cell = row.get("answer")
    if not isinstance(cell, Mapping):
        return answer(row, "answer")
    if optional(cell, "number"):
        return text(cell, "number")
    if isinstance(spans := cell.get("spans"), list) and spans:
        return ", ".join(text({"answer": span}, "answer") for span in spans)
    if isinstance(date := cell.get("date"), Mapping):
        parts = [optional(date, key) for key in ("day", "month", "year")]
        if any(parts):
            return " ".join(filter(None, parts))
    raise Unreadable("answer is empty")


SOURCE = Source(
    name="numglue",
    about="Questions that need arithmetic, with Lila's programs (Allen Institute for AI)",
    licence=LICENCE,
    parse=parse,
    folder="sources/numglue",
    hub="allenai/lila",
    revision="2330bf9f83d60bc67ec955c869902f1d4c6f9e30",
    files=("NumGLUE_*/train/*.parquet",),
    split="train",
    paper_rows=13_000,
    fields=("question", "answer", "type"),
    citation="arXiv:2204.05660",
)
EVAL = Source(
    name="numglue",
    about="NumGLUE test questions of MAmmoTH's evaluation",
    licence=LICENCE,
    parse=parse,
    folder="evals/numglue",
    github="TIGER-AI-Lab/MAmmoTH2",
    revision="9c67cb137b87e3c2f68ab412c6731b1f47a51b55",
    files=("math_eval/dataset/numglue/numglue.json",),
    split="test",
    rows=1_042,
    fields=("question", "answer", "type"),
    citation="arXiv:2204.05660",
)
