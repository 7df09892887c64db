"""The result of a replay: the programs of one text with their recorded and their new outputs."""

from dataclasses import dataclass
from typing import Literal

from curator.sandbox.session import Session

BlockOutcome = Literal["equal", "close", "different", "not reproducible", "not recorded"]


@dataclass(frozen=True, slots=True)
class Block:
    """A program of a text, its recorded output and its new one."""

    recorded: str
    new: str
    """What it prints now, with the last line of its error."""
    outcome: BlockOutcome
    """`close`: equal up to rounding, the order of a set, or the notation of the value.
    `not recorded`: no output follows it."""
    why: str = ""
    """Why it is not reproducible."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How the programs of a text ended when they ran again."""

    session: Session
    blocks: tuple[Block, ...]
    unwritten: bool
    """Whether an output follows no program."""
    follows: bool
    """Whether the answer of the text is in its last output."""
    early: bool
    """Whether the text states its answer before the first program."""

    @property
    def reproduces(self) -> bool:
        """Whether each program has an output, and prints it again."""
        outcomes = {block.outcome for block in self.blocks}
        return bool(outcomes) and outcomes <= {"equal", "close"} and not self.unwritten
