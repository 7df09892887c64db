"""A finished training is published as a model: one commit, a card that links its release."""

import json
import os
import re
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import HubError, UsageError
from curator.release.hub.model_card import Score
from curator.release.hub.model_folder import is_training
from curator.release.hub.push import PublishOptions, publish
from curator.release.hub.push_model import ModelOptions, ModelResult, publish_model
from datastore.store import Store
from tests.release.conftest import READER, WRITER
from tests.release.hub.hub_server import Fault, Hub, Repo
from tests.worlds import RUN, command, curator

REPO = "me/model"
COMMIT = rf"POST /api/models/{REPO}/commit/"
UPLOAD = r"PUT /lfs/"
CARD = "---\nbase_model: x\n---\n# tiny\n\nTrained by Curator.\n"


def tensors(size: int = 64) -> bytes:
    """Return a file of tensors with `size` bytes of values."""
    header = {"__metadata__": {}, "w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(256))[:1] * size


def digest_of(store: Path) -> str:
    with Store(store, readonly=True) as opened:
        return opened.versions.get("small@1").digest


@pytest.fixture
def run_folder(tmp_path: Path, small: Path) -> Path:
    """The folder of a run as training leaves it: checkpoints, and the model with its record."""
    model = tmp_path / "runs" / "tiny" / "model"
    model.mkdir(parents=True)
    (model.parent / "start.json").write_text("{}")
    (model.parent / "checkpoints").mkdir()
    (model / "model.safetensors").write_bytes(tensors())
    (model / "config.json").write_text('{"model_type": "llama"}')
    (model / "tokenizer.json").write_text("{}")
    (model / "chat_template.jinja").write_text("{{ messages }}")
    (model / "README.md").write_text(CARD)
    (model / "notes.bin").write_bytes(b"a pickle")
    data = {"sha256": "a" * 64, "version": "small@1", "version_digest": digest_of(small), "rows": 8}
    recipe = {"train": "sft", "name": "tiny", "model": "org/base"}
    record = {"format": 1, "recipe": recipe, "data": data, "digest": "b" * 64, "parameters": 64}
    (model / "training.json").write_text(json.dumps(record))
    return model.parent


def change_record(run_folder: Path, **values: Any) -> None:
    path = run_folder / "model" / "training.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def put(run_folder: Path, **options: Any) -> ModelResult:
    return publish_model(run_folder, REPO, ModelOptions(**options))


def test_a_model_is_one_private_commit_with_its_record_and_card(run_folder: Path, hub: Hub) -> None:
    done = put(run_folder)
    repo = hub.repos[REPO]
    assert (done.state, done.private, repo.private, repo.kind) == (
        "published", True, True, "model",
    )  # fmt: skip
    assert [each.message for each in repo.commits[:-1]] == ["initial commit"]
    assert done.commit == repo.commits[-1].oid
    files = repo.commits[-1].files
    expected = {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"}
    assert set(files) == expected | {"training.json", "README.md", ".gitattributes"}
    assert files["model.safetensors"] == tensors()
    assert done.left_out == ("notes.bin",)
    assert repo.commits[-1].message.startswith("tiny, training ")
    card = files["README.md"].decode()
    assert "base_model: org/base" in card.replace('"', "") and "# tiny" in card
    assert "small@1" in card and "dataset on the Hub: not stated" in card
    assert "No evaluation was published" in card


def test_the_card_links_the_release_whose_digest_is_that_of_the_record(
    run_folder: Path, small: Path, hub: Hub
) -> None:
    with Store(small, readonly=True) as store:
        release = publish(store, "small@1", "me/data", PublishOptions())
    done = put(run_folder, dataset="me/data@v1")
    assert done.dataset == f"me/data@{release.commit}"
    card = hub.repos[REPO].commits[-1].files["README.md"].decode()
    assert f"curator pull me/data@{release.commit}" in card and digest_of(small) in card
    assert re.search(r"^datasets:.*\n?.*me/data", card, re.MULTILINE)
    change_record(run_folder, hub={"repo": "me/data", "revision": "v1", "commit": release.commit})
    assert publish_model(run_folder, "me/second").dataset == done.dataset
    data = {"version": "small@2", "version_digest": "c" * 64}
    change_record(run_folder, data=data)
    with pytest.raises(UsageError, match=r"trained on small@2 .* has another release"):
        put(run_folder, dataset="me/data")
    change_record(run_folder, data={"version": "", "version_digest": ""})
    with pytest.raises(UsageError, match="states no version"):
        put(run_folder, dataset="me/data")


def test_scores_are_in_the_card_with_their_intervals(run_folder: Path, hub: Hub) -> None:
    score = Score("m|x", "aime25", "Pass@1", 30, 64, 0.5, 0.35, 0.65, 0.012)
    put(run_folder, scores=[score])
    card = hub.repos[REPO].commits[-1].files["README.md"].decode()
    line = "| aime25 | Pass@1 = avg@64 | 30 | 50.0% | 35.0% to 65.0% | 1.2% |"
    assert line in card and "m|x" not in card


def test_publishing_again_writes_nothing_and_another_training_replaces_the_weights(
    run_folder: Path, hub: Hub
) -> None:
    first = put(run_folder)
    del hub.seen[:]
    again = put(run_folder)
    assert (again.state, again.commit) == ("already there", first.commit)
    assert hub.count(UPLOAD) == hub.count(COMMIT) == 0
    model = run_folder / "model"
    (model / "model.safetensors").unlink()
    (model / "model-00001-of-00001.safetensors").write_bytes(tensors(65))
    change_record(run_folder, digest="d" * 64)
    assert put(run_folder).state == "published"
    files = hub.repos[REPO].commits[-1].files
    assert "model.safetensors" not in files and "model-00001-of-00001.safetensors" in files


@pytest.mark.parametrize(
    ("base", "shown"),
    [("/home/anna/secret/tiny", "tiny"), ("/home/an\u00e9/runs/small/model", "small"),
     ("../secret/" + "d" * 220 + "/tiny", "tiny"), ("secret/tiny", "tiny")],
)  # fmt: skip
def test_the_path_of_a_local_base_model_is_not_published(
    run_folder: Path, hub: Hub, base: str, shown: str
) -> None:
    model = run_folder / "model"
    data = json.loads((model / "training.json").read_text())["data"]
    recipe = {"train": "sft", "name": "tiny", "model": base}
    change_record(run_folder, recipe=recipe, data=data | {"model_record_sha256": "e" * 64})
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    written = f"---\nbase_model: {json.dumps(base)}\n---\n# tiny\n\nTrained from `{base[:200]}`.\n"
    (model / "README.md").write_text(written + json.dumps(recipe))
    kept = {each.name: each.read_bytes() for each in model.iterdir()}
    put(run_folder)
    files = hub.repos[REPO].commits[-1].files
    for name in ("README.md", "training.json", "adapter_config.json"):
        text = files[name].decode()
        assert "secret" not in text and "home" not in text and shown in text, name
    assert "base_model:" not in files["README.md"].decode()
    assert json.loads(files["training.json"])["recipe"]["model"] == shown
    assert put(run_folder).state == "already there"
    assert {each.name: each.read_bytes() for each in model.iterdir()} == kept


def test_text_that_people_wrote_around_the_section_is_kept(run_folder: Path, hub: Hub) -> None:
    put(run_folder)
    repo = hub.repos[REPO]
    card = repo.commits[-1].files["README.md"].decode()
    mine = card.replace("---\n", "---\nlicense: mit\n", 1) + "\nMy own words.\n"
    repo.add("by a person", {**repo.commits[-1].files, "README.md": mine.encode()})
    change_record(run_folder, digest="d" * 64)
    put(run_folder)
    now = repo.commits[-1].files["README.md"].decode()
    assert "My own words." in now and "license: mit" in now and now.count("# tiny") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_response_is_lost_is_made_once(
    when: Any, run_folder: Path, hub: Hub
) -> None:
    hub.faults.append(Fault(COMMIT, 0, when=when))
    done = put(run_folder)
    assert len(hub.repos[REPO].commits) == 2 and done.commit == hub.repos[REPO].commits[-1].oid


@pytest.mark.parametrize("moment", [UPLOAD, COMMIT])
def test_a_killed_publish_is_resumed_and_sends_no_weights_twice(
    moment: str, run_folder: Path, hub: Hub, tmp_path: Path
) -> None:
    (run_folder / "model" / "model-2.safetensors").write_bytes(tensors(70))
    env = {**os.environ, **RUN["env"], "HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}
    env |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
    dead = threading.Event()  # the server delays one response until then
    hub.faults.append(Fault(moment, 503, do=lambda: dead.wait(600)))
    words = command("publish", run_folder, REPO)
    process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL)
    while hub.faults[0].times or len(hub.stored) < 1:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    dead.set()
    sent = set(hub.stored)
    assert sent and len(hub.repos[REPO].commits) == 1
    del hub.seen[:]
    assert put(run_folder).state == "published"
    assert [oid for oid in sent if hub.count(UPLOAD + oid)] == []
    assert len(hub.repos[REPO].commits) == 2


def test_a_folder_without_a_finished_record_is_refused_before_any_request(
    run_folder: Path, hub: Hub
) -> None:
    model = run_folder / "model"
    record = (model / "training.json").read_bytes()

    def refused(message: str) -> None:
        with pytest.raises(UsageError, match=message):
            put(run_folder)
        assert not hub.seen

    (model / "training.json").unlink()
    refused("has no training.json, so its training is not finished")
    for damaged in (b"{}", b"[]", record[:40], b'{"data": 1, "recipe": 2}', b"[" * 100_000):
        (model / "training.json").write_bytes(damaged)
        refused("is not the record of a training")
    (model / "training.json").write_bytes(record)
    weights = (model / "model.safetensors").read_bytes()
    for bad in (weights[:-1], weights[:20], b"", b"\xff" * 8 + b"x"):
        (model / "model.safetensors").write_bytes(bad)
        refused("model.safetensors missing or cut off")
    (model / "model.safetensors").unlink()
    refused("is not a complete model: weights")
    (model / "model.safetensors").write_bytes(weights)
    index = {"weight_map": {"w": "model.safetensors", "v": "model-00002-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    refused("model-00002-of-00002.safetensors missing")


def test_a_model_of_somebody_else_is_not_overwritten(run_folder: Path, hub: Hub) -> None:
    repo = hub.repos[REPO] = Repo(private=False, commits=[], kind="model")
    repo.add("by a person", {".gitattributes": b"", "pytorch_model.bin": b"x"})
    with pytest.raises(HubError, match=r"'pytorch_model.bin', which Curator did not publish"):
        put(run_folder)
    assert len(repo.commits) == 1


def test_the_command_publishes_tries_and_never_shows_the_token(
    run_folder: Path, hub: Hub, small: Path, tmp_path: Path
) -> None:
    def run(*words: object, token: str = WRITER) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **RUN["env"], "HF_ENDPOINT": hub.url, "HF_TOKEN": token}
        env |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
        done = curator(*words, "--store", small, env=env)
        assert token not in done.stdout + done.stderr
        return done

    tried = run("publish", run_folder, REPO, "--dry-run")
    assert tried.returncode == 0 and "would be created, private" in tried.stdout, tried.stderr
    assert REPO not in hub.repos
    wrong = {
        ("publish", run_folder, REPO, "--held-out", "0.1"): "are for versions",
        ("publish", "small@1", "me/data", "--dataset", "me/x"): "are for models",
        ("publish", run_folder, f"{REPO}@v1"): "Models are published to the branch main",
        ("publish", tmp_path / "runs", REPO): "has no training.json",
    }
    for words, message in wrong.items():
        done = run(*words)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert "write access" in run("publish", run_folder, REPO, token=READER).stderr
    done = run("publish", run_folder, REPO, "--public")
    assert done.returncode == 0, done.stderr
    assert f"Published the model as {REPO} (public)" in done.stdout
    assert f"{hub.url}/{REPO}, commit " in done.stdout and not hub.repos[REPO].private


def test_a_version_is_not_taken_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert not is_training("mine") and not is_training("mine@1") and not is_training("./none")
    assert is_training("./mine") and is_training(str(tmp_path))
    (tmp_path / "mine" / "start.json").touch()
    assert is_training("mine")
