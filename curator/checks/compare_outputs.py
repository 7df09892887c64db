"""Compares the recorded output of a program with what it prints when it runs again.

In: two outputs. Out: `equal` up to white space and object addresses; `close` up to rounding and the
order of a set, or where the recorded output is cut; else `different`. Errors are compared by their
last line: their trace depends on the notebook. Values in other notations are for the graders.
"""

import math
import re
from typing import Literal

from curator.sandbox.session import LONGEST_OUTPUT, BlockOutput

Similarity = Literal["equal", "close", "different"]

RELATIVE = 1e-6
"""Maximum relative difference of two numbers that are close."""
ABSOLUTE = 1e-9
"""Maximum difference of two numbers near 0 that are close."""
LONGEST = 20_000
"""Maximum number of characters of a recorded output that are compared."""
SHORTEST_CUT = 40
"""Minimum number of characters before the dots of an output that is cut."""
SHORTEST_END = 10
"""Number of characters behind the dots from which on they are compared."""
_NOTHING = frozenset({"<empty_execution>"})
"""What MathCoder records of a program that printed nothing."""
_ANSI = re.compile(r"\x1b\[[\d;]{0,20}m")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,16}")
_ERROR = re.compile(
    r"(?:[A-Za-z_]\w{0,80}\.){0,5}[A-Z]\w{0,80}(?:Error|Exception|Interrupt|Warning)\b"
)
_TOKEN = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[^\W\d]\w*|\S")
_NUMPY = re.compile(r"\b(?:np|numpy)\.\w{1,20}\(([^()]{0,200})\)")
_TIMEOUT = re.compile(r"timed?[ -]?out", re.I)


def compare_outputs(recorded: str, new: BlockOutput) -> Similarity:
    """Return how similar a recorded output is to a new one."""
    old, text = _clean(recorded), _clean(new.text)
    if new.error:
        return _compare_errors(old, text, _clean(new.error))
    if old.split() == text.split():
        return "equal"
    if _is_same_but_cut(old, text) or _are_close(old, text):
        return "close"
    return "different"


def states_error(recorded: str) -> bool:
    """Return whether a recorded output ends with an error."""
    return bool(_ERROR.match(_last_line(_clean(recorded))))


def states_timeout(recorded: str) -> bool:
    """Return whether a recorded output states that time ran out."""
    return bool(_TIMEOUT.search(_clean(recorded)[-LONGEST_OUTPUT:]))


def _clean(text: str) -> str:
    plain = _ADDRESS.sub("0x", _ANSI.sub("", text[:LONGEST])).strip()
    return "" if plain in _NOTHING else plain


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2].strip()


def _compare_errors(recorded: str, text: str, error: str) -> Similarity:
    if recorded.split() == f"{text}\n{error}".split():
        return "equal"
    line = _last_line(recorded)
    if line == error or " ".join(recorded.split()).endswith(error):
        return "equal"
    # Messages differ between releases of Python and of packages.
    first, second = _ERROR.match(line), _ERROR.match(error)
    same = first and second and first[0].rpartition(".")[2] == second[0].rpartition(".")[2]
    return "close" if same else "different"


def _is_same_but_cut(recorded: str, text: str) -> bool:
    """Return whether two outputs are the same where neither is cut; `...` stands for the rest."""
    first, second = (" ".join(each.split()) for each in (recorded, text))
    start, dots, end = first.partition("...")
    other, other_dots, other_end = second.partition("...")
    if not dots and not other_dots:
        return False
    start, other = start.rstrip(), other.rstrip()
    size = min(len(start), len(other))
    if size < SHORTEST_CUT or start[:size] != other[:size]:
        return False
    last = (other_end if other_dots else second).rpartition("...")[2].lstrip()
    end = (end if dots else first).rpartition("...")[2].lstrip()
    size = min(len(end), len(last), LONGEST_OUTPUT // 4)
    return size < SHORTEST_END or end[-size:] == last[-size:]


def _are_close(recorded: str, text: str) -> bool:
    first, second = _tokens(recorded), _tokens(text)
    if len(first) == len(second) and all(map(_is_close, first, second)):
        return True
    is_set = recorded.startswith("{") and text.startswith("{")
    return is_set and sorted(first) == sorted(second)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(_NUMPY.sub(r"\1", text))


def _is_close(first: str, second: str) -> bool:
    if first == second:
        return True
    try:
        return math.isclose(float(first), float(second), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except ValueError:
        return False
