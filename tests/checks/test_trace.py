"""Check `trace`: defects of long texts, each with its place."""

import json
from pathlib import Path

import pytest

from curator.answers import Equivalence
from curator.checks import CHECKS, Candidate, collect_evidence
from curator.checks.check import Pair
from curator.checks.loops import RUN, TIMES, find_loops
from curator.checks.trace import CONTRADICTION, INTERLEAVED
from curator.core.model import Verdict
from tests.paths import ROOT

QUESTION = "How many are three and two?"
STEPS = "".join(f"Step {n}: add {n} to {n * n} and compare it with {n + 7}.\n" for n in range(60))
SENTENCE = (
    "Wait, perhaps I should look at the same figure once more, and see whether the two lines "
    "that I drew meet at a right angle. "
)


def compare(pairs: list[Pair]) -> list[Equivalence]:
    return [
        Equivalence("equal" if gold == answer else "different", "same text")
        for gold, answer, _ in pairs
    ]


def judge(text: str, question: str = QUESTION, kind: str = "CoT") -> Verdict | None:
    check = CHECKS["trace"]
    candidate = Candidate(b"", kind, question, text, "5", ())  # type: ignore[arg-type]
    needs = [each for each in check.needs if kind != "PoT"]
    (found,) = collect_evidence([candidate], needs, lambda programs: (), compare)
    return check.run(found, check.version)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"<think>{STEPS}</think>\nThe answer is 5.", ""),
        ("<think>3 + 2 = 5</think>5", ""),
        (STEPS + "The answer is 5.", ""),
        (STEPS + "Together they have five marbles.", ""),
        (STEPS + r"Hence \[ x = 5 \]", ""),
        (f"<think>{STEPS}", "unclosed thought"),
        ("<think>a</think><think>b</think>The answer is 5.", "doubled thought"),
        ("<think>\n\n</think>\nThe answer is 5.", "empty thought"),
        (f"<think>{STEPS}</think>", "no answer"),
        (f"<think>{SENTENCE * 30}</think>\nThe answer is 5.", "loops"),
        (f"<think>{STEPS}{'<boxed>. ' * 200}</think>\nThe answer is 5.", "loops"),
        (f"<think>{STEPS}{'!' * 4000}</think>\nThe answer is 5.", "loops"),
        (f"<think>{STEPS}</think>\nWe add the two numbers and", "cut off"),
        (f"<think>{STEPS}</think>\nWe add 2 to 3 and get x =", "cut off"),
        (f"<think>{STEPS}</think>\n" + r"It is \( \frac{1}{2", "cut off"),
        (f"<think>{STEPS}</think>\nFirst:\n\n1.", "cut off"),
        (
            STEPS + "The next one of the lines that we drew is longer than the one before",
            "cut",
        ),
        ("<think>So the answer is 6.</think>\nThe answer is 5.", "thought contradicts the answer"),
        ("<think>So x = 3, y = 2.</think>\nThe answer is 5.", ""),
        ("<think>3 + 2 所以等于 5.</think>\nThe answer is 5.", "switches language"),
        ("<think>3 + 2, значит 5.</think>\nThe answer is 5.", "switches language"),
        (
            "<think>The angle αβγ is right, so it is 90° wide.</think>\nThe answer is 5.",
            "",
        ),
    ],
)
def test_each_defect_of_a_trace_has_its_reason(text: str, reason: str) -> None:
    verdict = judge(text)
    assert verdict is not None
    assert verdict.reason.startswith(reason) and bool(verdict.reason) == bool(reason)
    assert verdict.outcome == ("failed" if reason else "passed")


def test_the_evidence_states_place_size_and_the_other_defects() -> None:
    text = f"<think>Start. {SENTENCE * 30}所以 and"
    verdict = judge(text)
    assert verdict and verdict.reason == "unclosed thought"
    assert verdict.evidence["at"] == "0"
    assert verdict.evidence["thought"] == f"{len(text) - 7:,} characters"
    assert verdict.evidence["also"] == "loops, switches language"


def test_the_evidence_of_a_loop_is_its_share_its_count_and_its_first_repetition() -> None:
    before = "First I read the question and write down what is given, so that nothing is lost. "
    loops = find_loops(before + SENTENCE * 20)
    assert loops.share > 0.8 and loops.times in (19, 20)
    assert loops.place == len(before) + 2 * len(SENTENCE)
    assert find_loops(before + SENTENCE * (TIMES - 1)).share == 0
    assert find_loops(" ".join(str(n) for n in range(RUN * 100))).share == 0


def test_a_chinese_question_may_have_a_chinese_trace() -> None:
    verdict = judge("<think>三加二等于五。所以答案是 5。</think>答案是 5。", "三加二等于几?")
    assert verdict and verdict.outcome == "passed"


def run(output: str = "5") -> str:
    return f"```python\nprint(5)\n```\n```output\n{output}\n```\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"<think>Let me run it.\n{run()}It is 5.</think>\nThe answer is 5.", ""),
        (f"<think>Let me run it.\n{run()}The answer is 5.", "unclosed thought"),
        (f"<think>a</think><think>b\n{run()}</think>\nThe answer is 5.", "doubled thought"),
        (f"{STEPS}{run('</think>')}The answer is 5.", ""),
        (f"<think>\n{run()}So the answer is 6.</think>\nThe answer is 5.", CONTRADICTION),
        (f"{SENTENCE * 30}\n{run()}The answer is 5.", "loops"),
        (STEPS + "```python\nf(5)\n```\n" * 200 + "The answer is 5.", "loops"),
        (f"{STEPS}{run(SENTENCE * 60)}The answer is 5.", ""),
        (STEPS + "```python\nprint(1 +", "cut off"),
        (STEPS + run(), ""),
        (STEPS + run(f"{SENTENCE}and"), ""),
        (f"{STEPS}{run()}We add the two numbers and", "cut off"),
        (f"<think>3 + 2.\n{run()}所以等于 5.</think>\nThe answer is 5.", "switches language"),
        (f"{run()}The answer is 5.", None),
    ],
)
def test_programs_within_a_trace_are_read_and_outputs_are_not(
    text: str, reason: str | None
) -> None:
    verdict = judge(text, kind="TIR")
    assert (verdict and verdict.reason) == reason


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        (f"<think>a</think>\n{run()}<think>b</think>\nThe answer is 5.", "passed", INTERLEAVED),
        (f"{run()}<think>b</think>\nThe answer is 5.", "passed", INTERLEAVED),
        ("Look. <think>b</think>\n" + run(), "failed", "doubled thought"),
        (f"<think>a</think>\n{run()}<think>b", "failed", "unclosed thought"),
        (f"<think>a\n{run()}<think>b</think>\nThe answer is 5.", "failed", "doubled thought"),
        (f"a</think>\n{run()}b</think>\nThe answer is 5.", "failed", "doubled thought"),
        ("<think>a</think>b<think>c</think>\nThe answer is 5.", "failed", "doubled thought"),
    ],
)
def test_a_thought_before_each_program_is_reported(text: str, outcome: str, reason: str) -> None:
    verdict = judge(text, kind="TIR")
    assert verdict and (verdict.outcome, verdict.reason) == (outcome, reason)


def test_short_texts_without_a_thought_and_programs_are_no_traces() -> None:
    assert judge("Three and two make") is None
    assert judge("x = 3 + 2\nprint(x)\n" * 200, kind="PoT") is None


@pytest.mark.parametrize(
    ("group", "known"),
    [
        ("held out", [("sky-t1-27b_math500", 163), ("sky-t1-27b_math500", 274)]),
        ("blind", [("sky-t1-27b_math500", 37)]),
    ],
)
def test_real_traces_are_judged_as_a_reader_does(
    shared: Path, group: str, known: list[tuple[str, int]]
) -> None:
    long = shared / "outputs/long"
    labels = json.loads((ROOT / "bench/trace_labels.json").read_text())[group]
    wrong = []
    for name, expected in labels.items():
        for line in (long / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            label = expected.get(str(row["idx"]))
            if label is not None and bool(label) != (find_loops(row["code"][0]).share >= 0.2):
                wrong.append((name, row["idx"]))
    assert wrong == known


def test_every_thought_that_its_author_left_open_is_found(shared: Path) -> None:
    path = shared / "outputs/long/sky-t1-14b_aime24.jsonl"
    verdicts = [judge(json.loads(line)["code"][0]) for line in path.read_text().splitlines()]
    assert sum(v is not None and v.reason == "unclosed thought" for v in verdicts) == 22
