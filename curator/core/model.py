"""The domain model: what flows from a source to a version, as frozen dataclasses.

Problem, Rationale, Verdict and Answer, and the content hashes that identify them. Their Arrow
schemas are in `curator.core.arrow`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

Kind = Literal["CoT", "PoT", "TIR"]
Outcome = Literal["passed", "failed", "undecided"]
AnswerKind = Literal[
    "number", "expression", "tuple", "set", "interval", "matrix", "option", "boolean", "text"
]
Notation = Literal["", "gsm8k", "mathqa", "python"]
GoldPlace = Literal["", "solution", "program"]
EvidenceLevel = Literal["executed", "independent", "arithmetic", "agreed", "same text", "form"]
StepLabel = Literal["right", "neutral", "wrong", ""]
AnswerForm = Literal["", "hashes", "box", "phrase", "letter", "output", "whole", "printed"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

VERDICT_WORDS = {
    "passed": "The check or screen has no objection.",
    "reported": "Passed, with a reason worth reading: the row stays. Stored as `passed`.",
    "undecided": "The check cannot decide. The row is left out unless `undecided` keeps it.",
    "failed": "The check or screen rejects the row.",
}
"""The words for a verdict in every table, in SQL, in reports and in audits."""
ROW_WORDS = {
    "kept": "In the version.",
    "not drawn": "Passed; the mixture left it out.",
    "screened": "Passed the checks; a screen failed it.",
    "undecided": "A check could not decide, and none failed it.",
    "failed": "A check failed it.",
    "not written": "A problem for which no writer wrote a rationale.",
    "quarantined": "A record that could not be read, or a reply without a rationale.",
}
"""The words for what became of a row."""


def verdict_word(outcome: str, reason: str) -> str:
    """Return the word for a verdict: its outcome, or `reported` if it passed with a reason."""
    return "reported" if outcome == "passed" and reason else outcome


EVIDENCE_LEVELS: Mapping[EvidenceLevel, str] = {
    "executed": "a program's output equals the gold answer",
    "independent": "the text's own answer equals a gold answer that does not come from this text",
    "arithmetic": "every step of the text was recomputed, and its answer is its own gold answer",
    "agreed": "the answer equals the one on which independent solutions agreed",
    "same text": "the gold answer comes from this very solution: consistent, but no proof",
    "form": "only the form was checked, or the answer could not be compared",
}
"""How strong the evidence for a row is, the strongest level first."""
PROOFS: tuple[EvidenceLevel, ...] = ("executed", "independent", "arithmetic", "agreed")
"""The levels that prove an answer: a row of one of them is proved."""

MatchLevel = Literal["same question", "reworded", "same template", "shared phrase"]

MATCH_LEVELS: Mapping[MatchLevel, str] = {
    "same question": "contains a whole evaluation question",
    "reworded": "asks an evaluation question in other words, with the same numbers",
    "same template": "asks an evaluation question with other numbers",
    "shared phrase": "shares at least 13 words in a row with an evaluation question",
}
"""How a question repeats an evaluation question, the strongest level first."""


def content_id(*parts: str) -> bytes:
    """Return a 16-byte hash of the parts, the same on every machine and in every release.

    Each part is prefixed by its length in characters, so ("ab", "c") and ("a", "bc") differ.
    """
    return _hash("".join([f"{len(part)}:{part}" for part in parts]))


def _hash(framed: str) -> bytes:
    return sha256(framed.encode("utf-8", "surrogatepass")).digest()[:16]


def rationale_id(
    problem_id: bytes, writer: str, kind: str, instruction: str, text: str, copy: int
) -> bytes:
    """Return the id of a rationale: a hash of these fields."""
    # Framed as in `content_id`, but at once, which takes half the time.
    problem, number = problem_id.hex(), str(copy)
    framed = (
        f"9:rationale{len(problem)}:{problem}{len(writer)}:{writer}{len(kind)}:{kind}"
        f"{len(instruction)}:{instruction}{len(text)}:{text}{len(number)}:{number}"
    )
    return _hash(framed)


@dataclass(frozen=True, slots=True)
class Answer:
    """A final result in canonical form."""

    kind: AnswerKind
    text: str
    """Canonical text: `1000`, `1/2`, `sqrt(2)`, `(1, 2)`, `B`, `true`."""
    unit: str = ""
    """Canonical unit or currency (`km/h`, `$`); empty without a unit."""
    span: tuple[int, int] | None = dataclasses.field(default=None, compare=False)
    """Start and end offset in the text that it was read from, in characters."""
    stated: AnswerForm = dataclasses.field(default="", compare=False)
    """How the text states the answer: after `####` (`hashes`), in a `box`, after a `phrase` such as
    "the answer is", as a `letter`, in a fenced block of program `output`, as the `whole` text, or
    `printed` by a program."""


class LabelledStep(NamedTuple):
    """One step of a worked solution, with the label that upstream gives it."""

    number: int
    """Its place in the solution, from 1. Steps with the same number are alternatives."""
    text: str
    label: StepLabel
    """`neutral` is neither right nor wrong for a person; empty without a label."""
    chosen: bool = True
    """Whether the step is a part of the solution, which goes on from it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with its gold answer, and upstream's solution if there is one.

    Several records of a source may share a problem (GSM8K-RFT has many solutions per question):
    they have the same id and differ in `solution` or `program`.
    """

    source: str
    """Name of the source in `curator.sources`."""
    question: str
    """The question without choices, answer or prompt."""
    gold: str
    """The final answer as upstream writes it (`1,000`, `\\frac{1}{2}`, `C`, `[1, 2]`); the letter
    if there are choices. Empty if upstream states no answer."""
    choices: tuple[str, ...] = ()
    """Texts of the choices without their letters, in order; empty for open questions."""
    solution: str = ""
    """Upstream's worked solution as text, without a line that only states the answer."""
    solution_as_written: str = ""
    """The solution as its author wrote it, if `solution` omits a part of it and `program` is not
    the whole of it (`gsm8k`); otherwise empty."""
    gold_in: GoldPlace = ""
    """Which of these texts the gold answer was read from, so that it cannot contradict it: the
    `solution` (after `####` in GSM8K, in the last `\\boxed{}` of MATH) or the `program` (the golds
    of Lila are its output). Empty if the gold answer comes from elsewhere."""
    program: str = ""
    """Upstream's formal solution, in `notation`."""
    notation: Notation = ""
    """`gsm8k`: text with `<<48/2=24>>`; `mathqa`: `linear_formula`; `python`: a program (Lila)."""
    part: str = ""
    """Upstream's part (`data/CoT/gsm_rft.json`), if a recipe can select by it."""
    field: str = ""
    """Field or topic as upstream writes it: `Algebra`, `Type_3`."""
    level: str = ""
    """Difficulty as upstream writes it: `Level 4`."""
    licence: str = ""
    """SPDX identifier, or upstream's own words."""
    place: str = ""
    """File and line of the upstream record: `train.jsonl:17`. Not part of the id."""
    labelled_steps: tuple[LabelledStep, ...] = ()
    """The steps of `solution` and their alternatives, by number, if upstream labels them."""
    id: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """16-byte hash of source, question, gold and choices."""
    stored_id: dataclasses.InitVar[bytes] = b""
    """The id, where it was stored with the other fields; otherwise it is computed."""

    def __post_init__(self, stored_id: bytes) -> None:
        if not stored_id:
            parts = (self.source, self.question, self.gold, *self.choices)
            stored_id = content_id("problem", *parts)
        object.__setattr__(self, "id", stored_id)

    @property
    def whole_solution(self) -> str:
        """The solution as its author wrote it, with the line that states the answer."""
        if self.notation == "gsm8k":
            return self.program
        return self.solution_as_written or self.solution


@dataclass(frozen=True, slots=True)
class Rationale:
    """A worked solution of a problem, with the instruction that asks for it."""

    problem_id: bytes
    writer: str
    kind: Kind
    instruction: str
    """The input of a model: question, choices if any, and the PoT trigger."""
    text: str
    """The expected output of a model: CoT text, a program that prints its answer, or for TIR the
    text with its programs and their outputs (`curator.core.turns`)."""
    copy: int = 0
    """0 for the first rationale with this content, 1 for the next identical one, and so on. Copies
    have different ids, so that a screen can reject and count them."""
    as_written: str = ""
    """The text as its author wrote it, if the writer added or removed anything; otherwise empty.
    Checks read the answer from it. Not part of the id."""
    gold_in_text: bool = False
    """Whether the gold answer of the problem was read from this text. Not part of the id."""
    labelled_steps: tuple[LabelledStep, ...] = ()
    """The steps of the text and their alternatives, if upstream labels them. Not part of the id."""

    id: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """16-byte hash of the fields up to `copy`; also the id of the row."""

    def __post_init__(self) -> None:
        parts = (self.writer, self.kind, self.instruction, self.text)
        object.__setattr__(self, "id", rationale_id(self.problem_id, *parts, self.copy))


class Verdict(NamedTuple):
    """The result of a check or a screen for one row.

    A tuple, since a build makes one or more per row: a frozen dataclass takes four times as long.
    """

    row_id: bytes
    check: str
    """Name of the check or screen."""
    version: int
    """Version of the check; it is raised when the check's results change."""
    outcome: Outcome
    reason: str = ""
    """One of a few fixed texts (`contradicts the gold`, `timeout`, `duplicate`); empty when passed,
    unless the row is reported."""
    evidence: Mapping[str, str] = {}
    """What the outcome rests on: gold, answer, rule, evaluation item. Strings only, no times."""


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """An upstream record that could not be read as a problem."""

    place: str
    reason: str
    raw: str
    """The record as upstream has it, cut to 10,000 characters."""
