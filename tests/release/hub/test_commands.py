"""`curator publish`, `pull` and `export --format hub`: one line for people, JSON for machines."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.release.conftest import READER, WRITER
from tests.release.hub.hub_server import Fault, Hub
from tests.worlds import RUN, curator


@pytest.fixture
def run(hub: Hub, tmp_path: Path) -> Any:
    def call(*words: object, token: str = WRITER) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **RUN["env"], "HF_ENDPOINT": hub.url, "HF_TOKEN": token}
        env |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
        return curator(*words, env=env)

    return call


def test_publish_and_pull_report_what_was_done(
    run: Any, quickstart: Path, hub: Hub, tmp_path: Path
) -> None:
    done = run("publish", "quickstart", "me/data", "--store", quickstart)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Published 113 rows as me/data v1 (private)"
    assert lines[1].startswith(f"{hub.url}/datasets/me/data/tree/v1, commit ")
    [note] = done.stderr.splitlines()
    assert note.startswith("The dataset as a whole has no permissive licence: 8 rows")
    again = run("publish", "quickstart", "me/data", "--store", quickstart, "--json")
    result = json.loads(again.stdout)
    assert (result["state"], result["tag"], result["license"]) == ("already there", "v1", "other")
    pulled = run("pull", "me/data@v1", "--store", tmp_path / "other", "--json")
    assert json.loads(pulled.stdout)["version"] == "me--data@1"
    assert pulled.stderr == ""


@pytest.mark.parametrize(
    ("words", "token", "code", "message"),
    [
        (("publish", "none", "me/data"), WRITER, 2, "No version named 'none'"),
        (("publish", "small", "data"), WRITER, 2, "is not a valid name of a dataset"),
        (("publish", "small", "me/data@v1"), WRITER, 2, "creates the tag itself"),
        (("publish", "small", "me/data"), READER, 1, "publishing needs write access"),
        (("publish", "small", "me/data"), "hf_badsecret0123456789", 1, "needs a valid token"),
        (("pull", "me/none"), WRITER, 1, "does not exist, or is private"),
        (("pull", "me/none"), "hf_badsecret0123456789", 1, "needs a valid token"),
    ],
)
def test_a_mistake_is_one_line_and_no_token_is_ever_shown(
    words: tuple[str, ...], token: str, code: int, message: str, run: Any, small: Path
) -> None:
    for debug in ((), ("--debug",)):
        done = run(*words, "--store", small, *debug, token=token)
        assert done.returncode == code
        assert message in done.stderr
        assert debug or len(done.stderr.splitlines()) == 1, done.stderr
        assert token not in done.stdout + done.stderr


def test_text_of_a_server_never_reaches_the_terminal(run: Any, small: Path, hub: Hub) -> None:
    # The body of a fault has the token; its headers have a warning and escape sequences.
    warning = {"X_HF_Warning": "x; \x1b[31mred", "X_Error_Message": f"{WRITER} \x1b[31m"}
    hub.faults.append(Fault("POST /api/datasets/.*/commit/", 400, 9, warning))
    done = run("publish", "small", "me/data", "--store", small, "--debug")
    assert done.returncode == 1
    assert WRITER not in done.stderr and "\x1b" not in done.stderr
    assert "HTTP status 400" in done.stderr


def test_the_store_and_the_release_have_no_token(run: Any, small: Path, hub: Hub) -> None:
    run("publish", "small", "me/data", "--store", small)
    files = [path for path in small.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    contents += list(hub.repos["me/data"].commits[-1].files.values())
    assert len(contents) > 20
    assert not [content for content in contents if WRITER.encode() in content]


def test_export_writes_the_folder_that_publish_uploads(
    run: Any, small: Path, hub: Hub, tmp_path: Path
) -> None:
    out = tmp_path / "folder"
    done = run("export", "small", "--format", "hub", "-o", out, "--store", small)
    assert done.stdout == f"Wrote 11 rows of small@1 to {out}\n"
    run("publish", "small", "me/data", "--store", small)
    files = dict(hub.repos["me/data"].commits[-1].files)
    card = files.pop("README.md").decode().replace("me/data", "ORG/NAME")
    assert (out / "README.md").read_text() == card.replace("me--data", "ORG--NAME")
    files.pop(".gitattributes")
    assert {path: (out / path).read_bytes() for path in files} == files
