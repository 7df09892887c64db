"""Writers: named functions that turn a Problem into Rationales.

In: a Problem and the kind to write (CoT or PoT). Out: Rationales; none if a writer does not apply.
Writers read texts and never run programs. Some need a teacher.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curator.core.model import Kind, Problem, Rationale
from curator.writers.annotated import write_annotated
from curator.writers.instruction import build_instruction
from curator.writers.reference import write_reference
from curator.writers.verbatim import write_verbatim


@dataclass(frozen=True, slots=True)
class Writer:
    """A named writer."""

    name: str
    kinds: frozenset[Kind]
    teacher: bool
    """Whether it needs a teacher."""
    write: Callable[[Problem, Kind], Iterator[Rationale]] | None
    """None for writers with their own stage in `pipeline/stages`: `generate`, `hint`, …"""
    about: str


_COT: frozenset[Kind] = frozenset({"CoT"})
_POT: frozenset[Kind] = frozenset({"PoT"})

WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("reference", _COT | _POT, False, write_reference, "upstream's own solution"),
        Writer("verbatim", _COT | _POT, False, write_verbatim, "upstream's own row, unchanged"),
        Writer("annotated", _POT, False, write_annotated, "upstream's formulas as a program"),
        Writer("cot", _COT, True, None, "a teacher's worked solution in words"),
        Writer("pot", _POT, True, None, "a teacher's program that prints the answer"),
        Writer("self_instruct", _COT | _POT, True, None, "a teacher's new problems, solved"),
        Writer("hinted", _COT | _POT, False, None, "verified rows with a user's claim in front"),
    )
}

__all__ = ["WRITERS", "Writer", "build_instruction"]
