"""Grades the samples of a verifier once per run, for all of its processes.

In: a recipe and the digest of its samples. Out: right and wrong solutions, from the file
`graded-DIGEST.jsonl` in the run's folder. The first process writes it; the others wait for it.
Grading has time limits, so that two processes may grade the same sample differently; they would
train on different pairs and wait for each other for ever. A resumed run reads the same file.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.core.errors import UsageError
from curator.core.files import write_aside
from curator.sandbox import Sandbox
from curator.sources.sample_files import read_any_samples
from trainers.attempts import has_attempts, read_attempts
from trainers.launch import is_main_process, wait_for_file
from trainers.pairs import SolutionSet, collect_solutions
from trainers.recipe import Verifier

WORKERS = 2
"""Number of sandbox processes for grading."""


def load_graded(recipe: Verifier, digest: str) -> list[SolutionSet]:
    """Return the solutions of all questions, graded by the first process.

    Exports of attempts state which are right, so they are not graded. Raises UsageError for invalid
    samples, or if the run's folder is not shared by all machines. A process waits as long as the
    first one grades; if that one fails, the launcher ends all.
    """
    if has_attempts(Path(recipe.samples)):
        return read_attempts(Path(recipe.samples))
    path = recipe.folder / f"graded-{digest[:16]}.jsonl"
    if is_main_process() and not path.exists():
        recipe.folder.mkdir(parents=True, exist_ok=True)
        with Sandbox(workers=WORKERS) as box, Grader() as grader:
            graded = grade(read_any_samples(Path(recipe.samples)), box.map, grader.map)
            _write(collect_solutions(graded), path)
    wait_for_file(path, recipe.folder)
    return _read(path)


def _write(solutions: Sequence[SolutionSet], path: Path) -> None:
    with write_aside(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.writelines(f"{json.dumps(asdict(each))}\n" for each in solutions)


def _read(path: Path) -> list[SolutionSet]:
    try:
        with path.open(encoding="ascii") as file:
            rows = [json.loads(line) for line in file]
        return [
            SolutionSet(row["question"], tuple(row["right"]), tuple(row["wrong"])) for row in rows
        ]
    except (OSError, ValueError, LookupError, TypeError):
        raise UsageError(f"{path} is damaged. Delete it and rerun to grade again.") from None
