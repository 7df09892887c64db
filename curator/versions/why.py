"""Where rows come from and why they are there: `why` for a row, `difference` of two versions.

In: a store and names of versions. Out: plain values, from manifests and immutable objects alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curator.core.errors import UsageError
from curator.versions.content import content_of, objects_of
from curator.versions.drop_reasons import drop_reasons
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
    """The version whose objects tell the story."""
    origin: str
    """Where the source was read."""
    revision: str
    """Its pinned revision, or the digest of local files."""
    problem: Mapping[str, Any]
    rationale: Mapping[str, Any]
    verdicts: Sequence[Mapping[str, Any]]
    absent: str
    """Why the row is not in `seen_in`; empty if it is there."""


def why(store: Store, prefix: str) -> RowHistory:
    """The story of the row whose hex id starts with `prefix`, rejected rows too.

    Versions whose objects were removed are not looked at. Raises UsageError if no row or more than
    one, in all versions together, has such an id.
    """
    if len(prefix) < SHORTEST_PREFIX or len(prefix) > 32 or set(prefix) - set("0123456789abcdef"):
        raise UsageError(
            f"A row is named by {SHORTEST_PREFIX} or more hex digits of its id, saw '{prefix[:60]}'"
        )
    manifests = sorted(readable(store), key=lambda m: (m.name, -m.number))
    objects = [digest for manifest in manifests for digest in digests(manifest)]
    with store.reading(objects), store.engine() as engine:
        if found := _identified(engine, store, manifests, prefix):
            return _row_history(engine, store, manifests, found)
    raise UsageError(
        f"No row has an id that starts with '{prefix}'; `curator diff` and `sql` list ids"
    )


def _identified(
    engine: Engine, store: Store, manifests: Sequence[Manifest], prefix: str
) -> bytes | None:
    """The one id of all rationales that starts so."""
    objects = sorted({digest for m in manifests for digest in objects_of(m).rationales.values()})
    if not objects:
        return None
    low, high = (bytes.fromhex(prefix.ljust(32, digit)) for digit in "0f")
    found = _dicts(
        engine,
        f"SELECT DISTINCT id FROM {scan_objects(store, objects)} WHERE id BETWEEN $low AND $high "
        "ORDER BY id LIMIT 3",
        {"low": low, "high": high},
    )
    if len(found) > 1:
        ids = ", ".join(row["id"].hex() for row in found)
        raise UsageError(f"More than one row has an id that starts with '{prefix}': {ids}, …")
    return found[0]["id"] if found else None


def _row_history(
    engine: Engine, store: Store, manifests: Sequence[Manifest], id_: bytes
) -> RowHistory:
    holding = [m for m in manifests if _holds(engine, store, m, id_)]
    for manifest in holding or manifests:
        if rationale := _only_one(engine, f"({version_rationales(store, manifest)})", id_):
            break
    subset = rationale["subset"]
    problem = _only_one(
        engine,
        scan_objects(store, objects_of(manifest).problems[subset]),
        rationale["problem_id"],
        # Of the records that share the problem, the one whose solution it is.
        f"(solution <> '' AND contains({literal(rationale['text'])}, solution)) DESC, "
        f"program = {literal(rationale['text'])} DESC, place",
    )
    absent = f"SELECT $id::BLOB AS id, {literal(subset)} AS subset, $problem::BLOB AS problem_id"
    found = _dicts(
        engine,
        'SELECT "check", version, outcome, reason, evidence '
        f"FROM ({version_verdicts(store, manifest)}) "
        "WHERE row_id = $id ORDER BY screen, place",
        {"id": id_},
    )
    for verdict in found:
        verdict["evidence"] = json.loads(verdict["evidence"])
    ids = {"id": id_, "problem": rationale["problem_id"]}
    told = [] if holding else _dicts(engine, drop_reasons(store, manifest, manifest, absent), ids)
    content = content_of(manifest)
    source = content.source_name(subset)
    return RowHistory(
        id=id_.hex(),
        subset=subset,
        versions=tuple(m.ref for m in holding),
        seen_in=manifest.ref,
        origin=objects_of(manifest).origins[source],
        revision=content.sources[source].revision,
        problem={**problem, "id": problem["id"].hex()},
        rationale={**rationale, "id": id_.hex(), "problem_id": rationale["problem_id"].hex()},
        verdicts=found,
        absent=told[0]["rule"] if told else "",
    )


def _only_one(engine: Engine, table: str, id_: bytes, order: str = "id") -> dict[str, Any]:
    found = _dicts(
        engine, f"SELECT * FROM {table} WHERE id = $id ORDER BY {order} LIMIT 1", {"id": id_}
    )
    return found[0] if found else {}


def _holds(engine: Engine, store: Store, manifest: Manifest, id_: bytes) -> bool:
    return bool(_only_one(engine, scan_objects(store, [objects_of(manifest).rows]), id_))


def _dicts(engine: Engine, query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    relation = engine.sql(query, params)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
