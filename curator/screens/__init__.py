"""Screens: checks that must see all rows of a version.

In: the rows that no check has rejected. Out: verdicts on the rows that a screen rejects or reports.
To add a screen: a file with NAME, VERSION and SCREEN, a line here, a test. The recipe key, its
validation and its documentation follow from SCREEN.
"""

from curator.screens import (
    cap,
    contamination,
    duplicates,
    licence,
    lists,
    near_duplicates,
    similar_solutions,
    solve_rate,
    tokens,
)
from curator.screens.rows import Rows
from curator.screens.screen import Screen

__all__ = ["SCREENS", "Rows", "Screen"]

SCREENS: dict[str, Screen] = {
    lists.NAME: lists.SCREEN,
    licence.NAME: licence.SCREEN,
    tokens.NAME: tokens.SCREEN,
    duplicates.NAME: duplicates.SCREEN,
    contamination.NAME: contamination.SCREEN,
    near_duplicates.NAME: near_duplicates.SCREEN,
    similar_solutions.NAME: similar_solutions.SCREEN,
    solve_rate.NAME: solve_rate.SCREEN,
    cap.NAME: cap.SCREEN,
}
"""By name, in the order in which they run."""
