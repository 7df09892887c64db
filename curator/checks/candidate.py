"""The input of every check: one rationale, what it should arrive at, and the evidence about it."""

from typing import NamedTuple

from curator.answers import Equivalence, Steps
from curator.checks.replay_result import Replay
from curator.core.model import Answer, EvidenceLevel, Kind, LabelledStep, Verdict
from curator.sandbox import Execution

MAX_CHARACTERS = 400_000
"""About 100,000 tokens: the reasoning that published models write about one problem is shorter."""


class Candidate(NamedTuple):
    """A rationale with its gold answer.

    A tuple, since a build makes one or two per row: a frozen dataclass takes four times as long.

    The fields from `execution` on are evidence, which `collect_evidence` sets. Each is None until
    it is collected, or if the candidate has no such evidence.
    """

    row_id: bytes
    kind: Kind
    instruction: str
    text: str
    gold: str
    """Gold answer as upstream writes it; empty if upstream states no answer."""
    choices: tuple[str, ...]
    as_written: str = ""
    """The text as its author wrote it, if `text` differs; the answer is read from it."""
    gold_in_text: bool = False
    """Whether the gold answer was read from this text, so that the two cannot differ."""
    required: EvidenceLevel | None = None
    """The weakest evidence level that the subset accepts; None if it accepts all."""
    characters: int = MAX_CHARACTERS
    """Maximum number of characters of the instruction and of the text, without its thoughts."""
    agreement: Verdict | None = None
    """How a teacher's solutions agreed on the gold answer. Its row id is that of the problem. None
    if upstream states the gold answer."""
    labelled_steps: tuple[LabelledStep, ...] = ()
    """The steps of the text and their alternatives, if upstream labels them."""
    execution: Execution | None = None
    """How the program ended, of a TIR its last one; None for CoT."""
    answer: Answer | None = None
    """The final answer of the rationale."""
    equivalence: Equivalence | None = None
    """How that answer compares with the gold answer; None without either."""
    thought_answer: Answer | None = None
    """The answer that the end of the text's thought states; None without thought or answer."""
    thought_agrees: Equivalence | None = None
    """How that answer compares with the final answer; None without either."""
    steps: Steps | None = None
    """The arithmetic of a text, recomputed; None for a program."""
    recomputed: bool = False
    """Whether all of these steps are right and the last one is equal to the gold answer."""
    replay: Replay | None = None
    """What the programs of a TIR print when they run again; None for other kinds."""

    @property
    def solution(self) -> str:
        """The text as its author wrote it."""
        return self.as_written or self.text
