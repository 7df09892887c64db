"""The command line as users and scripts run it: real processes, pipes, a terminal, Ctrl-C."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from curator.cli.app import app
from curator.cli.commands import COMMANDS as REGISTRY
from curator.core.words import counted
from curator.release.formats import FORMATS
from tests.cli.terminal import on_a_terminal
from tests.paths import ROOT
from tests.processes import wait_until
from tests.worlds import EVALUATION, RECIPE, RIGHT, RUN, WRONG, command, curator, make_world

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


class World(NamedTuple):
    """A store with two versions of the small world, and the files they were built from."""

    folder: Path
    mirror: Path
    recipe: Path
    store: Path
    first_build: subprocess.CompletedProcess[str]

    def run(self, *args: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return curator(*args, "--store", self.store, cwd=self.folder, **options)

    def json(self, *args: object) -> Any:
        done = self.run(*args, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("cli")
    mirror, recipe = make_world(folder)
    build = ("build", recipe, "--mirror", mirror, "--store", folder / "store")
    first_build = curator(*build)
    assert first_build.returncode == 0, first_build.stderr
    recipe.write_text(RECIPE + "mixture: {subsets: {cot: 2, pot: 2}}\n")
    assert curator(*build, "-m", "fewer").returncode == 0
    return World(folder, mirror, recipe, folder / "store", first_build)


def reading_commands(world: World) -> list[tuple[object, ...]]:
    """Return the arguments of every command that reads the store."""
    [row] = world.json("sql", "SELECT id FROM rows WHERE subset = 'pot' ORDER BY id LIMIT 1")
    return [
        ("show", "small@1"),
        ("versions",),
        ("status",),
        ("diff", "small@1", "small", "--rows"),
        ("why", row["id"][:8]),
        ("sql", "FROM rationales"),
        ("verify",),
        ("plan", world.recipe, "--mirror", world.mirror),
        ("preview", world.recipe, "--mirror", world.mirror, "-n", "1"),
    ]


def test_help_loads_little_and_nothing_heavy() -> None:
    # It takes a third of a second on an idle machine; the loaded modules do not depend on the load.
    command = [sys.executable, "-X", "importtime", "-m", "curator", "--help"]
    lines = subprocess.run(command, **RUN).stderr.splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "typer" in loaded
    heavy = {"numpy", "pyarrow", "duckdb", "polars", "pydantic", "sympy", "openai", "aiohttp"}
    assert not loaded & (heavy | {"datasets", "torch", "transformers", "trl", "huggingface_hub"})
    assert len(loaded) < 450


def test_help_lists_every_command_in_the_order_of_the_registry_with_a_whole_sentence() -> None:
    modules = {path.stem for path in (ROOT / "curator" / "cli" / "commands").glob("*.py")}
    assert modules - {"__init__"} == set(REGISTRY)
    lines = curator("--help").stdout.partition("Commands:\n")[2].splitlines()
    summaries = [line.split(maxsplit=1) for line in lines[: len(REGISTRY)]]
    assert [name for name, _ in summaries] == list(REGISTRY)
    assert [text for _, text in summaries if not text.endswith(".") or text.endswith("...")] == []


def test_every_help_has_an_example_and_fits_into_80_columns() -> None:
    code = """
from curator.cli import app
for name in COMMANDS:
    app([name, "--help"], prog_name="curator", standalone_mode=False)
    print("----")
"""
    program = [sys.executable, "-c", code.replace("COMMANDS", repr([*COMMANDS]))]
    texts = subprocess.run(program, **RUN).stdout.split("----\n")
    for name, text in zip(COMMANDS, texts, strict=False):
        assert f"Usage: curator {name}" in text
        assert f"Example: curator {name}" in text
        assert max(map(len, text.splitlines())) <= 80, name


def test_show_prints_the_counts_of_every_subset_from_problems_to_kept_rows(world: World) -> None:
    lines = world.run("show", "small@1").stdout.splitlines()
    assert re.fullmatch(r"small@1  11 rows  digest [0-9a-f]{16}", lines[0])
    assert lines[2:6] == [
        "subset  problems  rationales  passed  failed  undecided  screened  kept",
        "cot            7           8       8       ·          ·         2     6",
        "pot            7           8       7       1          ·         2     5",
        "all           14          16      15       1          ·         4    11",
    ]
    assert lines[7:11] == [
        "evidence  executed  independent  arithmetic  agreed  same text  form",
        "cot              ·            ·           5       ·          1     ·",
        "pot              5            ·           ·       ·          ·     ·",
        "all              5            ·           5       ·          1     ·",
    ]
    assert lines[11] == "10 of 11 rows are proved: executed, independent, arithmetic or agreed."
    assert lines[13:] == [
        "subset  outcome      reason                rows",
        "cot     failed       duplicate                1",
        "cot     failed       same question            1",
        "pot     failed       contradicts the gold     1",
        "pot     failed       duplicate                1",
        "pot     failed       same question            1",
        "cot     quarantined  did not parse            1",
        "pot     quarantined  did not parse            1",
    ]


def test_show_prints_how_many_rows_the_mixture_did_not_draw(world: World) -> None:
    shown = world.run("show", "small").stdout
    assert shown.startswith("small@2  4 rows")
    assert "\nfewer\n" in shown
    assert re.search(r"^cot +not drawn +mixture +4$", shown, re.MULTILINE)


def test_build_prints_the_table_to_stdout_and_the_next_commands_to_stderr(world: World) -> None:
    assert world.first_build.stdout == world.run("show", "small@1").stdout
    [line] = world.first_build.stderr.splitlines()
    assert f"curator show small@1 --store {world.store}" in line


def test_reading_commands_print_only_json_with_json(world: World) -> None:
    for args in reading_commands(world):
        assert world.json(*args), args


def test_piped_output_has_no_escape_codes_and_lines_of_80_columns(world: World) -> None:
    for args in reading_commands(world):
        done = world.run(*args)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if str(world.folder) not in line]
        assert lines
        assert max(map(len, lines)) <= 80, args
        assert [line for line in lines if line != line.rstrip()] == [], args


def test_what_a_first_build_prints_and_its_plan_fit_into_80_columns(
    world: World, tmp_path: Path
) -> None:
    words = (world.recipe, "--mirror", world.mirror, "--store", tmp_path / "store")
    for done in (curator("plan", *words), curator("build", *words, "--allow-missing")):
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80, done.stdout


def test_verify_prints_what_is_damaged_and_the_command_that_repairs_it(
    world: World, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(world.store, store)
    verify = ("verify", "--store", store)
    good = curator(*verify)
    assert (good.returncode, good.stderr) == (0, "")
    line = r"Checked \d+ objects \(0\.\d MiB\) and 2 versions: nothing damaged or missing\.\n"
    assert re.fullmatch(line, good.stdout)
    digest = json.loads((store / "versions/small/2.json").read_text())["objects"]["rows"]
    path = store / f"objects/{digest[:2]}/{digest}.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    (store / "objects/notes.txt").write_text("by hand")
    bad = curator(*verify)
    repair = f"curator build {world.recipe} --mirror {world.mirror} --store {store}"
    assert (bad.returncode, bad.stderr) == (1, "")
    assert bad.stdout.splitlines()[1:] == [
        "",
        f"damaged objects/{digest[:2]}/{digest[:16]}….parquet",
        "  small@2: rows",
        f"To repair: {repair}",
        "",
        "Files among the objects that are not objects and that nothing reads:",
        "  objects/notes.txt",
    ]
    found = json.loads(curator(*verify, "small@2", "--json").stdout)
    assert found["damage"] == [
        {
            "file": f"objects/{path.parent.name}/{path.name}",
            "state": "damaged",
            "holders": ["small@2: rows"],
            "repair": repair,
        }
    ]
    assert curator(*verify, "small@1").returncode == 0
    assert curator(*verify, "smell").returncode == 2
    failed = curator("export", "small@2", "--store", store, "-o", tmp_path / "rows.json")
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"{path} is damaged: its sha256 is ")
    assert not (tmp_path / "rows.json").exists()
    assert curator(*shlex.split(repair)[1:]).returncode == 0
    assert curator(*verify).returncode == 0


def test_sources_prints_rows_licence_and_what_can_be_read(world: World) -> None:
    done = curator("sources", "--mirror", world.mirror)
    assert re.search(r"^gsm8k +7,473 yes +MIT +openai/gsm8k$", done.stdout, re.MULTILINE)
    assert re.search(r"^math +7,500 no +MIT +EleutherAI/", done.stdout, re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert f"math: no data file in {world.mirror}/sources/math" in done.stderr
    places = json.loads(curator("sources", "--mirror", world.mirror, "--json").stdout)
    assert {place["name"] for place in places if place["reachable"]} == {"gsm8k"}


def test_a_terminal_shows_bars_during_a_build_and_none_afterwards(world: World) -> None:
    store = world.folder / "seen"
    seen = on_a_terminal("build", world.recipe, "--mirror", world.mirror, "--store", store)
    bars, table = seen.split("small@1", 1)
    for work in ("reading sources", "writing and checking", "screening contamination"):
        assert work in bars
    assert "\x1b[1m" in table, "heads are bold"
    assert "━" not in table


def test_tables_are_plain_with_no_color(world: World) -> None:
    assert "\x1b" not in on_a_terminal("versions", "--store", world.store, NO_COLOR="1")


def test_a_wide_result_of_sql_is_cut_to_the_terminal_with_a_note(world: World) -> None:
    query = ("sql", "SELECT 'a\nb' || repeat('x', 200) AS long, 7 AS n, NULL AS nothing")
    done = world.run(*query)
    head, row = done.stdout.splitlines()
    assert (head.split(), len(head)) == (["long", "n", "nothing"], 80)
    assert row.startswith("a\\nbxxx")
    assert row.endswith("x… 7 NULL")
    assert "--json" in done.stderr
    [whole] = world.json(*query)
    assert whole == {"long": "a\nb" + "x" * 200, "n": 7, "nothing": None}


def test_data_cannot_send_codes_to_the_terminal(world: World) -> None:
    done = world.run("sql", "SELECT chr(27) || '[31mred' || chr(155) AS x")
    assert done.stdout == "x\n<U+001B>[31mred<U+009B>\n"


def test_arguments_cannot_send_codes_to_the_terminal(world: World) -> None:
    done = curator("show", "\x1b[2Jmine", "--store", world.store)
    assert done.returncode == 2 and "mine" in done.stderr and "\x1b" not in done.stderr


def test_numbers_that_json_lacks_are_null(world: World) -> None:
    query = "SELECT 'nan'::DOUBLE AS a, '-inf'::DOUBLE AS b, 1.50::DECIMAL(9, 2) AS c"
    assert world.json("sql", query) == [{"a": None, "b": None, "c": 1.5}]


def test_diff_rows_shows_questions_of_a_subset_up_to_a_limit_and_the_keys_that_differ(
    world: World,
) -> None:
    shown = world.run("diff", "small@1", "small", "--rows", "--subset", "cot", "--limit", "2")
    lines = shown.stdout.splitlines()
    keys = [line.split() for line in lines if line.startswith("mixture.subsets.")]
    assert keys == [[f"mixture.subsets.{name}", "–", "2"] for name in ("cot", "pot")]
    rows = [number for number, line in enumerate(lines) if line.startswith("- ")]
    assert len(rows) == 2 and all("  cot  " in lines[number] for number in rows)
    questions = {question for question, _, _ in [*RIGHT, WRONG, EVALUATION]}
    for number in rows:
        start = lines[number + 1].strip().removesuffix(" …")
        assert any(question.startswith(start) for question in questions)
    assert re.search(r"^2 of \d rows that differ\.$", shown.stdout, re.MULTILINE)
    found = world.json("diff", "small@1", "small", "--limit", "1")
    assert len(found["rows"]) == 1 and found["rows"][0]["question"] and found["recipe"]
    wrong = world.run("diff", "small@1", "small", "--subset", "cto")
    assert wrong.returncode == 2 and "Did you mean 'cot'" in wrong.stderr


def test_diff_rows_lists_one_row_per_line(world: World) -> None:
    lines = world.run("diff", "small@1", "small", "--rows").stdout.splitlines()
    rows = [line for line in lines if line.startswith("- ")]
    assert len(rows) == 7
    assert all(re.fullmatch(r"- [0-9a-f]{12}  (cot|pot)  mixture: .+", row) for row in rows)


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ("export small --format trl-grpo --per-problem 2", "--per-problem"),
        ("export small --format hub --per-problem 5", "--per-problem"),
        ("export small --format verl --thoughts drop", "--thoughts"),
        ("export small --format messages --certify curator", "--certify"),
        ("export small --format kto --order easy-first", "--order"),
        ("sample m --columns question=q", "--columns"),
        ("sample m --top-p 0.5", "--top-p"),
        ("sample m -n 4 --temperature 0 --top-p 0.5", "--top-p"),
        ("sample m --local --base-url http://localhost:1/v1", "--base-url"),
        ("sample m --server x --key-env KEY", "--key-env"),
        ("build small.yaml --address localhost:1", "--address"),
        ("evaluate a.json b.json --compare --plot x.svg", "--plot"),
        ("replay --calls small.yaml --write out --port 80", "--port"),
    ],
)
def test_an_option_that_another_one_leaves_without_effect_is_an_error(
    world: World, args: str, option: str
) -> None:
    done = curator(*args.split(), cwd=world.folder)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.partition(" has no effect ")[0].endswith(option), line


@pytest.mark.parametrize(
    "args",
    [
        "--format verl --thoughts keep --per-problem 4",
        "--format trl-grpo --thoughts keep --certify=",
        "--format messages --certify= --per-problem 4",
    ],
)
def test_a_default_that_is_written_out_is_the_default(world: World, args: str) -> None:
    done = [
        world.run("export", "small", "-o", name, *each, "--overwrite")
        for name, each in (("plain", args.split()[:2]), ("written", args.split()))
    ]
    assert [each.returncode for each in done] == [0, 0], done[1].stderr
    plain, written = ((world.folder / name).read_bytes() for name in ("plain", "written"))
    assert plain == written


def test_a_build_that_changes_nothing_says_so_in_one_line(world: World) -> None:
    for args in (("build", world.recipe, "--mirror", world.mirror), ("reverify", "small")):
        done = world.run(*args)
        assert done.returncode == 0 and done.stderr == ""
        assert re.fullmatch(r"small@2 is unchanged: 4 rows, digest [0-9a-f]{16}\n", done.stdout)
    same = world.run("build", world.recipe, "--mirror", world.mirror, "--json")
    assert json.loads(same.stdout)["version"] == "small@2"


def test_a_build_without_rows_ends_with_two(world: World) -> None:
    recipe = world.folder / "zero.yaml"
    recipe.write_text(RECIPE.replace("small", "zero") + "mixture: {subsets: {cot: 0, pot: 0}}\n")
    done = world.run("build", recipe, "--mirror", world.mirror)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "zero would have no rows" in line and "pot: " in line


def test_a_preview_marks_rows_that_only_the_mixture_excluded(world: World) -> None:
    recipe = world.folder / "none.yaml"
    recipe.write_text(RECIPE + "mixture: {subsets: {cot: 0}}\n")
    shown = world.run("preview", recipe, "--mirror", world.mirror, "-n", "1").stdout
    assert re.search(r"^── cot [0-9a-f]{12} not drawn by the mixture$", shown, re.MULTILINE)


def test_a_preview_fits_the_screen_and_names_what_subsets_wait_for(world: World) -> None:
    recipe = world.folder / "wide.yaml"
    missing = ("gsm8k_rft", "math", "theoremqa", "camel_math", "college_math", "numglue")
    subsets = "".join(f"  {name}: {{source: {name}, kind: CoT}}\n" for name in missing)
    recipe.write_text(RECIPE.replace("subsets:\n", f"subsets:\n{subsets}"))
    done = world.run("preview", recipe, "--mirror", world.mirror, "-n", "2")
    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0 and len(lines) <= 23 and max(map(len, lines)) <= 80
    assert [line for line in lines if line.startswith("── cot")], "one row is an example"
    assert re.search(r"^gsm8k_rft +0 +0 +waits for source gsm8k_rft$", done.stdout, re.MULTILINE)
    assert re.search(r"^[1-3] of 4 rows; --rows prints all of them.$", lines[-1])
    whole = world.run("preview", recipe, "--mirror", world.mirror, "-n", "2", "--rows").stdout
    assert whole.count("── ") == 4 and "rows; --rows" not in whole


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (("nosuch",), 2, "No such command 'nosuch'. See 'curator --help'."),
        (("build",), 2, "Missing argument 'RECIPE'. See 'curator build --help'."),
        (("build", "quickstrat"), 2, "Did you mean 'quickstart'?"),
        (("new", "Bad Name"), 2, "lower-case letters"),
        (("build", "small.yaml", "--mirror", "nowhere"), 2, "'nowhere' does not exist"),
        (("build", "small.yaml", "--mirror", "empty"), 1, "--allow-missing"),
        (("preview", "small.yaml", "-n", "many"), 2, "See 'curator preview --help'."),
        (("status", "--store", "small.yaml"), 2, "'small.yaml' is a file"),
        (("versions", "--store", "nowhere"), 2, "No store at nowhere"),
        (("versions", "--store", "mirror"), 1, "is not a store"),
        (("versions", "--store", "empty"), 2, "No store at empty"),
        (("gc", "--store", "empty"), 2, "No store at empty"),
        (("show", "smal"), 2, "Did you mean 'small'?"),
        (("diff", "small@1", "other"), 2, "No version named 'other'"),
        (("why", "0000000"), 2, "No row has an id that starts with '0000000'"),
        (("sql", "SELEC 1"), 2, "syntax error"),
        (("export", "small", "--format", "alpca"), 2, "Did you mean 'alpaca'?"),
        (("export", "small", "-o", "mirror"), 2, "mirror is a folder"),
        (("export", "small", "-o", "small.yaml"), 2, "--overwrite"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_on_stderr(
    world: World, args: tuple[str, ...], code: int, expected: str
) -> None:
    (world.folder / "empty").mkdir(exist_ok=True)
    env = {**RUN["env"], "CURATOR_STORE": str(world.store)}
    done = curator(*args, cwd=world.folder, env=env)
    assert (done.returncode, done.stdout) == (code, "")
    [line] = done.stderr.splitlines()
    assert expected in line


@pytest.mark.parametrize("left", [(), ("locks", "tmp")], ids=["empty", "killed at its creation"])
def test_a_build_creates_its_store_in_a_folder_that_is_there(
    world: World, tmp_path: Path, left: tuple[str, ...]
) -> None:
    store = tmp_path / "there"
    store.mkdir()
    for name in left:
        (store / name).mkdir()
    words = ("small.yaml", "--mirror", "mirror", "--store", str(store))
    planned = curator("plan", *words, cwd=world.folder)
    assert (planned.returncode, sorted(path.name for path in store.iterdir())) == (0, [*left])
    built = curator("build", *words, cwd=world.folder)
    assert built.returncode == 0, built.stderr
    shown = curator("show", "small", "--store", str(store), cwd=world.folder)
    assert shown.returncode == 0, shown.stderr


def test_an_invalid_recipe_prints_one_line_per_error_with_its_place(world: World) -> None:
    path = world.folder / "bad.yaml"
    path.write_text(RECIPE.replace("seed", "seeed").replace("kind: CoT", "kind: Cot"))
    done = curator("build", path, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(line.split(": ")[0] for line in done.stderr.splitlines()) == [
        "bad.yaml:3",
        "bad.yaml:5",
    ]


def test_debug_prints_the_traceback_even_after_the_command(world: World) -> None:
    done = world.run("show", "nope", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("No version named 'nope'")


def test_formats_with_the_same_suffix_have_different_default_files(world: World) -> None:
    same = [form for form, how in FORMATS.items() if how.suffix == ".jsonl"][:2]
    exported = [world.json("export", "small", "--format", form) for form in same]
    assert {*exported[0].pop("lengths")["kinds"]} == {"CoT", "PoT"}
    assert exported[0] == {
        "version": "small@2",
        "format": same[0],
        "file": f"small-2-{same[0]}.jsonl",
        "rows": 4,
        "files": {f"small-2-{same[0]}.jsonl": 4},
    }
    assert all((world.folder / each["file"]).stat().st_size for each in exported)
    assert exported[0]["file"] != exported[1]["file"]


def test_an_export_of_prompts_states_how_many_rows_it_left_out_and_why(world: World) -> None:
    exported = world.json("export", "small", "--format", "trl-grpo", "-o", "prompts.jsonl")
    assert exported["left_out"].keys() <= {"same prompt"}
    assert exported["rows"] + sum(exported["left_out"].values()) == 4
    printed = world.run("export", "small", "--format", "verl", "-o", "prompts.parquet").stdout
    lines = [
        f"Left out {counted(rows, 'row')}: {reason}"
        for reason, rows in exported["left_out"].items()
    ]
    assert printed.splitlines() == [
        f"Wrote {exported['rows']} rows of small@2 to prompts.parquet",
        *lines,
    ]


def test_a_pipe_that_is_closed_early_ends_the_command_silently(world: World) -> None:
    query = command("sql", "SELECT range FROM range(100000)", "--store", world.store)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": RUN["env"]}
    with subprocess.Popen(query, **options) as running:
        assert running.stdout
        assert running.stderr
        assert running.stdout.readline().strip() == b"range"
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() in (0, 1)


def test_a_full_disk_behind_stdout_is_one_line(world: World) -> None:
    with open("/dev/full", "w") as full:
        options = {**RUN, "capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
        done = subprocess.run(command("versions", "--store", world.store), **options)
    assert (done.returncode, done.stderr) == (1, "Cannot read or write: No space left on device\n")


def test_a_terminal_without_unicode_shows_question_marks_and_complete_json(world: World) -> None:
    env = {**RUN["env"], "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    shown = world.run("show", "small", env=env)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.search(r"^cot .* \? ", shown.stdout, re.MULTILINE)
    done = world.run("sql", "SELECT 'é…' AS x", "--json", env=env)
    assert json.loads(done.stdout) == [{"x": "é…"}]


def test_an_interrupt_that_a_package_swallows_is_raised_at_the_next_step() -> None:
    code = """
import os, signal
from curator.cli import interrupt
from curator.cli.app import Progress
interrupt.install_handler()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("swallowed")
Progress().progress("reading", 1, 2)
"""
    done = subprocess.run([sys.executable, "-c", code], **RUN)
    assert done.stdout == "swallowed\n"
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"


def test_ctrl_c_prints_how_to_resume_and_leaves_no_process(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    rows = [
        {"question": f"What do {n} and {n} make?", "answer": f"<<{n}+{n}={2 * n}>>\n#### {2 * n}"}
        for n in range(2000)
    ]
    (mirror / "sources/gsm8k/more.jsonl").write_text("\n".join(map(json.dumps, rows)))
    store = tmp_path / "store"
    building = command("build", recipe, "--mirror", mirror, "--store", store)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(building, start_new_session=True, env=RUN["env"], **options)
    journals = lambda: store.glob("ledgers/executions/*.journal")  # noqa: E731
    wait_until(
        lambda: any(path.stat().st_size for path in journals()), lambda: running.poll() is None
    )
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate()
    assert (running.returncode, out) == (1, "")
    [line] = err.splitlines()
    assert line.startswith("Interrupted. Finished work is cached; resume with: curator build ")

    def is_left() -> bool:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return False
        return True

    wait_until(lambda: not is_left())
    again = curator(*shlex.split(line.split("resume with: curator ")[1]), cwd=ROOT)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("small@1  2,011 rows")


def test_a_value_that_an_option_does_not_have_is_named_with_the_choices() -> None:
    done = curator("build", "quickstart", "--executor", "rey")
    assert done.returncode == 2
    assert "'--executor': 'rey' is not one of 'local', 'ray'" in done.stderr
