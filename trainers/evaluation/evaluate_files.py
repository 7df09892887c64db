"""Files of samples to scores: programs are run, answers graded, problems of a release flagged.

In: files that `curator sample` or others wrote. Out: one result over all their problems.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from curator.answers import Grader
from curator.core.errors import UsageError
from curator.core.progress import Listener, SilentListener, track_progress
from curator.core.samples import SampledProblem, read_samples
from curator.sandbox import Sandbox
from trainers.evaluation.evaluate import Result, evaluate
from trainers.evaluation.grade import grade
from trainers.evaluation.overlap import seen
from trainers.release import read_release


def evaluate_files(
    files: Sequence[Path],
    name: str,
    *,
    trained_on: Path | None = None,
    workers: int | None = None,
    listener: Listener | None = None,
) -> Result:
    """The scores of a model; problems in the release `trained_on` are flagged as seen.

    Raises UsageError for a file that holds no samples, or no release, if there is no problem, and
    for one that comes twice: it would count twice.
    """
    known = None
    if trained_on:
        examples = read_release(trained_on).examples
        known = seen(_problems(files), (each.asked[-1].content for each in examples))
    problems = track_progress(_problems(files), listener or SilentListener(), "grading", every=20)
    with Sandbox(workers=workers or os.cpu_count() or 1) as box, Grader() as grader:
        result = evaluate(grade(problems, box, grader), name, seen=known)
    if not result.problems:
        raise UsageError(f"No problems in {', '.join(map(str, files))}; write some: curator sample")
    return result


def _problems(files: Sequence[Path]) -> Iterator[SampledProblem]:
    met: set[tuple[str, str]] = set()
    for path in files:
        for problem in read_samples(path):
            if (problem.set, problem.id) in met:
                raise UsageError(
                    f"{path} holds problem {problem.id} of {problem.set} a second time; "
                    "put all samples of a problem into one line"
                )
            met.add((problem.set, problem.id))
            yield problem
