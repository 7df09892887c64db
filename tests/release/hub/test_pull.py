"""Pulling gives the same version with the same digest, and rejects what was changed."""

import hashlib
import io
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core.errors import HubError, UsageError
from curator.pipeline.reverify import reverify
from curator.release.folder import write_folder
from curator.release.hub.pull import pull
from curator.release.hub.push import PublishOptions, publish
from curator.versions.content import objects_of
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.store import Store
from tests.changes import row_changes, verdict_changes
from tests.release.hub.hub_server import Fault, Hub
from tests.worlds import curator

REPO = "me/data"
SHARD = "data/cot/train-00000-of-00001.parquet"


@pytest.fixture
def mine(quickstart: Path, hub: Hub, tmp_path: Path) -> Path:
    """A copy of the store whose version is published."""
    copy = tmp_path / "mine"
    shutil.copytree(quickstart, copy)
    with Store(copy, readonly=True) as store:
        publish(store, "quickstart", REPO, PublishOptions(held_out=0.2))
    return copy


def test_a_pulled_version_has_the_digest_of_the_one_that_was_published(
    mine: Path, tmp_path: Path
) -> None:
    with Store(mine, readonly=True) as store:
        own = store.versions.get("quickstart")
    with Store(tmp_path / "other") as store:
        got = pull(f"{REPO}@v1", store)
        assert (got.ref, got.digest, got.content) == ("me--data@1", own.digest, own.content)
        assert pull(REPO, store) == got, "a second pull creates nothing"
        _, rows = run_query(store, "SELECT count(*), count(DISTINCT id) FROM rows")
        assert rows == [(113, 113)]
        query = "SELECT count(*) FROM verdicts WHERE check_name = 'contamination'"
        assert run_query(store, query)[1] == [(3,)], "flags on kept rows are evidence, too"


def test_a_pulled_version_does_not_differ_from_the_original(mine: Path) -> None:
    with Store(mine) as store:
        pulled, original = pull(REPO, store), store.versions.get("quickstart@1")
        assert row_changes(store, original, pulled) == []
        assert row_changes(store, pulled, original) == []
        assert verdict_changes(store, original, pulled) == []
        row = run_query(store, "SELECT id FROM rows ORDER BY id LIMIT 1")[1][0][0]
        assert why(store, row).versions == ("me--data@1", "quickstart@1")


def test_a_pulled_version_can_be_shown_exported_and_explained(mine: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Store(other) as store:
        pull(REPO, store)
        [(row,)] = run_query(store, "SELECT id FROM rows LIMIT 1")[1]
    shown = json.loads(curator("show", "me--data", "--store", other, "--json").stdout)
    assert shown["rows"]["count"] == 113
    assert "camel_math_cot" in curator("show", "me--data", "--store", other).stdout
    assert REPO in curator("why", row, "--store", other).stdout
    files = []
    for store_, version in ((mine, "quickstart"), (other, "me--data")):
        files.append(tmp_path / f"{version}.json")
        done = curator("export", version, "--store", store_, "-o", files[-1])
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_release_of_a_pulled_version_has_the_same_rows(mine: Path, tmp_path: Path) -> None:
    with Store(mine) as store:
        pulled = pull(REPO, store)
        a = write_folder(store, store.versions.get("quickstart"), tmp_path / "a")
        b = write_folder(store, pulled, tmp_path / "b")
    assert a.manifest["files"].keys() == b.manifest["files"].keys()
    same = {path: a.manifest["files"][path] == b.manifest["files"][path] for path in a.files[:-2]}
    assert {path for path, equal in same.items() if not equal} == {"recipe.yaml"}, "has its name"
    assert a.licence == b.licence


def test_a_damaged_object_of_a_pulled_version_is_repaired_by_the_printed_command(
    mine: Path, tmp_path: Path
) -> None:
    with Store(tmp_path / "other") as store:
        pulled = pull(REPO, store)
        [digest] = pulled.objects["rationales"]["gsm8k_cot"]
        path = store.objects.path(digest)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(whole[200:210], b"x" * 10))
    found = curator("verify", "--store", tmp_path / "other", "--json")
    assert found.returncode == 1
    (damage,) = json.loads(found.stdout)["damage"]
    assert damage["holders"] == ["me--data@1: rationales of gsm8k_cot"]
    name, command, repo, *_ = shlex.split(damage["repair"])
    assert (name, command) == ("curator", "pull")
    with Store(tmp_path / "other") as store:
        assert pull(repo, store) == pulled
        assert path.read_bytes() == whole
        store.objects.check_all(digest for digest, _ in objects_of(pulled).roles())


def test_a_pulled_version_cannot_be_reverified(mine: Path) -> None:
    with Store(mine) as store:
        pull(REPO, store)
    with pytest.raises(UsageError, match="was pulled: the store has neither its rejected rows"):
        reverify("me--data", mine)


def test_one_failure_of_any_request_is_retried(small: Path, hub: Hub, tmp_path: Path) -> None:
    with Store(small, readonly=True) as store:
        publish(store, "small", REPO)
    for number, request in enumerate(
        (r"GET .*/revision/", r"resolve/.*\.parquet", r"resolve/.*json")
    ):
        hub.faults.append(Fault(request, 503))
        with Store(tmp_path / str(number)) as store:
            assert pull(REPO, store).content["rows"]["count"] == 11
        assert hub.faults.pop().times == 0


def edit_manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Hub], None]:
    def edit(hub: Hub) -> None:
        files = hub.repos[REPO].commits[-1].files
        manifest = json.loads(files["manifest.json"])
        change(manifest)
        files["manifest.json"] = json.dumps(manifest).encode()

    return edit


def edit_content(change: Callable[[dict[str, Any]], object]) -> Callable[[Hub], None]:
    """Change the content, and its digest with it."""

    def edit(manifest: dict[str, Any]) -> None:
        change(manifest["content"])
        text = json.dumps(manifest["content"], sort_keys=True, separators=(",", ":"))
        manifest["digest"] = hashlib.sha256(text.encode("ascii")).hexdigest()

    return edit_manifest(edit)


def test_unknown_keys_of_a_manifest_are_preserved(small: Path, hub: Hub, tmp_path: Path) -> None:
    def add_keys(content: dict[str, Any]) -> None:
        content["later"] = {"key": [1, None, 0.5]}
        content["subsets"]["cot"]["later"] = "x"
        content["sources"]["gsm8k"]["later"] = "y"

    with Store(small, readonly=True) as store:
        publish(store, "small", REPO)
    edit_content(add_keys)(hub)
    with Store(tmp_path / "other") as store:
        pulled = pull(REPO, store)
    manifest = json.loads(hub.repos[REPO].commits[-1].files["manifest.json"])
    assert (pulled.digest, pulled.content) == (manifest["digest"], manifest["content"])


def edit_row(column: str, value: object, number: int = 0) -> Callable[[Hub], None]:
    """Change a row, and the digest of its file with it."""

    def edit(hub: Hub) -> None:
        files = hub.repos[REPO].commits[-1].files
        table = pq.read_table(io.BytesIO(files[SHARD]))
        values = table[column].to_pylist()
        values[number] = value
        place = table.schema.get_field_index(column)
        field = table.schema.field(column)
        put_table(hub, table.set_column(place, field, pa.array(values, field.type)))

    return edit


def put_table(hub: Hub, table: pa.Table) -> None:
    out = io.BytesIO()
    pq.write_table(table, out)
    hub.repos[REPO].commits[-1].files[SHARD] = out.getvalue()
    digest = hashlib.sha256(out.getvalue()).hexdigest()
    edit_manifest(lambda manifest: manifest["files"][SHARD].update(sha256=digest))(hub)


def edit_table(change: Callable[[pa.Table], pa.Table]) -> Callable[[Hub], None]:
    def edit(hub: Hub) -> None:
        files = hub.repos[REPO].commits[-1].files
        put_table(hub, change(pq.read_table(io.BytesIO(files[SHARD]))))

    return edit


def junk(path: str, content: bytes) -> Callable[[Hub], None]:
    return lambda hub: hub.repos[REPO].commits[-1].files.update({path: content})


def edit_verdict(**change: object) -> Callable[[Hub], None]:
    """Change a verdict of the first row that does not state its evidence level."""

    def edit(table: pa.Table) -> pa.Table:
        texts = table["verdicts"].to_pylist()
        verdicts = json.loads(texts[0])
        chosen = next(each for each in verdicts if "level" not in each["evidence"])
        chosen.update(change)
        texts[0] = json.dumps(verdicts)
        place = table.schema.get_field_index("verdicts")
        return table.set_column(place, table.schema.field(place), pa.array(texts, pa.string()))

    return edit_table(edit)


HOSTILE: dict[str, tuple[Callable[[Hub], None], str]] = {
    "no manifest": (lambda hub: hub.repos[REPO].add("x", {"a": b""}) and None, "has no manifest"),
    "not JSON": (junk("manifest.json", b"\xff"), "unsupported format|is damaged"),
    "deep JSON": (junk("manifest.json", b"[" * 100_000), "is damaged"),
    "a list": (junk("manifest.json", b"[]"), "reads 'mathcurator release 2' and older"),
    "another format": (edit_manifest(lambda m: m.update(format="x")), "Upgrade Curator"),
    "a wrong digest": (edit_manifest(lambda m: m.update(digest="0" * 64)), "does not match its"),
    "content changed": (
        edit_manifest(lambda m: m["content"]["rows"].update(count=1)),
        "does not match its digest",
    ),
    "a count as text": (
        edit_content(lambda c: c["subsets"]["cot"].update(kept="many")),
        "is not valid at 'content.subsets.cot.kept'",
    ),
    "a name with a path": (
        edit_manifest(lambda m: m.update(name="../../x")),
        "is not valid at 'name'",
    ),
    "an escape sequence": (
        edit_content(lambda c: c["recipe"].update(about="\x1b]0;owned\x07")),
        "is damaged",
    ),
    "a subset with a path": (
        edit_content(lambda c: c["recipe"]["subsets"].update({"../x": {}})),
        "is not valid|is damaged",
    ),
    "a recipe with a key that no digest covers": (
        edit_content(lambda c: c["recipe"].update(mirror="/etc")),
        "is damaged",
    ),
    "a recipe without a key that digests cover": (
        edit_content(lambda c: c["recipe"]["screens"].pop("cap")),
        "is damaged",
    ),
    "fewer subsets": (edit_content(lambda c: c["order"].pop()), "is damaged"),
    "a source not listed": (edit_content(lambda c: c["sources"].clear()), "is damaged"),
    "a file changed": (junk(SHARD, b"PAR1"), "does not match its digest in manifest.json"),
    "text changed": (edit_row("output", "The answer is 7"), "changed after it was built"),
    "gold changed": (edit_row("gold", "7"), "changed after it was built"),
    "an id changed": (edit_row("id", "0" * 32), "changed after it was built"),
    "another subset": (edit_row("subset", "pot"), "is labelled"),
    "another kind": (edit_row("kind", "PoT"), "is labelled"),
    "failed": (edit_verdict(outcome="failed"), "has invalid verdicts"),
    "a check not in the recipe": (edit_verdict(check="x"), "has invalid verdicts"),
    "more keys": (edit_verdict(more=1), "has invalid verdicts"),
    "NUL in a reason": (edit_verdict(reason="a\0b"), "has invalid verdicts"),
    "deep verdicts": (edit_row("verdicts", "[" * 100_000), "has invalid verdicts"),
    "no JSON": (edit_row("verdicts", "passed"), "has invalid verdicts"),
    "rows left out": (edit_table(lambda t: t.slice(1)), "rows, which do not match"),
    "rows twice": (edit_table(lambda t: pa.concat_tables([t, t])), "rows, which do not match"),
    "no file": (edit_manifest(lambda m: m["files"].pop(SHARD)), "rows, which do not match"),
    "other columns": (edit_table(lambda t: t.drop_columns(["gold"])), "does not have the columns"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_release_that_was_changed_is_rejected_in_one_line(
    name: str, small: Path, hub: Hub, tmp_path: Path
) -> None:
    change, words = HOSTILE[name]
    with Store(small, readonly=True) as store:
        publish(store, "small", REPO)
    change(hub)
    with Store(tmp_path / "other") as store:
        with pytest.raises(HubError, match=words) as error:
            pull(REPO, store)
        assert store.versions.all() == []
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 250
    assert str(error.value).isprintable()


def test_damaged_parquet_is_one_line(small: Path, hub: Hub, tmp_path: Path) -> None:
    with Store(small, readonly=True) as store:
        publish(store, "small", REPO)
    files = hub.repos[REPO].commits[-1].files
    original = files[SHARD]
    for cut in (b"", original[:-8], original[:50] + b"\x00" * 400 + original[450:]):
        files[SHARD] = cut
        digest = hashlib.sha256(cut).hexdigest()
        edit_manifest(lambda manifest, d=digest: manifest["files"][SHARD].update(sha256=d))(hub)
        with Store(tmp_path / "other") as store, pytest.raises(HubError) as error:
            pull(REPO, store)
        assert len(str(error.value).splitlines()) == 1


def test_the_error_for_a_missing_dataset_is_one_line(hub: Hub, tmp_path: Path) -> None:
    with Store(tmp_path / "other") as store:
        with pytest.raises(HubError, match="does not exist, or is private"):
            pull("no/such", store)
        hub.repos.clear()
