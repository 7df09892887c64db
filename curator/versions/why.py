"""Where a row comes from and why it is in a version or not: `curator why`.

In: a store and the start of a row id. Out: the row's history, read from manifests and objects.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curator.core.errors import UsageError
from curator.versions import queries
from curator.versions.content import content_of, objects_of
from curator.versions.drop_reasons import create_drop_reasons
from curator.versions.queries import (
    digests,
    readable,
    scan_objects,
    version_rationales,
    version_verdicts,
)
from datastore.engine import Engine, literal
from datastore.store import Store
from datastore.versions import Manifest

SHORTEST_PREFIX = 6


@dataclass(frozen=True)
class RowHistory:
    """One row from its source to its verdicts."""

    id: str
    subset: str
    versions: tuple[str, ...]
    """Versions that hold the row."""
    seen_in: str
    """The version that the rest was read from."""
    origin: str
    """Where the source was read."""
    revision: str
    """Pinned revision of the source, or the digest of local files."""
    problem: Mapping[str, Any]
    rationale: Mapping[str, Any]
    evidence_level: str
    """How strong the evidence for the row is; empty if an older release of Curator checked it."""
    verdicts: Sequence[Mapping[str, Any]]
    """Verdicts in `seen_in`. A verdict about an evaluation question has it as `eval_question`, with
    `eval_gold`."""
    other_verdicts: Sequence[Mapping[str, Any]]
    """Those that only other versions have, each with its version as `in`."""
    absent: str
    """Why the row is not in `seen_in`; empty if it is."""
    rejected: Mapping[str, str]
    """Versions that have the row but do not hold it, with the first rule that stopped it."""


def why(store: Store, prefix: str) -> RowHistory:
    """Return the history of the row whose hex id starts with `prefix`; it may have been rejected.

    Versions whose objects were removed are skipped. Raises UsageError unless exactly one row of
    all versions has such an id.
    """
    if len(prefix) < SHORTEST_PREFIX or len(prefix) > 32 or set(prefix) - set("0123456789abcdef"):
        raise UsageError(
            f"'{prefix[:60]}' is not the start of a row id. Give at least {SHORTEST_PREFIX} "
            "hex digits."
        )
    manifests = sorted(readable(store), key=lambda m: (m.name, -m.number))
    objects = [digest for manifest in manifests for digest in digests(manifest)]
    with store.guard_query(objects), store.engine() as engine:
        if row_id := _row_id(engine, store, manifests, prefix):
            return _row_history(engine, store, manifests, row_id)
    raise UsageError(
        f"No row has an id that starts with '{prefix}'. `curator diff` and `curator sql` list ids."
    )


def _row_id(
    engine: Engine, store: Store, manifests: Sequence[Manifest], prefix: str
) -> bytes | None:
    """Return the one id of all rationales that starts with `prefix`; None if no id does."""
    objects = sorted(
        {d for m in manifests for digests in objects_of(m).rationales.values() for d in digests}
    )
    if not objects:
        return None
    low, high = (bytes.fromhex(prefix.ljust(32, digit)) for digit in "0f")
    rows = _dicts(
        engine,
        f"SELECT DISTINCT id FROM {scan_objects(store, objects)} WHERE id BETWEEN $low AND $high "
        "ORDER BY id LIMIT 3",
        {"low": low, "high": high},
    )
    if len(rows) > 1:
        ids = ", ".join(row["id"].hex() for row in rows)
        raise UsageError(
            f"Several rows have an id that starts with '{prefix}': {ids}, …. Give more digits."
        )
    return rows[0]["id"] if rows else None


def _row_history(
    engine: Engine, store: Store, manifests: Sequence[Manifest], row_id: bytes
) -> RowHistory:
    holders = [m for m in manifests if _has_row(engine, store, m, row_id)]
    for manifest in holders or manifests:
        if rationale := _first(engine, f"({version_rationales(store, manifest)})", row_id):
            break
    subset, content, objects = rationale["subset"], content_of(manifest), objects_of(manifest)
    problem = _first(
        engine,
        scan_objects(store, objects.problems[subset]),
        rationale["problem_id"],
        # Of the records of the problem, prefer the one whose solution the rationale is.
        f"(solution <> '' AND contains({literal(rationale['text'])}, solution)) DESC, "
        f"program = {literal(rationale['text'])} DESC, place",
    )
    of_subset = queries.verdicts(map(store.objects.path, objects.verdicts[subset]))
    levels = _dicts(
        engine,
        f"SELECT * FROM ({queries.evidence_levels(of_subset)}) WHERE row_id = $id",
        {"id": row_id},
    )
    others = [m for m in manifests if m not in holders and _has_rationale(engine, store, m, row_id)]
    rejected = {
        each.ref: _drop_reason(engine, store, each, rationale)
        for each in sorted(others, key=lambda m: (m.name, m.number))
    }
    verdicts = _all_verdicts(engine, store, [manifest, *holders, *others], row_id)
    source = content.source_name(subset)
    return RowHistory(
        id=row_id.hex(),
        subset=subset,
        versions=tuple(m.ref for m in holders),
        seen_in=manifest.ref,
        origin=objects.origins[source],
        revision=content.sources[source].revision,
        problem={**problem, "id": problem["id"].hex()},
        rationale={**rationale, "id": row_id.hex(), "problem_id": rationale["problem_id"].hex()},
        evidence_level=levels[0]["evidence_level"] if levels else "form",
        verdicts=[each for each in verdicts if "in" not in each],
        other_verdicts=[each for each in verdicts if "in" in each],
        absent="" if holders else rejected[manifest.ref],
        rejected=rejected,
    )


def _drop_reason(
    engine: Engine, store: Store, manifest: Manifest, rationale: Mapping[str, Any]
) -> str:
    """Return the first rule that stopped a row which a version has and does not hold."""
    row_id, problem_id = rationale["id"].hex(), rationale["problem_id"].hex()
    absent = (
        f"SELECT unhex('{row_id}') AS id, {literal(rationale['subset'])} AS subset, "
        f"unhex('{problem_id}') AS problem_id"
    )
    create_drop_reasons(engine, "reasons", store, (manifest, manifest), absent)
    reasons = _dicts(engine, "SELECT rule FROM reasons", {})
    return str(reasons[0]["rule"]) if reasons else ""


def _all_verdicts(
    engine: Engine, store: Store, manifests: Sequence[Manifest], row_id: bytes
) -> list[dict[str, Any]]:
    """Return the verdicts of the first version, then others that only another version has."""
    found: list[dict[str, Any]] = []
    for manifest in {each.ref: each for each in manifests}.values():
        verdicts = _dicts(
            engine,
            'SELECT "check", version, outcome, reason, evidence '
            f"FROM ({version_verdicts(store, manifest)}) "
            "WHERE row_id = $id ORDER BY screen, place",
            {"id": row_id},
        )
        for verdict in verdicts:
            verdict["evidence"] = json.loads(verdict["evidence"])
            known = any(verdict.items() <= each.items() for each in found)
            if not known:
                where = {} if manifest is manifests[0] else {"in": manifest.ref}
                found.append(verdict | where | _eval_question(engine, store, manifest, verdict))
    return found


def _eval_question(
    engine: Engine, store: Store, manifest: Manifest, verdict: Mapping[str, Any]
) -> dict[str, str]:
    """Return the evaluation question that a verdict names; empty if it names none."""
    evidence, evals = verdict["evidence"], objects_of(manifest).evals
    digests = evals.get(evidence.get("set", ""), [])
    if not digests or "item" not in evidence or not all(map(store.objects.has, digests)):
        return {}
    questions = _dicts(
        engine,
        f"SELECT question, gold FROM {scan_objects(store, digests)} WHERE place = $place "
        "ORDER BY lower(hex(id)) = $id DESC LIMIT 1",
        {"place": evidence["item"], "id": evidence.get("problem", "")},
    )
    keys = {"eval_question": "question", "eval_gold": "gold"}
    return {key: each[name] for each in questions for key, name in keys.items()}


def _first(engine: Engine, table: str, row_id: bytes, order: str = "id") -> dict[str, Any]:
    """Return the first row of a table with this id; empty if no row has it."""
    rows = _dicts(
        engine, f"SELECT * FROM {table} WHERE id = $id ORDER BY {order} LIMIT 1", {"id": row_id}
    )
    return rows[0] if rows else {}


def _has_rationale(engine: Engine, store: Store, manifest: Manifest, row_id: bytes) -> bool:
    return bool(_first(engine, f"({version_rationales(store, manifest)})", row_id))


def _has_row(engine: Engine, store: Store, manifest: Manifest, row_id: bytes) -> bool:
    return bool(_first(engine, scan_objects(store, [objects_of(manifest).rows]), row_id))


def _dicts(engine: Engine, query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    relation = engine.sql(query, params)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
