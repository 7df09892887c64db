"""What a program leaves unsaid, as the corpora it comes from mean it.

In: the text of a program, and the names it has made once it has run. Out: the text to run, and the
value to print. Program-of-Thoughts (arXiv:2211.12588) leaves its result in `ans` and counts on what
its prompt imports; PAL (arXiv:2211.10435) defines `solution()`; ToRA (arXiv:2309.17452) writes the
program between ```python and ```, and what it printed between ```output and ```. Completed is only
what prints nothing itself, and what was done is told.
"""

import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any

RESULTS = ("ans", "answer")
"""Variables that are printed, the first of them that is there."""
FUNCTIONS = ("solution", "solver", "solve")
"""Functions that are called where there is no such variable, and their result printed."""
FENCE, PREAMBLE = "fence", "preamble"
STEPS = frozenset((FENCE, PREAMBLE, *RESULTS, *(f"{name}()" for name in FUNCTIONS)))
"""Whatever can be told in `Execution.completed`, in this order, with a comma between."""

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
"""What the prompts of Program-of-Thoughts import: nothing, what is light, all. They say `solve_it`
is sympy's; it is its authors' own."""
HEAVY = 2
"""The preamble that needs the large packages."""

_LIGHT_NAMES = {"math", "statistics"}
_USES = re.compile(r"\b(math|statistics|np)\.|\b(Eq|Symbol|simplify|solve|solve_it)\s*\(")
_BINDS = re.compile(r"^[ \t]*(?:import|from|def)\b(.*)", re.MULTILINE)
_SETS_RESULT = re.compile(r"^[ \t]*(?:ans|answer)\b[^=\n]*=", re.MULTILINE)


def unfenced(text: str) -> str:
    """The last fenced program of a text; the text itself where nothing is fenced.

    A fence counts only where it surely is one: a line that opens one for Python, or one as the
    first line of all. One that never closes ends with the text.
    """
    if "```" not in text:
        return text
    found: list[str] | None = None
    inside = False
    first = True
    for line in text.split("\n"):
        if line.startswith("```"):
            opens = line[3:].strip().lower() in ("python", "py", "python3") or (
                first and line.strip() == "```"
            )
            inside = opens and not inside
            if inside:
                found = []
        elif inside and found is not None:
            found.append(line)
        first = first and not line.strip()
    return text if found is None else "\n".join(found) + "\n"


def preamble(text: str) -> int:
    """Which of PREAMBLES a program counts on.

    None but for one that prints nothing, sets `ans` or `answer`, and uses a name of them that it
    neither imports nor defines.
    """
    if "print(" in text or not _SETS_RESULT.search(text):
        return 0
    missing = {name for names in _USES.findall(text) for name in names if name}
    for line in _BINDS.findall(text) if missing else ():
        missing.difference_update(re.findall(r"\w+", line))
    return 0 if not missing else 1 if missing <= _LIGHT_NAMES else HEAVY


def result(names: Mapping[str, Any]) -> tuple[str, Any]:
    """How the result of a program that printed nothing is come by, and the result; ("", None) if
    there is none. Calls the function of the program, so whatever it raises comes out.
    """
    for name in RESULTS:
        if names.get(name) is not None:
            return name, _only(names[name])
    for name in FUNCTIONS:
        function = names.get(name)
        if type(function) is FunctionType and function.__module__ == "__main__":
            value = function()
            return (f"{name}()", _only(value)) if value is not None else ("", None)
    return "", None


def _only(value: Any) -> Any:
    """The one thing in a list, tuple or dict that holds one, as Program-of-Thoughts reads it."""
    for _ in range(3):
        if type(value) in (list, tuple, dict) and len(value) == 1:
            value = next(iter(value.values())) if type(value) is dict else value[0]
    return value
