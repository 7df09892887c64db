"""Publishing with the real client makes one commit and one tag, whatever errors occur."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download

from curator.core.errors import HubError, UsageError
from curator.release.hub.client import parse_repo
from curator.release.hub.push import PublishOptions, PublishResult, publish
from datastore.store import Store
from tests.release.conftest import READER, WRITER
from tests.release.hub.hub_server import Fault, Files, Hub, Repo
from tests.worlds import RUN, command

REPO = "me/data"
ROWS = 11
COMMIT = rf"POST /api/datasets/{REPO}/commit/"
TAG = rf"POST /api/datasets/{REPO}/tag/"
UPLOAD = r"PUT /lfs/"
INITIAL: Files = {".gitattributes": b""}


def put(small: Path, version: str = "small@1", held_out: float = 0.0) -> PublishResult:
    with Store(small, readonly=True) as store:
        return publish(store, version, REPO, PublishOptions(held_out=held_out))


def existing_repo(hub: Hub, files: Files | None = None) -> Repo:
    """Add a repository with a commit by somebody else."""
    repo = hub.repos[REPO] = Repo(private=False, commits=[])
    repo.add("by a person", {**INITIAL, **(files or {})})
    return repo


def test_a_publish_is_one_commit_with_everything_and_then_a_tag(small: Path, hub: Hub) -> None:
    done = put(small)
    repo = hub.repos[REPO]
    assert [each.message for each in repo.commits[:-1]] == ["initial commit"]
    assert repo.tags == {"v1": repo.commits[-1].oid} == {done.tag: done.commit}
    assert (done.state, done.rows, done.private, repo.private) == ("published", ROWS, True, True)
    files = repo.commits[-1].files
    manifest = json.loads(files["manifest.json"])
    assert {*manifest["files"], "manifest.json", "README.md", ".gitattributes"} == set(files)
    with Store(small, readonly=True) as store:
        version = store.versions.get("small@1")
    assert manifest["digest"] == version.digest
    assert manifest["content"] == version.content
    order = [bool(hub.count(COMMIT)), "/tag/" in next(s for s in hub.seen[::-1] if "POST" in s)]
    assert order == [True, True], "the tag is written last"


def test_publishing_again_writes_nothing(small: Path, hub: Hub) -> None:
    first = put(small)
    del hub.seen[:]
    again = put(small)
    assert (again.state, again.commit) == ("already there", first.commit)
    assert [each for each in hub.seen if not each.startswith(("GET", "HEAD"))] == []


def test_a_commit_without_its_tag_is_only_tagged(small: Path, hub: Hub) -> None:
    first = put(small)
    hub.repos[REPO].tags.clear()
    del hub.seen[:]
    again = put(small)
    assert (again.state, again.commit) == ("tagged", first.commit)
    assert hub.repos[REPO].tags == {"v1": first.commit}
    assert hub.count(COMMIT) == hub.count(UPLOAD) == 0


@pytest.mark.parametrize("moment", [UPLOAD, COMMIT])
def test_a_killed_publish_is_resumed_and_sends_no_file_twice(
    moment: str, small: Path, hub: Hub, tmp_path: Path
) -> None:
    env = {**os.environ, **RUN["env"], "HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}
    env |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
    dead = threading.Event()  # the server delays one response until then
    hub.faults.append(Fault(moment, 503, do=lambda: dead.wait(600)))
    words = command("publish", "small", REPO, "--store", small)
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
    assert put(small).state == "published"
    assert [oid for oid in sent if hub.count(UPLOAD + oid)] == []
    assert len(hub.repos[REPO].commits) == 2


def test_the_next_version_deletes_files_of_the_older_one(small: Path, hub: Hub) -> None:
    repo = existing_repo(hub, {"notes.txt": b"mine"})
    put(small)
    old = json.loads(repo.commits[-1].files["manifest.json"])
    old["digest"] = "another"
    old["files"]["data/gone/train-00000-of-00001.parquet"] = {}
    more = {"manifest.json": json.dumps(old).encode()}
    more |= {"data/gone/train-00000-of-00001.parquet": b"old", "alpaca.json": b"[]"}
    repo.add("version 0", {**repo.commits[-1].files, **more})
    repo.tags = {"v0": repo.commits[-1].oid}
    put(small)
    files = repo.commits[-1].files
    assert "data/gone/train-00000-of-00001.parquet" not in files
    assert files["notes.txt"] == b"mine"
    assert len(files["alpaca.json"]) > 100
    assert set(repo.tags) == {"v0", "v1"}


def test_text_that_a_person_wrote_into_the_card_is_preserved(small: Path, hub: Hub) -> None:
    text = "---\nlicense: apache-2.0\npretty_name: Ours\ntags: [mine]\n---\n# Ours\n\nBy hand.\n"
    repo = existing_repo(hub, {"README.md": text.encode()})
    put(small)
    card = repo.commits[-1].files["README.md"].decode()
    assert "# Ours\n\nBy hand.\n" in card and "pretty_name: Ours" in card and "- mine" in card
    assert "license: mit" in card and "apache" not in card
    assert json.loads(repo.commits[-1].files["manifest.json"])["rows"] == ROWS


def test_a_repository_is_made_public_only_on_request(small: Path, hub: Hub) -> None:
    put(small)
    assert hub.repos[REPO].private
    with Store(small, readonly=True) as store:
        assert not publish(store, "small", REPO, PublishOptions(public=True)).private
        assert not hub.repos[REPO].private
        assert not publish(store, "small", REPO).private, "it is not made private again"


def test_a_repository_with_other_data_is_not_published_to(small: Path, hub: Hub) -> None:
    repo = existing_repo(hub, {"data/train-00000-of-00001.parquet": b"theirs"})
    with pytest.raises(HubError, match=r"has 'data/train-00000-of-00001.parquet'"):
        put(small)
    assert len(repo.commits) == 1 and hub.count(UPLOAD) == 0


def test_a_tag_on_another_release_is_never_moved(small: Path, hub: Hub) -> None:
    put(small)
    commits = len(hub.repos[REPO].commits)
    with pytest.raises(HubError, match="already has a tag v1, on another release") as error:
        put(small, held_out=0.2)
    assert "held out 0.0" in str(error.value)
    assert len(hub.repos[REPO].commits) == commits


def test_a_tag_that_curator_did_not_make_is_not_moved(small: Path, hub: Hub) -> None:
    repo = existing_repo(hub)
    repo.tags["v1"] = repo.commits[-1].oid
    with pytest.raises(HubError, match=r"already has a tag v1.*not by Curator"):
        put(small)
    repo.add("later", {**INITIAL, "a.txt": b"a"})
    with pytest.raises(HubError, match=r"already has a tag v1.*not by Curator"):
        put(small)


@pytest.mark.parametrize(
    "request_",
    [r"GET .*/revision/main", r"GET .*/refs", r"repos/create", r"validate-yaml", COMMIT, TAG],
)
@pytest.mark.parametrize("status", [0, 500, 429])
def test_one_failure_of_any_request_changes_nothing(
    request_: str, status: int, small: Path, hub: Hub
) -> None:
    hub.faults.append(
        Fault(request_, status, headers={"Retry_After": "0"} if status == 429 else {})
    )
    assert put(small).state == "published"
    assert hub.faults[0].times == 0
    assert len(hub.repos[REPO].commits) == 2
    assert hub.repos[REPO].tags == {"v1": hub.repos[REPO].commits[-1].oid}


@pytest.mark.parametrize("request_", [COMMIT, TAG, "repos/create"])
def test_a_lost_response_does_not_make_a_second_commit(
    request_: str, small: Path, hub: Hub
) -> None:
    hub.faults.append(Fault(request_, 0, when="after"))
    put(small)
    assert hub.faults[0].times == 0
    assert len(hub.repos[REPO].commits) == 2
    assert hub.repos[REPO].tags == {"v1": hub.repos[REPO].commits[-1].oid}


@pytest.mark.parametrize("status", [0, 500, 429])
def test_the_client_retries_an_upload_that_breaks(status: int, small: Path, hub: Hub) -> None:
    hub.faults.append(Fault(UPLOAD, status, headers={"Retry_After": "0"}))
    done = put(small)
    assert hub.faults[0].times == 0
    assert hub.repos[REPO].tags == {"v1": done.commit}


def test_retry_after_is_respected(small: Path, hub: Hub) -> None:
    hub.faults.append(Fault(COMMIT, 429, headers={"Retry_After": "1"}))
    at: list[float] = []
    hub.faults.append(Fault(COMMIT, 503, do=lambda: at.append(time.monotonic())))
    hub.faults[0].do = lambda: at.append(time.monotonic())
    put(small)
    assert at[1] - at[0] >= 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault(COMMIT, 429, 99, {"Retry_After": "3600"}),
            "too many requests; rerun the command in 3600 s",
        ),
        (Fault(COMMIT, 500, 99), "HTTP status 500; rerun the command"),
        (Fault(COMMIT, 0, 99), "cannot be reached"),
        (Fault(COMMIT, 403, 99), "a permission that the token does not have"),
        (Fault(r"GET .*/refs", 401, 99), "needs a valid token"),
        (Fault(TAG, 502, 99), "HTTP status 502"),
        (Fault(r"preupload", 403, 99), "a permission that the token does not have"),
    ],
    ids=lambda value: value.pattern[-12:] if isinstance(value, Fault) else "",
)
def test_a_permanent_failure_is_one_line_and_the_next_run_resumes(
    fault: Fault, words: str, small: Path, hub: Hub
) -> None:
    fault.times = 99  # the table is shared by the tests of one process
    hub.faults.append(fault)
    with pytest.raises(HubError, match=words) as error:
        put(small)
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 200
    assert WRITER not in str(error.value), "the response of the server has the token"
    assert hub.repos[REPO].tags == {}
    hub.faults.clear()
    assert put(small).state in ("published", "tagged")
    assert len(hub.repos[REPO].commits) == 2


def test_a_server_that_does_not_respond_is_a_timeout(
    small: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curator.release.hub.client.READ_TIMEOUT_S", 2.0)
    late = threading.Event()
    hub.faults.append(Fault(COMMIT, 503, do=late.wait))
    assert put(small).state == "published"
    late.set()


def test_a_commit_made_meanwhile_is_not_overwritten(small: Path, hub: Hub) -> None:
    repo = existing_repo(hub)
    hub.faults.append(
        Fault("preupload", when="after", do=lambda: repo.add("meanwhile", {"a.txt": b"a"}))
    )
    with pytest.raises(HubError, match="changed by somebody else in the meantime"):
        put(small)
    assert [each.message for each in repo.commits] == ["by a person", "meanwhile"]
    assert put(small).state == "published"
    assert repo.commits[-1].files["a.txt"] == b"a"


def test_a_lost_response_and_another_commit_are_distinguished(small: Path, hub: Hub) -> None:
    repo = existing_repo(hub)
    hub.faults.append(Fault(COMMIT, 500, do=lambda: repo.add("meanwhile", {"a.txt": b"a"})))
    with pytest.raises(HubError, match="changed by somebody else in the meantime"):
        put(small)
    assert repo.commits[-1].message == "meanwhile"


def test_a_token_that_may_only_read_publishes_nothing(
    small: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(HubError, match="publishing needs write access"):
        put(small)
    assert hub.repos == {} and hub.stored == {}


def test_without_a_token_no_request_is_sent(
    small: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="Set HF_TOKEN, or run 'hf auth login'"):
        put(small)
    assert [each for each in hub.seen if "harness" not in each] == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HF_TOKEN", "hf_clé", "expected ASCII letters and digits"),
        ("HF_ENDPOINT", "", "HF_ENDPOINT '' is not a valid URL"),
        ("HF_ENDPOINT", "hub.example", "HF_ENDPOINT 'hub.example' is not a valid URL"),
        ("HF_ENDPOINT", "http://hub.example:99999", "99999' is not a valid URL"),
        ("HF_ENDPOINT", "http://[::1", "Set it to one such as https://huggingface.co"),
    ],
)
def test_an_invalid_setting_of_the_client_is_a_usage_error(
    name: str, value: str, words: str, small: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=words) as error:
        put(small)
    assert len(str(error.value).splitlines()) == 1 and "clé" not in str(error.value)
    assert hub.repos == {}


@pytest.mark.parametrize(
    "name", ["data", "a/b/c", "me/da--ta", "../x", "me/x@", "me/.x", "me/x@-rf", "me/" + "x" * 97]
)
def test_an_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name of a dataset"):
        parse_repo(name)


def test_the_hubs_own_client_finds_the_files_by_tag(small: Path, hub: Hub, tmp_path: Path) -> None:
    put(small)
    api = HfApi(endpoint=hub.url)
    info = api.dataset_info(REPO, revision="v1")
    for sibling in info.siblings or []:
        path = hf_hub_download(
            REPO,
            sibling.rfilename,
            repo_type="dataset",
            revision="v1",
            endpoint=hub.url,
            cache_dir=tmp_path,
        )
        assert Path(path).read_bytes() == hub.repos[REPO].commits[-1].files[sibling.rfilename]
