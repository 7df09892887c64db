"""Versions as a person lives with them: listed with dates, tagged, and completed by a shell."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curator.versions.tag import delete_tag, tag
from datastore.errors import NotFound, StoreError
from datastore.store import Store
from tests.paths import ROOT
from tests.worlds import RUN, curator


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three versions of the name `small` that have no rows to speak of."""
    root = tmp_path_factory.mktemp("versions") / "store"
    with Store(root) as store:
        for number in range(3):
            store.versions.create("small", {"number": number}, None, f"try {number}", {})
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "store"))


def test_versions_are_listed_with_date_recipe_and_message(
    quickstart_built: Path, tmp_path: Path
) -> None:
    store = Path(shutil.copytree(quickstart_built, tmp_path / "store"))
    made = {time.strftime("%Y-%m-%d", time.gmtime(time.time() - day * 86_400)) for day in (0, 1)}
    [version] = json.loads(curator("versions", "--store", store, "--json").stdout)
    assert version["made"][:10] in made and version["made"].endswith("Z")
    assert version["command"][:2] == ["build", "quickstart"]
    shown = curator("versions", "--store", store).stdout
    head, line = shown.splitlines()
    assert head.split() == ["version", "made", "rows", "digest", "from"]
    assert line.split()[0] == "quickstart@1" and line.split()[-1] == "quickstart"
    curator("tag", "quickstart@1", "first", "--store", store)
    head, line = curator("versions", "--store", store).stdout.splitlines()
    assert head.split()[-1] == "tags" and line.split()[-1] == "first"


def test_the_date_is_no_part_of_the_digest(root: Path) -> None:
    with Store(root) as store:
        newest = store.versions.get("small")
        again = store.versions.create("small", newest.content, None, "", {})
        assert again == newest, "the same content at another time is the same version"
        assert "created" not in newest.content and newest.created


def test_a_version_of_an_older_release_has_the_date_of_its_file(root: Path) -> None:
    path = root / "versions/small/3.json"
    with Store(root) as store:
        newest = store.versions.get("small")
        plain = {name: getattr(newest, name) for name in newest.__slots__} | {"objects": {}}
        from datastore.files import write_record

        write_record(plain, path, root / "tmp")
        older = store.versions.get("small")
        assert older.created == ""
        assert store.versions.when(older)[:4] == time.strftime("%Y", time.gmtime())


def test_a_tag_names_a_version_in_every_command(root: Path) -> None:
    with Store(root) as store:
        tag(store, "small@2", "paper")
        assert store.versions.get("small@paper").number == 2
        assert store.versions.get("small").number == 3
        with pytest.raises(NotFound, match="versions 1 to 3 and the tags paper"):
            store.versions.get("small@papers")
    said = curator("tag", "small@3", "paper", "--store", root)
    assert said.returncode == 2
    assert said.stderr == (
        "The tag 'paper' belongs to small@2. Pass --move to give it to small@3.\n"
    )
    said = curator("tag", "small@3", "paper", "--move", "--store", root)
    assert said.stdout == "small@paper is small@3.\n"
    with Store(root) as store:
        assert store.versions.get("small@paper").number == 3
        assert delete_tag(store, "small@paper") == "small@3"
        with pytest.raises(NotFound):
            store.versions.get("small@paper")


@pytest.mark.parametrize("bad", ["3", "a b", "", "a/b", "../a", "-x", "a" * 65, "é", "a\0"])
def test_a_tag_that_could_be_taken_for_something_else_is_refused(root: Path, bad: str) -> None:
    said = curator("tag", "--store", root, "--", "small@1", bad.replace("\0", "\x01"))
    assert said.returncode == 2 and said.stderr.count("\n") == 1
    with Store(root) as store, pytest.raises(StoreError):
        store.versions.tags.set("small", bad, 1)


def test_a_version_with_a_tag_is_not_removed(root: Path) -> None:
    curator("tag", "small@2", "paper", "--store", root)
    said = curator("rm", "small@1", "small@2", "--store", root)
    assert said.returncode == 2
    assert said.stderr.endswith("first: curator tag --delete small@paper\n")
    with Store(root) as store:
        assert store.versions.numbers("small") == [1, 2, 3], "nothing or all"
    curator("tag", "--delete", "small@paper", "--store", root)
    assert curator("rm", "small@2", "--store", root).returncode == 0


def test_a_damaged_tag_is_noticed_and_blocks_nothing(root: Path) -> None:
    curator("tag", "small@2", "paper", "--store", root)
    path = root / "versions/small/paper.tag"
    for data in (b"", b"{}", path.read_bytes().replace(b":2", b":1"), b"[" * 10_000):
        path.write_bytes(data)
        said = curator("show", "small@paper", "--store", root)
        assert "The tag small@paper is damaged" in said.stderr
        found = curator("verify", "--store", root)
        assert f"curator tag --delete small@paper --store {root}" in found.stdout
        said = curator("tag", "--delete", "small@paper", "--store", root)
        assert said.stdout == "Removed the tag small@paper; its file was damaged.\n"
        assert curator("tag", "small@2", "paper", "--store", root).returncode == 0
        with Store(root) as store:
            assert store.versions.get("small@paper").number == 2


@pytest.mark.parametrize("words", [[], ["show"], ["gc"], ["sources"]], ids=str)
def test_h_is_help_on_every_command(words: list[str]) -> None:
    short, long = curator(*words, "-h"), curator(*words, "--help")
    assert short.returncode == 0
    assert short.stdout == long.stdout


def test_version_prints_the_release() -> None:
    said = curator("--version")
    assert said.returncode == 0
    assert said.stdout.startswith("curator ") and said.stdout.count("\n") == 1


def complete(root: Path, shell: str, *words: str) -> list[str]:
    """Return what a shell would offer for the last of the words."""
    line = " ".join(words)
    env = RUN["env"] | {
        "_CURATOR_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "CURATOR_STORE": str(root),
    }
    return curator(cwd=ROOT, env=env).stdout.split()


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_commands_options_versions_and_recipes_are_completed(root: Path, shell: str) -> None:
    curator("tag", "small@2", "paper", "--store", root)
    offers = {
        ("curator", "ver"): ["versions", "verify"],
        ("curator", "gc", "--y"): ["--yes"],
        ("curator", "show", "sma"): ["small", "small@1", "small@2", "small@3", "small@paper"],
        ("curator", "build", "quick"): ["quickstart"],
        ("curator", "build", "g-"): ["g-m", "g-m-c"],
    }
    for words, expected in offers.items():
        found = " ".join(complete(root, shell, *words))
        assert all(value in found for value in expected), (words, found)
    assert "small" not in " ".join(complete(root / "nowhere", shell, "curator", "show", "sma"))


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_a_script_for_each_shell_is_printed(shell: str) -> None:
    said = curator(env=RUN["env"] | {"_CURATOR_COMPLETE": f"source_{shell}"})
    assert said.returncode == 0 and f"complete_{shell}" in said.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_itself_completes_with_the_script(root: Path) -> None:
    script = curator(env=RUN["env"] | {"_CURATOR_COMPLETE": "source_bash"}).stdout
    program = f"{script}\nCOMP_WORDS=(curator show sma); COMP_CWORD=2\n"
    program += '_curator_completion "$0"; echo "${COMPREPLY[@]}"'
    command = root / "curator"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m curator "$@"\n')
    command.chmod(0o755)
    env = RUN["env"] | {"CURATOR_STORE": str(root)}
    words = ["bash", "-c", program, str(command)]
    done = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split()[:2] == ["small", "small@1"], done.stderr
