"""The sequential test that stops sampling a problem: its errors, computed exactly."""

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.pipeline.band import Band, decide_band, is_below, min_samples

BANDS = ((0.2, 0.8), (0.1, 0.7), (0.45, 0.55), (0.0, 0.5), (0.3, 1.0))
ERRORS = (0.01, 0.1, 0.3)
MOST = 96


def true_band(rate: float, band: tuple[float, float]) -> Band:
    return "too hard" if rate < band[0] else "too easy" if rate > band[1] else "useful"


def chances(
    rate: float, band: tuple[float, float], error: float, most: int = MOST
) -> dict[Band | None, float]:
    """The exact probability of each decision after at most `most` samples, by enumeration."""
    left, decided = {0: 1.0}, dict[Band | None, float]()
    for count in range(1, most + 1):
        after: dict[int, float] = {}
        for successes, chance in left.items():
            after[successes] = after.get(successes, 0) + chance * (1 - rate)
            after[successes + 1] = after.get(successes + 1, 0) + chance * rate
        left = {}
        for successes, chance in after.items():
            found = decide_band(successes, count - successes, band, error)
            if found:
                decided[found] = decided.get(found, 0) + chance
            else:
                left[successes] = chance
    return decided | {None: sum(left.values())}


def rates(band: tuple[float, float]) -> list[float]:
    """A grid of rates, with the edges and rates close to them, where errors are largest."""
    near = [edge + shift for edge in band for shift in (-0.01, -1e-9, 0, 1e-9, 0.01)]
    return [each for each in (*near, *(number / 20 for number in range(21))) if 0 <= each <= 1]


@pytest.mark.parametrize(("band", "error"), list(product(BANDS, ERRORS)))
def test_the_chance_of_a_wrong_band_never_exceeds_the_stated_error(
    band: tuple[float, float], error: float
) -> None:
    for rate in rates(band):
        decided = chances(rate, band, error)
        assert sum(decided.values()) == pytest.approx(1)
        wrong = sum(n for each, n in decided.items() if each and each != true_band(rate, band))
        assert wrong <= error, rate


def test_clear_problems_are_decided_correctly_and_soon() -> None:
    for rate, band in ((0.0, "too hard"), (1.0, "too easy"), (0.5, "useful")):
        assert chances(rate, (0.2, 0.8), 0.1, 64).get(band, 0) > 0.98  # type: ignore[call-overload]
    assert chances(0.0, (0.2, 0.8), 0.1, 16).get("too hard") == 1
    assert min_samples((0.2, 0.8), 0.1, 64) == 16
    assert min_samples((0.2, 0.8), 0.1, 5) == 5


def test_without_an_outer_edge_no_problem_is_too_hard_or_too_easy() -> None:
    assert decide_band(0, 1_000, (0.0, 0.5), 0.1) == "useful"
    assert decide_band(1_000, 0, (0.5, 1.0), 0.1) == "useful"
    assert decide_band(0, 0, (0.0, 1.0), 0.1) is None


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=50),
)
def test_the_evidence_is_the_integral_that_the_module_states(
    successes: int, failures: int, edge: Fraction
) -> None:
    # The integral of q^s (1 - q)^f, term by term.
    integral = sum(
        (-1) ** k * comb(failures, k) * edge ** (successes + k + 1) / (successes + k + 1)
        for k in range(failures + 1)
    )
    here = edge**successes * (1 - edge) ** failures
    ratio = (integral / edge + (not successes)) / here / 2
    assert is_below(successes, failures, float(edge), float(1 / (ratio * Fraction(99, 100))))
    assert not is_below(successes, failures, float(edge), float(1 / (ratio * Fraction(101, 100))))


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_any_counts_that_a_recipe_allows_have_a_decision_or_none(
    successes: int, failures: int
) -> None:
    assert decide_band(successes, failures, (0.2, 0.8), 0.1) in {
        None,
        true_band(successes / max(1, successes + failures), (0.2, 0.8)),
    }
