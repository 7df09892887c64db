"""The quickstart's recorded calls: each answers a request that is really made, and not all pass."""

import json
from collections import Counter
from pathlib import Path

import pytest

from curator.answers import equivalent, extract, extract_output
from curator.core.model import Problem
from curator.sandbox import Sandbox
from curator.screens.novelty import Novelty
from curator.sources import SOURCES, open_source, records
from curator.teacher.replay.recordings import Recordings
from curator.writers.instruction import options_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from curator.writers.self_instruct import draws, read_question, read_seeds
from datastore.engine import Engine
from tests.paths import ROOT

RECIPES = ROOT / "recipes"
FILE = RECIPES / "samples" / "calls.jsonl"
MODEL = "recorded-by-hand"
TAUGHT = {"gsm8k": ("pot",), "aqua_rat": ("pot",), "math": ("pot",), "theoremqa": ("pot", "cot")}
PROMPTS = Prompts()
LINES = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def last(messages: Messages) -> Messages:
    return messages[-1:]


def solving(kind: str, problem: Problem) -> Messages:
    options = options_line(problem.choices) if problem.choices else ""
    return PROMPTS.messages(kind, question=problem.question.strip(), options=options)


def asked() -> list[Messages]:
    """What the 12 first draws of the shipped seeds ask."""
    seeds = read_seeds((RECIPES / "seeds" / "college.jsonl").read_text("utf-8"), "college.jsonl")
    return [
        PROMPTS.messages("question", topic=d.topic, type=d.type, examples=d.examples)
        for d in draws(seeds, 12, seed=0)
    ]


def replies(messages: Messages) -> list[str]:
    wanted = [list(message) for message in last(messages)]
    return [line["reply"] for line in LINES if line["messages"] == wanted]


@pytest.fixture(scope="module")
def taught() -> list[tuple[str, Problem]]:
    """Every (kind, problem) of the samples that a teacher is asked about."""
    found = {}
    for name, kinds in TAUGHT.items():
        source = SOURCES[name]
        for one in records(source, open_source(source, RECIPES / "samples")):
            if isinstance(one, Problem):
                found |= {(kind, one.id): one for kind in kinds}
    return [(kind, problem) for (kind, _), problem in found.items()]


def test_every_problem_that_waits_for_a_teacher_has_a_reply(
    taught: list[tuple[str, Problem]],
) -> None:
    recordings = Recordings(FILE)
    assert recordings.models == (MODEL,)
    for kind, problem in taught:
        for sample in range(4):
            found = recordings.find(MODEL, solving(kind, problem), {"temperature": 1}, sample)
            assert found is not None, problem.question


def test_every_line_answers_a_request_that_is_made(taught: list[tuple[str, Problem]]) -> None:
    made = {last(solving(kind, problem)) for kind, problem in taught}
    made |= {last(messages) for messages in asked()}
    for messages in asked():
        for reply in replies(messages):
            question, _ = read_question(reply)
            for kind in ("cot", "pot"):
                made.add(last(PROMPTS.messages(kind, question=question, options="")))
    with Sandbox(workers=1) as box:
        for kind, problem in taught:
            for reply in replies(solving(kind, problem)):
                program, _ = read_reply(reply, "PoT" if kind == "pot" else "CoT", problem.choices)
                if kind == "pot" and program and (run := box.run(program)).error:
                    options = options_line(problem.choices) if problem.choices else ""
                    messages = PROMPTS.messages(
                        "repair",
                        question=problem.question,
                        options=options,
                        program=program,
                        error=run.error,
                    )
                    made.add(messages[-2:])
    for line in LINES:
        assert tuple(map(tuple, line["messages"])) in made, line["reply"]
        assert set(line) <= {"model", "messages", "sample", "reply", "finish_reason"}


def test_most_replies_are_right_and_some_are_not(taught: list[tuple[str, Problem]]) -> None:
    found: Counter[str] = Counter()
    with Sandbox(workers=1) as box:
        for kind, problem in taught:
            for reply in replies(solving(kind, problem)):
                text, reason = read_reply(reply, "PoT" if kind == "pot" else "CoT", problem.choices)
                if reason:
                    found[reason] += 1
                    continue
                run = box.run(text) if kind == "pot" else None
                if run and run.status != "ok":
                    found[run.status] += 1
                    continue
                answer = extract_output(run.stdout) if run else extract(text, problem.choices)
                assert answer is not None, text
                found[equivalent(problem.gold, answer, problem.choices).outcome] += 1
    assert found["equal"] >= 40
    assert found["different"] >= 5
    assert found["error"] >= 3
    assert found["no program"] >= 1
    assert found["not a program"] >= 1
    assert found["unfinished program"] >= 1
    assert found["undecided"] == 1  # 0.36 for 4/11


def test_the_recorded_questions_are_new_but_for_two_and_two_are_refused(tmp_path: Path) -> None:
    read = [read_question(reply) for messages in asked() for reply in replies(messages)]
    assert len(read) == 12
    assert Counter(reason for _, reason in read) == {
        "": 10,
        "no problem stated": 1,
        "asks for a proof": 1,
    }
    seeds = RECIPES / "seeds" / "college.jsonl"
    existing = f"SELECT topic AS name, question FROM read_json('{seeds}', format = 'nd')"
    with Engine(memory="512MB", spill=tmp_path / "spill") as engine:
        near = Novelty(engine, existing).compare([question for question, _ in read if question])
    assert sum(one is not None for one in near) == 2


def test_the_answers_to_recorded_questions_agree_but_for_one_question() -> None:
    agreed, split = 0, 0
    with Sandbox(workers=1) as box:
        for messages in asked():
            for question in filter(None, (read_question(r)[0] for r in replies(messages))):
                said = replies(PROMPTS.messages("cot", question=question, options=""))
                programs = replies(PROMPTS.messages("pot", question=question, options=""))
                if not said:
                    continue
                assert (len(said), len(programs)) == (3, 1)
                answer = extract_output(box.run(read_reply(programs[0], "PoT")[0]).stdout)
                assert answer is not None
                agree = 0
                for text in said:
                    claimed = extract(text)
                    assert claimed is not None
                    agree += equivalent(answer, claimed).outcome == "equal"
                agreed += agree >= 2
                split += agree < 2
    assert (agreed, split) == (7, 1)
