"""SELECTs over the objects of subsets and versions, for screens, mixtures, releases and reports.

In: subsets or manifests with their objects. Out: SQL text over Parquet files for DuckDB. Paths are
quoted, and text of a recipe reaches SQL only through `literal`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curator.checks import CHECKS, Proof
from curator.core.model import EVIDENCE_LEVELS, Kind
from curator.core.solve_rates import NO_COUNTS
from curator.versions.content import content_of, objects_of
from datastore.engine import literal, scan
from datastore.errors import StoreError
from datastore.store import Store
from datastore.versions import Manifest

VERDICT_WORD = (
    "CASE WHEN outcome = 'passed' AND reason <> '' THEN 'reported' ELSE outcome END AS outcome"
)
"""`curator.core.model.verdict_word` in SQL."""


ATTEMPT_PROOFS: tuple[Proof, ...] = ("execution", "answer", "steps")
"""What a check must be about for a row that fails it to be a wrong attempt at its problem."""


@dataclass(frozen=True, slots=True)
class Part:
    """The objects of one subset that was built."""

    subset: str
    kind: Kind
    problems: tuple[Path, ...]
    rationales: tuple[Path, ...]
    verdicts: tuple[Path, ...]


def digests(manifest: Manifest) -> list[str]:
    """Return the objects that hold a version, without those of its quarantine."""
    objects = objects_of(manifest)
    groups = (objects.problems, objects.rationales, objects.verdicts, objects.ruled)
    of_subsets = {digest for group in groups for shards in group.values() for digest in shards}
    counts = {objects.solve_counts} if objects.solve_counts else set()
    return [objects.rows, *sorted(of_subsets | set(objects.screens.values()) | counts)]


def readable(store: Store) -> list[Manifest]:
    """Return the versions whose manifest is valid and whose objects all exist.

    Raises StoreError if there are versions but none of them can be read.
    """
    versions = [each for _, each in inspect_versions(store) if isinstance(each, Manifest)]
    complete = [m for m in versions if all(store.objects.has(digest) for digest in digests(m))]
    if versions and not complete:
        store.objects.check_all(digests(versions[-1]))
    return complete


def inspect_versions(store: Store) -> Iterator[tuple[str, Manifest | StoreError]]:
    """Yield `name@number` and manifest of all versions, or the error if it is not valid."""
    for ref, read in store.versions.inspect():
        try:
            if isinstance(read, Manifest):
                content_of(read), objects_of(read)
            yield ref, read
        except StoreError as error:
            yield ref, error


def skipped_versions(store: Store) -> list[str]:
    """Return one line per version whose manifest is not valid: what is wrong and what to do."""
    errors = (read for _, read in inspect_versions(store) if isinstance(read, StoreError))
    return [f"A version is skipped: {error}" for error in errors]


def rows(parts: Sequence[Part]) -> str:
    """SELECT of (id, subset, place, kind, problem_id, writer, instruction, text): all rationales.

    `place` is the position of the subset in the recipe.
    """
    selects = [
        f"SELECT id, {literal(part.subset)} AS subset, {place} AS place, kind, problem_id, writer, "
        f"instruction, text FROM {scan(part.rationales)}"
        for place, part in enumerate(parts)
    ]
    return "\nUNION ALL ".join(selects)


def problems(parts: Sequence[Part]) -> str:
    """SELECT of (id, question, gold, choices, …), one row per upstream record.

    Records of the same problem repeat its id.
    """
    return f"SELECT * FROM {scan(dict.fromkeys(path for part in parts for path in part.problems))}"


def verdicts(paths: Iterable[Path]) -> str:
    """SELECT of (row_id, check, version, outcome, reason, evidence)."""
    return f"SELECT * FROM {scan(dict.fromkeys(paths))}"


def ordered_verdicts(
    checked: Iterable[tuple[str, Iterable[Path], Sequence[str]]], screened: Iterable[Path]
) -> str:
    """SELECT of verdicts with the order in which checks and screens ran.

    `checked` has the name, the verdicts and the checks of each subset, `screened` the verdicts of
    each screen. Added columns: `screen` is 0 for checks, then the position of the screen; `place`
    is the position of the check in its subset; `subset` is NULL for screens.
    """
    selects = []
    for subset, paths, checks in checked:
        names = ", ".join(map(literal, checks))
        selects.append(
            f'SELECT *, 0 AS screen, list_position([{names}]::VARCHAR[], "check") AS place, '
            f"{literal(subset)} AS subset FROM {scan(paths)}"
        )
    for number, path in enumerate(screened, 1):
        selects.append(
            f"SELECT *, {number} AS screen, 0 AS place, NULL::VARCHAR AS subset FROM {scan([path])}"
        )
    return " UNION ALL ".join(selects)


def stopping_verdicts(ordered: str, undecided: str | Sequence[str]) -> str:
    """SELECT of (row_id, check, outcome, reason): the first verdict that stopped each row.

    `ordered` is a SELECT of `ordered_verdicts`. Checks precede screens, a check that failed
    precedes one that is undecided, and then the order of the checks decides. Rows that no check
    and no screen stopped are not in it. `undecided` is the recipe's key.
    """
    kept = () if isinstance(undecided, str) else undecided
    left_out = "true" if not kept else f"reason NOT IN ({', '.join(map(literal, kept))})"
    stops = "outcome = 'failed'"
    if undecided != "keep":
        stops += f" OR (outcome = 'undecided' AND {left_out})"
    return f"""
        SELECT row_id, stop."check", stop.outcome, stop.reason FROM (
            SELECT row_id, first({{'check': "check", 'outcome': outcome, 'reason': reason}}
                ORDER BY screen, outcome = 'undecided', place) AS stop
            FROM ({ordered}) WHERE {stops} GROUP BY row_id
        )
    """


def evidence_levels(verdicts: str) -> str:
    """SELECT of (row_id, evidence_level): the rows whose answer passed a check.

    `verdicts` is a SELECT of them. All other rows have the level `form`. The level is empty where
    the verdict states none: older releases of Curator did not know it.
    """
    proving = ", ".join(literal(name) for name, check in CHECKS.items() if check.proves == "answer")
    known = ", ".join(map(literal, EVIDENCE_LEVELS))
    level = "evidence::JSON ->> '$.level'"
    return (
        f"SELECT row_id, CASE WHEN {level} IN ({known}) THEN {level} ELSE '' END AS evidence_level "
        f"FROM ({verdicts}) "
        f"WHERE outcome = 'passed' AND \"check\" IN ({proving}) "
        "QUALIFY row_number() OVER (PARTITION BY row_id) = 1"
    )


def failed_answers(verdicts: str) -> str:
    """SELECT of (row_id, reason): the rows whose program or answer failed a check, once each.

    `verdicts` is a SELECT of them. The check of the program comes first where both failed.
    """
    of_attempts = [name for name, check in CHECKS.items() if check.proves in ATTEMPT_PROOFS]
    names = ", ".join(map(literal, of_attempts))
    return (
        f'SELECT row_id, arg_min(reason, list_position([{names}], "check")) AS reason '
        f"FROM ({verdicts}) WHERE outcome = 'failed' AND \"check\" IN ({names}) GROUP BY row_id"
    )


def labelled_steps(rationales: str) -> str:
    """SELECT of the rationales with labelled steps; `rationales` is a FROM item or a SELECT."""
    return f"SELECT * FROM ({with_steps(rationales)}) WHERE len(labelled_steps) > 0"


def with_steps(rationales: str) -> str:
    """SELECT of all rationales with the column of labelled steps, which most objects lack."""
    step = "STRUCT(number INTEGER, text VARCHAR, label VARCHAR, chosen BOOLEAN)"
    return (
        f"SELECT * FROM {rationales} UNION ALL BY NAME "
        f"SELECT NULL::{step}[] AS labelled_steps WHERE false"
    )


def version_rationales(store: Store, manifest: Manifest) -> str:
    """SELECT of all rationales of a version with their subset."""
    return " UNION ALL BY NAME ".join(
        f"SELECT *, {literal(subset)} AS subset FROM {scan_objects(store, digests)}"
        for subset, digests in objects_of(manifest).rationales.items()
    )


def version_verdicts(store: Store, manifest: Manifest) -> str:
    """SELECT of `ordered_verdicts` over all verdicts of a version."""
    recipe, objects = content_of(manifest).recipe, objects_of(manifest)
    return ordered_verdicts(
        (
            (subset, map(store.objects.path, digests), recipe.subsets[subset].checks)
            for subset, digests in objects.verdicts.items()
        ),
        map(store.objects.path, objects.screens.values()),
    )


def solve_counts(store: Store, manifest: Manifest) -> str:
    """FROM item in the layout `SOLVE_COUNTS`."""
    counts = objects_of(manifest).solve_counts
    return scan_objects(store, [counts]) if counts else NO_COUNTS


def scan_objects(store: Store, objects: Iterable[str]) -> str:
    """FROM item over objects."""
    return scan(store.objects.path(digest) for digest in objects)
