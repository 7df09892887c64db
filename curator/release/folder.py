"""A version as a folder that the Hub and trainers read: what `curator publish` uploads.

In: a store and a version. Out: `data/SUBSET/*.parquet`, `alpaca.json`, `recipe.yaml`,
`manifest.json` and `README.md`; the same version gives the same bytes. The folder is whole under
its name or not there.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curator.core import arrow
from curator.core.errors import CuratorError, UsageError
from curator.release.card import card
from curator.release.counts import ReleaseCounts, count_rows
from curator.release.formats import FORMATS
from curator.release.licence import Licence, licence_of
from curator.release.shards import write_shards
from curator.versions.content import content_of, objects_of
from curator.versions.queries import digests, version_verdicts
from curator.versions.rows import rows_digest, rows_sql
from datastore.engine import Engine, literal
from datastore.store import Store
from datastore.versions import Manifest

WHOLE = "default"
"""The configuration that has the rows of all subsets."""

MOST_HELD_OUT = 0.5


@dataclass(frozen=True)
class ReleaseFolder:
    """A release folder that was written and read back."""

    folder: Path
    manifest: Mapping[str, Any]
    """What `manifest.json` says."""
    licence: Licence
    facts: ReleaseCounts

    @property
    def files(self) -> list[str]:
        """Paths of all its files, in the folder."""
        return [*self.manifest["files"], "manifest.json", "README.md"]


def write_folder(
    store: Store,
    version: Manifest,
    target: Path,
    held_out: float = 0.0,
    repo: str = "",
    overwrite: bool = False,
) -> ReleaseFolder:
    """Writes the release folder `target` of a version.

    `held_out` is the share of questions whose rows go to the split `validation`; rows that ask the
    same question are on one side, in whatever subset they are. `repo` is what the card calls the
    repository. Raises UsageError if `target` is there, unless `overwrite` and it is a release
    folder.
    """
    if not 0 <= held_out <= MOST_HELD_OUT:
        raise UsageError(f"The held-out share is {held_out}; expected 0 to {MOST_HELD_OUT}")
    content = content_of(version)
    if WHOLE in content.recipe.subsets:
        raise UsageError(f"A subset is named '{WHOLE}', which on the Hub is the whole: rename it")
    if not content.rows.count:
        raise UsageError(f"{version.ref} has no rows: there is nothing to release")
    _refuse(target, overwrite)
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        package = _fill(store, version, partial, held_out, repo)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        raise CuratorError(
            f"Cannot write {target}: {error.strerror or error}. Make room or name another place."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ReleaseFolder(target, package.manifest, package.licence, package.facts)


def _refuse(target: Path, overwrite: bool) -> None:
    if not target.name:
        raise UsageError(f"{target} cannot be replaced by a release; name a folder in it.")
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise UsageError(f"{target} exists; name another folder, or replace it by --overwrite.")
    if not (target / "manifest.json").is_file():
        raise UsageError(f"{target} is no release folder and is left alone; name another.")


def _fill(
    store: Store, version: Manifest, folder: Path, held_out: float, repo: str
) -> ReleaseFolder:
    content = content_of(version)
    wanted = content.rows.count
    if rows_digest(store, objects_of(version).rows) != content.rows.sha256:
        raise CuratorError(
            f"{version.ref} does not have the rows that it says, so nobody could check a copy of "
            "it: build it again"
        )
    with store.reading(digests(version)), store.engine() as engine:
        rows = split_sql(store, version, held_out)
        aside = folder / "verdicts"
        shards = write_shards(_judged(engine, store, version, rows, aside), folder)
        aside.unlink()
        trained = f"SELECT * FROM ({rows}) WHERE split = 'train' ORDER BY subset_place, id"
        alpaca = FORMATS["alpaca"].write(engine, trained, folder / "alpaca.json")
        facts = count_rows(engine, [folder / path for path in shards])
    if sum(shards.values()) != wanted or facts.rows != wanted:
        raise CuratorError(
            f"{version.ref} has {wanted:,} rows, but {facts.rows:,} were written: "
            "its objects do not fit together; build it again"
        )
    recipe = recipe_text(version)
    (folder / "recipe.yaml").write_text(recipe, "utf-8")
    licence = licence_of(facts.licences)
    listed = {**shards, "alpaca.json": alpaca, "recipe.yaml": 0}
    manifest = {
        "format": FORMAT,
        "name": version.name,
        "number": version.number,
        "version": version.ref,
        "digest": version.digest,
        "parent": version.parent,
        "message": version.message,
        "rows": wanted,
        "held_out": held_out,
        "licence": licence.license,
        "licences": facts.licences,
        "files": {path: _described(folder / path, count) for path, count in listed.items()},
        "content": content.plain(),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", "utf-8")
    (folder / "README.md").write_text(card(version, facts, licence, shards, repo), "utf-8")
    return ReleaseFolder(folder, json.loads(text), licence, facts)


def _described(path: Path, rows: int) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    told = {"bytes": path.stat().st_size, "sha256": digest}
    return told | ({"rows": rows} if rows else {})


def recipe_text(version: Manifest) -> str:
    """The resolved recipe of a version as YAML, its subsets in their order."""
    content = content_of(version)
    values = content.recipe.plain()
    subsets = {name: values["subsets"][name] for name in content.order}
    plain = {key: value for key, value in values.items() if value is not None}
    head = f"# The whole recipe of {version.ref}.\n#   curator build recipe.yaml\n"
    body = yaml.safe_dump(plain | {"subsets": subsets}, sort_keys=False, allow_unicode=True)
    return head + str(body)


def split_sql(store: Store, version: Manifest, held_out: float) -> str:
    """The rows of a version with their `split`: by a hash of the question, without its layout."""
    limit = f"{round(held_out * 2**32):08x}"
    asked = "regexp_replace(lower(question), '[^\\pL\\pN]+', ' ', 'g')"
    split = f"CASE WHEN substr(md5('split:' || {asked}), 1, 8) < {literal(limit)}"
    return f"SELECT *, {split} THEN 'validation' ELSE 'train' END AS split FROM (" + (
        f"{rows_sql(store, version)})"
    )


_ORDER = "subset_place, split, id"


def _judged(
    engine: Engine, store: Store, version: Manifest, rows: str, aside: Path
) -> Iterator[pa.RecordBatch]:
    """The columns of `release.shards.SCHEMA` and `split`: rows with their verdicts, in order.

    Verdicts are sorted as rows are, put `aside` and merged here: DuckDB's lists do not spill, and
    two sorts at a time would share its memory.
    """
    engine.sql(f"CREATE TABLE kept AS SELECT id, subset, split, subset_place FROM ({rows})")
    told = engine.batches(
        f"""
        SELECT id, subset, CAST(to_json({{'check': "check", 'version': version,
            'outcome': outcome, 'reason': reason, 'evidence': evidence::JSON}}) AS VARCHAR) AS text
        FROM ({_verdicts(store, version)}) ORDER BY {_ORDER}, screen, place, "check"
        """
    )
    layout = pa.schema([("id", arrow.ID), ("subset", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(aside, layout, compression="zstd", compression_level=1) as writer:
        for batch in told:
            writer.write_batch(batch.cast(layout))
    with pq.ParquetFile(aside) as sorted_:
        yield from _merged(engine, sorted_, rows, version.ref)


def _merged(
    engine: Engine, verdicts: pq.ParquetFile, rows: str, ref: str
) -> Iterator[pa.RecordBatch]:
    read = (zip(*map(pa.Array.to_pylist, b), strict=True) for b in verdicts.iter_batches(20_000))
    found = groupby((each for batch in read for each in batch), key=lambda each: each[:2])
    of, texts = next(found, _NONE)
    batches = engine.batches(
        f"""
        SELECT id, subset, release_as AS source, instruction, text AS output, kind, question, gold,
            choices, writer, copy, source AS upstream, place, field, level, licence, split
        FROM ({rows}) ORDER BY {_ORDER}
        """
    )
    for batch in batches:
        ids, told = batch["id"].to_pylist(), []
        for key in zip(ids, batch["subset"].to_pylist(), strict=True):
            if key == of:
                told.append(f"[{','.join(text for *_, text in texts)}]")
                of, texts = next(found, _NONE)
            else:
                told.append("[]")
        yield batch.set_column(
            0, "id", pa.array([row_id.hex() for row_id in ids], pa.string())
        ).append_column("verdicts", pa.array(told, pa.string()))
    if of:
        raise CuratorError(f"{ref} has verdicts without a row: build it again")


_NONE: tuple[Any, Any] = ((), ())


def _verdicts(store: Store, version: Manifest) -> str:
    """SELECT of all verdicts on the rows of table `kept`."""
    return (
        f"SELECT k.*, v.* EXCLUDE (subset) FROM ({version_verdicts(store, version)}) v "
        "JOIN kept k ON k.id = v.row_id AND coalesce(v.subset, k.subset) = k.subset"
    )


FORMAT = "mathcurator release 1"
"""What `manifest.json` calls itself: another layout is another number."""


DATA = re.compile(r"data/([a-z0-9][a-z0-9_.-]{0,63})/[a-z]+-\d{5}-of-\d{5}\.parquet")
