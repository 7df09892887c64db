"""A published dataset as a version of a store: what `curator publish` wrote, read back and checked.

In: `ORG/NAME@REVISION`. Out: a version named `ORG--NAME` with the digest of the one that was
published. Everything there is hostile until it is checked: digests are computed again, ids are
computed again from what they name, and nothing but JSON and Parquet is read. Not covered: a file
that says the truth about itself may still be wrong; what a verdict says is its publisher's word;
how much memory a Parquet page takes that was made to be large.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from curator.core import arrow
from curator.core.arrow import DRAWN
from curator.core.errors import HubError
from curator.core.model import Verdict
from curator.core.progress import Listener, Silent
from curator.release.hub.client import call_hub, client, download, repository
from curator.release.hub.validate_manifest import ReleaseManifest, read_manifest
from curator.release.hub.validate_rows import Rows
from curator.versions.content import Content, Objects
from curator.versions.queries import digests
from curator.versions.rows import rows_digest
from curator.versions.views import write_views
from datastore.engine import literal, scan
from datastore.errors import StoreError
from datastore.files import scratch
from datastore.store import Store
from datastore.versions import Manifest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MOST_MANIFEST = 50_000_000
"""Bytes of a manifest that are read."""


def pull(name: str, store: Store, listener: Listener | None = None) -> Manifest:
    """The version that the published dataset `name` makes in a store; the same one if it is there.

    It holds the rows that were published, so what was rejected on the way cannot be asked for, and
    it cannot be verified again; it can be shown, compared, queried, exported and published. Raises
    HubError if the dataset cannot be had or is not what it says.
    """
    repo, revision = repository(name)
    api, listener = client(), listener or Silent()
    listener.progress(f"pulling {repo}", 0, None)
    info = call_hub(
        repo,
        lambda: api.dataset_info(
            repo, revision=revision or "main", files_metadata=True, timeout=30
        ),
    )
    commit = str(info.sha)
    sizes = {each.rfilename: each.size or 0 for each in info.siblings or []}
    if "manifest.json" not in sizes or sizes["manifest.json"] > MOST_MANIFEST:
        raise HubError(
            f"{repo} on the Hub has no manifest.json of a release at {commit[:7]}; "
            "what others published is judged by 'curator audit'"
        )
    with scratch(store.root / "tmp") as folder:
        path = download(api, repo, "manifest.json", commit, folder)
        manifest = read_manifest(path.read_bytes(), repo)
        local = repo.replace("/", "--")
        for known in store.versions.all():
            if known.name == local and known.digest == manifest.digest and _whole(store, known):
                return known
        files = _fetch(api, repo, commit, manifest, folder, listener)
        objects = _objects(store, manifest.content, files, f"{repo} at {commit}")
    stated, count = manifest.content.rows, store.objects.rows(objects.rows)
    if (count, rows_digest(store, objects.rows)) != (stated.count, stated.sha256):
        raise HubError(
            f"{repo} on the Hub holds {count:,} rows that are not the {stated.count:,} of its "
            "manifest; nothing was pulled"
        )
    origin = f"{manifest.name}@{manifest.number} as published in {repo} at {commit}"
    made = store.versions.create(local, manifest.content.plain(), None, origin, objects.plain())
    try:
        write_views(store)
    except StoreError as error:
        listener.note(f"{made.ref} is made, the file of its views is not: {error}")
    return made


def _whole(store: Store, version: Manifest) -> bool:
    return all(store.objects.has(digest) for digest in digests(version))


def _fetch(
    api: "HfApi",
    repo: str,
    commit: str,
    manifest: ReleaseManifest,
    folder: Path,
    listener: Listener,
) -> dict[str, list[Path]]:
    """The Parquet files of each subset, whose bytes are those that the manifest lists."""
    found: dict[str, list[Path]] = {}
    wanted = manifest.data_files
    done, total = 0, sum(len(paths) for paths in wanted.values())
    for subset, paths in wanted.items():
        for path in paths:
            listener.progress(f"pulling {repo}", done, total)
            local = download(api, repo, path, commit, folder)
            with local.open("rb") as file:
                seen = file_digest(file, "sha256").hexdigest()
            if seen != manifest.files[path].sha256:
                raise HubError(
                    f"{repo} on the Hub: {path} is not the file that manifest.json lists; "
                    "it was changed after it was published"
                )
            found.setdefault(subset, []).append(local)
            done += 1
    return found


def _objects(
    store: Store, content: Content, files: Mapping[str, Sequence[Path]], origin: str
) -> Objects:
    """Write the objects of a version that has nothing but its rows."""
    problems: dict[str, list[str]] = {}
    rationales: dict[str, str] = {}
    verdicts: dict[str, str] = {}
    screened: dict[tuple[bytes, str], Verdict] = {}
    write = store.objects.write
    for subset in content.order:
        if subset not in files and not content.subsets[subset].rationales:
            continue
        rows = Rows(subset, content, files.get(subset, ()))
        read = arrow.batches(rows.rationales(), arrow.RATIONALES)
        rationales[subset] = write(read, arrow.RATIONALES)
        read = arrow.batches(rows.problems(), arrow.PROBLEMS)
        problems[subset] = [write(read, arrow.PROBLEMS)]
        read = arrow.batches(_checks(rows, screened), arrow.VERDICTS)
        verdicts[subset] = write(read, arrow.VERDICTS)
    screens = {}
    for name in content.code.screens:
        read = arrow.batches(
            (screened[key] for key in sorted(screened) if key[1] == name), arrow.VERDICTS
        )
        screens[name] = write(read, arrow.VERDICTS)
    return Objects(
        problems=problems,
        rationales=rationales,
        verdicts=verdicts,
        screens=screens,
        rows=_drawn(store, rationales),
        origins=dict.fromkeys(content.sources, origin),
        pulled=origin,
    )


def _checks(rows: Rows, screened: dict[tuple[bytes, str], Verdict]) -> Iterator[Verdict]:
    """Verdicts of checks; those of screens, which are on rows of all subsets, are put aside."""
    for verdict in rows.verdicts():
        if rows.screen(verdict):
            screened[verdict.row_id, verdict.check] = verdict
        else:
            yield verdict


def _drawn(store: Store, rationales: Mapping[str, str]) -> str:
    """The object of sorted ids and subsets: every rationale of a release is a row."""
    if not rationales:
        return store.objects.write((), DRAWN)
    selects = " UNION ALL ".join(
        f"SELECT id, {literal(subset)} AS subset FROM {scan([store.objects.path(digest)])}"
        for subset, digest in rationales.items()
    )
    with store.engine() as engine:
        batches = engine.batches(f"SELECT * FROM ({selects}) ORDER BY id, subset")
        return store.objects.write((batch.cast(DRAWN) for batch in batches), DRAWN)
