"""Files of sampled solutions, which `curator sample` writes and trainers read.

In: JSON Lines, one problem per line, with the keys `FIELDS`; `EXAMPLE` is a line. Out: frozen
`SampledProblem`s.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from curator.core.errors import MALFORMED, UsageError
from curator.core.files import write_aside
from curator.core.json_text import parse_json
from curator.core.model import Kind

MAX_LINE_BYTES = 64_000_000
FIELDS = {
    "id": "Id of the problem: any text that no other problem of the file has. Required.",
    "question": "Text of the question, without its choices. Required.",
    "gold": "Gold answer; the letter of a choice if there are choices. Required.",
    "choices": "Choices of a multiple-choice question: a list of texts. Default: none.",
    "set": "Evaluation set, or another name given to the problems of the file. Default: empty.",
    "field": "Field or topic. Default: empty.",
    "level": "Difficulty. Default: empty.",
    "samples": "Solutions in the order of sampling: a list of objects with `kind` (`CoT`, a text, "
    "`PoT`, a program, or `TIR`, a text with programs and outputs), `text` and, optionally, "
    "`score` (of a verifier, from 0 to 1) and `finish` (the server's finish reason: `length` if "
    "the text was cut; `failed` without a reply). Required.",
}
"""The keys of a line and what they hold."""
EXAMPLE = (
    '{"id": "1", "question": "How many legs have 3 cats?", "gold": "12", "set": "mine", '
    '"samples": [{"kind": "CoT", "text": "3 * 4 = 12. The answer is 12."}, '
    '{"kind": "PoT", "text": "print(3 * 4)", "score": 0.93}]}'
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One solution that a model wrote."""

    kind: Kind
    text: str
    score: float | None = None
    """A verifier's score from 0 to 1; None if it was not scored."""
    finish: str = ""
    """Finish reason that the server reported: `length` if the text was cut at the maximum number of
    tokens. `failed` if the call brought no reply; empty if unknown."""


@dataclass(frozen=True, slots=True)
class SampledProblem:
    """A problem with its samples, in the order of sampling."""

    set: str
    """Evaluation set, or another name given to the problems of the file."""
    id: str
    question: str
    gold: str
    choices: tuple[str, ...] = ()
    field: str = ""
    level: str = ""
    samples: tuple[Sample, ...] = ()


def read_samples(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[SampledProblem]:
    """Yield the problems of a file; raises UsageError with the number of an invalid line.

    `columns` are the keys of the file for some of `FIELDS`, where they have another name.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if line.strip():
                    yield _parse(line, f"{path.name}:{number}", columns or {})
    except OSError as error:
        raise UsageError(f"Cannot read samples at {path}: {error.strerror}") from None


def write_samples(problems: Iterable[SampledProblem], path: Path) -> int:
    """Write problems to a file, all of them or none, and return their number."""
    count = 0
    with write_aside(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for problem in problems:
            file.write(json.dumps(asdict(problem), ensure_ascii=True) + "\n")
            count += 1
    return count


def _parse(line: bytes, place: str, columns: Mapping[str, str]) -> SampledProblem:
    try:
        row = parse_json(line)
    except MALFORMED as error:
        raise _error(place, error) from None
    return to_problem(row, place, columns)


def to_problem(row: Any, place: str, columns: Mapping[str, str] | None = None) -> SampledProblem:
    """Return the problem of a row; raises UsageError with its place if the row is invalid.

    For `columns` see `read_samples`.
    """
    try:
        row = {**row, **{name: row[column] for name, column in (columns or {}).items()}}
        samples = tuple(_sample(each) for each in row["samples"])
        texts = {name: _text(row.get(name, "")) for name in ("set", "field", "level")}
        choices = tuple(_text(each) for each in row.get("choices") or ())
        return SampledProblem(
            id=_text(row["id"]),
            question=_text(row["question"]),
            gold=_text(row["gold"]),
            choices=choices,
            samples=samples,
            **texts,
        )
    except MALFORMED as error:
        raise _error(place, error) from None


def _error(place: str, error: Exception) -> UsageError:
    return UsageError(
        f"{place}: expected a problem with id, question, gold and samples of kind and text "
        f"({type(error).__name__}: {' '.join(str(error).split())[:80]})"
    )


def _sample(values: Any) -> Sample:
    kind, score = values["kind"], values.get("score")
    if kind not in get_args(Kind):
        raise ValueError(f"kind {kind!r}")
    if score is not None and not (isinstance(score, int | float) and math.isfinite(score)):
        raise ValueError(f"score {score!r}")
    return Sample(kind, _text(values["text"]), score, _text(values.get("finish", "")))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, not {value!r:.40}")
    return value
