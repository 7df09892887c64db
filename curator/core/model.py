"""The domain model: what flows from a source to a version, as frozen dataclasses.

In: nothing of ours. Out: Problem, Rationale, Verdict, Answer and the content hashes that name them.
Arrow layouts of the same things are in `curator.core.arrow`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

Kind = Literal["CoT", "PoT"]
Outcome = Literal["passed", "failed", "undecided"]
AnswerKind = Literal[
    "number", "expression", "tuple", "set", "interval", "matrix", "option", "boolean", "text"
]
Notation = Literal["", "gsm8k", "mathqa", "python"]
Stated = Literal["", "hashes", "box", "phrase", "letter", "output", "whole", "printed"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def content_id(*parts: str) -> bytes:
    """16 bytes that name the given texts: equal parts, equal id, on every machine and release.

    Parts are framed by their length in characters, so that ("ab", "c") and ("a", "bc") differ.
    """
    framed = "".join([f"{len(part)}:{part}" for part in parts])
    return sha256(framed.encode("utf-8", "surrogatepass")).digest()[:16]


@dataclass(frozen=True, slots=True)
class Answer:
    """A final result in canonical form."""

    kind: AnswerKind
    text: str
    """Canonical text: `1000`, `1/2`, `sqrt(2)`, `(1, 2)`, `B`, `true`."""
    unit: str = ""
    """Canonical unit or currency, empty if none: `km/h`, `$`."""
    span: tuple[int, int] | None = dataclasses.field(default=None, compare=False)
    """Where in the text it was read from: start and end offsets in characters."""
    stated: Stated = dataclasses.field(default="", compare=False)
    """How the text states it: after `####`, in a `box`, after a `phrase` (the answer is …), as a
    `letter`, in a fenced block of program `output`, as the `whole` text, or `printed`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its gold answer, and upstream's own solution if there is one.

    Several records of a source may share one problem (GSM8K-RFT has many solutions a question):
    they have the same id and differ in `solution` or `program`.
    """

    source: str
    """Name of the source in `curator.sources`."""
    question: str
    """The question alone: no choices, no answer, no prompt."""
    gold: str
    """Upstream's final answer in its own words (`1,000`, `\\frac{1}{2}`, `C`, `[1, 2]`), or empty
    where upstream states none. With choices it is the letter."""
    choices: tuple[str, ...] = ()
    """Texts of the options without their letters, in order; empty for open questions."""
    solution: str = ""
    """Upstream's worked solution as plain text, without the line that only states the answer."""
    program: str = ""
    """Upstream's formal solution, in `notation`."""
    notation: Notation = ""
    """`gsm8k`: text with `<<48/2=24>>`; `mathqa`: `linear_formula`; `python`: a program (Lila)."""
    part: str = ""
    """Upstream's own division, if a recipe may select by it: `data/CoT/gsm_rft.json`."""
    field: str = ""
    """Field or topic as upstream says it: `Algebra`, `Type_3`."""
    level: str = ""
    """Difficulty as upstream says it: `Level 4`."""
    licence: str = ""
    """SPDX identifier, or the words that upstream uses."""
    place: str = ""
    """Where upstream has it: `train.jsonl:17`. Not part of the id."""
    id: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """16 bytes over source, question, gold and choices."""

    def __post_init__(self) -> None:
        parts = (self.source, self.question, self.gold, *self.choices)
        object.__setattr__(self, "id", content_id("problem", *parts))


@dataclass(frozen=True, slots=True)
class Rationale:
    """One worked solution of a problem, with the instruction that asks for it."""

    problem_id: bytes
    writer: str
    kind: Kind
    instruction: str
    """What a model is asked: question, choices if any, and the PoT trigger."""
    text: str
    """What a model should reply: CoT text or a program that prints its answer."""
    copy: int = 0
    """0 for the first rationale with this content, 1 for the next identical one, and so on:
    identical copies keep ids of their own, so that a screen can reject them and be counted."""

    id: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """16 bytes over all fields; it is also the id of the row."""

    def __post_init__(self) -> None:
        parts = (self.problem_id.hex(), self.writer, self.kind, self.instruction, self.text)
        object.__setattr__(self, "id", content_id("rationale", *parts, str(self.copy)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check or a screen found about one row."""

    row_id: bytes
    check: str
    """Name of the check or screen."""
    version: int
    """Version of that check: a change of its judgement is a new number."""
    outcome: Outcome
    reason: str = ""
    """A few fixed words, countable; empty when passed: `wrong answer`, `timeout`, `duplicate`."""
    evidence: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What it was judged by: gold, answer, rule, evaluation item. Texts only, no times."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An upstream record that could not be read as a problem."""

    place: str
    reason: str
    raw: str
    """The record as upstream has it, at most 10,000 characters."""
