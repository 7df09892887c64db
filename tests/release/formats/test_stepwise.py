"""Labelled steps from a source to a version, its views, and the format `stepwise`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build
from curator.core.errors import UsageError
from curator.pipeline.reverify import reverify
from curator.release.export import Exported, ExportOptions, export
from curator.release.formats import stepwise
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.store import Store
from datastore.versions import Manifest
from tests.trainers.tiny import tiny_model

RECIPE = """\
name: labelled
about: solutions with labelled steps beside others
screens: {contamination: null}
subsets:
  prm:
    source: prm800k
    part: solutions
    kind: CoT
    writers: [verbatim]
    checks: [labels, answer, format]
  plain:
    source: {file: plain.jsonl, columns: {question: q, gold: g, solution: s}, licence: MIT}
    kind: CoT
"""


def step(*completions: tuple[str, int | None], chosen: int | None = 0) -> dict[str, Any]:
    listed = [{"text": text, "rating": rating} for text, rating in completions]
    return {"completions": listed, "human_completion": None, "chosen_completion": chosen}


def record(question: str, gold: str, *steps: object, **flags: object) -> dict[str, Any]:
    return {
        "question": {"problem": question, "ground_truth_answer": gold},
        "label": {"steps": list(steps), "finish_reason": "solution"},
        **flags,
    }


EGGS = "How many eggs are two dozen eggs?"
COWS = "How many legs do nine cows have in all?"
RIGHT = record(
    EGGS,
    "24",
    step(("A dozen is 12.", 1)),
    step(("2 * 12 = 22.", -1), ("2 * 12 is easy.", 0), chosen=1),
    step(("# Answer\n\n24", 1), ("# Answer\n\n22", None)),
)
WRONG = record(
    EGGS,
    "24",
    step(("A dozen is 10.", -1), ("A dozen is 12.", 1)),
    step(("# Answer\n\n20", -1), chosen=None),
)
UNFINISHED = record(EGGS, "24", step(("Eggs are round.", 0)), step(("So.", None), chosen=None))
CONTROL = record(EGGS, "24", step(("# Answer\n\n24", 1)), is_quality_control_question=True)
UNSOLVED = record(COWS, "36", step(("Cows have 3 legs.", -1), chosen=None))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    mirror = folder / "mirror/sources/prm800k"
    mirror.mkdir(parents=True)
    rows = [RIGHT, WRONG, UNFINISHED, CONTROL, UNSOLVED]
    (mirror / "phase2_train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plain = {
        "q": "What is six and one, as a number?",
        "g": "7",
        "s": "The answer is 7.",
    }
    (folder / "plain.jsonl").write_text(json.dumps(plain))
    (folder / "labelled.yaml").write_text(RECIPE)
    build(
        folder / "labelled.yaml",
        folder / "store",
        options=RunOptions(mirror=folder / "mirror"),
    )
    return folder / "store"


def write(store: Path, form: str, file: Path) -> tuple[Manifest, Exported, list[dict[str, Any]]]:
    with Store(store, readonly=True) as opened:
        manifest = opened.versions.get("labelled")
        done = export(opened, manifest, form, file)
    return manifest, done, [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_only_solutions_without_a_wrong_step_and_with_the_right_answer_are_rows(
    built: Path, tmp_path: Path
) -> None:
    manifest, _, lines = write(built, "prompt-completion", tmp_path / "rows.jsonl")
    counts = manifest.content["subsets"]["prm"]
    assert counts["rationales"] == 4, "the record of quality control is in another part"
    assert counts["reasons"] == {
        "failed: step labelled wrong": 2,
        "undecided: states no answer": 1,
    }
    steps = "A dozen is 12.\n2 * 12 is easy.\n# Answer\n\n24"
    assert steps in [line["completion"] for line in lines] and len(lines) == 2


def test_a_line_of_stepwise_is_a_solution_or_an_alternative_after_the_steps_before_it(
    built: Path, tmp_path: Path
) -> None:
    _, done, lines = write(built, "stepwise", tmp_path / "steps.jsonl")
    first, easy = "A dozen is 12.", "2 * 12 is easy."
    written = {tuple(line["completions"]): line["labels"] for line in lines}
    assert written == {
        (first, easy, "# Answer\n\n24"): [True, True, True],
        (first, "2 * 12 = 22."): [True, False],
        ("A dozen is 10.", "# Answer\n\n20"): [False, False],
        (first,): [True],
        ("Eggs are round.",): [True],  # it ends before the step without a label
    }
    assert all(line["prompt"] == EGGS for line in lines)
    by_reason = {line["reason"]: line["ratings"] for line in lines}
    assert by_reason["states no answer"] == ["neutral"]
    # The checks of the recipe in their order, although 'answer' fails, too.
    assert set(by_reason) == {"", "states no answer", "step labelled wrong"}
    assert (done.labelled.kept, done.labelled.stopped) == (1, 2)
    assert done.left_out == {"no labelled steps": 1}


def test_solutions_of_problems_that_no_screen_has_seen_are_not_exported(
    built: Path, tmp_path: Path
) -> None:
    # Screens read the rows that passed the checks, so this problem may be an evaluation question.
    _, done, lines = write(built, "stepwise", tmp_path / "steps.jsonl")
    assert done.labelled.unscreened == 1
    assert COWS not in {line["prompt"] for line in lines}


def test_the_view_of_steps_lists_every_label(built: Path) -> None:
    with Store(built, readonly=True) as store:
        _, found = run_query(
            store,
            "SELECT number, text, label, chosen FROM steps JOIN rows USING (version, id) "
            "ORDER BY number, text",
        )
        _, [(all_steps, wrong)] = run_query(
            store, "SELECT count(*), count(*) FILTER (label = 'wrong') FROM steps"
        )
        _, [(row_id,)] = run_query(store, "SELECT id FROM rows WHERE subset = 'plain'")
        columns, _ = run_query(store, "SELECT * FROM rationales JOIN problems USING (version)")
        assert "labelled_steps" not in columns
        assert why(store, row_id).versions, "its object has no labelled steps, others have"
    assert found == [
        (1, "A dozen is 12.", "right", True),
        (2, "2 * 12 = 22.", "wrong", False),
        (2, "2 * 12 is easy.", "neutral", True),
        (3, "# Answer\n\n22", "", False),
        (3, "# Answer\n\n24", "right", True),
    ]
    assert (all_steps, wrong) == (11, 4)


def test_a_version_without_labelled_steps_has_no_stepwise_file(
    quickstart_built: Path, tmp_path: Path
) -> None:
    target = tmp_path / "steps.jsonl"
    with Store(quickstart_built, readonly=True) as store:
        manifest = store.versions.get("quickstart")
        with pytest.raises(UsageError, match="no solution with labelled steps"):
            export(store, manifest, "stepwise", target)
        assert run_query(store, "SELECT count(*) FROM steps")[1] == [(0,)]
    assert not target.exists()


def test_a_version_that_is_verified_again_has_the_same_labels(built: Path) -> None:
    assert reverify("labelled@1", built).ref == "labelled@1"


def test_copies_in_two_files_keep_their_labels_under_new_ids(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror/sources/prm800k"
    mirror.mkdir(parents=True)
    other = step(("# Answer\n\n24", 1), ("# Answer\n\n22", -1))
    for name, steps in (("one", step(("# Answer\n\n24", 1))), ("two", other)):
        (mirror / f"{name}_train.jsonl").write_text(json.dumps(record(EGGS, "24", steps)))
    (tmp_path / "labelled.yaml").write_text(RECIPE.partition("  plain:")[0])
    options = RunOptions(mirror=tmp_path / "mirror")
    build(tmp_path / "labelled.yaml", tmp_path / "store", options=options)
    with Store(tmp_path / "store") as store:
        query = "SELECT id, label FROM steps JOIN rationales USING (version, id)"
        _, found = run_query(store, query)
    assert len({row_id for row_id, _ in found}) == 2
    assert sorted(label for _, label in found) == ["right", "right", "wrong"]


def test_all_solutions_of_a_question_are_in_one_split(built: Path, tmp_path: Path) -> None:
    with Store(built, readonly=True) as store:
        version = store.versions.get("labelled")
        for share in (0.01, 0.99):
            target = tmp_path / f"{share}.jsonl"
            done = export(store, version, "stepwise", target, options=ExportOptions(share))
            assert sorted(done.files.values()) == [0, 5]


def label(number: int, text: str, of: str, chosen: bool = True) -> dict[str, Any]:
    return {"number": number, "text": text, "label": of, "chosen": chosen}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], []),
        ([label(1, "a", "")], []),
        ([label(1, "a", "right"), label(2, "b", ""), label(3, "c", "right")], ["a"]),
        ([label(1, "a", ""), label(1, "b", "wrong", False)], ["b"]),
        ([label(1, "a", ""), label(2, "b", "wrong", False)], []),
        ([label(1, "a", "right"), label(2, "b", ""), label(2, "c", "right", False)], ["a", "ac"]),
    ],
)
def test_no_line_has_a_step_without_a_label(
    steps: Sequence[dict[str, Any]], expected: Sequence[str]
) -> None:
    found = ["".join(each["text"] for each in some) for some in stepwise.continuations(steps)]
    assert found == expected


def test_prm_trainer_of_trl_does_one_step(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl.experimental.prm", reason="TRL has PRMTrainer up to 1.13.0")
    from datasets import load_dataset
    from transformers import AutoModelForTokenClassification, AutoTokenizer
    from trl.experimental.prm import PRMConfig, PRMTrainer

    file = tmp_path / "steps.jsonl"
    _, _, lines = write(built, "stepwise", file)
    texts = [line["prompt"] for line in lines] + [t for line in lines for t in line["completions"]]
    folder = tiny_model(tmp_path / "model", [*texts, "\n"], width=64, layers=1)
    tokenizer = AutoTokenizer.from_pretrained(folder, pad_token="</s>")
    trainer = PRMTrainer(
        AutoModelForTokenClassification.from_pretrained(folder, num_labels=2),
        PRMConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=1,
            per_device_train_batch_size=len(lines),
            report_to="none",
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            logging_steps=1,
        ),
        train_dataset=load_dataset("json", data_files=str(file), split="train"),
        processing_class=tokenizer,
    )
    labelled = sum(each != -100 for row in trainer.train_dataset["labels"] for each in row)
    assert labelled == sum(len(line["labels"]) for line in lines)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0
