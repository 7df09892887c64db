"""Every regular expression in the code reads any text in linear time."""

import re
from collections.abc import Callable
from itertools import islice

import pytest

from tests.hostile import growth, worst_texts
from tests.patterns import Found, collect

FOUND, UNRESOLVED = collect()


def _runner(pattern: re.Pattern[str], call: str) -> Callable[[str], object]:
    def search(text: str) -> int:
        return sum(1 for _ in pattern.finditer(text))

    read = search if call == "search" else getattr(pattern, call)
    return (lambda text: read(text.encode())) if isinstance(pattern.pattern, bytes) else read


def test_every_regular_expression_is_found():
    assert len(FOUND) > 300
    assert not UNRESOLVED, (
        "the pattern of these uses of `re` cannot be found without running the code; make it a "
        f"constant of the module: {UNRESOLVED}"
    )


@pytest.mark.parametrize("slow", [r"\s+$", r"(\d+,)*\d+;"])
def test_a_pattern_that_is_not_linear_is_noticed(slow: str):
    assert _faults(re.compile(slow), "search")


@pytest.mark.parametrize("place", sorted({each.place.rpartition(":")[0] for each in FOUND}))
def test_patterns_of_a_module_are_linear(place: str):
    faults = [
        f"{found.place}: {call} of {found.pattern.pattern[:200]!r}: {fault}"
        for found in _distinct(place)
        for call in sorted(found.calls)
        for fault in _faults(found.pattern, call)
    ]
    assert not faults, "\n".join(faults)


def _distinct(place: str) -> list[Found]:
    return sorted(
        {each for each in FOUND if each.place.rpartition(":")[0] == place},
        key=lambda found: found.place,
    )


def _faults(pattern: re.Pattern[str], call: str) -> list[str]:
    """Return the first text on which the time of a pattern grows too fast."""
    run = _runner(pattern, call)
    texts = sorted(worst_texts(pattern), key=repr)
    return list(islice((fault for text in texts if (fault := growth(run, text))), 1))
