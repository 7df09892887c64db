"""Rationales by a teacher: requests, parsed replies, checks, repairs, cached calls and retries."""

import asyncio
import gc
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from curator import RunOptions, build, load
from curator.cli.app import Progress
from curator.core.errors import BudgetReached
from curator.core.model import Problem
from curator.core.progress import SilentListener, TeacherProgress
from curator.pipeline.open_context import open_context
from curator.pipeline.plan import plan
from curator.pipeline.requests import messages_of
from curator.recipe.load import load_recipe
from curator.teacher import Budget
from curator.versions.remove import remove
from curator.versions.verify import verify
from curator.versions.views import run_query
from curator.writers.prompt_templates import FOLDER, Prompts
from datastore import parts
from datastore.running import running_lines
from datastore.store import Store
from datastore.versions import Manifest

RECIPE = """\
name: taught
about: programs that a teacher wrote
subsets:
  one:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
screens: {contamination: null}
teacher: {model: m, replay: calls.jsonl, family: replay, parameters: {max_tokens: 100}}
sampling: {tries: 2, until: 1}
"""
GOLDS = {
    "What is two plus two, as a number?": "4",
    "What is three plus two, as a number?": "5",
    "What is nine plus two, as a number?": "11",
    "What is ten divided by four, as a number?": "2.5",
}
TWO, THREE, NINE, TEN = GOLDS
REPLIES: dict[tuple[str, int], str] = {
    (TWO, 0): "```python\nprint(2 + 2)\n```",
    (THREE, 0): "```python\nprint(2 + 2)\n```",
    (THREE, 1): "Sorry.\n```python\nprint(3 + 2)\n```",
    (NINE, 0): "I cannot say.",
    (NINE, 1): "```python\nprint(nine + 2)\n```",
    (TEN, 0): "```python\nprint(10 / 4)\n```",
}


def write_world(
    folder: Path, recipe: str = RECIPE, replies: Mapping[tuple[str, int], str] = REPLIES
) -> Path:
    """The rows, the recorded calls and the recipe."""
    rows = [json.dumps({"q": question, "a": gold}) for question, gold in GOLDS.items()]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    prompts = Prompts()
    lines = []
    for (question, sample), reply in replies.items():
        messages = messages_of(prompts, "pot", Problem("x", question, ""))
        line = {"model": "m", "messages": messages[-1:], "sample": sample, "reply": reply}
        lines.append(json.dumps(line))
    (folder / "calls.jsonl").write_text("\n".join(lines))
    path = folder / "taught.yaml"
    path.write_text(recipe)
    return path


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path]:
    return write_world(tmp_path), tmp_path / "store"


def calls(store: Path) -> int:
    with Store(store, readonly=True) as opened:
        return sum(1 for _ in opened.ledger("calls").records())


def taught(manifest: Manifest, subset: str = "one") -> dict[str, object]:
    found: dict[str, object] = manifest.content["subsets"][subset]["taught"]
    return {key: value for key, value in found.items() if key != "prompts"}


def test_only_correct_programs_are_kept_and_every_reply_is_counted(world) -> None:
    recipe, store = world
    made = build(recipe, store)
    assert {row["question"]: row["text"] for row in load("taught", store).to_pylist()} == {
        TWO: "print(2 + 2)",
        THREE: "print(3 + 2)",
        TEN: "print(10 / 4)",
    }
    subset = made.content["subsets"]["one"]
    assert (subset["rationales"], subset["passed"], subset["failed"]) == (5, 3, 2)
    assert subset["reasons"] == {"failed: error": 1, "failed: contradicts the gold": 1}
    assert taught(made) == {
        "calls": 6,
        "unanswered": 0,
        "repaired": 0,
        "replayed": 6,
        "unread: no program": 1,
    }
    assert made.content["teacher"] == {
        "family": "replay",
        "model": "m",
        "parameters": {"max_tokens": 100},
        "replay": True,
    }


@pytest.mark.parametrize("text", ["\ud800", "\0"], ids=ascii)
def test_a_reply_that_cannot_be_stored_as_text_is_kept_with_its_reason(
    text: str, tmp_path: Path
) -> None:
    program = f"```python\nprint(4)  # {text}\n```"
    recipe = write_world(tmp_path, replies=REPLIES | {(TWO, 0): program, (TWO, 1): program})
    for _ in range(2):
        made = build(recipe, tmp_path / "store")
        assert taught(made)["unread: not valid Unicode text"] == 2
    with Store(tmp_path / "store", readonly=True) as store:
        query = "SELECT raw FROM quarantine WHERE reason = 'not valid Unicode text'"
        assert run_query(store, query)[1] == [("```python\nprint(4)  # \ufffd\n```",)] * 2


@pytest.mark.parametrize("suffix", [".journal", ".parquet"])
def test_a_call_that_the_disk_damaged_is_made_again_and_the_rest_is_not(
    suffix: str, world, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 2)
    monkeypatch.setattr(parts, "_BATCH_ROWS", 1)
    recipe, root = world
    first = build(recipe, root)
    with Store(root) as store:
        before = dict(store.ledger("calls").records())
        if suffix == ".parquet":
            store.ledger("calls").compact()
        remove(store, ["taught"], print)
    [path] = (root / "ledgers/calls").glob(f"*{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[:600] + bytes([data[600] ^ 1]) + data[601:])
    with Store(root) as store:
        left = dict(store.ledger("calls").records())
        assert 4 <= len(left) < 6
    assert before.items() > left.items()
    with Progress() as progress:
        second = build(recipe, root, options=RunOptions(listener=progress))
    (note,) = (line for line in capsys.readouterr().err.splitlines() if "damaged" in line)
    assert note.startswith(f"{path} is damaged: {len(left)} of its records are intact")
    assert (second.ref, second.digest) == ("taught@2", first.digest)
    with Store(root) as store:
        after = dict(store.ledger("calls").records())
        assert {key: record["call"] for key, record in after.items()} == {
            key: record["call"] for key, record in before.items()
        }
        assert after.items() >= left.items(), "an intact call was made again"
        assert verify(store, [], SilentListener()).damage == ()
    assert (root / "ledgers/calls/damaged" / path.name).exists()


def test_a_rebuild_makes_no_call_and_no_version(world) -> None:
    recipe, store = world
    first = build(recipe, store)
    (recipe.parent / "calls.jsonl").write_text("")
    assert build(recipe, store).ref == first.ref
    assert calls(store) == 6


def test_the_same_calls_give_the_same_digest_in_another_store(world, tmp_path: Path) -> None:
    recipe, store = world
    assert build(recipe, store).digest == build(recipe, tmp_path / "other").digest


def test_a_program_that_fails_is_repaired_once_if_the_recipe_says_so(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, RECIPE.replace("until: 1", "until: 1, repair: true"))
    broken = "print(nine + 2)"
    messages = Prompts().messages(
        "repair",
        question=NINE,
        options="",
        program=broken,
        error="NameError: name 'nine' is not defined (line 1)",
    )
    line = {"model": "m", "messages": messages[-3:], "reply": "```python\nprint(9 + 2)\n```"}
    with (tmp_path / "calls.jsonl").open("a") as file:
        file.write("\n" + json.dumps(line))
    made = build(recipe, tmp_path / "store")
    kept = {row["question"]: row["text"] for row in load("taught", tmp_path / "store").to_pylist()}
    assert kept[NINE] == "print(9 + 2)"
    assert taught(made)["repaired"] == 1
    assert made.content["subsets"]["one"]["reasons"]["failed: error"] == 1


def test_the_next_build_repeats_only_the_call_that_failed_temporarily(world) -> None:
    recipe, store = world
    write_world(recipe.parent, replies={k: v for k, v in REPLIES.items() if k[0] != TEN})
    first = build(recipe, store)
    assert taught(first)["unanswered"] == 2
    with Store(store, readonly=True) as opened:
        [step] = plan(load_recipe(recipe), opened).steps
    assert (step.again, step.because) == (5 - 1, ("calls that failed",))
    write_world(recipe.parent, replies={k: v for k, v in REPLIES.items() if k[0] == TEN})
    second = build(recipe, store)
    assert taught(second)["unanswered"] == 0
    assert second.content["rows"]["count"] == first.content["rows"]["count"] + 1
    assert calls(store) == 7  # the second sample of TEN failed once and is no longer needed


EDITS = {
    "one row added": (RECIPE, "What is one plus one, as a number?", 1),
    "another temperature": (RECIPE.replace("{max_tokens", "{temperature: 0.5, max_tokens"), "", 6),
    "another seed of the mixture": (RECIPE + "seed: 9\n", "", 0),
    "one more sample where nothing is proved": (RECIPE.replace("tries: 2", "tries: 3"), "", 1),
    "another budget": (RECIPE.replace("family:", "budget: {calls: 99}, family:"), "", 0),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_repeats_only_the_calls_that_it_changes(world, edit: str) -> None:
    recipe, store = world
    build(recipe, store)
    text, row, wanted = EDITS[edit]
    recipe.write_text(text)
    replies = dict(REPLIES) | {(NINE, 2): "```python\nprint(9 + 2)\n```"}
    if row:
        replies[row, 0] = "```python\nprint(1 + 1)\n```"
        with (recipe.parent / "rows.jsonl").open("a") as file:
            file.write("\n" + json.dumps({"q": row, "a": "2"}))
        rows = (recipe.parent / "rows.jsonl").read_text()
    write_world(recipe.parent, text, replies)
    if row:
        (recipe.parent / "rows.jsonl").write_text(rows)
    with Store(store, readonly=True) as opened:
        [step] = plan(load_recipe(recipe), opened).steps
    build(recipe, store)
    assert calls(store) == 6 + wanted
    if step.calls:
        assert step.calls.least <= wanted <= step.calls.most


def test_a_changed_prompt_repeats_the_calls_of_its_subset_as_planned(world) -> None:
    recipe, store = world
    build(recipe, store)
    folder = recipe.parent / "prompts"
    folder.mkdir()
    text = (FOLDER / "pot.jinja").read_text()
    (folder / "pot.jinja").write_text(text.replace("You solve", "You gladly solve"))
    recipe.write_text(RECIPE.replace("tries: 2", "prompts: prompts, tries: 2"))
    with Store(store, readonly=True) as opened:
        [step] = plan(load_recipe(recipe), opened).steps
    assert (step.again, step.because) == (5, ("prompt pot",))
    assert step.calls and (step.calls.cached, step.calls.most) == (0, 8)
    second = build(recipe, store)
    assert calls(store) == 12
    assert second.ref == "taught@2"


def test_a_budget_stops_before_the_call_that_would_exceed_it_and_keeps_all_replies(world) -> None:
    recipe, store = world
    with pytest.raises(BudgetReached, match=r"2 of 2 calls spent.*generating one: .* done"):
        build(recipe, store, options=RunOptions(budget=Budget(calls=2)))
    assert calls(store) == 2
    assert (
        build(recipe, store, options=RunOptions(budget=Budget(calls=4))).content["rows"]["count"]
        == 3
    )


def test_two_recipes_that_share_problems_share_their_calls(world) -> None:
    recipe, store = world
    build(recipe, store)
    other = recipe.with_name("other.yaml")
    other.write_text(RECIPE.replace("name: taught", "name: other"))
    build(other, store)
    assert calls(store) == 6


def test_work_that_a_stage_leaves_in_the_middle_ends_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(seconds: int) -> int:
        await asyncio.sleep(seconds)
        return seconds

    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    recipe = load_recipe(write_world(tmp_path))
    with (
        pytest.raises(OSError, match="full"),
        Store(tmp_path / "store") as store,
        open_context(store, recipe, RunOptions()) as context,
    ):
        assert context.teacher_session
        results = context.teacher_session.each([0, 3600], wait, "waiting", 2)
        assert next(results) == 0
        raise OSError("the disk is full")
    del results
    gc.collect()
    assert ignored == []


def test_a_teacher_at_work_is_seen_from_the_start_and_status_states_its_recipe(world) -> None:
    recipe, store = world
    states: list[TeacherProgress] = []
    lines: list[str] = []

    class Watcher(SilentListener):
        def teacher(self, state: TeacherProgress) -> None:
            states.append(state)
            lines.extend(running_lines(store))

    build(recipe, store, options=RunOptions(listener=Watcher()))
    first = states[0]
    assert (first.what, first.done, first.total, first.calls) == ("generating one", 0, 4, 0)
    assert lines[0].startswith("taught: generating one: 0/4, 0.0/s, 0 in flight, 0 tokens (process")
    assert running_lines(store) == []


def test_the_cached_calls_and_what_a_recipe_spent_are_views(world) -> None:
    recipe, store = world
    priced = RECIPE.replace("family: replay,", "family: replay, prices: {input: 1, output: 2},")
    recipe.write_text(priced)
    build(recipe, store)
    with Store(store, readonly=True) as opened:
        _, [(count, answered, tokens, money)] = run_query(
            opened,
            "SELECT count(*), count(*) FILTER (status = 'answered'), sum(tokens), sum(money) "
            "FROM calls WHERE recipe = 'taught' AND length(key) = 64 OR length(key) = 32",
        )
        names, rows = run_query(opened, "FROM budget")
    assert (count, answered) == (6, 6) and tokens > 0 and money > 0
    assert names[:6] == ["recipe", "model", "calls", "failed", "tokens", "money"]
    assert rows[0][:5] == ("taught", "m", 6, 0, tokens)
    assert rows[0][5] == pytest.approx(money)
