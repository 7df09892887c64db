"""Writers: named functions that turn a Problem into Rationales.

In: a Problem and the kind to write (CoT, PoT or TIR). Out: Rationales; none if a writer does not
apply. Writers read texts and never run programs. Some need a teacher.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from curator.core.model import Kind, Problem, Rationale
from curator.writers.annotated import write_annotated
from curator.writers.instruction import build_instruction
from curator.writers.question import write_question
from curator.writers.reference import write_reference
from curator.writers.verbatim import write_verbatim


@dataclass(frozen=True, slots=True)
class Writer:
    """A writer and what it needs."""

    name: str
    kinds: frozenset[Kind]
    about: str
    write: Callable[[Problem, Kind], Iterator[Rationale]] | None = None
    """None for a writer that asks a teacher or has a stage of its own."""
    prompts: tuple[str, ...] = ()
    """Prompts by which it asks a teacher; empty if it needs none."""
    source: str = ""
    """Key of the one kind of source that this writer takes, in a stage of its own: `seeds` or
    `subset`. Empty for writers that take the problems of any source."""
    source_form: str = ""
    """That source as a recipe writes it, for errors."""

    @property
    def teacher(self) -> bool:
        """Whether it needs a teacher."""
        return bool(self.prompts)

    def prompt(self, kind: Kind) -> str:
        """Return the prompt that asks for the solution of a problem: its own, or that of `kind`."""
        return self.name if self.name in self.prompts else kind.lower()


_COT: frozenset[Kind] = frozenset({"CoT"})
_POT: frozenset[Kind] = frozenset({"PoT"})
_TIR: frozenset[Kind] = frozenset({"TIR"})

WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("reference", _COT | _POT, "upstream's own solution", write_reference),
        Writer("verbatim", _COT | _POT | _TIR, "upstream's own row, unchanged", write_verbatim),
        Writer("question", _COT, "the question and its gold answer, no solution", write_question),
        Writer("annotated", _POT, "upstream's formulas as a program", write_annotated),
        Writer("cot", _COT, "a teacher's worked solution in words", prompts=("cot",)),
        Writer("pot", _POT, "a teacher's program that prints the answer", prompts=("pot",)),
        Writer("tir", _TIR, "a teacher's solution with programs that run", prompts=("tir",)),
        Writer(
            "self_instruct",
            _COT | _POT,
            "a teacher's new problems, solved",
            prompts=("question", "cot", "pot"),
            source="seeds",
            source_form="{seeds: FILE, licence: …, questions: …}",
        ),
        Writer(
            "hinted",
            _COT | _POT,
            "verified rows with a user's claim in front",
            source="subset",
            source_form="{subset: NAME}",
        ),
    )
}


def own_stage(names: Iterable[str]) -> str:
    """Return the writer among these that has a stage of its own; empty if none has."""
    return next((name for name in names if WRITERS[name].source), "")


__all__ = ["WRITERS", "Writer", "build_instruction", "own_stage"]
