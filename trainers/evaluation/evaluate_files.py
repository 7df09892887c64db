"""Evaluates files of samples: grades them, flags problems of a release, and scores the model.

In: files of `curator sample`, or of other tools (`curator.sources.sample_files`), and how samples
are graded. Out: one result over all their problems.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from curator.checks.grade_samples import GradedProblem
from curator.core.errors import UsageError
from curator.core.samples import SampledProblem
from curator.sources.sample_files import read_any_samples
from trainers.evaluation.evaluate import Result, evaluate
from trainers.evaluation.overlap import find_seen, to_problem
from trainers.release import read_release

GradeSamples = Callable[[Iterable[SampledProblem]], Iterable[GradedProblem]]
"""Return problems with graded samples, in order."""


def evaluate_files(
    files: Sequence[Path],
    name: str,
    grade: GradeSamples,
    *,
    trained_on: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Result:
    """Return the scores of a model; problems in the release `trained_on` are flagged as seen.

    `columns` are those of the files by their content; the other ones are detected.

    Raises UsageError if a file does not contain samples, `trained_on` is not a release, there are
    no problems, or a problem occurs twice.
    """
    seen = None
    if trained_on:
        trained = map(to_problem, read_release(trained_on).examples())
        seen = find_seen(_problems(files, columns), trained)
    result = evaluate(grade(_problems(files, columns)), name, seen=seen)
    if not result.problems:
        raise UsageError(
            f"No problems in {', '.join(map(str, files))}. Sample some with 'curator sample'."
        )
    return result


def _problems(files: Sequence[Path], columns: Mapping[str, str] | None) -> Iterator[SampledProblem]:
    keys: set[tuple[str, str]] = set()
    for path in files:
        for problem in read_any_samples(path, columns):
            if (problem.set, problem.id) in keys:
                raise UsageError(
                    f"{path} repeats problem {problem.id} of {problem.set}. Put all samples of a "
                    "problem on one line."
                )
            keys.add((problem.set, problem.id))
            yield problem
