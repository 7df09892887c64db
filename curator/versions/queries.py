"""The same rows as SQL: what DuckDB sees of the objects that a build made.

In: subsets with their objects. Out: SELECT texts over Parquet files, for screens, mixtures,
releases and views. Paths are quoted; nothing of a recipe reaches SQL but by `literal`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curator.core.model import Kind
from curator.versions.content import content_of, objects_of
from datastore.engine import literal, scan
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class Part:
    """The objects of one subset, as far as they could be built."""

    subset: str
    kind: Kind
    problems: tuple[Path, ...]
    rationales: Path
    verdicts: Path


def digests(manifest: Manifest) -> list[str]:
    """All objects that hold a version, quarantine apart."""
    objects = objects_of(manifest)
    found = {digest for listed in objects.problems.values() for digest in listed}
    for group in (objects.rationales, objects.verdicts, objects.screens):
        found.update(group.values())
    return [objects.rows, *sorted(found)]


def readable(store: Store) -> list[Manifest]:
    """The versions whose objects are all there: somebody may have removed those of old ones.

    Raises StoreError if there are versions, but none of them can be read.
    """
    versions = store.versions.all()
    kept = [m for m in versions if all(store.objects.has(digest) for digest in digests(m))]
    if versions and not kept:
        for digest in digests(versions[-1]):
            store.objects.check(digest)
    return kept


def rows(parts: Sequence[Part]) -> str:
    """(id, subset, place, kind, problem_id, writer, instruction, text): all rationales.

    `place` is the position of the subset in the recipe.
    """
    selects = [
        f"SELECT id, {literal(part.subset)} AS subset, {place} AS place, kind, problem_id, writer, "
        f"instruction, text FROM {scan([part.rationales])}"
        for place, part in enumerate(parts)
    ]
    return "\nUNION ALL ".join(selects)


def problems(parts: Sequence[Part]) -> str:
    """(id, question, gold, choices, …): a row an upstream record; records of one problem repeat."""
    return f"SELECT * FROM {scan(dict.fromkeys(path for part in parts for path in part.problems))}"


def verdicts(paths: Iterable[Path]) -> str:
    """(row_id, check, version, outcome, reason, evidence) of checks and screens."""
    return f"SELECT * FROM {scan(dict.fromkeys(paths))}"


def version_rationales(store: Store, manifest: Manifest) -> str:
    """SELECT of all rationales of a version with their subset."""
    return " UNION ALL ".join(
        f"SELECT *, {literal(subset)} AS subset FROM {scan_objects(store, [digest])}"
        for subset, digest in objects_of(manifest).rationales.items()
    )


def version_verdicts(store: Store, manifest: Manifest) -> str:
    """Verdicts of checks and screens in order: `screen` is 0 for checks, then the position of the
    screen; `place` is the position of the check in its subset.
    """
    recipe, objects = content_of(manifest).recipe, objects_of(manifest)
    selects = []
    for subset, digest in objects.verdicts.items():
        checks = ", ".join(literal(check) for check in recipe.subsets[subset].checks)
        place = f'list_position([{checks}]::VARCHAR[], "check")'
        selects.append(
            f"SELECT *, 0 AS screen, {place} AS place FROM {scan_objects(store, [digest])}"
        )
    for number, digest in enumerate(objects.screens.values(), 1):
        selects.append(
            f"SELECT *, {number} AS screen, 0 AS place FROM {scan_objects(store, [digest])}"
        )
    return " UNION ALL ".join(selects)


def scan_objects(store: Store, objects: Iterable[str]) -> str:
    """A FROM item over objects."""
    return scan(store.objects.path(digest) for digest in objects)
