"""Lists of rows that persons write: each line is a verdict with its evidence, or is reported."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build
from curator.core.errors import SourceError, UsageError
from curator.pipeline.plan import plan
from curator.pipeline.preview import preview
from curator.pipeline.reverify import reverify
from curator.recipe.load import load_recipe
from curator.versions.rows import load
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.store import Store
from tests.changes import row_changes
from tests.worlds import LAMPS, RIGHT, WRONG, curator, make_world

ASKED = RIGHT[1][0]


class Notes:
    """A listener that keeps notes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, *_: object) -> None:
        pass

    def teacher(self, *_: object) -> None:
        pass


class World:
    """The small world with one version, `small@1`, and recipes that extend its recipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mirror, self.recipe = make_world(folder)
        self.store = folder / "store"
        self.first = build(self.recipe, self.store, options=RunOptions(mirror=self.mirror))
        self.rows = load("small@1", store=self.store).to_pylist()

    def listing(self, text: str, key: str = "exclude", name: str = "list.csv") -> Path:
        (self.folder / name).write_text(text)
        path = self.folder / "own.yaml"
        path.write_text(f"extends: small.yaml\nname: own\nscreens: {{lists: {{{key}: {name}}}}}\n")
        return path

    def build(self, recipe: Path) -> tuple[Any, list[str]]:
        notes = Notes()
        options = RunOptions(mirror=self.mirror, listener=notes)
        return build(recipe, self.store, options=options), notes.lines

    def ids(self, ref: str) -> Counter[str]:
        return Counter(row["id"] for row in load(ref, store=self.store).to_pylist())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_rows_are_excluded_by_id_by_problem_and_by_question(world: World) -> None:
    by_id = next(row["id"] for row in world.rows if LAMPS in row["instruction"])
    query = "SELECT DISTINCT problem_id FROM rationales WHERE instruction LIKE 'Dee has%'"
    with Store(world.store, readonly=True) as store:
        [(problem,)] = run_query(store, query)[1]
    asked = ASKED.upper().replace(" ", "  ").rstrip("?")
    text = f'id,question,reason\n{by_id},,unclear\n{problem},,wrong problem\n,"{asked}","a, b"\n'
    made, notes = world.build(world.listing(text))
    assert notes == []
    left = {row["id"]: row for row in load("own@1", store=world.store).to_pylist()}
    gone = [row for row in world.rows if row["id"] not in left]
    assert len(gone) == 5, "one row, and both kinds of two problems"
    with Store(world.store, readonly=True) as store:
        verdicts = run_query(
            store,
            "SELECT row_id, outcome, reason, evidence->>'line', evidence->>'reason' FROM verdicts "
            "WHERE version = 'own@1' AND check_name = 'lists' ORDER BY ALL",
        )[1]
        assert {row for row, *_ in verdicts} == {row["id"] for row in gone}
        assert Counter(verdicts_of[1:] for verdicts_of in verdicts) == {
            ("failed", "excluded", "2", "unclear"): 1,
            ("failed", "excluded", "3", "wrong problem"): 2,
            ("failed", "excluded", "4", "a, b"): 2,
        }
        history = why(store, by_id)
        assert history.rejected == {"own@1": "lists: excluded"}
        [verdict] = [each for each in history.other_verdicts if each["check"] == "lists"]
        assert verdict["evidence"]["file"] == "list.csv"
        assert len(verdict["evidence"]["sha256"]) == 64
        changes = row_changes(store, store.versions.get("small"), made)
        assert {(each.what, each.rule) for each in changes} == {("removed", "lists: excluded")}
    reasons = [counts["reasons"] for counts in made.content["subsets"].values()]
    assert sum(each.get("failed: excluded", 0) for each in reasons) == 5


def test_json_lines_say_the_same_as_csv(world: World) -> None:
    row = world.rows[0]["id"]
    line = json.dumps({"id": row, "reason": "unclear", "question": "for readers", "more": 1})
    made, notes = world.build(world.listing(f"{line}\n", name="list.jsonl"))
    assert notes == []
    assert world.ids("small@1") - world.ids(made.ref) == {row: 1}


def test_an_inclusion_list_keeps_only_its_rows_and_overrules_no_check(world: World) -> None:
    text = f'question,reason\n"{ASKED}",\n"{WRONG[0]}",a check rejects it\n'
    made, notes = world.build(world.listing(text, "include"))
    assert notes == [], "a row that a check rejected is a row"
    rows = load(made.ref, store=world.store).to_pylist()
    kept = Counter(ASKED in row["instruction"] for row in rows)
    assert kept == {True: 2, False: 1}, "the program that contradicts its gold stays rejected"
    with Store(world.store, readonly=True) as store:
        query = "SELECT DISTINCT reason FROM verdicts WHERE check_name = 'lists'"
        assert run_query(store, query)[1] == [("not included",)]


def test_a_row_in_both_lists_is_excluded(world: World) -> None:
    path = world.listing(f'question,reason\n"{ASKED}",unclear\n', "include: list.csv, exclude")
    with pytest.raises(UsageError, match="1 failed, excluded"):
        world.build(path)


def test_an_excluded_row_leaves_its_place_to_its_duplicate(world: World) -> None:
    """Of two equal rows one is kept; if a person excludes that one, the other one is."""
    twice = [row for row in world.rows if RIGHT[0][0] in row["instruction"]]
    text = "id,reason\n" + "".join(f"{row['id']},unclear\n" for row in twice)
    made, _ = world.build(world.listing(text))
    left = load(made.ref, store=world.store).to_pylist()
    others = [row for row in left if RIGHT[0][0] in row["instruction"]]
    assert len(others) == len(twice) and not {row["id"] for row in others} & {
        row["id"] for row in twice
    }


def test_lines_that_match_no_row_are_reported_at_every_build(world: World) -> None:
    row = world.rows[0]["id"]
    lines = [f"{row},,right", f"{'0' * 32},,gone", *(f",Nobody asks {n},gone" for n in range(3))]
    path = world.listing("id,question,reason\n" + "\n".join(lines) + "\n")
    for _ in range(2):
        _, notes = world.build(path)
        assert notes == [
            "list.csv (exclude): 4 of 5 lines match no row:",
            f"  line 3, id {'0' * 32}",
            "  line 4, 'Nobody asks 0'",
            "  line 5, 'Nobody asks 1'",
        ]
    notes_of_preview = Notes()
    options = RunOptions(mirror=world.mirror, listener=notes_of_preview)
    preview(path, world.store, problems=1, options=options)
    assert notes_of_preview.lines == [], "a preview has few of the rows"


MALFORMED = {
    "name,why\na,b\n": "list.csv:2: expected id or question, saw: name, why.",
    "id,reason\n3fa2c1,short\n": "list.csv:2: '3fa2c1' is not a whole id:",
    "id,reason\n,empty\n": "list.csv:2: the line has neither an id nor a question.",
    f"id,reason\n{'0' * 32},\n": "list.csv:2: the line has no reason.",
    f"id,reason\n{'0' * 32},a,b\n": 'list.csv:2: wrong number of columns: ["0000000',
    '{"id": 3, "reason": "x"}\n': "list.jsonl:1: id is not a text, but int.",
    '{"id": "0", "reason"\n': 'list.jsonl:1: not JSON: {"id": "0", "reason".',
    "id,reason,reason\na,b,c\n": "list.csv: two columns have the same name: reason. A list is CSV",
    "id,question,reason\n": "list.csv has no line with a row.",
    f"{'0' * 32}\n": "list.csv has no line with a row.",
}


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_list_is_one_line_before_any_work(text: str, world: World) -> None:
    path = world.listing(text, name="list.jsonl" if text.startswith("{") else "list.csv")
    for command in ("build", "plan", "preview"):
        done = curator(command, path, "--mirror", world.mirror, "--store", world.folder / "new")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and MALFORMED[text] in done.stderr


def test_a_list_that_is_missing_is_named(world: World) -> None:
    path = world.listing("", name="list.csv")
    (world.folder / "list.csv").unlink()
    with pytest.raises(SourceError, match=r"screens.lists.exclude at .*list.csv: No such file"):
        world.build(path)
    path.write_text("extends: small.yaml\nname: own\nscreens: {lists: {}}\n")
    done = curator("plan", path, "--mirror", world.mirror, "--store", world.store)
    assert done.returncode == 2 and "expected a file in 'exclude'" in done.stderr


def test_a_changed_list_makes_a_new_version_and_the_same_list_none(world: World) -> None:
    text = f"id,reason\n{world.rows[0]['id']},unclear\n"
    first, _ = world.build(world.listing(text))
    again, _ = world.build(world.listing(text))
    assert again == first
    other, _ = world.build(world.listing(text.replace("unclear", "wrong")))
    assert other.ref == "own@2" and other.content["rows"] == first.content["rows"]
    assert len(other.content["lists"]["exclude"]) == 64
    assert "lists" not in world.first.content


def test_a_plan_knows_that_the_screens_are_done(world: World) -> None:
    path = world.listing(f"id,reason\n{world.rows[0]['id']},unclear\n")
    options = RunOptions(mirror=world.mirror)
    with Store(world.store) as store:
        before = plan(load_recipe(path), store, options)
    made, _ = world.build(path)
    with Store(world.store) as store:
        after = plan(load_recipe(path), store, options)
    assert before != after
    assert sum(step.rows for step in after.steps) == made.content["rows"]["count"]


def test_a_version_is_verified_again_without_the_file(world: World) -> None:
    made, _ = world.build(world.listing(f"id,reason\n{world.rows[0]['id']},unclear\n"))
    (world.folder / "list.csv").unlink()
    assert reverify(made.ref, world.store) == made


def test_a_recipe_in_another_folder_finds_the_list(world: World) -> None:
    path = world.listing(f"id,reason\n{world.rows[0]['id']},unclear\n")
    made, _ = world.build(path)
    other = world.folder / "deeper" / "other.yaml"
    other.parent.mkdir()
    other.write_text("extends: ../own.yaml\nname: other\n")
    built, _ = world.build(other)
    assert world.ids(built.ref) == world.ids(made.ref)
