"""Check `format`: texts are whole and of sane length, and a program is one that can print.

It reads texts only: a program is parsed, never run.
"""

import ast
import re
import warnings

from curator.checks.candidate import Candidate
from curator.core.model import Outcome, Verdict

SHORTEST_INSTRUCTION = 10
LONGEST = 20_000
"""Characters; nothing that a trainer would use is longer."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
_LONG_NUMBER = re.compile(r"\d{4301}")


def well_formed(candidate: Candidate, version: int) -> Verdict:
    """Failed with the first fault found as reason."""
    fault, seen = _fault(candidate)
    outcome: Outcome = "failed" if fault else "passed"
    evidence = {"seen": seen} if seen else {}
    return Verdict(candidate.row_id, "format", version, outcome, fault, evidence)


def _fault(candidate: Candidate) -> tuple[str, str]:
    """The reason of a failure with what was seen, or two empty texts."""
    for name, text in (("instruction", candidate.instruction), ("text", candidate.text)):
        # Most texts are printable but for line ends, and that test is far cheaper than a pattern.
        plain = text.replace("\n", "").isprintable() and "\ufffd" not in text
        if not plain and (found := _CONTROL.search(text)):
            return "broken characters", f"{name} holds U+{ord(found[0]):04X} at {found.start()}"
        if len(text) > LONGEST:
            return "too long", f"{name} has {len(text):,} characters"
    if len(candidate.instruction.strip()) < SHORTEST_INSTRUCTION:
        return "no question", candidate.instruction.strip()
    if not candidate.text.strip():
        return "empty", ""
    return _program_fault(candidate.text) if candidate.kind == "PoT" else ("", "")


def _program_fault(program: str) -> tuple[str, str]:
    if _LONG_NUMBER.search(program):
        return "not a program", "a number of more than 4,300 digits"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in data is not our user's business
            ast.parse(program)
    except SyntaxError as error:
        return "not a program", f"{error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return "not a program", type(error).__name__
    if "print" not in program:
        return "prints nothing", ""
    return "", ""
