"""Check `format`: the texts are complete and of plausible length; a program parses and can print.

It reads the texts only: a program is parsed, never run. A thought before the answer (`<think>…`)
does not count as length.
"""

import ast
import re
import symtable
import warnings

from curator.answers.extract.regions import answer_start
from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import Outcome, Verdict

SHORTEST_INSTRUCTION = 10
"""Minimum number of characters."""
SHORT_PROGRAM = 2_000
"""Number of characters up to which a program's tree has fewer levels than Python's limit."""
SHORT = 20_000
"""Verdicts on texts with more characters are those of version 2; version 1 rejected all of them."""
VERSION, LONG_VERSION = 1, 2
"""A verdict on short texts is the same in both, and has the number 1: versions without a long text
keep their digests."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
_ASCII_CONTROL = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
_LONG_NUMBER = re.compile(r"\d{4301}")
"""Python refuses to read an integer of more than 4,300 digits."""


def check_format(candidate: Candidate, version: int) -> Verdict:
    """Return passed, or failed with the first defect as reason."""
    reason, seen = _find_defect(candidate)
    if max(len(candidate.instruction), len(candidate.text)) > SHORT:
        version = LONG_VERSION
    outcome: Outcome = "failed" if reason else "passed"
    evidence = {"seen": seen} if seen else {}
    return Verdict(candidate.row_id, "format", version, outcome, reason, evidence)


def _find_defect(candidate: Candidate) -> tuple[str, str]:
    """Return the reason of a failure and what was seen, or two empty texts."""
    for name, text in (("instruction", candidate.instruction), ("text", candidate.text)):
        if not _is_plain(text) and (control := _CONTROL.search(text)):
            seen = f"{name} holds U+{ord(control[0]):04X} at {control.start()}"
            return "broken characters", seen
        length = len(text)
        if length > candidate.characters:  # thoughts do not count
            length -= answer_start(text) or 0
        if length > candidate.characters:
            most = f"at most {candidate.characters:,} (limits.characters)"
            return "too long", f"{name} has {length:,} characters, {most}"
    if len(candidate.instruction.strip()) < SHORTEST_INSTRUCTION:
        return "no question", candidate.instruction.strip()
    if not candidate.text.strip():
        return "empty", ""
    return _find_program_defect(candidate.text) if candidate.kind == "PoT" else ("", "")


def _is_plain(text: str) -> bool:
    """Return whether a text surely has no broken characters; far cheaper than the pattern."""
    if text.isascii():
        return len(text.encode().translate(None, _ASCII_CONTROL)) == len(text)
    return text.replace("\n", "").isprintable() and "\ufffd" not in text


def _find_program_defect(program: str) -> tuple[str, str]:
    if _LONG_NUMBER.search(program):
        return "not a program", "a number of more than 4,300 digits"
    try:
        with warnings.catch_warnings():
            # An invalid escape sequence in the data must not print a warning here.
            warnings.simplefilter("ignore")
            if not _is_surely_parsed(program):
                ast.parse(program)
    except SyntaxError as error:
        return "not a program", f"{error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return "not a program", type(error).__name__
    if "print" not in program:
        return "prints nothing", ""
    return "", ""


def _is_surely_parsed(program: str) -> bool:
    """Return whether a program parses; false if `ast.parse`, which takes longer, must decide.

    A symbol table is made by the same parser, without a tree of Python objects, and has only more
    errors. Of a short program no tree is so deep that making those objects could fail.
    """
    if len(program) > SHORT_PROGRAM:
        return False
    try:
        symtable.symtable(program, "<unknown>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


CHECK = Check(
    VERSION,
    check_format,
    "texts are complete and of plausible length; programs parse",
    proves="form",
    by_default=True,
)
