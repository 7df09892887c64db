"""Measure a release for its card: lengths, errors of reward functions, right and wrong attempts,
overlaps with evaluation sets.

In: an engine, a version and the Parquet files of its release. Out: `Measures`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from curator.core.model import MATCH_LEVELS
from curator.release.attempts import PER_PROBLEM, Pairing, pair_attempts
from curator.release.prompts import why_unchecked
from curator.release.splits import select_attempts
from curator.rewards.certification import Certificate, Gold
from curator.versions.content import content_of, objects_of
from curator.versions.lengths import Lengths, counter, measure_lengths, sampled
from curator.versions.queries import scan_objects, version_rationales
from curator.versions.rows import read_rows
from datastore.engine import Engine, literal, scan
from datastore.files import scratch
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True)
class Measures:
    """What was measured of a release."""

    pairing: Pairing = field(default_factory=Pairing)
    """The pairs that an export in a format of attempts has, without a held-out share."""
    certificate: Certificate | None = None
    """Error rates of reward functions on the golds; None if none were to be certified."""
    lengths: Sequence[Lengths] = ()
    """Tokens of the rows, or of a sample of them, per kind."""
    overlaps: Sequence[tuple[str | int, ...]] = ()
    """Per evaluation set and subset that have one in common: both names, then the rows that were
    removed or flagged by level of match."""


def measure(
    engine: Engine,
    store: Store,
    version: Manifest,
    files: Sequence[Path],
    certificate: Certificate | None,
) -> Measures:
    """Certify the functions of `certificate` on all golds of `files`; count tokens and pairs."""
    pairing = Pairing()
    if any(subset.failed for subset in content_of(version).subsets.values()):
        with scratch(engine.folder) as folder:
            attempts = read_rows(engine, store, version, partial(select_attempts, 0.0, ""))
            for _ in pair_attempts(attempts, pairing, folder, PER_PROBLEM):
                pass
    if certificate:
        certificate.add(_checkable_golds(engine, files))
    query = (
        f"SELECT kind, instruction, output FROM {scan(files)} "
        f"SEMI JOIN ({sampled(scan(files))}) USING (id, subset)"
    )
    lengths = measure_lengths(engine, query, counter())
    return Measures(pairing, certificate, lengths, _count_overlaps(engine, store, version))


def _count_overlaps(
    engine: Engine, store: Store, version: Manifest
) -> Sequence[tuple[str | int, ...]]:
    """Return `Measures.overlaps`; nothing for versions before the levels of match.

    Nor for a version that was pulled: it lacks the rows that were removed.
    """
    objects = objects_of(version)
    digest = objects.screens.get("contamination")
    if not digest or objects.pulled:
        return []
    counts = ", ".join(f"count(*) FILTER (reason = {literal(level)})" for level in MATCH_LEVELS)
    levels = ", ".join(map(literal, MATCH_LEVELS))
    query = f"""
        SELECT evidence::JSON ->> '$.set' AS eval_set, subset, {counts}
        FROM {scan_objects(store, [digest])} AS verdict
        JOIN ({version_rationales(store, version)}) AS rationale ON rationale.id = row_id
        WHERE reason IN ({levels}) GROUP BY ALL ORDER BY ALL
    """
    return engine.sql(query).fetchall()


def _checkable_golds(engine: Engine, files: Sequence[Path]) -> Iterator[Gold]:
    """Yield the distinct golds that a reward can check, with their choices."""
    query = f"SELECT DISTINCT gold, choices FROM {scan(files)} ORDER BY ALL"
    for batch in engine.batches(query):
        columns = (batch.column(name).to_pylist() for name in ("gold", "choices"))
        for gold, choices in zip(*columns, strict=True):
            if not why_unchecked(gold, tuple(choices)):
                yield gold, tuple(choices)
