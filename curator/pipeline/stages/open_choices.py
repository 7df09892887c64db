"""Stage `open_choices`: ask multiple-choice questions as open ones.

In: problems, some with choices. Out: the same problems in the same order; where the question can be
understood without its choices, the gold answer is the text of the marked choice and there are no
choices. The solution loses an ending that only names the letter, and states the value with which
its last line ends, so that the check `answer` passes a row only if its text or program arrives at
the value of the marked choice. Questions that need their choices stay as they are. Not covered:
questions whose wording does not show that several values are right.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from curator.answers import compare_by_rules, extract
from curator.answers.last_value import last_values
from curator.checks.question_kind import find_kinds
from curator.core.model import LETTERS, Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import read_problems, write_problems
from curator.sources.datasets.aqua_rat import strip_answer
from datastore.memo import Outputs

_CODE = (
    __name__,
    "curator.answers.last_value",
    "curator.checks.question_kind",
    "curator.sources.datasets.aqua_rat",
)
_NEEDS_CHOICES = re.compile(
    r"\b(?:which|following|closest|nearest|approximat\w*|approx|roughly|about how|estimate\w*"
    r"|options?|choices?|could be|can be|can equal|could equal|might be|may be|must be true"
    r"|possible|except|cannot be|true|false|best|of these|an? (?:example|factor|multiple|divisor)"
    r"|equivalent|expressed as|next|odd one|does not belong|missing|sufficient)\b",
    re.I,
)
"""Words of questions that have several right answers without their choices. They are precise rather
than complete: "which" also refuses "the rate at which"."""
_VALUES = ("number", "expression", "tuple", "set", "interval")
_OTHER_CHOICES = re.compile(
    r"\b(?:none|all|both|neither|cannot|can't|not|above|these|only)\b", re.I
)


def open_shard(context: BuildContext, name: str, problems: str) -> Outputs:
    """Write object `problems`, in upstream's order, and count the `opened` ones."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts: Counter[str] = Counter(opened=0, choices=0)
        opened = _open_all(context, problems, counts)
        return {"problems": write_problems(context, opened)}, dict(counts)

    return context.once(Stage("open_choices", _CODE), {}, [problems], make, name)


def _open_all(context: BuildContext, problems: str, counts: Counter[str]) -> Iterator[Problem]:
    for problem in read_problems(context, [problems]):
        opened = open_problem(problem) if problem.choices else problem
        if problem.choices:
            counts["opened" if opened else "choices"] += 1
        yield opened or problem


def open_problem(problem: Problem) -> Problem | None:
    """Return the problem as an open question; None if it needs its choices.

    Choices such as "none of these" show that the others are meant to be compared.
    """
    index = LETTERS.find(problem.gold) if len(problem.gold) == 1 else -1
    if not 0 <= index < len(problem.choices) or _needs_choices(problem):
        return None
    value = problem.choices[index].strip().rstrip(".")
    stated = extract(f"The answer is {value}")
    if stated is None or stated.kind not in _VALUES or not re.search(r"\d|\\", value):
        return None
    solution = strip_answer(problem.whole_solution, problem.gold, problem.choices)
    named = extract(solution, problem.choices) if solution else None
    if named and named.stated == "letter":
        if not problem.program:
            return None
        solution, named = "", None  # the program remains
    whole = "" if named else _state_last_value(solution, value)
    return replace(problem, gold=value, choices=(), solution=solution, solution_as_written=whole)


def _state_last_value(solution: str, value: str) -> str:
    """Return a solution that states no answer with its last value as its answer.

    Empty if its last line does not end with a value that is equal to `value`.
    """
    for found in last_values(solution):
        result = compare_by_rules(value, found)
        if result and result.outcome == "equal":
            return f"{solution}\nThe answer is {found}"
    return ""


def _needs_choices(problem: Problem) -> bool:
    return bool(
        _NEEDS_CHOICES.search(problem.question)
        or find_kinds(problem.question, "1")
        or any(map(_OTHER_CHOICES.search, problem.choices))
        or "__" in problem.question
    )
