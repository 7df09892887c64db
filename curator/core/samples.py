"""Sampled solutions of problems, as files: what `curator sample` writes and trainers read.

In: JSON lines, one problem each. Out: frozen `Sampled` problems. A line:

    {"set": "gsm8k", "id": "…", "question": "…", "gold": "18", "choices": [], "field": "", "level":
     "", "samples": [{"kind": "PoT", "text": "print(18)", "score": 0.93}]}
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from curator.core.errors import MALFORMED, UsageError
from curator.core.files import write_aside

LONGEST_LINE = 64_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One solution that a model wrote."""

    kind: Literal["CoT", "PoT"]
    text: str
    score: float | None = None
    """What a verifier thinks of it, from 0 to 1; None if none was asked."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A problem with its samples, in the order of sampling."""

    set: str
    """Evaluation set, or the name that the file's maker gave."""
    id: str
    question: str
    gold: str
    choices: tuple[str, ...] = ()
    field: str = ""
    level: str = ""
    samples: tuple[Sample, ...] = ()


def read_samples(path: Path) -> Iterator[Sampled]:
    """The problems of a file. Raises UsageError for a line that is none, with its number."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if line.strip():
                    yield _problem(line, f"{path.name}:{number}")
    except OSError as error:
        raise UsageError(f"Cannot read samples at {path}: {error.strerror}") from None


def write_samples(problems: Iterable[Sampled], path: Path) -> int:
    """Write problems to a file, all of them or none, and return their number."""
    count = 0
    with write_aside(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for problem in problems:
            file.write(json.dumps(asdict(problem), ensure_ascii=True) + "\n")
            count += 1
    return count


def _problem(line: bytes, place: str) -> Sampled:
    try:
        row = json.loads(line)
        samples = tuple(_sample(each) for each in row["samples"])
        texts = {name: _text(row.get(name, "")) for name in ("set", "field", "level")}
        choices = tuple(_text(each) for each in row.get("choices") or ())
        return Sampled(
            id=_text(row["id"]),
            question=_text(row["question"]),
            gold=_text(row["gold"]),
            choices=choices,
            samples=samples,
            **texts,
        )
    except MALFORMED as error:
        raise UsageError(
            f"{place}: expected a problem with id, question, gold and samples of kind and text "
            f"({type(error).__name__}: {' '.join(str(error).split())[:80]})"
        ) from None


def _sample(values: Any) -> Sample:
    kind, score = values["kind"], values.get("score")
    if kind not in ("CoT", "PoT"):
        raise ValueError(f"kind {kind!r}")
    if score is not None and not (isinstance(score, int | float) and math.isfinite(score)):
        raise ValueError(f"score {score!r}")
    return Sample(kind, _text(values["text"]), score)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, saw {value!r:.40}")
    return value
