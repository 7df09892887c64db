"""Files of attempts: a model's solutions that a recipe names under `attempts`.

In: the files of a recipe. Out: an object of solutions per file, which a version keeps, so that it
can be checked again without the file. Read are files of samples as `curator evaluate` reads them,
of any container and compressed or not, and any file with columns of questions and responses that
`curator golds --answers` reads. A record that cannot be read is kept with its reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from curator.core import arrow
from curator.core.errors import UsageError
from curator.core.model import Problem, QuarantinedRecord
from curator.core.samples import SampledProblem, to_problem
from curator.core.thoughts import rewrite_marks
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.golds.model_answers import without_frame
from curator.pipeline.overlap import read_dataset
from curator.recipe.schema import AttemptsFile, Recipe
from curator.sources.fields import quarantine
from curator.sources.readers.detect import Record
from curator.sources.sample_files import holds_logs, read_any_samples, read_own
from datastore.text import make_storable

SOLUTIONS = pa.schema(
    [(name, pa.string()) for name in ("place", "question", "kind", "text", "reason")]
)
"""Solutions by question; where `reason` is not empty, `text` is a record that cannot be read."""
NOT_SAMPLES = "not a problem with samples"
BATCH = 1_000
_CODE = (
    __name__,
    "curator.core.samples",
    "curator.sources",
    "curator.pipeline.overlap",
    "curator.pipeline.golds.model_answers",
)

Row = tuple[str, ...]
"""In the layout `SOLUTIONS`."""


@dataclass(frozen=True, slots=True)
class AttemptsInput:
    """A file of attempts that was read."""

    model: str
    sha256: str
    solutions: str
    """Digest of the object in the layout `SOLUTIONS`."""


def open_attempts(recipe: Recipe) -> dict[str, str]:
    """Return the sha256 of each file of attempts. Raises UsageError if one cannot be read."""
    digests = {}
    for each in recipe.attempts:
        path = recipe.folder / each.file
        if path.exists() and not path.is_file():  # a pipe can be read only once
            raise UsageError(f"{path} is not a regular file. Name a file of attempts.")
        try:
            with path.open("rb") as file:
                digests[each.file] = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UsageError(f"Cannot read the attempts at {path}: {error.strerror}.") from None
    return digests


def read_attempts(context: BuildContext, digests: Mapping[str, str]) -> dict[str, AttemptsInput]:
    """Read the files whose sha256 is known; return what each contains."""
    return {
        each.file: AttemptsInput(
            each.model, digests[each.file], _read(context, each, digests[each.file])
        )
        for each in context.recipe.attempts
    }


def _read(context: BuildContext, attempts: AttemptsFile, digest: str) -> str:
    path, marks = context.recipe.folder / attempts.file, context.recipe.thoughts

    def make() -> tuple[dict[str, str], dict[str, int]]:
        rows = _read_solutions(path)
        if marks:
            rows = (
                (place, question, kind, rewrite_marks(text, marks), reason)
                for place, question, kind, text, reason in rows
            )
        batches = _batches(rows)
        return {"solutions": context.store.objects.write(batches, SOLUTIONS)}, {}

    params: dict[str, Any] = {"file": make_storable(path.name), "sha256": digest}
    params |= {"thoughts": list(marks)} if marks else {}
    stage = Stage("read attempts", _CODE)
    return context.once(stage, params, [], make, attempts.file).objects["solutions"]


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while some := list(islice(rows, BATCH)):
        columns = [[make_storable(each) for each in column] for column in zip(*some, strict=True)]
        yield arrow.make_batch(columns, SOLUTIONS)


def _read_solutions(path: Path) -> Iterator[Row]:
    if own := read_own(path):
        yield from _read_samples(own)
    elif holds_logs(path):
        for problem in read_any_samples(path):
            yield from _solutions(problem, f"{path.name} problem {problem.id}")
    else:
        for record in read_dataset(str(path), responses=True, required=("question", "response")):
            if isinstance(record, Problem):
                kind = "PoT" if record.program else "CoT"
                question = without_frame(record.question)
                yield record.place, question, kind, record.program or record.solution, ""
            else:
                yield record.place, "", "", record.raw, record.reason


def _read_samples(records: Iterator[Record]) -> Iterator[Row]:
    for record in records:
        if isinstance(record, QuarantinedRecord):
            yield record.place, "", "", record.raw, NOT_SAMPLES
            continue
        place, row = record
        try:
            yield from _solutions(to_problem(row, place), place)
        except UsageError:
            yield place, "", "", quarantine(place, NOT_SAMPLES, row).raw, NOT_SAMPLES


def _solutions(problem: SampledProblem, place: str) -> Iterator[Row]:
    for number, sample in enumerate(problem.samples, 1):
        yield f"{place} sample {number}", problem.question, sample.kind, sample.text, ""
