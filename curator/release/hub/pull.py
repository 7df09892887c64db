"""Pull a release from the Hub as a version of a store, and validate all of it.

In: `ORG/NAME@REVISION`. Out: a version named `ORG--NAME` with the digest of the published one. The
files are untrusted: digests and ids are recomputed, and only JSON and Parquet is read. Not covered:
whether rows are correct; whether verdicts are true, which is the publisher's word.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curator.core import arrow
from curator.core.arrow import VERSION_ROWS
from curator.core.errors import HubError
from curator.core.model import Verdict
from curator.core.progress import Listener, SilentListener
from curator.core.words import counted, verb
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
from datastore.versions import Manifest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_MANIFEST_BYTES = 50_000_000


def pull(name: str, store: Store, listener: Listener | None = None) -> Manifest:
    """Return the version of a published dataset; it is created unless the store has it.

    It has only the rows of the release: rejected rows cannot be looked up, and it cannot be
    reverified. It can be shown, compared, queried, exported and published. Raises HubError if the
    dataset cannot be fetched or fails validation.
    """
    repo, revision = parse_repo(name)
    api, listener = client(), listener or SilentListener()
    listener.progress(f"pulling {repo}", 0, None)
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
    with scratch(store.root / "tmp") as folder:
        path = download(api, repo, "manifest.json", commit, folder)
        manifest = read_manifest(path.read_bytes(), repo)
        local = repo.replace("/", "--")
        if local in store.versions.names():
            store.versions.get(local)  # a damaged one must be removed first
        for version in store.versions.all():
            same = version.name == local and version.digest == manifest.digest
            if same and not any(error for _, error in store.objects.inspect(digests(version))):
                return version
        files = _fetch(api, repo, commit, manifest, folder, listener)
        # Nothing gets into the store before all of it is validated.
        staged = stored.Objects(folder / "staged")
        with store.engine() as engine:
            objects = _write_objects(staged, engine, manifest.content, files)
        objects = objects.model_copy(update=_origins(manifest.content, repo, commit))
        expected, count = manifest.content.rows, staged.rows(objects.rows)
        if (count, rows_digest(staged, objects.rows)) != (expected.count, expected.sha256):
            raise HubError(
                f"{repo} on the Hub has {counted(count, 'row')}, which "
                f"{verb(count, 'does', 'do')} not match the "
                f"{counted(expected.count, 'row')} of its manifest. Nothing was pulled."
            )
        store.objects.adopt(staged)
    origin = f"{manifest.name}@{manifest.number} as published in {repo} at {commit}"
    created = store.versions.create(local, manifest.content.plain(), None, origin, objects.plain())
    update_views(store, f"{created.ref} was created", listener.note)
    return created


def _fetch(
    api: "HfApi",
    repo: str,
    commit: str,
    manifest: ReleaseManifest,
    folder: Path,
    listener: Listener,
) -> dict[str, list[Path]]:
    """Download the Parquet files of each subset and check their digests."""
    files: dict[str, list[Path]] = {}
    done, total = 0, sum(len(paths) for paths in manifest.data_files.values())
    for subset, paths in manifest.data_files.items():
        for path in paths:
            listener.progress(f"pulling {repo}", done, total)
            local = download(api, repo, path, commit, folder)
            with local.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            if digest != manifest.files[path].sha256:
                raise HubError(
                    f"{repo} on the Hub: {path} does not match its digest in manifest.json. "
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


def _origins(content: Content, repo: str, commit: str) -> dict[str, Any]:
    """Return the attributes of `Objects` that state where a version was pulled from."""
    origin = f"{repo} at {commit}"
    return {
        "origins": dict.fromkeys(content.sources, origin),
        "pulled": origin,
        "command": ["pull", f"{repo}@{commit}"],
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
