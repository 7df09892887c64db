"""AQuA-RAT: multiple-choice algebra problems with rationales by people; train and test.

One row: {"question": "A ship …", "options": ["A)100 m", "B)150 m", …], "rationale": "Let
…\\nANSWER:A", "correct": "A"}. The GitHub files are JSON Lines despite their name `dev.json`.
Rationales end with the letter in a hundred forms ("ANSWER:A", "Answer is E", "Ans - C", a bare
letter). That ending is removed if it states the gold answer; if it states another letter, it stays
for the checks to reject. Choices can repeat within a row and are not changed.
"""

import re
from collections.abc import Iterator

from curator.core.model import LETTERS, Problem
from curator.sources.fields import choice_letter, optional, strip_labels, text, texts
from curator.sources.source import Row, Source

_WORDS = r"(?:the[ \t]+)?(?:correct[ \t]+|right[ \t]+)?(?:answer|ans|option|choice)"
_GAP = r"[ \t:=.,(\-–]*+"
_STATED = re.compile(
    rf"(?P<start>\n|(?<=[\s.,;)]))[ \t(>]{{0,40}}+(?:(?:so|hence|thus|therefore)\b[ ,]*+)?"
    rf"(?P<named>{_WORDS}\b(?:[ \t]+(?:is|will be|must be)\b)?{_GAP}"
    rf"(?:{_WORDS}\b(?:[ \t]+is\b)?{_GAP})?)?"
    r"\(?(?P<letter>[A-E])[ \t]*+[).:]*+[ \t]*+"
    rf"(?P<after>is[ \t]+(?:{_WORDS}|correct)[ \t]*+(?:option|answer|choice)?)?[ \t.!)]*+$",
    re.IGNORECASE,
)
_DANGLING = re.compile(rf"(?:^|\n)[ \t]*{_WORDS}(?:[ \t]+is)?[ \t]*:?$", re.IGNORECASE)
_UNIT = re.compile(r"[ \t]*+[%\w]{0,12}[ \t.]*")
_TAIL = 120
"""Characters at the end of a rationale that are searched for the answer."""


def strip_answer(rationale: str, gold: str, choices: tuple[str, ...]) -> str:
    """Return the rationale without an ending that only states the gold answer."""
    whole = "\n" + rationale.strip()
    # "Answer: D) 109 rolls" also states the text of the choice, perhaps with a unit.
    chosen = choices[LETTERS.index(gold)]
    before, _, unit = whole.rpartition(chosen) if chosen else ("", "", "")
    for candidate in (whole, before if _UNIT.fullmatch(unit) else ""):
        head, tail = candidate[:-_TAIL], candidate[-_TAIL:]
        stated = _STATED.search(tail)
        if not stated or stated["letter"].upper() != gold:
            continue
        # A bare letter inside a line is part of the sentence: "= 250 = D".
        if stated["start"] or stated["named"] or stated["after"]:
            kept = (head + tail[: stated.start()]).rstrip()
            return _DANGLING.sub("", kept).strip()
    return rationale


def parse(row: Row, place: str) -> Iterator[Problem]:
    choices = strip_labels(texts(row, "options"))
    gold = choice_letter(text(row, "correct"), choices)
    rationale = optional(row, "rationale")
    solution = strip_answer(rationale, gold, choices)
    yield Problem(
        source="aqua_rat",
        question=text(row, "question"),
        gold=gold,
        choices=choices,
        solution=solution,
        solution_as_written=rationale if solution != rationale else "",
        licence="Apache-2.0",
        place=place,
    )


SOURCE = Source(
    name="aqua_rat",
    about="Multiple-choice GRE/GMAT algebra with human-written rationales (DeepMind)",
    licence="Apache-2.0",
    parse=parse,
    folder="sources/aqua_rat",
    hub="deepmind/aqua_rat",
    revision="33301c6a050c96af81f63cad5562cb5363e88971",
    files=("raw/train-00000-of-00001.parquet",),
    config="raw",
    split="train",
    rows=97_467,
    paper_rows=99_700,
    fields=("question", "options", "rationale", "correct"),
    citation="arXiv:1705.04146",
)
EVAL = Source(
    name="aqua_rat",
    about="AQuA-RAT test",
    licence="Apache-2.0",
    parse=parse,
    folder="evals/aqua_rat",
    hub="deepmind/aqua_rat",
    revision="33301c6a050c96af81f63cad5562cb5363e88971",
    files=("raw/test-00000-of-00001.parquet",),
    config="raw",
    split="test",
    rows=254,
    fields=("question", "options", "rationale", "correct"),
    citation="arXiv:1705.04146",
)
