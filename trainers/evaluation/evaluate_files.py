"""Evaluates files of samples: runs programs, grades answers, flags problems of a release.

In: files of `curator sample`, or of other tools (`sample_forms`). Out: one result
over all their problems.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from curator.answers import Grader
from curator.core.errors import UsageError
from curator.core.progress import Listener, SilentListener, track_progress
from curator.core.samples import SampledProblem
from curator.sandbox import Sandbox
from trainers.evaluation.evaluate import Result, evaluate
from trainers.evaluation.grade import grade
from trainers.evaluation.overlap import find_seen
from trainers.evaluation.sample_forms import read_any_samples
from trainers.release import read_release


def evaluate_files(
    files: Sequence[Path],
    name: str,
    *,
    trained_on: Path | None = None,
    workers: int | None = None,
    listener: Listener | None = None,
) -> Result:
    """Return the scores of a model; problems in the release `trained_on` are flagged as seen.

    Raises UsageError if a file does not contain samples, `trained_on` is not a release, there are
    no problems, or a problem occurs twice.
    """
    seen = None
    if trained_on:
        examples = read_release(trained_on).examples
        seen = find_seen(_problems(files), (each.prompt[-1].content for each in examples))
    problems = track_progress(_problems(files), listener or SilentListener(), "grading", every=20)
    with Sandbox(workers=workers or os.cpu_count() or 1) as box, Grader() as grader:
        result = evaluate(grade(problems, box, grader), name, seen=seen)
    if not result.problems:
        raise UsageError(
            f"No problems in {', '.join(map(str, files))}. Sample some with 'curator sample'."
        )
    return result


def _problems(files: Sequence[Path]) -> Iterator[SampledProblem]:
    keys: set[tuple[str, str]] = set()
    for path in files:
        for problem in read_any_samples(path):
            if (problem.set, problem.id) in keys:
                raise UsageError(
                    f"{path} repeats problem {problem.id} of {problem.set}. Put all samples of a "
                    "problem on one line."
                )
            keys.add((problem.set, problem.id))
            yield problem
