"""The release folder of a version, which `curator publish` uploads and trainers read.

In: a store and a version. Out: `data/SUBSET/*.parquet`, `alpaca.json`, `recipe.yaml`,
`manifest.json` and `README.md`; the same version gives the same bytes. `alpaca.json` has the rows
of the split `train` with a solution: its format cannot state a question alone. The folder is
complete or absent.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from curator.core.errors import CuratorError, UsageError
from curator.core.words import counted, verb
from curator.release.card import card
from curator.release.counts import ReleaseCounts, count_rows
from curator.release.formats import FORMATS
from curator.release.licence import Licence, licence_of
from curator.release.measures import measure
from curator.release.shards import write_shards
from curator.release.splits import select_solved, split_sql
from curator.rewards.certification import Certificate
from curator.versions.content import content_of, objects_of
from curator.versions.lengths import plain_lengths
from curator.versions.queries import digests
from curator.versions.rows import RowsSql, read_rows, rows_digest
from datastore.store import Store
from datastore.versions import Manifest

FORMAT = "mathcurator release 2"
"""`format` of `manifest.json`; another layout gets another number."""
READ_FORMATS = ("mathcurator release 1", FORMAT)
"""Formats that can be pulled. Format 1 has no column `evidence_level`."""

DATA = re.compile(r"data/([a-z0-9][a-z0-9_.-]{0,63})/[a-z]+-\d{5}-of-\d{5}\.parquet")
"""Paths of the Parquet files of a release, with the subset as a group."""

DEFAULT_CONFIG = "default"
"""The configuration with the rows of all subsets."""

MAX_HELD_OUT = 0.5


@dataclass(frozen=True)
class ReleaseFolder:
    """A release folder that was written and counted."""

    folder: Path
    manifest: Mapping[str, Any]
    """The JSON of `manifest.json`."""
    licence: Licence
    counts: ReleaseCounts

    @property
    def files(self) -> list[str]:
        """Paths of all files relative to the folder."""
        return [*self.manifest["files"], "manifest.json", "README.md"]


@dataclass(frozen=True, slots=True)
class CardOptions:
    """What the card of a release states besides the version."""

    repo: str = ""
    """Repository in the card's commands."""
    certificate: Certificate | None = None
    """Certifies its functions on the golds of the release; the card states their error rates."""


def write_folder(
    store: Store,
    version: Manifest,
    target: Path,
    held_out: float = 0.0,
    options: CardOptions = CardOptions(),
    overwrite: bool = False,
) -> ReleaseFolder:
    """Write the release folder `target` of a version.

    `held_out` is the share of questions whose rows go to the split `validation`; all rows with the
    same question go to one split, also across subsets. Raises UsageError if `target` exists, unless
    it is a release folder and `overwrite` is true.
    """
    if not 0 <= held_out <= MAX_HELD_OUT:
        raise UsageError(f"The held-out share is {held_out}; expected 0 to {MAX_HELD_OUT}.")
    content = content_of(version)
    if DEFAULT_CONFIG in content.recipe.subsets:
        raise UsageError(
            f"A subset is named '{DEFAULT_CONFIG}', the Hub's name for all rows. Rename the subset."
        )
    if not content.rows.count:
        raise UsageError(f"{version.ref} has no rows, so it cannot be released.")
    _check_target(target, overwrite)
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        release = _fill(store, version, partial, held_out, options)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        raise CuratorError(
            f"Cannot write {target}: {error.strerror or error}. Free some space or choose another "
            "folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ReleaseFolder(target, release.manifest, release.licence, release.counts)


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.name:
        raise UsageError(f"{target} cannot be replaced by a release. Choose a folder in it.")
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise UsageError(
            f"{target} exists. Choose another folder, or pass --overwrite to replace it."
        )
    if not (target / "manifest.json").is_file():
        raise UsageError(
            f"{target} is not a release folder, so it was not overwritten. Choose another folder."
        )


def _fill(
    store: Store, version: Manifest, folder: Path, held_out: float, options: CardOptions
) -> ReleaseFolder:
    content = content_of(version)
    total = content.rows.count
    if rows_digest(store.objects, objects_of(version).rows) != content.rows.sha256:
        raise CuratorError(
            f"The rows of {version.ref} do not match its manifest, so a copy could not be "
            "validated. Build it again."
        )
    with store.guard_query(digests(version)), store.engine() as engine:
        released = read_rows(
            engine, store, version, lambda sql: _released_sql(sql, held_out), "split"
        )
        shards = write_shards(map(_with_hex_ids, released), folder)
        train = read_rows(engine, store, version, partial(select_solved, held_out))
        alpaca = FORMATS["alpaca"].write(train, folder / "alpaca.json")
        files = [folder / path for path in shards]
        counts = count_rows(engine, files)
        measures = measure(engine, store, version, files, options.certificate)
    if sum(shards.values()) != total or counts.rows != total:
        raise CuratorError(
            f"{version.ref} has {counted(total, 'row')}, but {counts.rows:,} "
            f"{verb(counts.rows, 'was', 'were')} written: its objects "
            "contradict each other. Build it again."
        )
    recipe = recipe_text(version)
    (folder / "recipe.yaml").write_text(recipe, "utf-8")
    licence = licence_of(counts.licences)
    rows_by_file = {**shards, "alpaca.json": alpaca, "recipe.yaml": 0}
    manifest = {
        "format": FORMAT,
        "name": version.name,
        "number": version.number,
        "version": version.ref,
        "digest": version.digest,
        "parent": version.parent,
        "message": version.message,
        "rows": total,
        "held_out": held_out,
        "licence": licence.license,
        "licences": counts.licences,
        "lengths": plain_lengths(measures.lengths),
        "files": {path: _file_entry(folder / path, n) for path, n in rows_by_file.items()},
        "content": content.plain(),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", "utf-8")
    readme = card(version, counts, licence, shards, options.repo, measures)
    (folder / "README.md").write_text(readme, "utf-8")
    return ReleaseFolder(folder, json.loads(text), licence, counts)


def _file_entry(path: Path, rows: int) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    entry = {"bytes": path.stat().st_size, "sha256": digest}
    return entry | ({"rows": rows} if rows else {})


def recipe_text(version: Manifest) -> str:
    """Return the resolved recipe of a version as YAML, with its subsets in order."""
    recipe = content_of(version).ordered_recipe()
    plain = {key: value for key, value in recipe.items() if value is not None}
    head = f"# The whole recipe of {version.ref}.\n#   curator build recipe.yaml\n"
    body = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return head + str(body)


def _with_hex_ids(batch: pa.RecordBatch) -> pa.RecordBatch:
    ids = [row_id.hex() for row_id in batch.column("id").to_pylist()]
    return batch.set_column(batch.schema.get_field_index("id"), "id", pa.array(ids, pa.string()))


def _released_sql(sql: RowsSql, held_out: float) -> str:
    """SELECT of the columns of `release.shards.SCHEMA` and `split`: rows with their verdicts."""
    return f"""
        WITH listed AS (
            SELECT row_id, '[' || string_agg(text, ',' ORDER BY screen, place, "check") || ']'
                AS verdicts
            FROM (
                SELECT row_id, screen, place, "check", CAST(to_json({{'check': "check",
                    'version': version, 'outcome': outcome, 'reason': reason,
                    'evidence': evidence::JSON}}) AS VARCHAR) AS text
                FROM ({sql.verdicts}) SEMI JOIN chosen ON chosen.id = row_id
            ) GROUP BY row_id
        )
        SELECT id, subset, release_as AS source, instruction, text AS output,
            kind, question, gold, choices, writer, copy, source AS upstream, place, field, level,
            licence, evidence_level, coalesce(verdicts, '[]') AS verdicts, split
        FROM ({split_sql(sql.rows, held_out)}) LEFT JOIN listed ON row_id = id
    """
