"""What a check sees of one row: the rationale, its gold, and what was found out about it."""

from dataclasses import dataclass

from curator.answers import Equivalence
from curator.core.model import Answer, Kind, Verdict
from curator.sandbox import Execution


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rationale with the evidence about it."""

    row_id: bytes
    kind: Kind
    instruction: str
    text: str
    gold: str
    """Gold answer in upstream's words; empty where there is none."""
    choices: tuple[str, ...]
    execution: Execution | None
    """How the program ended; None for CoT."""
    answer: Answer | None
    """The final answer of the rationale, if one was found."""
    equivalence: Equivalence | None
    """How that answer compares with the gold, if there are both."""
    agreement: Verdict | None = None
    """How the gold was agreed on, of problems that a teacher made; its row is the problem."""
