"""Pull a release from the Hub or a folder as a version of a store, and validate all of it.

In: `ORG/NAME@REVISION`, or a release folder. Out: a version named `ORG--NAME`, or `pulled--NAME` by
the name in its manifest, with the digest of the published one. The files are untrusted: digests and
ids are recomputed, and only JSON and Parquet is read. Not covered: whether rows are correct;
whether verdicts are true, which is the publisher's word.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from curator.core import arrow
from curator.core.arrow import VERSION_ROWS
from curator.core.errors import HubError, UsageError, to_one_line
from curator.core.model import Verdict
from curator.core.progress import Listener, SilentListener
from curator.release.hub.client import call_hub, client, download, parse_repo
from curator.release.hub.validate_manifest import ReleaseManifest, read_manifest
from curator.release.hub.validate_rows import Rows
from curator.versions.content import Content, Objects
from curator.versions.queries import digests
from curator.versions.rows import rows_digest
from curator.versions.views import update_views
from datastore import objects as stored
from datastore.engine import Engine, literal, scan
from datastore.files import scratch
from datastore.store import Store
from datastore.text import make_storable
from datastore.versions import Manifest

MAX_MANIFEST_BYTES = 50_000_000


@dataclass(frozen=True)
class _Release:
    """A release to pull: where it is, and how its files are read."""

    where: str
    """Text for messages."""
    name: str
    """Name of the version that it becomes; empty for `pulled--` and the name in its manifest."""
    origin: str
    """Repository and commit, or the folder."""
    again: str
    """What to give `curator pull` to pull it again."""
    get: Callable[[str], Path]
    """Return a file of the release by its path in it. Raises HubError if it is missing."""


def pull(name: str, store: Store, listener: Listener | None = None) -> Manifest:
    """Return the version of a published dataset or a release folder, created if it is new.

    `name` is that of a dataset on the Hub, or the path of a folder with a `manifest.json`, which
    `curator export --format hub` writes. The version has only the rows of the release: rejected
    rows cannot be looked up, and it cannot be reverified. It can be shown, compared, queried,
    exported and published. Raises HubError if a file cannot be fetched or fails validation.
    """
    listener = listener or SilentListener()
    listener.progress(f"pulling {name}", 0, None)
    with scratch(store.root / "tmp") as folder:
        local = (Path(name) / "manifest.json").is_file()
        release = _find_folder(Path(name)) if local else _find_on_hub(name, folder)
        manifest = read_manifest(release.get("manifest.json").read_bytes(), release.where)
        version_name = release.name or f"pulled--{manifest.name}"
        if version_name in store.versions.names():
            store.versions.get(version_name)  # a damaged one must be removed first
        for version in store.versions.all():
            same = version.name == version_name and version.digest == manifest.digest
            if same and not any(error for _, error in store.objects.inspect(digests(version))):
                return version
        files = _fetch(release, manifest, listener)
        # Nothing gets into the store before all of it is validated.
        staged = stored.Objects(folder / "staged")
        with store.engine() as engine:
            objects = _write_objects(staged, engine, manifest.content, files)
        objects = objects.model_copy(update=_origins(manifest.content, release))
        expected, count = manifest.content.rows, staged.rows(objects.rows)
        if (count, rows_digest(staged, objects.rows)) != (expected.count, expected.sha256):
            raise HubError(
                f"{release.where} has {count:,} rows, which do not match the "
                f"{expected.count:,} rows of its manifest. Nothing was pulled."
            )
        store.objects.adopt(staged)
    origin = f"{manifest.name}@{manifest.number} as published in {release.origin}"
    created = store.versions.create(
        version_name, manifest.content.plain(), None, origin, objects.plain()
    )
    update_views(store, f"{created.ref} was created", listener.note)
    return created


def _find_on_hub(name: str, folder: Path) -> _Release:
    try:
        repo, revision = parse_repo(name)
    except UsageError:
        raise _not_found(name) from None
    api = client()
    info = call_hub(
        repo,
        lambda: api.dataset_info(
            repo, revision=revision or "main", files_metadata=True, timeout=30
        ),
    )
    commit = str(info.sha)
    sizes = {each.rfilename: each.size or 0 for each in info.siblings or []}
    if "manifest.json" not in sizes or sizes["manifest.json"] > MAX_MANIFEST_BYTES:
        raise HubError(
            f"{repo} on the Hub has no manifest.json of a release at {commit[:7]}. "
            "Check other datasets with 'curator audit'."
        )
    return _Release(
        where=f"{repo} on the Hub",
        name=repo.replace("/", "--"),
        origin=f"{repo} at {commit}",
        again=f"{repo}@{commit}",
        get=lambda path: download(api, repo, path, commit, folder),
    )


def _not_found(name: str) -> UsageError:
    """Return the error for what is neither a release folder nor the name of a dataset."""
    shown = to_one_line(name, 120)
    if Path(name).is_dir():
        return UsageError(
            f"{shown} has no manifest.json, so it is not a release folder. Write one with 'curator "
            "export --format hub', or check the files with 'curator audit'."
        )
    return UsageError(
        f"'{shown}' is neither a folder nor a valid name of a dataset on the Hub. Write the path "
        "of a folder, ORG/NAME or ORG/NAME@REVISION."
    )


def _find_folder(folder: Path) -> _Release:
    where = make_storable(str(folder.absolute()))

    def get(path: str) -> Path:
        found = folder / path
        if not found.is_file():
            raise HubError(f"{where} has no file {path}, which its manifest.json lists.")
        return found

    if get("manifest.json").stat().st_size > MAX_MANIFEST_BYTES:
        raise HubError(f"{where}: manifest.json has more than {MAX_MANIFEST_BYTES:,} bytes.")
    return _Release(where=where, name="", origin=where, again=where, get=get)


def _fetch(
    release: _Release, manifest: ReleaseManifest, listener: Listener
) -> dict[str, list[Path]]:
    """Get the Parquet files of each subset and check their digests."""
    files: dict[str, list[Path]] = {}
    done, total = 0, sum(len(paths) for paths in manifest.data_files.values())
    for subset, paths in manifest.data_files.items():
        for path in paths:
            listener.progress(f"pulling {release.where}", done, total)
            local = release.get(path)
            with local.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            if digest != manifest.files[path].sha256:
                raise HubError(
                    f"{release.where}: {path} does not match its digest in manifest.json. "
                    "The file was changed after it was published."
                )
            files.setdefault(subset, []).append(local)
            done += 1
    return files


def _write_objects(
    staged: stored.Objects, engine: Engine, content: Content, files: Mapping[str, Sequence[Path]]
) -> Objects:
    """Write the objects of a version that has nothing but its rows."""
    problems: dict[str, list[str]] = {}
    rationales: dict[str, list[str]] = {}
    verdicts: dict[str, list[str]] = {}
    screened: dict[tuple[bytes, str], Verdict] = {}
    write = staged.write
    for subset in content.order:
        if subset not in files and not content.subsets[subset].rationales:
            continue
        rows = Rows(subset, content, files.get(subset, ()))
        read = arrow.to_batches(rows.rationales(), arrow.RATIONALES)
        rationales[subset] = [write(read, arrow.RATIONALES)]
        read = arrow.to_batches(rows.problems(), arrow.PROBLEMS)
        problems[subset] = [write(read, arrow.PROBLEMS)]
        read = arrow.to_batches(_check_verdicts(rows, screened), arrow.VERDICTS)
        verdicts[subset] = [write(read, arrow.VERDICTS)]
    screens = {}
    for name in content.code.screens:
        read = arrow.to_batches(
            (screened[key] for key in sorted(screened) if key[1] == name), arrow.VERDICTS
        )
        screens[name] = write(read, arrow.VERDICTS)
    return Objects(
        problems=problems,
        rationales=rationales,
        verdicts=verdicts,
        screens=screens,
        rows=_write_rows(staged, engine, rationales),
        origins={},
    )


def _origins(content: Content, release: _Release) -> dict[str, Any]:
    """Return the attributes of `Objects` that state where a version was pulled from."""
    return {
        "origins": dict.fromkeys(content.sources, release.origin),
        "pulled": release.origin,
        "command": ["pull", release.again],
    }


def _check_verdicts(rows: Rows, screened: dict[tuple[bytes, str], Verdict]) -> Iterator[Verdict]:
    """Yield the verdicts of checks; those of screens are collected over all subsets."""
    for verdict in rows.verdicts():
        if rows.is_screen(verdict):
            screened[verdict.row_id, verdict.check] = verdict
        else:
            yield verdict


def _write_rows(
    staged: stored.Objects, engine: Engine, rationales: Mapping[str, Sequence[str]]
) -> str:
    """Write the object `rows`, sorted by id and subset: every rationale of a release is a row."""
    if not rationales:
        return staged.write((), VERSION_ROWS)
    selects = " UNION ALL ".join(
        f"SELECT id, {literal(subset)} AS subset FROM {scan(map(staged.path, digests))}"
        for subset, digests in rationales.items()
    )
    batches = engine.batches(f"SELECT * FROM ({selects}) ORDER BY id, subset")
    return staged.write((batch.cast(VERSION_ROWS) for batch in batches), VERSION_ROWS)
