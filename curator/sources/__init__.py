"""Sources: named adapters that read upstream datasets, from the Hub or a local mirror, as problems.

In: a Source and the location of its files. Out: `records`, a stream of Problem and
QuarantinedRecord. To add a source, write a file like `datasets/svamp.py` and register it here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from curator.core.errors import UsageError
from curator.core.model import Problem, QuarantinedRecord
from curator.sources.custom import (
    CustomFiles,
    columns_of,
    custom_source,
    has_column,
    parse_columns,
)
from curator.sources.datasets import (
    aime,
    amc23,
    aqua_rat,
    camel_math,
    college_math,
    deepmind_mathematics,
    gsm8k,
    gsm8k_platinum,
    gsm8k_rft,
    gsm_plus,
    lila,
    math,
    math500,
    math_perturb,
    math_shepherd,
    mathinstruct,
    mathqa,
    minerva_math,
    mmlu_math,
    numglue,
    olympiadbench,
    prm800k,
    sat_math,
    simuleq,
    svamp,
    theoremqa,
)
from curator.sources.datasets.mathinstruct import PARTS
from curator.sources.fetch.open import check_reachable, open_source
from curator.sources.fields import MAX_TEXT, TOO_LONG, Unreadable, missing_column, quarantine
from curator.sources.readers.detect import cut, read_records
from curator.sources.readers.pieces import NotCut, Piece
from curator.sources.source import Source, SourceFiles

SOURCES: dict[str, Source] = {
    "gsm8k": gsm8k.SOURCE,
    "gsm8k_rft": gsm8k_rft.SOURCE,
    "aqua_rat": aqua_rat.SOURCE,
    "math": math.SOURCE,
    "theoremqa": theoremqa.SOURCE,
    "camel_math": camel_math.SOURCE,
    "college_math": college_math.SOURCE,
    "mathqa": mathqa.SOURCE,
    "numglue": numglue.SOURCE,
    "lila": lila.SOURCE,
    "prm800k": prm800k.SOURCE,
    "math_shepherd": math_shepherd.SOURCE,
    "mathinstruct": mathinstruct.SOURCE,
}
EVALS: dict[str, Source] = {
    "gsm8k": gsm8k.EVAL,
    "math": math.EVAL,
    "math500": math500.EVAL,
    "aqua_rat": aqua_rat.EVAL,
    "numglue": numglue.EVAL,
    "svamp": svamp.EVAL,
    "mathematics": deepmind_mathematics.EVAL,
    "simuleq": simuleq.EVAL,
    "sat_math": sat_math.EVAL,
    "mmlu_math": mmlu_math.EVAL,
    "aime24": aime.EVAL_2024,
    "aime25": aime.EVAL_2025,
    "amc23": amc23.EVAL,
    "minerva_math": minerva_math.EVAL,
    "olympiadbench": olympiadbench.EVAL,
    "gsm_plus": gsm_plus.EVAL,
    "gsm8k_platinum": gsm8k_platinum.EVAL,
    "math_perturb_simple": math_perturb.EVAL_SIMPLE,
    "math_perturb_hard": math_perturb.EVAL_HARD,
}
MAMMOTH_EVALS = (
    *("gsm8k", "math", "math500", "aqua_rat", "numglue", "svamp", "mathematics", "simuleq"),
    *("sat_math", "mmlu_math"),
)
"""The sets that a recipe is screened against by default. The list is a part of recipes, and so of
the digests of their versions: a new set is screened against only where a recipe names it."""
LICENCES = {each.licence for name, each in SOURCES.items() if name != "mathinstruct"}
LICENCES |= {*PARTS.values()}
"""Every licence that a problem of a source can have."""

__all__ = [
    "EVALS",
    "LICENCES",
    "MAMMOTH_EVALS",
    "SOURCES",
    "CustomFiles",
    "FilePiece",
    "NotCut",
    "Source",
    "SourceFiles",
    "check_columns",
    "check_reachable",
    "custom_source",
    "open_source",
    "parse_columns",
    "pieces",
    "records",
]


@dataclass(frozen=True, slots=True)
class FilePiece:
    """A file of a source, or a piece of it."""

    file: int
    """Its position in `SourceFiles.files`."""
    piece: Piece | None = None


def pieces(opened: SourceFiles) -> list[FilePiece]:
    """Return what can be read independently: each file, or the pieces of a large one, in order."""
    found = []
    for number, path in enumerate(opened.files):
        found += [FilePiece(number, piece) for piece in cut(path)] or [FilePiece(number)]
    return found


MAX_SEEN = 1_000
"""Names of columns after which no further ones are collected for an error message."""


def records(
    source: Source, opened: SourceFiles, part: FilePiece | None = None
) -> Iterator[Problem | QuarantinedRecord]:
    """Yield every record of the files in upstream order, in constant memory; or those of one piece.

    If `source.first` is set, only that many upstream records are read. A record that cannot be
    read, or that is longer than `MAX_TEXT` characters, is yielded as QuarantinedRecord with its
    place and reason. Raises OSError and, for a piece, NotCut: see `read_records`.
    """
    files = list(zip(opened.files, opened.names, strict=True))
    if part:
        rows = read_records(*files[part.file], part.piece)
    else:
        rows = chain.from_iterable(read_records(path, name) for path, name in files)
    for record in islice(rows, source.first or None):
        if isinstance(record, QuarantinedRecord):
            yield record
            continue
        place, row = record
        try:
            for problem in source.parse(row, place):
                if _length(problem) > MAX_TEXT:
                    raise Unreadable(TOO_LONG)
                yield problem
        except Unreadable as error:
            yield quarantine(place, str(error), row)


def check_columns(source: Source, opened: SourceFiles) -> None:
    """Raise UsageError if no record has a column that a user named.

    A missing column reads like one without values, so a misspelt column of gold answers would leave
    every row without one. Reads records until each column was seen, which is the first record of
    most files.
    """
    missing, seen = list(source.named), dict[str, None]()
    files = zip(opened.files, opened.names, strict=True) if missing else ()
    rows = chain.from_iterable(read_records(path, name) for path, name in files)
    for record in islice(rows, source.first or None):
        if isinstance(record, QuarantinedRecord):
            continue
        row = record[1]
        missing = [column for column in missing if not has_column(row, column)]
        if not missing:
            return
        if len(seen) < MAX_SEEN:
            seen |= dict.fromkeys(columns_of(row))
    if missing and seen:
        raise UsageError(f"{source.name}: {missing_column(missing[0], seen)}")


def _length(problem: Problem) -> int:
    """Return the number of characters of the texts that upstream wrote."""
    length = len(problem.question) + len(problem.gold) + len(problem.solution)
    length += len(problem.program) + len(problem.field) + sum(map(len, problem.choices))
    return length + sum([len(step.text) for step in problem.labelled_steps])
