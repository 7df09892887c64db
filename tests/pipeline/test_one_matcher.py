"""A question that repeats an evaluation question has the same level wherever one is looked for."""

import json
from pathlib import Path

import pytest

from curator import RunOptions
from curator.core.errors import SourceError
from curator.core.model import Problem
from curator.core.samples import SampledProblem
from curator.pipeline.audit.run import AuditRequest, audit
from curator.pipeline.overlap import compare
from curator.writers.prompt_templates import Prompts
from curator.writers.self_instruct import make_draws, read_seeds
from tests.worlds import curator
from trainers.evaluation.overlap import find_seen

TANK = (
    "A tank holds 90 litres and loses 4 litres an hour through a crack in its floor. "
    "How many litres are left in it after 7 hours?"
)
QUESTIONS = {
    "same question": f"Think about it: {TANK.upper()} Explain your answer.",
    "reworded": "Through a crack in its floor, a tank that holds 90 litres loses 4 litres each "
    "hour. After 7 hours, how many litres are left?",
    "same template": TANK.replace("90", "81").replace("7", "6"),
}
THINGS = ("hens", "maps", "taxes", "lamps", "rivers", "buses", "cakes", "coins", "pens", "trees")
FILLER = [f"How many {thing} cost {count} dollars?" for thing in THINGS for count in range(3, 9)]
RECIPE = """\
name: college
about: new questions
subsets:
  base:
    source: {file: rows.jsonl, columns: {question: q, gold: a, solution: s}, licence: MIT}
    kind: CoT
  new:
    source: {seeds: seeds.jsonl, licence: MIT, questions: 3, near: 1, cot: 1, pot: 1, agree: 2}
    kind: CoT
    writers: [self_instruct]
screens: {contamination: {against: [gsm8k]}}
teacher: {model: m, replay: calls.jsonl, family: replay, parameters: {max_tokens: 100}}
"""
SEED = {"question": "Is 7 a prime?", "answer": "yes", "topic": "numbers", "type": "computation"}


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    path = tmp_path / "mirror" / "evals" / "gsm8k" / "rows.jsonl"
    path.parent.mkdir(parents=True)
    rows = [{"question": TANK, "answer": "#### 62"}]
    rows += [{"question": question, "answer": "#### 1"} for question in FILLER]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunOptions(mirror=tmp_path / "mirror", allow_missing=True)


def test_an_evaluation_set_without_questions_is_one_clear_line(
    tmp_path: Path, options: RunOptions
) -> None:
    (tmp_path / "mirror" / "evals" / "gsm8k" / "rows.jsonl").write_text("\n")
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"question": TANK, "response": "It is 62.", "answer": "62"}) + "\n")
    with pytest.raises(SourceError, match=r"The evaluation set gsm8k has no questions \("):
        audit(AuditRequest(str(file), licence="MIT"), tmp_path / "store", options)


@pytest.mark.parametrize("level", QUESTIONS)
def test_audit_overlap_and_evaluation_agree(
    tmp_path: Path, options: RunOptions, level: str
) -> None:
    file = tmp_path / "mine.jsonl"
    gold = "45" if level == "same template" else "62"
    row = {"question": QUESTIONS[level], "response": f"The answer is {gold}.", "answer": gold}
    file.write_text(json.dumps(row) + "\n")
    found = audit(AuditRequest(str(file), licence="MIT"), tmp_path / "store", options)
    (line,) = (each for each in found.lines if each.check == "contamination")
    assert [each.reason for each in line.examples] == [level]
    comparison = compare(str(file), "evals/gsm8k", tmp_path / "store", tmp_path / "mirror")
    assert comparison.counts == {level: 1}
    problems = [SampledProblem("gsm8k", str(n), text, "") for n, text in enumerate([TANK, *FILLER])]
    seen = {("gsm8k", "0")} if level != "same template" else set()
    assert find_seen(problems, [Problem("", QUESTIONS[level], gold)]) == seen


def test_new_questions_that_repeat_an_evaluation_question_are_rejected_with_their_level(
    tmp_path: Path, options: RunOptions
) -> None:
    (tmp_path / "seeds.jsonl").write_text(json.dumps(SEED))
    seeds, prompts, lines = read_seeds(json.dumps(SEED), "seeds.jsonl"), Prompts(), []
    for draw, question in zip(make_draws(seeds, 3, 0), QUESTIONS.values(), strict=True):
        messages = prompts.messages(
            "question", topic=draw.topic, type=draw.type, examples=draw.examples
        )
        reply = f"Problem: {question}"
        lines.append({"model": "m", "messages": messages, "sample": draw.sample, "reply": reply})
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, lines)))
    row = {"q": "What is 2 plus 5 pears?", "a": "7", "s": "2 + 5 = 7"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (tmp_path / "college.yaml").write_text(RECIPE)
    curator("build", "college.yaml", "--mirror", "mirror", "--store", "store", cwd=tmp_path)
    query = "SELECT DISTINCT reason, raw FROM quarantine ORDER BY reason"
    found = json.loads(curator("sql", query, "--store", tmp_path / "store", "--json").stdout)
    assert [row["reason"] for row in found] == [f"not new: {level}" for level in sorted(QUESTIONS)]
    for row in found:
        assert "gsm8k" in row["raw"] and TANK.lower() in row["raw"] and "shared: " in row["raw"]
