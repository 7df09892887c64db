"""Puts a mark into every text of a version: what a stranger's dataset might contain."""

import json
import re
from typing import Any

import pyarrow as pa

from curator.versions.content import objects_of
from curator.versions.rows import rows_digest
from datastore.store import Store
from datastore.versions import Manifest

RAW = "\x1b\x07\b\r\x7f\x9b\u202e\u2066\u200b\u2028\U000e0041"
"""Characters that no output may contain."""
MARK = f"{RAW}]0;OWNED<script>alert(1)</script>[red]=1|`x`[a](http://evil.example)\n---\n"
FILE_MARK = f"{RAW}<b>[red]"
"""The same for names of files."""

_KEPT = {"kind", "masked", "undecided", "checks", "parent", "sha256", "code"}
"""Keys of a manifest whose values Curator itself chooses."""
_NAMES = {"sources", "evals", "reasons", "reported", "origins"}
"""Keys of a manifest that hold values by name."""
_NAMES_OF_SUBSETS = {"subsets", "problems", "rationales", "verdicts", "quarantine"}
_PLAIN_COLUMNS = {"kind", "check", "outcome", "gold_in", "notation"}
"""Columns whose values Curator itself chooses."""


def write_marked(
    store: Store, manifest: Manifest, name: str, *, mark_subsets: bool = True
) -> Manifest:
    """Create a version that is a copy with `MARK` in every text.

    Names of subsets are folders in a release, which cannot contain every mark.
    """
    kept = _PLAIN_COLUMNS | (set() if mark_subsets else {"subset"})
    new: dict[str, str] = {}
    for digest in dict.fromkeys(digest for digest, _ in objects_of(manifest).roles()):
        batches = list(store.objects.read(digest))
        changed = [_mark_batch(batch, kept) for batch in batches]
        new[digest] = store.objects.write(changed, batches[0].schema) if batches else digest
    names = _NAMES | (_NAMES_OF_SUBSETS if mark_subsets else set())
    text = json.dumps(_mark(manifest.objects, names))
    for old, digest in new.items():
        text = text.replace(old, digest)
    content, objects = _mark(manifest.content, names), json.loads(text)
    if not mark_subsets:
        content["order"] = manifest.content["order"]
    content["rows"]["sha256"] = rows_digest(store.objects, objects["rows"])
    return store.versions.create(name, content, None, MARK, objects)


def _mark(value: Any, names: set[str], key: str = "") -> Any:
    match value:
        case str():
            return value if key in _KEPT or re.fullmatch("[0-9a-f]{64}", value) else value + MARK
        case list():
            return [_mark(each, names) for each in value]
        case dict() if key in names:
            return {f"{name}{MARK}": _mark(each, names) for name, each in value.items()}
        case dict():
            return {
                name: each if name in _KEPT else _mark(each, names, name)
                for name, each in value.items()
            }
    return value


def _mark_batch(batch: pa.RecordBatch, kept: set[str]) -> pa.RecordBatch:
    columns = [
        column if name in kept else _mark_column(name, column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _mark_column(name: str, column: pa.Array) -> pa.Array:
    values = column.to_pylist()
    if pa.types.is_list(column.type):
        return pa.array([[text + MARK for text in each] for each in values], column.type)
    if not pa.types.is_string(column.type):
        return column
    if name == "subset":  # as in the manifest
        return pa.array([text + MARK for text in values], column.type)
    if name != "evidence":  # in front, since the SQL views show the first of equal rows by place
        return pa.array([MARK + text for text in values], column.type)
    evidence = [{key: text + MARK for key, text in json.loads(each).items()} for each in values]
    texts = [json.dumps(each | {MARK: MARK}, ensure_ascii=False) for each in evidence]
    return pa.array(texts, column.type)
