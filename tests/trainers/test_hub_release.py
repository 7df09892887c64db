"""A published release is fetched from the Hub by the real client, at one commit and checked."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from curator import RunOptions, build
from curator.core.errors import HubError, UsageError
from curator.release.folder import write_folder
from curator.release.hub.push import PublishOptions, publish
from datastore.store import Store
from tests.release.hub.hub_server import Fault, Hub, serving
from tests.trainers.tiny import ONE_THREAD, tiny_model
from tests.worlds import RUN, curator, make_world
from trainers.hub_release import is_hub_name
from trainers.release import is_available, read_release

TOKEN = "hf_writersecret0123456789"
REPO = "me/data"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub-release")
    mirror, recipe = make_world(folder)
    build(recipe, store=folder / "store", options=RunOptions(mirror=mirror))
    return folder / "store"


@pytest.fixture
def hub(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A running server with a release of held-out questions at the tag v1, and a cache."""
    with serving(Hub(tokens={TOKEN: "write"})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        with Store(store, readonly=True) as opened:
            publish(opened, "small@1", REPO, PublishOptions(held_out=0.3))
        # A later commit on main must not change what the tag names.
        running.repos[REPO].add("later", {"README.md": b"nothing"})
        del running.seen[:]
        yield running


def commit_of(hub: Hub) -> str:
    return hub.repos[REPO].tags["v1"]


def files_requested(hub: Hub) -> set[str]:
    return {
        each.rpartition("/resolve/")[2].partition("/")[2]
        for each in hub.seen
        if "/resolve/" in each
    }


def test_the_rows_of_a_tag_are_those_of_the_release_folder(
    hub: Hub, store: Path, tmp_path: Path
) -> None:
    with Store(store, readonly=True) as opened:
        write_folder(opened, opened.versions.get("small@1"), tmp_path / "local", 0.3)
    local, fetched = read_release(tmp_path / "local"), read_release(Path(f"{REPO}@v1"))
    assert fetched.run_record() == local.run_record()
    assert list(fetched.examples()) == list(local.examples())
    assert fetched.hub is not None and local.hub is None
    assert fetched.hub.run_record() == {"repo": REPO, "revision": "v1", "commit": commit_of(hub)}


def test_only_the_manifest_and_its_training_files_are_fetched(hub: Hub) -> None:
    hub.repos[REPO].at("v1").files["model.pkl"] = b"no"  # type: ignore[union-attr]
    hub.repos[REPO].at("v1").files["data/foreign/train-00000-of-00001.parquet"] = b"no"  # type: ignore[union-attr]
    release = read_release(Path(f"{REPO}@v1"))
    names = {"/".join(each.parts[-3:]) for each in release.files}
    assert files_requested(hub) == {"manifest.json", *names}
    assert names and all("/train-" in name for name in names)


def test_a_commit_that_is_cached_needs_no_network(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Path(f"{REPO}@{commit_of(hub)}")
    first = read_release(name)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert read_release(name) == first


def test_a_file_that_was_changed_after_publishing_is_refused(hub: Hub) -> None:
    files = hub.repos[REPO].at("v1").files  # type: ignore[union-attr]
    path = next(each for each in files if "/train-" in each)
    files[path] = files[next(each for each in files if each.endswith("json"))]
    with pytest.raises(UsageError, match="was changed after it was published"):
        read_release(Path(f"{REPO}@v1"))


def test_a_manifest_cannot_name_other_files_of_the_machine_or_all_of_the_repository(
    hub: Hub,
) -> None:
    files = hub.repos[REPO].at("v1").files  # type: ignore[union-attr]
    manifest = json.loads(files["manifest.json"])
    entry = next(iter(manifest["files"].values()))
    manifest["files"] |= {"data/*": entry, "data/x/../../../train-00000-of-00001.parquet": entry}
    files["manifest.json"] = json.dumps(manifest).encode()
    files["data/secret.bin"] = b"no"
    with pytest.raises(UsageError, match="is missing"):
        read_release(Path(f"{REPO}@v1"))
    assert all("secret" not in each and ".." not in each for each in hub.seen)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("me/other@v1", HubError, "does not exist, or is private"),
        ("me/data@v9", HubError, "has no revision v9"),
        ("me/data@main", HubError, "has no manifest.json of a release"),
        ("me/data", UsageError, "One on the Hub is named ORG/NAME@REVISION"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(
    name: str, error: type[Exception], message: str, hub: Hub
) -> None:
    with pytest.raises(error, match=message) as raised:
        read_release(Path(name))
    assert "\n" not in str(raised.value) and TOKEN not in str(raised.value)


def test_a_server_that_repeats_the_token_does_not_bring_it_into_the_error(hub: Hub) -> None:
    hub.faults.append(Fault("manifest.json", 403, times=99))
    with pytest.raises(HubError) as raised:
        read_release(Path(f"{REPO}@v1"))
    assert TOKEN not in str(raised.value)


def test_an_existing_path_is_not_looked_up_on_the_hub(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me").mkdir()
    row = {"prompt": "1 + 1?", "completion": "2"}
    (tmp_path / "me" / "data@v1").mkdir()
    (tmp_path / "me" / "data@v1" / "rows.jsonl").write_text(json.dumps(row))
    monkeypatch.chdir(tmp_path)
    assert read_release(Path("me/data@v1")).rows == 1 and not hub.seen


def test_names_of_the_hub_are_told_from_paths() -> None:
    assert all(map(is_hub_name, ["a/b@v1", "a/b@refs/pr/1", f"org/name@{'a' * 40}"]))
    paths = ["a/b", "b@v1", "./a/b@v1", "a/b/c@v1", "../a@v1", "a/b@", "a b/c@v1", "a/b@-x"]
    assert not any(map(is_hub_name, paths))
    assert is_available("a/b@v1") and not is_available("a/b")


def test_training_on_the_hub_records_and_links_the_release(hub: Hub, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="the extra train is not installed")
    examples = list(read_release(Path(f"{REPO}@v1")).examples())
    texts = [each.prompt[-1].content + each.answer for each in examples]
    tiny_model(tmp_path / "base", [*texts, "### Instruction: Response Below is an"])
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(
        "train: sft\nname: tiny\nabout: A test\nmodel: base\nrelease: none.jsonl\n"
        "learning_rate: 0.001\nsteps: 1\nbatch: 4\nmicro_batch: 4\nmax_length: 512\n"
        "precision: fp32\ncheckpoint_every: 1\n"
    )
    words = ["-m", "curator", "train", "sft", str(recipe), "--model", str(tmp_path / "base")]
    words += ["--release", f"{REPO}@v1", "--output", str(tmp_path / "run")]
    env = {**os.environ, **ONE_THREAD, **{key: os.environ[key] for key in HUB_VARIABLES}}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    assert TOKEN not in done.stdout + done.stderr
    record = json.loads((tmp_path / "run/model/training.json").read_text())
    assert record["hub"] == {"repo": REPO, "revision": "v1", "commit": commit_of(hub)}
    assert record["data"]["version"] == "small@1"
    card = (tmp_path / "run/model/README.md").read_text()
    assert f'datasets: ["{REPO}"]' in card and f"`{REPO}@v1`" in card


HUB_VARIABLES = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DISABLE_XET", "HF_HOME")


def test_evaluate_flags_problems_of_a_release_on_the_hub(hub: Hub, tmp_path: Path) -> None:
    question = next(read_release(Path(f"{REPO}@v1")).examples()).prompt[-1].content
    rows = [
        {"id": str(number), "question": asked, "gold": "1", "set": "s",
         "samples": [{"kind": "CoT", "text": "The answer is 1."}]}
        for number, asked in enumerate([question, "How many wheels have seven lorries in all?"])
    ]  # fmt: skip
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = tmp_path / "other"
    env = {**RUN["env"], **{key: os.environ[key] for key in HUB_VARIABLES}}
    words = ["evaluate", samples, "--trained-on", f"{REPO}@v1", "--store", store]
    done = curator(*words, env=env)
    assert done.returncode == 0, done.stderr
    assert "1 problem is in the release" in done.stdout
