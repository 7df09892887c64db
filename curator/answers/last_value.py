"""The value with which a solution ends, where it does not say that this is its answer."""

import re

_NUMBER = re.compile(r"(-?[$€£]?\s?\d[\d,]*(?:\.\d+)?(?:\s?[/:]\s?\d+)?(?:\s?%)?)[^\d=]{0,40}$")
_LONGEST = 60


def last_values(solution: str) -> list[str]:
    """Return readings of the last value of a text, the longer one first; none if it ends in words.

    They are what follows the last equals sign of the last line, and the last number of that line
    with at most 40 other characters behind it.
    """
    last = solution.rstrip(' .\n"').rpartition("\n")[2]
    after = last.rpartition("=")[2].strip(" .")
    number = _NUMBER.search(last[-200:])
    found = (after, number[1].strip() if number else "")
    return [each for each in found if 0 < len(each) < _LONGEST and re.search(r"\d", each)]
