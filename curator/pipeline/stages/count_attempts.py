"""Stages `grade attempts` and `count attempts`: how often each model solves each problem.

In: the subsets of a build, with the teacher's attempts and verdicts, and files of attempts. Out: an
object in the layout `SOLVE_COUNTS`, and for each file the solutions that count for no problem, with
their reason. Programs and comparisons are cached, so a run that was stopped resumes. Not counted:
failed calls, and what the teacher writes to agree on the gold answer of a new problem.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pyarrow as pa

from curator.checks import CHECKS, Candidate
from curator.checks.attempt import OUTCOME_SQL, attempt_outcome
from curator.core import arrow
from curator.core.progress import track_progress
from curator.core.solve_rates import SOLVE_COUNTS
from curator.pipeline.attempts import AttemptsInput
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.state import SubsetState
from curator.screens import normalize
from datastore.engine import Engine, literal, scan
from datastore.memo import Outputs

UNKNOWN = "unknown question"
SUMS = ("successes", "failures", "undecided")
_NAMES = {"passed": "successes", "failed": "failures", "undecided": "undecided"}
_GRADED_BY = tuple(
    name for name, check in CHECKS.items() if check.proves in ("execution", "answer")
)
_CODE = (
    __name__,
    "curator.checks",
    "curator.answers",
    "curator.sandbox",
    "curator.pipeline.checker",
    "curator.screens.normalize",
    "curator.screens.characters",
)
_GRADED = pa.schema([("problem_id", arrow.ID)] + [(name, pa.int64()) for name in SUMS])


@dataclass(frozen=True)
class CountedAttempts:
    """The attempts of a version."""

    counts: str = ""
    """Digest of the object in the layout `SOLVE_COUNTS`; empty without attempts."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Digest of the object of unused solutions of each file, in the layout of quarantine."""
    by_file: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Counts of each file: successes, failures, undecided, and `unused: REASON`."""


def count_attempts(
    context: BuildContext,
    subsets: Mapping[str, SubsetState],
    files: Mapping[str, AttemptsInput],
) -> CountedAttempts:
    """Return the attempts at the problems of some subsets, with counts if there are any."""
    problems = sorted({digest for each in subsets.values() for digest in each.problems})
    graded = {name: _grade(context, name, each, problems) for name, each in files.items()}
    taught = {name: each for name, each in subsets.items() if each.attempts}
    if not graded and not taught:
        return CountedAttempts()
    model = context.recipe.teacher.model if context.recipe.teacher else ""
    of_files = [(files[name].model, each.objects["graded"]) for name, each in graded.items()]
    of_teacher = [(each.attempts, each.verdicts) for each in taught.values()]
    inputs = [digest for _, digest in of_files]
    inputs += [digest for one, others in of_teacher for digest in (one, *others)]

    def make() -> tuple[dict[str, str], dict[str, int]]:
        path = context.store.objects.path
        selects = [_select_graded(path(digest), name) for name, digest in of_files]
        selects += [
            _select_taught(path(one), list(map(path, others)), model) for one, others in of_teacher
        ]
        sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in SUMS)
        query = (
            f"SELECT problem_id, model, {sums} FROM ({' UNION ALL '.join(selects)}) "
            "GROUP BY ALL ORDER BY model, problem_id"
        )
        with context.store.guard_query(inputs), context.store.engine() as engine:
            batches = (each.cast(SOLVE_COUNTS) for each in engine.batches(query))
            return {"counts": context.store.objects.write(batches, SOLVE_COUNTS)}, {}

    params = {"teacher": [model, len(of_teacher)], "files": [name for name, _ in of_files]}
    counted = context.once(Stage("count attempts", _CODE), params, inputs, make)
    return CountedAttempts(
        counted.objects["counts"],
        {name: each.objects["unused"] for name, each in graded.items()},
        {name: each.counts for name, each in graded.items()},
    )


def _select_graded(graded: Path, model: str) -> str:
    """SELECT of the counts of one file."""
    return f"SELECT problem_id, {literal(model)} AS model, {', '.join(SUMS)} FROM {scan([graded])}"


def _select_taught(attempts: Path, verdicts: Sequence[Path], model: str) -> str:
    """SELECT of counts, one row per attempt of a teacher in one subset."""
    outcomes = f"SELECT row_id, {OUTCOME_SQL} AS outcome FROM {scan(verdicts)} GROUP BY row_id"
    ones = ", ".join(f"(outcome = '{each}')::BIGINT AS {name}" for each, name in _NAMES.items())
    return (
        f"SELECT problem_id, {literal(model)} AS model, {ones} FROM (SELECT problem_id, CASE "
        "WHEN rationale_id = unhex(repeat('00', 16)) THEN 'failed' "
        "ELSE coalesce(outcome, 'undecided') END AS outcome "
        f"FROM {scan([attempts])} LEFT JOIN ({outcomes}) ON row_id = rationale_id)"
    )


def _grade(
    context: BuildContext, name: str, attempts: AttemptsInput, problems: Sequence[str]
) -> Outputs:
    """Write objects `graded`, counts by problem, and `unused` of one file."""
    inputs = [attempts.solutions, *problems]

    def make() -> tuple[dict[str, str], dict[str, int]]:
        objects = context.store.objects
        with context.store.guard_query(inputs), context.store.engine() as engine:
            _create_tables(engine, objects.path(attempts.solutions), map(objects.path, problems))
            found: defaultdict[bytes, Counter[str]] = defaultdict(Counter)
            ids: dict[bytes, bytes] = {}
            total = engine.sql(f"SELECT count(*) FROM ({_MATCHED})").fetchall()[0][0]
            candidates = track_progress(
                _candidates(engine, ids), context.listener, f"grading {name}", total
            )
            verdicts = context.checker.check(candidates, _GRADED_BY)
            for row, some in groupby(verdicts, attrgetter("row_id")):
                found[ids.pop(row)][_NAMES[attempt_outcome(some)]] += 1
            rows = [(id_, *(found[id_][each] for each in SUMS)) for id_ in sorted(found)]
            batch = arrow.make_batch(list(zip(*rows, strict=True)) or [()] * len(_GRADED), _GRADED)
            unused = engine.sql(_UNUSED_COUNTS).fetchall()
            quarantined = (each.cast(arrow.QUARANTINE) for each in engine.batches(_UNUSED))
            written = {
                "graded": objects.write([batch], _GRADED),
                "unused": objects.write(quarantined, arrow.QUARANTINE),
            }
        counts = sum(found.values(), Counter[str]())
        return written, {each: counts[each] for each in SUMS} | {
            f"unused: {reason}": count for reason, count in unused
        }

    params = {
        "limits": context.recipe.limits.model_dump(exclude={"quarantine"}),
        "executor": context.checker.sandbox_version,
    }
    return context.once(Stage("grade attempts", _CODE), params, inputs, make, name)


_SAME = normalize.key(normalize.stem(normalize.fold("question")))
_MATCHED = "SELECT * FROM solution JOIN problem USING (same) WHERE reason = ''"
_UNUSED = f"""
    SELECT place, reason, text AS raw FROM solution WHERE reason <> ''
    UNION ALL
    SELECT min(place), '{UNKNOWN}', left(any_value(question ORDER BY place), 10000)
    FROM solution ANTI JOIN problem USING (same) WHERE reason = '' GROUP BY same
    ORDER BY place, reason
"""
_UNUSED_COUNTS = f"""
    SELECT coalesce(nullif(reason, ''), '{UNKNOWN}') AS why, count(*)
    FROM solution WHERE reason <> '' OR same NOT IN (SELECT same FROM problem)
    GROUP BY why ORDER BY why
"""


def _create_tables(engine: Engine, solutions: Path, problems: Iterable[Path]) -> None:
    """Create views `solution` and `problem`, both with the normalised question as `same`."""
    engine.sql(f"CREATE VIEW solution AS SELECT *, {_SAME} AS same FROM {scan([solutions])}")
    engine.sql(
        f"CREATE TABLE problem AS SELECT id, gold, choices, {_SAME} AS same "
        f"FROM {scan(problems)} QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1"
    )


def _candidates(engine: Engine, ids: dict[bytes, bytes]) -> Iterator[Candidate]:
    """Yield each solution of each problem with its question; `ids` receives their problems."""
    query = f"SELECT kind, text, id, gold, choices FROM ({_MATCHED}) ORDER BY place, id"
    number = 0
    for batch in engine.batches(query, size=1_024):
        for kind, text, id_, gold, choices in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            number += 1
            row_id = number.to_bytes(16)
            ids[row_id] = id_
            yield Candidate(row_id, kind, "", text, gold, tuple(choices or ()))
