"""The recorded calls of the quickstart: each answers a request of the recipe, and some fail."""

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
from curator.writers.instruction import choices_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from curator.writers.self_instruct import make_draws, read_question, read_seeds
from datastore.engine import Engine
from tests.paths import ROOT

RECIPES = ROOT / "recipes"
FILE = RECIPES / "samples" / "calls.jsonl"
MODEL = "recorded-by-hand"
WRITERS = {"gsm8k": ("pot",), "aqua_rat": ("pot",), "math": ("pot",), "theoremqa": ("pot", "cot")}
PROMPTS = Prompts()
LINES = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def last(messages: Messages) -> Messages:
    return messages[-1:]


def solution_prompt(kind: str, problem: Problem) -> Messages:
    options = choices_line(problem.choices) if problem.choices else ""
    return PROMPTS.messages(kind, question=problem.question.strip(), options=options)


def question_prompts() -> list[Messages]:
    """The prompts of the first 12 draws from the shipped seeds."""
    seeds = read_seeds((RECIPES / "seeds" / "college.jsonl").read_text("utf-8"), "college.jsonl")
    return [
        PROMPTS.messages("question", topic=d.topic, type=d.type, examples=d.examples)
        for d in make_draws(seeds, 12, seed=0)
    ]


def replies(messages: Messages) -> list[str]:
    end = [list(message) for message in last(messages)]
    return [line["reply"] for line in LINES if line["messages"] == end]


@pytest.fixture(scope="module")
def problems() -> list[tuple[str, Problem]]:
    """Every (kind, problem) of the samples for which a teacher writes a solution."""
    pairs = {}
    for name, kinds in WRITERS.items():
        source = SOURCES[name]
        for one in records(source, open_source(source, RECIPES / "samples")):
            if isinstance(one, Problem):
                pairs |= {(kind, one.id): one for kind in kinds}
    return [(kind, problem) for (kind, _), problem in pairs.items()]


def test_every_problem_without_a_solution_has_a_reply(
    problems: list[tuple[str, Problem]],
) -> None:
    recordings = Recordings(FILE)
    assert recordings.models == (MODEL,)
    for kind, problem in problems:
        for sample in range(4):
            line = recordings.find(
                MODEL, solution_prompt(kind, problem), {"temperature": 1}, sample
            )
            assert line is not None, problem.question


def test_every_line_answers_a_request_of_the_recipe(problems: list[tuple[str, Problem]]) -> None:
    requests = {last(solution_prompt(kind, problem)) for kind, problem in problems}
    requests |= {last(messages) for messages in question_prompts()}
    for messages in question_prompts():
        for reply in replies(messages):
            question, _ = read_question(reply)
            for kind in ("cot", "pot"):
                requests.add(last(PROMPTS.messages(kind, question=question, options="")))
    with Sandbox(workers=1, wall_s=600) as box:
        for kind, problem in problems:
            for reply in replies(solution_prompt(kind, problem)):
                program, _ = read_reply(reply, "PoT" if kind == "pot" else "CoT", problem.choices)
                if kind == "pot" and program and (run := box.run(program)).error:
                    options = choices_line(problem.choices) if problem.choices else ""
                    messages = PROMPTS.messages(
                        "repair",
                        question=problem.question,
                        options=options,
                        program=program,
                        error=run.error,
                    )
                    requests.add(messages[-2:])
    for line in LINES:
        assert tuple(map(tuple, line["messages"])) in requests, line["reply"]
        assert set(line) <= {"model", "messages", "sample", "reply", "finish_reason"}


def test_most_replies_are_correct_and_some_are_not(problems: list[tuple[str, Problem]]) -> None:
    outcomes: Counter[str] = Counter()
    with Sandbox(workers=1, wall_s=600) as box:
        for kind, problem in problems:
            for reply in replies(solution_prompt(kind, problem)):
                text, reason = read_reply(reply, "PoT" if kind == "pot" else "CoT", problem.choices)
                if reason:
                    outcomes[reason] += 1
                    continue
                run = box.run(text) if kind == "pot" else None
                if run and run.status != "ok":
                    outcomes[run.status] += 1
                    continue
                answer = extract_output(run.stdout) if run else extract(text, problem.choices)
                assert answer is not None, text
                outcomes[equivalent(problem.gold, answer, problem.choices).outcome] += 1
    assert outcomes["equal"] >= 40
    assert outcomes["different"] >= 5
    assert outcomes["error"] >= 3
    assert outcomes["no program"] >= 1
    assert outcomes["not a program"] >= 1
    assert outcomes["unfinished program"] >= 1
    assert outcomes["undecided"] == 1  # 0.36 for 4/11


def test_all_but_two_recorded_questions_are_new_and_two_are_rejected(tmp_path: Path) -> None:
    read = [read_question(reply) for messages in question_prompts() for reply in replies(messages)]
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


def test_the_solutions_of_all_but_one_recorded_question_agree() -> None:
    agreed, disagreed = 0, 0
    with Sandbox(workers=1, wall_s=600) as box:
        for messages in question_prompts():
            for question in filter(None, (read_question(r)[0] for r in replies(messages))):
                rationales = replies(PROMPTS.messages("cot", question=question, options=""))
                programs = replies(PROMPTS.messages("pot", question=question, options=""))
                if not rationales:
                    continue
                assert (len(rationales), len(programs)) == (3, 1)
                answer = extract_output(box.run(read_reply(programs[0], "PoT")[0]).stdout)
                assert answer is not None
                agree = 0
                for text in rationales:
                    stated = extract(text)
                    assert stated is not None
                    agree += equivalent(answer, stated).outcome == "equal"
                agreed += agree >= 2
                disagreed += agree < 2
    assert (agreed, disagreed) == (7, 1)
