"""Complete programs that do not print their result, as the datasets they come from intend.

In: the text of a program, and the names that it has defined after its run. Out: the text to run,
and the value to print. Program-of-Thoughts (arXiv:2211.12588) leaves its result in `ans` and relies
on the imports of its prompt; PAL (arXiv:2211.10435) defines `solution()`; ToRA (arXiv:2309.17452)
writes the program between ```python and ```, and its output between ```output and ```. Only
programs that print nothing are completed, and `Execution.completed` records how.
"""

import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any

RESULT_NAMES = ("ans", "answer")
"""Variables whose value is printed; the first one that is defined counts."""
RESULT_FUNCTIONS = ("solution", "solver", "solve")
"""Functions whose return value is printed if none of these variables is defined."""
FENCE, PREAMBLE = "fence", "preamble"
STEPS = frozenset((FENCE, PREAMBLE, *RESULT_NAMES, *(f"{name}()" for name in RESULT_FUNCTIONS)))
"""The values that `Execution.completed` can list, in the order in which it lists them."""

PREAMBLES = (
    "",
    "import math\nimport statistics\n",
    """
import math
import statistics
import numpy as np
from sympy import Eq, Symbol, simplify, solve

def solve_it(equation, variable):
    solutions = solve(equation, variable, dict=True)
    if solutions:
        return solutions[0]
    return {v: None for v in (variable if isinstance(variable, list) else [variable])}
""",
)
"""Imports of the prompts of Program-of-Thoughts: none, the light ones, all of them. The prompts
import `solve_it` from sympy, but it is a function of the paper's authors."""
HEAVY = 2
"""Index of the preamble that needs the large packages."""

_LIGHT_NAMES = {"math", "statistics"}
_USES = re.compile(r"\b(math|statistics|np)\.|\b(Eq|Symbol|simplify|solve|solve_it)\s*\(")
_BINDS = re.compile(r"^[ \t]*(?:import|from|def)\b(.*)", re.MULTILINE)
_SETS_RESULT = re.compile(r"^[ \t]*(?:ans|answer)\b[^=\n]*=", re.MULTILINE)


def extract_fenced(text: str) -> str:
    """Return the last fenced program of a text, or the text itself if it contains none.

    A fence counts only if it certainly is one: a line that opens a block of Python, or a bare fence
    on the first line that is not blank. A block without an end extends to the end of the text.
    """
    if "```" not in text:
        return text
    lines: list[str] | None = None
    inside = False
    at_start = True
    for line in text.split("\n"):
        if line.startswith("```"):
            opens = line[3:].strip().lower() in ("python", "py", "python3") or (
                at_start and line.strip() == "```"
            )
            inside = opens and not inside
            if inside:
                lines = []
        elif inside and lines is not None:
            lines.append(line)
        at_start = at_start and not line.strip()
    return text if lines is None else "\n".join(lines) + "\n"


def select_preamble(text: str) -> int:
    """Return the index of the entry of PREAMBLES that a program needs.

    It is 0 unless the program prints nothing, sets `ans` or `answer`, and uses names of a preamble
    that it neither imports nor defines.
    """
    if "print(" in text or not _SETS_RESULT.search(text):
        return 0
    missing = {name for names in _USES.findall(text) for name in names if name}
    for line in _BINDS.findall(text) if missing else ():
        missing.difference_update(re.findall(r"\w+", line))
    return 0 if not missing else 1 if missing <= _LIGHT_NAMES else HEAVY


def find_result(names: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the source of the result of a program that printed nothing, and the result.

    Returns ("", None) without a result. Calls the function of the program, so any exception of the
    program can be raised.
    """
    for name in RESULT_NAMES:
        if names.get(name) is not None:
            return name, _unwrap(names[name])
    for name in RESULT_FUNCTIONS:
        function = names.get(name)
        if type(function) is FunctionType and function.__module__ == "__main__":
            value = function()
            return (f"{name}()", _unwrap(value)) if value is not None else ("", None)
    return "", None


def _unwrap(value: Any) -> Any:
    """Return the only item of a list, tuple or dict, as Program-of-Thoughts does."""
    for _ in range(3):
        if type(value) in (list, tuple, dict) and len(value) == 1:
            value = next(iter(value.values())) if type(value) is dict else value[0]
    return value
