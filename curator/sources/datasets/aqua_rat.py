"""AQuA-RAT: multiple-choice algebra problems with rationales by people; train and test.

One row: {"question": "A ship …", "options": ["A)100 m", "B)150 m", …], "rationale": "Let
…\\nANSWER:A", "correct": "A"}. The GitHub files are JSON lines despite their name `dev.json`.
The end of a rationale states the letter in a hundred ways ("ANSWER:A", "Answer is E", "Ans - C",
a bare letter): it is taken off, if it states the marked option; a rationale that names another
option is left whole, for checks to find. Option texts can repeat within a row; they stay as they
are.
"""

import re
from collections.abc import Iterator

from curator.core.model import LETTERS, Problem
from curator.sources.fields import letter, optional, text, texts, unlabelled
from curator.sources.source import Row, Source

_WORDS = r"(?:the[ \t]+)?(?:correct[ \t]+|right[ \t]+)?(?:answer|ans|option|choice)"
_GAP = r"[ \t:=.,(\-–]*"
_STATED = re.compile(
    rf"(?P<start>\n|(?<=[\s.,;)]))[ \t(>]*(?:(?:so|hence|thus|therefore)\b[ ,]*)?"
    rf"(?P<named>{_WORDS}\b(?:[ \t]+(?:is|will be|must be)\b)?{_GAP}"
    rf"(?:{_WORDS}\b(?:[ \t]+is\b)?{_GAP})?)?"
    r"\(?(?P<letter>[A-E])[ \t]*[).:]*[ \t]*"
    rf"(?P<after>is[ \t]+(?:{_WORDS}|correct)[ \t]*(?:option|answer|choice)?)?[ \t.!)]*$",
    re.IGNORECASE,
)
_DANGLING = re.compile(rf"(?:^|\n)[ \t]*{_WORDS}(?:[ \t]+is)?[ \t]*:?$", re.IGNORECASE)
_UNIT = re.compile(r"[ \t]*[%\w]{0,12}[ \t.]*")
_TAIL = 120
"""Characters at the end in which an answer is looked for."""


def without_answer(rationale: str, gold: str, choices: tuple[str, ...]) -> str:
    """The rationale less the words at its end that only state option `gold`."""
    whole = "\n" + rationale.strip()
    # "Answer: D) 109 rolls" states the option's text, too, and perhaps a unit.
    chosen = choices[LETTERS.index(gold)]
    before, _, unit = whole.rpartition(chosen) if chosen else ("", "", "")
    for words in (whole, before if _UNIT.fullmatch(unit) else ""):
        head, tail = words[:-_TAIL], words[-_TAIL:]
        found = _STATED.search(tail)
        if not found or found["letter"].upper() != gold:
            continue
        # Within a line a bare letter is part of the sentence: "= 250 = D".
        if found["start"] or found["named"] or found["after"]:
            left = (head + tail[: found.start()]).rstrip()
            return _DANGLING.sub("", left).strip()
    return rationale


def parse(row: Row, place: str) -> Iterator[Problem]:
    choices = unlabelled(texts(row, "options"))
    gold = letter(text(row, "correct"), choices)
    rationale = optional(row, "rationale")
    yield Problem(
        source="aqua_rat",
        question=text(row, "question"),
        gold=gold,
        choices=choices,
        solution=without_answer(rationale, gold, choices),
        licence="Apache-2.0",
        place=place,
    )


SOURCE = Source(
    name="aqua_rat",
    about="Multiple-choice GRE/GMAT algebra with rationales by people (DeepMind)",
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
