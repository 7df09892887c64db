"""Whatever a store, a file or an argument contains, no command's output can drive a terminal.

Every text of a version has a mark. Every command runs on it; a new command must be added here.
"""

import ast
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from huggingface_hub import DatasetCard

from curator import RunOptions, build
from curator.cli.app import TOKENS, show_json
from curator.cli.commands import COMMANDS
from curator.cli.terminal import _Filter
from curator.versions.content import objects_of
from datastore.store import Store
from tests.cli.marked_store import FILE_MARK, MARK, RAW, write_marked
from tests.paths import ROOT
from tests.worlds import RUN, command, curator, make_world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store, a mirror and files whose names and contents carry the mark."""
    home = tmp_path_factory.mktemp("marked")
    mirror, recipe = make_world(home)
    build(recipe, store=home / "store", options=RunOptions(mirror=mirror))
    with Store(home / "store") as store:
        small = store.versions.get("small")
        write_marked(store, small, "card", mark_subsets=False)
        first = write_marked(store, small, "marked")
        content = {**first.content, "order": first.content["order"][::-1]}
        store.versions.create("marked", content, None, MARK, first.objects)
        store.versions.create("gone", content, None, MARK, first.objects)
    row = {"question": f"1 + 1?{RAW}", "answer": f"It is 2.{RAW}\n#### 2", f"x{MARK}": MARK}
    (home / f"rows{FILE_MARK}.jsonl").write_text(f"{json.dumps(row)}\n{{{MARK}\n")
    with zipfile.ZipFile(home / "rows.zip", "w") as archive:
        archive.writestr(f"a{FILE_MARK}.jsonl", f"{json.dumps(row)}\n{{{MARK}\n")
    problem = {
        "set": f"s{FILE_MARK}",
        "id": MARK,
        "question": MARK,
        "gold": "1",
        "field": f"f{MARK}",
    }
    sample = {"kind": "CoT", "text": f"{MARK} The answer is 1"}
    for name, samples in (("samples", [sample]), ("two", [sample, sample])):
        (home / f"{name}.jsonl").write_text(json.dumps(problem | {"samples": samples}) + "\n")
    (home / "marked.yaml").write_text(
        f"extends: small.yaml\nname: other\nabout: {json.dumps('a world' + RAW + '<script>')}\n"
    )
    (home / "bad.yaml").write_text(f"name: {json.dumps(MARK)}\n{json.dumps('k' + MARK)}: 1\n")
    call = {"model": f"m{MARK}", "messages": [["user", MARK]], "reply": MARK}
    (home / "calls.jsonl").write_text(json.dumps(call) + "\n")
    curator("evaluate", "samples.jsonl", "--name", f"one{MARK}", "-o", "one.json", cwd=home)
    curator("evaluate", "samples.jsonl", "--name", f"other{MARK}", "-o", "other.json", cwd=home)
    return home


def row_id(folder: Path) -> str:
    with Store(folder / "store", readonly=True) as store:
        manifest = store.versions.get("marked")
        [batch, *_] = store.objects.read(objects_of(manifest).rows)
        return str(batch.column("id")[0].as_py().hex())


STORE = ("--store", "store")
SQL = (
    "SELECT * FROM rows JOIN verdicts ON verdicts.row_id = rows.id",
    *(f"SELECT * FROM {view}" for view in ("problems", "quarantine", "rationales", "versions")),
    f"SELECT 1 AS \"x{MARK}\", 'a{MARK}' AS y",
)
ROWS = f"rows{FILE_MARK}.jsonl"
RUNS: dict[str, list[tuple[str, ...]]] = {
    "new": [("new", f"n{RAW}"), ("new", "mine", "--from", f"b{RAW}")],
    "preview": [("preview", "marked.yaml", "--mirror", "mirror", *STORE)],
    "plan": [("plan", "marked.yaml", *STORE), ("plan", "bad.yaml"), ("plan", f"x{RAW}.yaml")],
    "build": [("build", "marked.yaml", "--mirror", "mirror", "-m", MARK, "--store", f"st{RAW}")],
    "cancel": [("cancel", "marked.yaml", *STORE)],
    "status": [("status", *STORE), ("status", "--store", f"st{RAW}")],
    "versions": [("versions", *STORE)],
    "show": [("show", "marked", *STORE), ("show", f"x{MARK}", *STORE)],
    "diff": [
        ("diff", "small", "marked", "--rows", *STORE),
        ("diff", "marked@1", "marked@2", "--rows", *STORE),
        ("diff", "marked", f"{MARK}", *STORE),
    ],
    "why": [("why", "ROW", *STORE), ("why", MARK, *STORE)],
    "sql": [*(("sql", query, *STORE) for query in SQL), ("sql", f"SELECT {RAW}", *STORE)],
    "report": [
        ("report", "marked", "-o", f"page{FILE_MARK}.html", "--overwrite", *STORE),
        ("report", "small", "marked", "-o", "both.html", "--overwrite", *STORE),
    ],
    "reverify": [("reverify", "marked", *STORE), ("reverify", MARK, *STORE)],
    "tag": [
        ("tag", "marked", "paper", *STORE),
        ("tag", "marked", MARK, *STORE),
        ("tag", MARK, "paper", *STORE),
        ("tag", "--delete", f"marked@{MARK}", *STORE),
        ("show", f"marked@{MARK}", *STORE),
    ],
    "gc": [("gc", *STORE)],
    "rm": [("rm", "gone", *STORE), ("rm", MARK, *STORE), ("show", "gone@1", *STORE)],
    "verify": [("verify", *STORE)],
    "disagreements": [("disagreements", "marked", *STORE)],
    "audit": [
        ("audit", ROWS, "--licence", MARK, *STORE),
        ("audit", "rows.zip", "--report", f"audit{RAW}.html", *STORE),
        ("audit", ROWS, "--question", MARK, *STORE),
    ],
    "overlap": [("overlap", "marked", "marked", *STORE), ("overlap", ROWS, MARK, *STORE)],
    "golds": [
        ("golds", "marked", "--answers", ROWS, *STORE),
        ("golds", ROWS, "--answers", f"f{MARK}={ROWS}", *STORE),
        ("golds", MARK, *STORE),
    ],
    "rule": [
        ("rule", f"e{FILE_MARK}.jsonl", MARK, "wrong"),
        ("rule", f"e{FILE_MARK}.jsonl", "066e278edfd8a0dc", "wrong", "--answer", MARK),
    ],
    "export": [
        ("export", "marked", "--format", "alpaca-jsonl", "-o", "a.jsonl", "--overwrite", *STORE),
        ("export", "card", "--format", "hub", "-o", "hub", "--overwrite", *STORE),
        ("export", "marked", "--format", MARK, *STORE),
    ],
    "publish": [("publish", "marked", f"me/{MARK}", *STORE)],
    "pull": [("pull", f"me/{MARK}", *STORE)],
    "train": [("train", "preflight", "small-cpu", "--model", f"m{RAW}"), ("train", MARK, "x")],
    "sample": [
        ("sample", "m", "--sets", MARK, *STORE),
        ("sample", "m", "--base-url", MARK, *STORE),
    ],
    "score": [("score", f"s{RAW}", "--verifier", MARK)],
    "evaluate": [
        ("evaluate", "samples.jsonl", "--all", "--name", MARK),
        ("evaluate", "two.jsonl", "--name", MARK, "--plot", "plot.svg"),
        ("evaluate", "--compare", "one.json", "other.json"),
        ("evaluate", f"s{RAW}.jsonl"),
    ],
    "study": [("study", f"x{RAW}", *STORE)],
    "improve": [("improve", MARK, *STORE), ("improve", f"x{RAW}", "--sets", MARK, *STORE)],
    "replay": [("replay", "--calls", "calls.jsonl", "--write", f"copy{RAW}.jsonl")],
    "sources": [("sources", "--mirror", "mirror")],
    "sandbox": [("sandbox",)],
    "schema": [("schema",)],
}
NO_JSON = {"new", "cancel", "schema"}


def test_every_command_is_tried() -> None:
    assert RUNS.keys() == set(COMMANDS)


def assert_clean(text: str) -> None:
    assert not [character for character in RAW if character in text]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize(
    ("words", "as_json"),
    [
        pytest.param(words, as_json, id=f"{name}-{number}{'-json' * as_json}")
        for name, runs in RUNS.items()
        for number, words in enumerate(runs)
        for as_json in (False, True)
        if not (as_json and name in NO_JSON)
    ],
)
def test_no_output_can_drive_a_terminal(
    folder: Path, words: tuple[str, ...], as_json: bool
) -> None:
    if words[0] in ("replay", "build"):
        words = (*words[:-1], f"{as_json}{words[-1]}")
    if "--report" in words:
        words = tuple(f"{as_json}{word}" if word.endswith(".html") else word for word in words)
    words = tuple(row_id(folder) if word == "ROW" else word for word in words)
    if as_json:
        words = (words[0], "--json", *words[1:])
    done = curator(*words, "--debug", cwd=folder)
    assert_clean(done.stdout + done.stderr)
    assert "Unexpected" not in done.stderr
    if as_json and done.returncode == 0:
        json.loads(done.stdout)


def test_marks_reach_the_output_as_text(folder: Path) -> None:
    shown = curator("why", row_id(folder), *STORE, cwd=folder).stdout
    for label in ("source", "from", "revision", "problem", "writer", "subset"):
        [line] = [line for line in shown.splitlines() if line.startswith(f"{label} ")]
        assert "<U+001B>" in line or label in ("revision", "subset"), line
    assert "OWNED" in shown
    query = "SELECT place FROM problems WHERE contains(place, 'OWNED') LIMIT 1"
    rows = curator("sql", query, "--json", *STORE, cwd=folder)
    assert json.loads(rows.stdout)[0]["place"].startswith(MARK), "JSON keeps the value"


def test_a_page_shows_marks_as_text(folder: Path) -> None:
    for name, words in (("p1.html", ("marked",)), ("p2.html", ("small", "marked"))):
        done = curator("report", *words, "-o", name, "--overwrite", *STORE, cwd=folder)
        assert done.returncode == 0, done.stderr
        page = (folder / name).read_bytes().decode()
        own = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL)
        assert_clean(own.replace("\n", ""))
        assert "OWNED" in own and "<U+001B>" not in own and "&lt;U+001B&gt;" in own
        assert page.count("<script") == 2
        assert not re.search(r"(?:src|href)=\"(?!#)", page)


def test_a_card_shows_marks_as_text(folder: Path) -> None:
    done = curator("export", "card", "--format", "hub", "-o", "card", *STORE, cwd=folder)
    if done.returncode:
        pytest.fail(done.stderr)
    text = (folder / "card/README.md").read_bytes().decode()
    assert_clean(text.replace("\n", ""))
    assert "OWNED" in text
    assert "<script" not in text and "http://evil" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    data = DatasetCard(text).data.to_dict()  # type: ignore[no-untyped-call]
    assert set(data) <= {
        *("pretty_name", "license", "license_name", "language", "task_categories"),
        *("size_categories", "tags", "configs"),
    }


def test_a_plot_shows_marks_as_text(folder: Path) -> None:
    words = ("evaluate", "two.jsonl", "--name", MARK, "--plot", "mine.svg")
    assert curator(*words, cwd=folder).returncode == 0
    text = (folder / "mine.svg").read_bytes().decode()
    assert_clean(text.replace("\n", ""))
    ElementTree.fromstring(text)


def test_files_for_programs_keep_every_character(folder: Path) -> None:
    words = ("export", "marked", "--format", "prompt-completion", "-o", "b.jsonl")
    assert curator(*words, *STORE, cwd=folder).returncode == 0
    for line in (folder / "b.jsonl").read_bytes().decode().split("\n")[:-1]:
        assert json.loads(line)["completion"].startswith(MARK)


def test_other_writers_to_the_streams_are_filtered() -> None:
    script = (
        "import sys, warnings, logging, typer, traceback\n"
        "from curator.cli.terminal import protect_streams\n"
        "protect_streams(); protect_streams()\n"
        f"mark = {RAW!r}\n"
        "print('a' + mark); typer.echo('b' + mark); warnings.warn('c' + mark)\n"
        "logging.warning('d' + mark); sys.stdout.writelines(['e' + mark])\n"
        "from rich import print as show; show('f' + mark)\n"
        "print('http://u:secret@h', file=sys.stderr)\n"
        "raise ValueError('g' + mark + ' http://u:' + 'secret@h')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    for letter in "abcdefg":
        assert f"{letter}<U+001B>" in done.stdout + done.stderr, letter
    assert_clean(done.stdout + done.stderr)
    assert done.stderr.count("http://[key]@h") == 2


def test_progress_bars_may_return_to_the_start_of_their_line() -> None:
    bars, data = io.StringIO(), io.StringIO()
    _Filter(bars, for_messages=True).write("\r50%\r")
    _Filter(data, for_messages=False).write("\r50%")
    assert (bars.getvalue(), data.getvalue()) == ("\r50%<U+000D>", "<U+000D>50%")


WRITERS = {
    "curator/cli/terminal.py": "the only module that writes to the terminal",
    "curator/cli/reference.py": "writes docs/reference.md from our own texts",
    "curator/answers/compare/symbolic_worker.py": "answers its parent process",
}


def calls_that_print(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if re.fullmatch(
                r"print|.*\becho|.*\bsecho|.*\bpprint|sys\.std(out|err)\.write\w*", name
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_only_one_module_writes_to_the_terminal() -> None:
    found = {
        place
        for part in ("curator", "trainers", "datastore")
        for path in (ROOT / part).rglob("*.py")
        for place in calls_that_print(path)
        if place.partition(":")[0] not in WRITERS and "/sandbox/" not in place
    }
    assert not found, "use print_line of curator.cli.terminal"


@pytest.mark.parametrize(
    "variables",
    [
        {"http_proxy": "http://user:proxysecret@127.0.0.1:99999"},
        {"http_proxy": "user:proxysecret@127.0.0.1:99999"},
        {"http_proxy": "http://user:proxysecret@[::bad"},
        {"ALL_PROXY": "socks5://user:proxysecret@127.0.0.1:1"},
    ],
)
def test_a_login_of_a_proxy_is_not_shown(tmp_path: Path, variables: dict[str, str]) -> None:
    mirror, _ = make_world(tmp_path)
    (tmp_path / "r.yaml").write_text(
        "name: p\nabout: x\nsubsets:\n  a: {source: gsm8k, kind: CoT, writers: [cot]}\n"
        "teacher: {model: m, base_url: 'http://example.invalid/v1', key_env: '', tries: 1}\n"
        "screens: {contamination: null}\nlimits: {quarantine: 0.5}\n"
    )
    environment = RUN["env"] | variables
    words = ("build", "r.yaml", "--mirror", mirror, "--store", "st", "--debug")
    done = subprocess.run(
        command(*words), cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    stored = b"".join(each.read_bytes() for each in (tmp_path / "st").rglob("*") if each.is_file())
    assert done.returncode and "proxysecret" not in done.stdout + done.stderr
    assert b"proxysecret" not in stored


@pytest.mark.parametrize(
    "teacher",
    [
        "base_url: 'http://user:sesame12@h/v1'",
        "base_url: 'http://h/v1?api_key=sesame12'",
        "base_url: 'http://h/v1#sesame12'",
        "parameters: {extra_headers: {Authorization: 'Bearer sesame12'}}",
        "parameters: {api_key: sesame12}",
    ],
)
def test_a_recipe_with_a_secret_is_rejected_without_showing_it(
    tmp_path: Path, teacher: str
) -> None:
    (tmp_path / "r.yaml").write_text(
        f"name: p\nsubsets: {{a: {{source: gsm8k, kind: CoT, writers: [cot]}}}}\n"
        f"teacher: {{model: m, {teacher}}}\n"
    )
    done = curator("plan", "r.yaml", "--store", "st", cwd=tmp_path)
    assert done.returncode == 2 and "sesame12" not in done.stdout + done.stderr
    assert "key_env" in done.stderr


def test_json_prints_the_items_of_an_iterator_while_it_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = ""

    def count() -> Iterator[dict[str, object]]:
        nonlocal printed
        for number in range(TOKENS):
            printed += capsys.readouterr().out
            yield {"number": number, "text": "\u202e"}
        assert printed.startswith('{\n "rows": [\n  {\n   "number": 0,'), "before the last item"

    items: list[object] = [{"number": n, "text": "\u202e"} for n in range(TOKENS)]
    show_json({"rows": count(), "none": iter(()), "one": iter([b"\1"])})
    printed += capsys.readouterr().out
    show_json({"rows": items, "none": [], "one": ["01"]})
    assert printed == capsys.readouterr().out
    assert json.loads(printed)["rows"] == items
