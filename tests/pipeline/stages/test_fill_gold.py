"""A gold answer of another source names one of the choices that the file lists itself."""

import pytest

from curator.core.model import Problem
from curator.pipeline.stages.fill_gold import OtherGold, _with_gold


@pytest.mark.parametrize(
    ("choices", "value", "gold"),
    [
        (("24", "30", "36"), "36", "C"),
        (("36", "24", "30"), "36", "A"),
        (("1/2", "0.5", "None of these"), "0.5", "B"),
        (("1/2", "2/4"), "0.5", None),
        (("24", "30"), "36", None),
    ],
)
def test_a_gold_from_elsewhere_is_the_letter_of_the_file_s_own_choice(
    choices: tuple[str, ...], value: str, gold: str | None
) -> None:
    problem = Problem(source="own", question="Which?", gold="", choices=choices, place="own:1")
    filled = _with_gold(problem, OtherGold("other", "A", [], value, []))
    assert (filled and (filled.gold, filled.choices)) == (gold and (gold, choices))
