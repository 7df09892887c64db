"""Self-Instruct: seeds are correct, draws balanced and reproducible, replies read strictly."""

import json
from collections import Counter

import pytest

from curator.answers import equivalent, extract_output
from curator.core.errors import RecipeError
from curator.sandbox import Sandbox
from curator.writers.prompt_templates import Prompts
from curator.writers.self_instruct import Seed, make_draws, read_question, read_seeds
from tests.paths import ROOT

TEXT = (ROOT / "recipes" / "seeds" / "college.jsonl").read_text("utf-8")
SEEDS = read_seeds(TEXT, "college.jsonl")
PROGRAMS = json.loads((ROOT / "tests/data/writers/seed_programs.json").read_text("utf-8"))
FORMS = json.loads((ROOT / "tests/data/writers/questions.json").read_text("utf-8"))


def test_the_seeds_cover_fields_that_mathinstruct_lacks() -> None:
    topics, types = Counter(s.topic for s in SEEDS), Counter(s.type for s in SEEDS)
    assert len(SEEDS) >= 60
    assert len(topics) >= 12 and min(topics.values()) >= 5
    assert len(types) == 5 and min(types.values()) >= 5


def test_the_program_of_every_seed_prints_its_answer() -> None:
    golds = {seed.question: seed.answer for seed in SEEDS}
    assert {one["question"] for one in PROGRAMS} == set(golds)
    with Sandbox(workers=2, wall_s=600) as box:
        runs = box.map([one["program"] for one in PROGRAMS])
        for one, run in zip(PROGRAMS, runs, strict=True):
            assert run.status == "ok", (one["question"], run.error)
            found = extract_output(run.stdout)
            assert found is not None
            gold = golds[one["question"]]
            assert equivalent(gold, found).outcome == "equal", (one["question"], gold, run.stdout)


def test_every_seed_is_accepted_as_a_question() -> None:
    for seed in SEEDS:
        assert read_question(f"Problem: {seed.question}") == (seed.question, "")


def test_topics_and_types_are_drawn_equally_often() -> None:
    drawn = list(make_draws(SEEDS, 603, seed=0))
    cells = Counter((draw.topic, draw.type) for draw in drawn)
    assert len(drawn) == 603
    assert len(cells) == 60 and set(cells.values()) <= {10, 11}


def test_more_draws_start_with_the_same_ones_and_another_seed_gives_others() -> None:
    few, many = list(make_draws(SEEDS, 70, seed=0)), list(make_draws(SEEDS, 200, seed=0))
    assert many[:70] == few
    assert list(make_draws(SEEDS[::-1], 70, seed=0)) == few
    other = list(make_draws(SEEDS, 70, seed=1))
    assert sum(a != b for a, b in zip(few, other, strict=True)) > 60


def test_no_two_draws_are_the_same_request() -> None:
    prompts = Prompts()
    requests = [
        (prompts.messages("question", topic=d.topic, type=d.type, examples=d.examples), d.sample)
        for d in make_draws(SEEDS, 600, seed=0)
    ]
    assert len(set(requests)) == 600
    assert all(sample < 10 for _, sample in requests)


def test_the_examples_of_a_draw_have_its_topic_or_its_type() -> None:
    by_question = {seed.question: seed for seed in SEEDS}
    for draw in make_draws(SEEDS, 120, seed=0):
        examples = [by_question[text] for text in draw.examples]
        assert len(set(draw.examples)) == 4
        assert sum(seed.topic == draw.topic for seed in examples) == 2
        assert sum(seed.type == draw.type for seed in examples) >= 2


def test_a_new_seed_changes_only_draws_that_contain_it() -> None:
    new = Seed("How many ideals does the ring of integers modulo 30 have?", "8", *_cell())
    changed = [
        after
        for before, after in zip(
            make_draws(SEEDS, 120, seed=0), make_draws([*SEEDS, new], 120, seed=0), strict=True
        )
        if before != after
    ]
    assert 0 < len(changed) < 40
    assert all(new.question in draw.examples for draw in changed)


def _cell() -> tuple[str, str]:
    return "abstract algebra", "counting"


@pytest.mark.parametrize("form", FORMS, ids=[form["why"] for form in FORMS])
def test_a_question_is_accepted_or_rejected_as_in_the_table(form: dict[str, str]) -> None:
    expected = ("", form["reason"]) if form["reason"] else (form["question"], "")
    assert read_question(form["reply"]) == expected


def test_the_table_has_every_reason() -> None:
    reasons = {form["reason"] for form in FORMS}
    assert len(reasons) == 13


@pytest.mark.parametrize("unit", ["Problem: ", "(a) x ", "1. a\n", "Theorem ", "?", "a) b\n"])
def test_long_hostile_replies_are_read_in_time(unit: str) -> None:
    read_question("Problem: " + unit * (20_000 // len(unit)))


def test_an_extremely_long_reply_is_not_parsed() -> None:
    assert read_question("<think>" * 1_000_000 + "</think>" + FORMS[0]["reply"]) == ("", "too long")


def test_all_errors_of_a_seed_file_are_reported_with_their_lines() -> None:
    good = json.dumps({"question": "q", "answer": "a", "topic": "t", "type": "c"})
    lines = [good, "{", "[1]", good, json.dumps({"question": "r", "answer": "a", "topic": "t"}),
             json.dumps({"question": "s", "answer": 5, "topic": "t", "type": "c"})]  # fmt: skip
    with pytest.raises(RecipeError) as caught:
        read_seeds("\n".join(lines), "x.jsonl")
    errors = str(caught.value).split("\n")
    assert [error.split(": ")[0] for error in errors] == [f"x.jsonl:{n}" for n in (2, 3, 4, 5, 6)]
    with pytest.raises(RecipeError, match="saw none"):
        read_seeds("\n\n", "x.jsonl")
