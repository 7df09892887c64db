"""A dry run changes nothing on the Hub, and a release folder is pulled as a dataset is."""

import json
import shutil
from pathlib import Path

import pytest

from curator.core.errors import HubError, UsageError
from curator.release.folder import write_folder
from curator.release.hub.pull import pull
from curator.release.hub.push import PublishOptions, PublishResult, publish
from datastore.store import Store
from tests.release.hub.hub_server import Hub
from tests.worlds import curator

REPO = "me/data"


def check(small: Path) -> PublishResult:
    with Store(small, readonly=True) as store:
        return publish(store, "small@1", REPO, PublishOptions(dry_run=True))


def test_a_dry_run_states_what_a_publish_would_do_and_only_reads(small: Path, hub: Hub) -> None:
    done = check(small)
    assert (done.dry_run, done.exists, done.state, done.tag) == (True, False, "published", "v1")
    assert {"manifest.json", "README.md", "alpaca.json"} < set(done.files)
    assert all(done.files.values())
    assert not hub.repos
    with Store(small, readonly=True) as store:
        real = publish(store, "small@1", REPO)
    assert real.files.keys() == done.files.keys()
    again = check(small)
    assert (again.state, again.exists, again.commit) == ("already there", True, real.commit)
    assert len(hub.repos[REPO].commits) == 2


def test_a_dry_run_without_a_token_reads_nothing_from_the_hub(
    small: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    done = check(small)
    assert (done.exists, done.rows) == (None, 11)
    assert not hub.seen


def test_a_dry_run_finds_what_a_publish_would_refuse(small: Path, hub: Hub) -> None:
    with Store(small, readonly=True) as store:
        publish(store, "small@1", REPO)
        with pytest.raises(HubError, match="already has a tag v1, on another release"):
            publish(store, "small@1", REPO, PublishOptions(held_out=0.5, dry_run=True))


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    with Store(small, readonly=True) as store:
        write_folder(store, store.versions.get("small@1"), tmp_path / "out" / "release", 0.2)
    return tmp_path / "out" / "release"


def test_a_release_folder_is_pulled_as_a_version_with_its_digest(
    small: Path, folder: Path, tmp_path: Path
) -> None:
    with Store(small, readonly=True) as store:
        own = store.versions.get("small@1")
    with Store(tmp_path / "other") as store:
        got = pull(str(folder), store)
        assert (got.ref, got.digest, got.content) == ("pulled--small@1", own.digest, own.content)
        assert pull(str(folder), store) == got, "a second pull creates nothing"
    words = ("pull", "out/release", "--store", "third", "--json")
    done = curator(*words, cwd=tmp_path)
    assert json.loads(done.stdout)["digest"] == own.digest, done.stderr


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("empty", "empty has no manifest.json, so it is not a release folder"),
        ("./empty", "./empty has no manifest.json"),
        ("missing", "'missing' is neither a folder nor a valid name of a dataset on the Hub"),
        ("out/missing/", "'out/missing/' is neither a folder nor"),
        ("a\nb", "'a b' is neither a folder nor"),
    ],
)
def test_what_is_no_release_folder_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with Store(tmp_path / "other") as store, pytest.raises(UsageError) as caught:
        pull(name, store)
    assert str(caught.value).startswith(error) and "\n" not in str(caught.value)


def test_a_folder_that_was_changed_is_not_pulled(folder: Path, tmp_path: Path) -> None:
    shard = next(folder.rglob("*.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content[:-9] + b"x" + content[-8:])
    with Store(tmp_path / "other") as store:
        with pytest.raises(HubError, match="does not match its digest"):
            pull(str(folder), store)
        shard.unlink()
        with pytest.raises(HubError, match=r"has no file data/.*which its manifest.json lists"):
            pull(str(folder), store)
        shutil.rmtree(folder / "data")
        (folder / "manifest.json").unlink()
        with pytest.raises(UsageError, match="is not a release folder"):
            pull(str(folder), store)
        assert not store.versions.names()
