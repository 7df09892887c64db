"""Replay: what the programs of a text print again, and what follows from it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.answers import Grader
from curator.checks import CHECKS, Candidate, collect_evidence, compare_pairs
from curator.checks.answer import level_of
from curator.checks.compare_outputs import compare_outputs
from curator.checks.replayed import read_results
from curator.core.model import Verdict
from curator.core.turns import MAX_BLOCKS, TurnKind, join_turns
from curator.sandbox import Sandbox
from curator.sandbox.session import BlockOutput
from tests.core.test_turns import FORMS

Turns = Sequence[tuple[TurnKind, str]]


@pytest.fixture(scope="module")
def tools() -> Iterator[tuple[Sandbox, Grader]]:
    with Sandbox(workers=1, wall_s=5, cpu_s=2) as box, Grader(workers=1) as grader:
        yield box, grader


def judge(
    tools: tuple[Sandbox, Grader], text: str, gold: str = "2", check: str = "replayed"
) -> tuple[Candidate, Verdict]:
    box, grader = tools
    compare = partial(compare_pairs, grade=lambda pairs: list(grader.map(pairs)))
    one = Candidate(b"", "TIR", "How many are one and one?", text, gold, ())
    needs = {each for check in CHECKS.values() for each in check.needs}
    (found,) = collect_evidence([one], needs, box.map, compare)
    verdict = CHECKS[check].run(found, 1)
    assert verdict is not None
    return found, verdict


RUN: TurnKind = "program"
OUT: TurnKind = "output"
SAY: TurnKind = "text"
DONE: tuple[TurnKind, str] = (SAY, "The answer is 2.")
TRACES: dict[str, tuple[Turns, str, str, str]] = {
    # turns, outcome, reason, evidence level with gold 2
    "reproduced": ([(RUN, "print(1 + 1)"), (OUT, "2"), DONE], "passed", "", "executed"),
    "a last value": ([(RUN, "x = 1"), (OUT, ""), (RUN, "x + 1"), (OUT, "2"), DONE],
        "passed", "", "executed"),
    "rounded": ([(RUN, "print(2 / 3 * 3)"), (OUT, "2.0000000001"), DONE],
        "passed", "", "executed"),
    "another notation": ([(RUN, "print('1/2')"), (OUT, "0.5"), DONE],
        "passed", "answer not in the output", "independent"),
    "no text behind it": ([(RUN, "print(2)"), (OUT, "2")], "passed", "", "executed"),
    "a text without an answer": ([(RUN, "print(2)"), (OUT, "2"), (SAY, "Two of them leave.")],
        "passed", "", "executed"),
    "an error that is recorded": (
        [(RUN, "1 / 0"), (OUT, "ZeroDivisionError: division by zero"), (RUN, "2"), (OUT, "2"),
         DONE], "passed", "", "executed"),
    "another output": ([(RUN, "print(1 + 2)"), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "an error that is not recorded": ([(RUN, "print(x)"), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "a value where an error is recorded": ([(RUN, "print(2)"), (OUT, "NameError: name 'x'"), DONE],
        "failed", "different output", "independent"),
    "only the last of three differs": (
        [(RUN, "x = 1"), (OUT, ""), (RUN, "x"), (OUT, "1"), (RUN, "x + 2"), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "time runs out": ([(RUN, "while True: pass"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "it ends the session": ([(RUN, "import os; os._exit(0)"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "chance": ([(RUN, "import random\nprint(random.random())"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "the clock": (
        [(RUN, "from datetime import datetime as d\nprint(d.now().year)"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "chance of another package": (
        [(RUN, "import numpy as np\nx = np.random.rand()"), (OUT, ""), (RUN, "x"), (OUT, "2"),
         DONE], "undecided", "not reproducible", "independent"),
    "chance in a comment": ([(RUN, "# not random, now\nprint(3)"), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "chance in a text": ([(RUN, "import math\nprint('import random' * 0, 3)"), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "a variable named time": ([(RUN, "time = 2\nnow = 6\nprint(now / time)"), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "dates without a clock": (
        [(RUN, "from datetime import date\n(date(2020, 1, 4) - date(2020, 1, 1)).days"),
         (OUT, "2"), DONE], "failed", "different output", "independent"),
    "a program that is no Python": ([(RUN, "import random, ("), (OUT, "2"), DONE],
        "failed", "different output", "independent"),
    "a package that is missing": ([(RUN, "import nonesuch\nprint(2)"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "a file": ([(RUN, "print(open('/data/x').read())"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "what depends on such a program": (
        [(RUN, "import nonesuch as n\nx = 2"), (OUT, ""), (RUN, "print(x)"), (OUT, "2"), DONE],
        "undecided", "not reproducible", "independent"),
    "its output is missing": ([(RUN, "print(2)"), DONE],
        "undecided", "output not recorded", "independent"),
    "an output that no program wrote": (
        [(RUN, "print(2)"), (OUT, "2"), (SAY, "Again:"), (OUT, "2"), DONE],
        "failed", "output without a program", "independent"),
    "two outputs of one program": ([(RUN, "print(2)"), (OUT, "2"), (OUT, "2"), DONE],
        "failed", "output without a program", "independent"),
    "no program": ([DONE], "failed", "no program", "independent"),
    "an answer that is not in the output": ([(RUN, "print(7)"), (OUT, "7"), DONE],
        "passed", "answer not in the output", "independent"),
    "another sign": ([(RUN, "print(-2)"), (OUT, "-2"), DONE],
        "passed", "answer not in the output", "independent"),
    "an answer before the program": (
        [DONE, (RUN, "print(2)"), (OUT, "2"), DONE],
        "passed", "answer before the program", "executed"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_has_an_outcome_a_reason_and_a_level(
    tools: tuple[Sandbox, Grader], name: str
) -> None:
    turns, outcome, reason, level = TRACES[name]
    candidate, verdict = judge(tools, join_turns(turns))
    assert (verdict.outcome, verdict.reason) == (outcome, reason), verdict.evidence
    assert level_of(candidate) == level


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_replayed(tools: tuple[Sandbox, Grader], form: str) -> None:
    candidate, verdict = judge(tools, FORMS[form])
    assert (verdict.outcome, verdict.reason) == ("passed", "")
    assert level_of(candidate) == "executed"
    assert judge(tools, FORMS[form], gold="3", check="answer")[1].outcome == "failed"


def test_the_evidence_names_the_block_and_both_outputs(tools: tuple[Sandbox, Grader]) -> None:
    turns: Turns = [("program", "print(1)"), ("output", "1"), ("program", "print('a' * 999)")]
    _, verdict = judge(tools, join_turns([*turns, ("output", "b" * 999)]))
    assert verdict.evidence["blocks"] == "1 different, 1 equal"
    assert verdict.evidence["block"] == "2"
    assert verdict.evidence["recorded"] == f"{'b' * 140} … {'b' * 60}"
    assert verdict.evidence["new"].startswith("aaa")


def test_programs_behind_the_last_one_that_is_read_are_not_proved(
    tools: tuple[Sandbox, Grader],
) -> None:
    pair: Turns = [(RUN, "print(2)"), (OUT, "2")]
    wrong: Turns = [(RUN, "print(3)"), (OUT, "2")]
    text = join_turns([*pair * (MAX_BLOCKS // 2), *wrong, DONE])
    candidate, verdict = judge(tools, text)
    assert (verdict.outcome, verdict.reason) == ("undecided", "not reproducible")
    assert verdict.evidence["why"] == "1,000 or more programs and outputs"
    assert candidate.replay and not candidate.replay.reproduces
    assert judge(tools, join_turns([*pair * (MAX_BLOCKS // 2 - 1), DONE]))[1].outcome == "passed"


@pytest.mark.parametrize("ending", [[DONE], []])
def test_an_unclosed_thought_states_no_answer_whatever_its_programs_print(
    tools: tuple[Sandbox, Grader], ending: Turns
) -> None:
    turns: Turns = [(SAY, "<think>Let me run it."), (RUN, "print(2)"), (OUT, "2"), *ending]
    candidate, verdict = judge(tools, join_turns(turns), check="answer")
    assert candidate.answer is None and verdict.outcome != "passed"
    assert level_of(candidate) == "form"
    closed = join_turns([*turns, (SAY, "</think>The answer is 2.")])
    assert level_of(judge(tools, closed, check="answer")[0]) == "executed"


def test_marks_of_thoughts_that_programs_print_do_not_hide_the_answer(
    tools: tuple[Sandbox, Grader],
) -> None:
    turns: Turns = [(RUN, "print('<think>', 2)"), (OUT, "<think> 2"), DONE]
    assert level_of(judge(tools, join_turns(turns), check="answer")[0]) == "executed"


def test_the_check_executed_judges_the_last_program(tools: tuple[Sandbox, Grader]) -> None:
    turns: Turns = [("program", "1 / 0"), ("output", ""), ("program", "2"), ("output", "2")]
    assert judge(tools, join_turns(turns), check="executed")[1].evidence == {"printed": "2"}
    failed = judge(tools, join_turns(turns[:2]), check="executed")[1]
    assert failed.evidence == {"error": "ZeroDivisionError: division by zero"}


OUTPUTS = [
    ("2", "2\n", "", "equal"),
    ("[1,\n 2]", "[1, 2]", "", "equal"),
    ("<f at 0x7f00aa>", "<f at 0x7f11bb>", "", "equal"),
    ("<empty_execution>", "", "", "equal"),
    ("", "", "", "equal"),
    ("2.9999999999999996", "3.0", "", "close"),
    ("3", "3.0", "", "close"),
    ("1.2246467991473532e-16", "0", "", "close"),
    ("2.0", "np.float64(2.0)", "", "close"),
    ("[2.0, 1.0]", "[np.float64(2.0), np.float64(1.0)]", "", "close"),
    ("{'b', 'a'}", "{'a', 'b'}", "", "close"),
    ("['b', 'a']", "['a', 'b']", "", "different"),
    ("2.01", "2.0", "", "different"),
    ("12", "1 2", "", "different"),
    ("-2", "2", "", "different"),
    ("x - 2", "x + 2", "", "different"),
    ("", "2", "", "different"),
    ("a" * 60 + "...", "a" * 60 + "b" * 99, "", "close"),
    ("a" * 60 + "..." + "c" * 20, "a" * 60 + "b" * 99, "", "different"),
    ("...", "2", "", "different"),
    ("a" * 2_500, "a" * 1_000 + "\n...\n" + "a" * 1_000, "", "close"),
    ("a" * 2_500, "a" * 1_000 + "\n...\n" + "b" * 1_000, "", "different"),
    ("\x1b[0;31mNameError\x1b[0m: name 'x'", "", "NameError: name 'x'", "equal"),
    ("Traceback …\n TypeError: 'int' object", "", "TypeError: 'str' object", "close"),
    ("TypeError: x", "", "NameError: x", "different"),
    ("2", "2", "NameError: x", "different"),
    ("NameError: x", "2", "", "different"),
]


@pytest.mark.parametrize(("recorded", "text", "error", "expected"), OUTPUTS)
def test_outputs_are_compared(recorded: str, text: str, error: str, expected: str) -> None:
    assert compare_outputs(recorded, BlockOutput(text, error)) == expected


@given(st.text(st.characters(exclude_characters=".")))
def test_an_output_equals_itself(text: str) -> None:
    assert compare_outputs(text, BlockOutput(text, "")) == "equal"


def test_published_traces_print_again_what_they_record(
    tools: tuple[Sandbox, Grader], shared: Path
) -> None:
    with (shared / "outputs/tora/tora-70b-gsm8k.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in islice(file, 50)]
    outcomes = Counter[str]()
    for row in rows:
        candidate, verdict = judge(tools, row["code"][0], row["gt"])
        outcomes[verdict.reason or verdict.outcome] += 1
        assert candidate.replay is not None and candidate.replay.reproduces
    assert outcomes == {"passed": 47, "answer not in the output": 3}


MIXED: Turns = [
    (RUN, "x = 1"), (OUT, ""), (RUN, "x"), (OUT, "1"), (RUN, "2 / 3"), (OUT, "0.6666666667"),
    (RUN, "x + 2"), (OUT, "2"), (RUN, "x + 1"), (OUT, "2"), DONE,
]  # fmt: skip


def test_the_evidence_states_the_result_of_each_program(tools: tuple[Sandbox, Grader]) -> None:
    found, verdict = judge(tools, join_turns(MIXED))
    assert found.replay is not None
    expected = ["equal", "equal", "close", "different", "equal"]
    assert [block.outcome for block in found.replay.blocks] == expected
    assert verdict.evidence["each"] == "2 equal, 1 close, 1 different, 1 equal"
    assert verdict.evidence["blocks"] == "1 close, 1 different, 3 equal"
    assert read_results(verdict.evidence) == expected


def test_programs_with_one_result_are_only_counted(tools: tuple[Sandbox, Grader]) -> None:
    _, verdict = judge(tools, join_turns(MIXED[:4]))
    assert verdict.evidence["blocks"] == "2 equal" and "each" not in verdict.evidence
    assert read_results(verdict.evidence) == ["equal", "equal"]


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"blocks": "1 close, 3 equal"},
        {"blocks": "99999999999 equal"},
        {"blocks": "", "each": "x equal"},
        {"blocks": "-1 equal"},
    ],
)
def test_evidence_without_the_result_of_each_program_gives_none(evidence: dict[str, str]) -> None:
    assert read_results(evidence) == []
