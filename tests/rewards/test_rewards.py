"""Rewards: what equals the gold is right, and no completion spoils those beside it."""

import json
import pickle
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from curator.answers import Grader, compare_by_rules, extract
from curator.checks.grade_samples import grade
from curator.core.samples import Sample, SampledProblem
from curator.rewards import answer_reward, compute_score, score, think_reward
from curator.rewards.unevaluated import is_unevaluated
from tests.paths import DATA

HACKS = json.loads((DATA / "reward_hacks.json").read_text(encoding="utf-8"))
TOWER = r"\lim_{x \to 3} 9^{9^{9^9}}"
"""A child process hangs on this."""
CHOICES = ["36 km/h", "40 km/h", "36 m/s"]


@pytest.mark.parametrize(
    ("completion", "gold", "reward"),
    [
        (r"Half of it is $\boxed{0.5}$.", r"\frac{1}{2}", 1.0),
        (r"Half of it is $\boxed{0.5}$.", r"$\frac12$", 1.0),
        ("So\n#### 1000", "1,000", 1.0),
        ("The answer is 12.", "13", 0.0),
        ("I do not know.", "13", 0.0),
        ("", "13", 0.0),
        ("<think>It is 13. The answer is 13", "13", 0.0),
        ("<think>The answer is 12?</think>The answer is 13.", "13", 1.0),
        # whole solutions of GSM8K and MATH
        ("The answer is 72.", "48 and half of it: 48+24 = <<48+24=72>>72.\n#### 72", 1.0),
        (r"\boxed{\frac{3}{4}}", r"We have $x = \frac34$, so it is $\boxed{\frac34}.$", 1.0),
        ("The answer is 5.", "The answer is 5", 1.0),
        # columns of numbers
        ("The answer is 72.", 72, 1.0),
        ("The answer is 72.", 72.0, 1.0),
        # nothing to compare with
        ("The answer is 5.", "", None),
        ("The answer is 5.", None, None),
        ("I do not know.", "", None),
        # a letter whose choices are unknown
        (r"\boxed{B}", "B", 1.0),
    ],
)
def test_an_answer_is_compared_with_a_gold_in_any_form(
    completion: str, gold: object, reward: float | None
) -> None:
    assert score(completion, gold) == reward


def test_an_answer_is_matched_with_the_choices_of_its_question() -> None:
    texts = ["The answer is (A).", "It is 36 km/h. The answer is 36 km/h.", "The answer is C."]
    assert answer_reward(texts, ["A"] * 3, [CHOICES] * 3) == [1.0, 1.0, 0.0]
    solution = "We drive 36 km in an hour.\nANSWER: A"
    assert score("The answer is (A).", solution, CHOICES) == 1.0


def test_open_questions_and_multiple_choice_share_a_batch() -> None:
    texts = ["The answer is (A).", "The answer is 7."]
    assert answer_reward(texts, ["A", "7"], [CHOICES, []]) == [1.0, 1.0]
    assert answer_reward(texts, ["A", "7"], [CHOICES, None]) == [1.0, 1.0]


@pytest.mark.parametrize(
    "completion",
    [
        [{"role": "assistant", "content": "The answer is 5."}],
        [{"content": "The answer is 5."}],
        {"role": "assistant", "content": "The answer is 5."},
        [{"role": "assistant", "content": [{"type": "text", "text": "The answer is 5."}]}],
        [
            {"role": "assistant", "content": "Let me compute 2+2."},
            {"role": "tool", "content": "The answer is 4."},
            {"role": "assistant", "content": "The answer is 5."},
        ],
    ],
)
def test_the_last_message_of_the_assistant_is_read(completion: object) -> None:
    assert score(completion, "5") == 1.0


@pytest.mark.parametrize("completion", [None, 5, [], [None], [{}], [{"content": None}], object()])
def test_a_completion_without_a_text_states_no_answer(completion: object) -> None:
    assert score(completion, "5") == 0.0


def test_undecided_is_none_unless_another_value_is_chosen() -> None:
    completion, gold = r"\boxed{a \star b}", r"b \diamond a"
    assert score(completion, gold) is None
    assert partial(answer_reward, undecided=-0.5)([completion, "1"], [gold, "1"]) == [-0.5, 1.0]
    assert compute_score("math", completion, gold) == 0.0
    assert compute_score("math", completion, gold, undecided=0.25) == 0.25


def test_columns_of_another_length_are_an_error_in_one_line() -> None:
    with pytest.raises(ValueError, match="2 completions, 1 golds, 2 choices"):
        answer_reward(["1", "2"], ["1"])


@pytest.mark.parametrize("choices", ["ABC", 5, float("nan")])
def test_choices_that_are_no_list_are_an_error_in_one_line(choices: Any) -> None:
    with pytest.raises(ValueError, match="a list of texts, not"):
        score(r"\boxed{A}", "A", choices)


def test_choices_may_be_numbers_or_an_array() -> None:
    assert score("The answer is 5.", "B", [4, 5]) == 1.0  # type: ignore[list-item]


@pytest.mark.parametrize("wall_s", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_a_positive_number(wall_s: float) -> None:
    with pytest.raises(ValueError, match="positive number of seconds"):
        score("5", "5", wall_s=wall_s)


def test_a_gold_with_more_digits_than_python_writes_is_undecided() -> None:
    assert answer_reward(["The answer is 5."] * 2, [10**5000, 5]) == [None, 1.0]


def test_a_trainer_may_pass_any_other_column() -> None:
    columns = {"prompts": ["q"], "completion_ids": [[1]], "trainer_state": None, "level": ["5"]}
    assert answer_reward(completions=["The answer is 5."], solution=["5"], **columns) == [1.0]
    assert think_reward(completions=["<think>a</think>5"], solution=["5"], **columns) == [1.0]


def test_verl_s_keywords_and_its_extra_arguments_are_accepted() -> None:
    reward = compute_score(
        data_source="aqua_rat",
        solution_str="The answer is (A).",
        ground_truth="A",
        extra_info={"choices": CHOICES, "num_turns": None, "rollout_reward_scores": {}},
        reward_router_address="10.0.0.1:1",
        reward_model_tokenizer=None,
    )
    assert reward == 1.0
    assert compute_score("gsm8k", "#### 1,000", "1000") == 1.0
    assert compute_score("gsm8k", "#### 1,000", "1000", {"choices": None}) == 1.0


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("<think>\n2 + 3 = 5\n</think>\nThe answer is 5.", 1.0),
        ("  <think>a</think>b", 1.0),
        ("<think>a</think>", 0.0),
        ("<think> </think>b", 0.0),
        ("<think>a", 0.0),
        ("a</think>b", 0.0),
        ("b <think>a</think>", 0.0),
        ("<think>a</think><think>b</think>c", 0.0),
        ("<think>a<think>b</think>c", 0.0),
        ("<think>a</think>b</think>c", 0.0),
        ("b", 0.0),
    ],
)
def test_one_thought_with_an_answer_behind_it_has_the_right_format(
    text: str, reward: float
) -> None:
    assert think_reward([text]) == [reward]
    assert think_reward([[{"role": "assistant", "content": text}]]) == [reward]


def test_completions_that_hang_are_undecided_and_the_others_have_their_reward() -> None:
    hanging = rf"\boxed{{{TOWER}}}"
    assert compare_by_rules("5", TOWER) is None
    texts = ["The answer is 5.", hanging, "The answer is 10.", hanging, "The answer is 6."]
    golds = ["5", "5", r"\int_0^2 5x dx", "7", "5"]
    assert answer_reward(texts, golds, wall_s=4) == [1.0, None, 1.0, None, 0.0]


@pytest.mark.parametrize("case", HACKS, ids=lambda case: case["completion"])
def test_a_completion_is_rewarded_for_one_answer_that_it_computed(case: dict[str, Any]) -> None:
    golds = case["golds"]
    choices = [case.get("choices")] * len(golds)
    rewards = answer_reward([case["completion"]] * len(golds), golds, choices)
    assert rewards == [case["reward"]] * len(golds)


JOINED = ["{} or {}", "{}, {}", "{} {}", "{}; {}", "{} ({})", "{} or maybe {}", "{} = {}", "{}/{}"]
FRAMES = [
    r"\boxed{{{}}}",
    "The answer is {}.",
    "#### {}",
    "**Answer:** {}",
    "{}",
    "<answer>{}</answer>",
]
VALUES = st.one_of(
    st.integers(-99, 9_999).map(str),
    st.sampled_from([r"\frac{1}{2}", "0.25", "x + 1", r"\sqrt{2}", "(1, 2)", r"2\pi"]),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FRAMES), st.sampled_from(JOINED), VALUES, VALUES)
def test_no_completion_is_right_for_two_different_golds(
    frame: str, joined: str, first: str, second: str
) -> None:
    result = compare_by_rules(first, second)
    assume(result is not None and result.outcome == "different")
    completion = frame.format(joined.format(first, second))
    assert answer_reward([completion] * 2, [first, second]).count(1.0) < 2


@given(
    st.integers(-(10**6), 10**6),
    st.integers(2, 999),
    st.sampled_from([r"\frac{{{}}}{{{}}}", "{}/{}"]),
)
def test_a_number_or_fraction_is_always_evaluated(number: int, below: int, form: str) -> None:
    for gold in (str(number), f"{number:,}", f"{number / 8}", form.format(number, below)):
        assert not is_unevaluated(gold, gold)


HOSTILE = [
    "\\boxed{" * 20_000,
    "\\boxed{" + "(" * 10_000 + ")" * 10_000 + "}",
    "\\boxed{" + "\\frac{1}{" * 5_000 + "}" * 5_000 + "}",
    "\\boxed{9^{9^{9^{9}}}}",
    "\\boxed{" + "9" * 50_000 + "}",
    "\\boxed{" + "!" * 5_000 + "}",
    "\\boxed{1e999999999}",
    "\\boxed{__import__('os').abort()}",
    "The answer is " + "\\sqrt" * 10_000,
    "\ud800 The answer is \ud800",
    "\x00 The answer is \x00",
    "<think>" * 50_000,
    "The answer is " * 50_000,
    "a" * 2_000_000,
    "$" * 100_000,
]


def test_hostile_completions_leave_the_rest_of_the_batch_alone() -> None:
    texts = [text for each in HOSTILE for text in (each, "The answer is 5.")]
    rewards = answer_reward(texts, ["5"] * len(texts), wall_s=2)
    assert rewards[1::2] == [1.0] * len(HOSTILE)
    assert 1.0 not in rewards[::2]


def test_a_gold_may_be_hostile_too() -> None:
    golds = [*HOSTILE[:-5], "5"]
    rewards = answer_reward(["The answer is 5."] * len(golds), golds, wall_s=2)
    assert rewards[-1] == 1.0
    assert 1.0 not in rewards[:-1]


def test_the_functions_can_be_sent_to_another_process() -> None:
    for function in (answer_reward, compute_score, think_reward, score):
        assert pickle.loads(pickle.dumps(function)) is function
    sent = pickle.loads(pickle.dumps(partial(answer_reward, undecided=0.0)))
    assert sent(["The answer is 5."], ["5"]) == [1.0]


def test_rewards_are_what_evaluate_finds_on_outputs_for_math(shared: Path) -> None:
    path = shared / "outputs/long/qwen2.5-math-7b_math500.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:150]]
    texts, golds = [row["code"][0] for row in rows], [row["gt"] for row in rows]
    problems = [
        SampledProblem("math", str(n), "q", gold, samples=(Sample("CoT", text),))
        for n, (text, gold) in enumerate(zip(texts, golds, strict=True))
    ]
    with Grader() as grader:
        graded = list(grade(problems, lambda programs: [], grader.map))
    expected = [1.0 if g.right[0] else 0.0 if g.wrong[0] else None for g in graded]
    assert answer_reward(texts, golds) == expected
    assert Counter(expected)[1.0] > 75


def test_whole_solutions_of_math_are_golds_for_themselves(shared: Path) -> None:
    path = shared / "sources/math/train-3000.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    solutions = [json.loads(line)["solution"] for line in lines[:400]]
    assert all(map(extract, solutions))
    assert set(answer_reward(solutions, solutions)) == {1.0}


def test_the_reward_of_a_row_does_not_depend_on_the_batch() -> None:
    texts = ["The answer is 5.", "The answer is 10.", "nothing", r"\boxed{a \star b}"]
    golds = ["5", r"\int_0^2 5x dx", "1", r"b \diamond a"]
    alone = [score(text, gold) for text, gold in zip(texts, golds, strict=True)]
    assert answer_reward(texts * 3, golds * 3) == alone * 3
