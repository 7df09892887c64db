"""The symbolic grader: real child processes, real hangs, no process left behind."""

import os
import subprocess
import sys

from curator.answers import Equivalence, Grader, compare_by_rules, contradicts, equivalent

TOWER = r"\lim_{x \to 3} 9^{9^{9^9}}"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_rules_leave_open_is_graded_symbolically() -> None:
    assert compare_by_rules(r"\int_0^2 5x dx", "10") is None
    assert equivalent(r"\int_0^2 5x dx", "10") == Equivalence("equal", "math-verify")
    assert equivalent(r"\int_0^2 5x dx", "11").outcome != "equal"


def test_a_parse_that_hangs_is_killed_and_the_others_are_graded_in_order() -> None:
    limits = [(rf"\lim_{{x \to {n}}} x", str(n), ()) for n in range(2, 8)]
    pairs = [*limits[:3], (TOWER, "5", ()), ("1", "1", ()), *limits[3:]]
    # The others need a small part of this, on a busy machine too.
    with Grader(workers=2, wall_s=4) as grader:
        verdicts = list(grader.map(pairs))
    assert [verdict.rule for verdict in verdicts] == [
        *["math-verify"] * 3,
        "timeout",
        "number",
        *["math-verify"] * 3,
    ]
    assert verdicts[3].outcome == "undecided"


def test_a_grader_starts_no_process_until_it_needs_one_and_leaves_none() -> None:
    with Grader(workers=2, wall_s=600) as grader:
        assert [v.outcome for v in grader.map([("1", "2", ()), ("1/2", "0.5", ())])] == [
            "different",
            "equal",
        ]
        assert not grader.pids
        list(grader.map([(r"\int_0^2 5x dx", "10", ())]))
        pids = grader.pids
        assert pids and all(map(alive, pids))
    assert not any(map(alive, pids))


def test_a_consumer_may_stop_early_and_the_grader_still_works() -> None:
    pairs = [(r"\int_0^2 5x dx", "10", ()), (TOWER, "5", ()), (r"\int_0^2 3x dx", "6", ())]
    with Grader(workers=1, wall_s=30) as grader:
        first = next(iter(grader.map(pairs)))
        assert first.outcome == "equal"
        again = list(grader.map([pairs[0], pairs[2]]))
        assert [verdict.outcome for verdict in again] == ["equal", "equal"]


def test_math_verify_alone_disagrees_where_only_our_rules_find_equality() -> None:
    pairs = [
        (r"\frac{1}{2}", "0.5", ()),
        ("2/3", "0.6667", ()),
        ("3 hours 20 minutes", "200 minutes", ()),
        (r"\sum_{k=1}^{4} k", "10", ()),
        ("A", "36", ("36 km/h", "40 km/h")),
        (r"12\pi + \sqrt{2x}", "12*pi + sqrt(2*x)", ()),
        (r"\begin{pmatrix} 1 & -2 \\ 3 & 4 \end{pmatrix}", "[[1, -2], [3, 4]]", ()),
    ]
    with Grader(workers=2) as grader:
        ours, others = list(grader.map(pairs)), list(grader.grade_by_math_verify(pairs))
        assert [result.outcome for result in ours] == ["equal"] * 7
        assert [others[index].outcome for index in (0, 1, 3, 5, 6)] == [
            "equal",
            "different",
            *["equal"] * 3,
        ]
        assert others[4] == Equivalence("undecided", "options")
        contradictions = [
            contradicts(result, other) for result, other in zip(ours, others, strict=True)
        ]
        assert contradictions[:2] == [False, True] and contradictions[3:] == [False] * 4
        assert list(grader.map(pairs)) == ours


def test_a_grader_takes_only_as_many_pairs_as_it_needs() -> None:
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield str(taken), str(taken), ()

    with Grader(workers=1) as grader:
        verdicts = grader.map(endless())
        assert all(next(verdicts).outcome == "equal" for _ in range(100))
    assert taken < 1_000


def test_importing_answers_loads_no_symbolic_library() -> None:
    code = (
        "import sys, curator.answers; heavy = ['sympy', 'math_verify', 'duckdb', 'pyarrow'];"
        "print([module for module in heavy if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
