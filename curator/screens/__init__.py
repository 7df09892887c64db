"""Screens: checks that must see the whole set.

In: the rows still alive. Out: verdicts on those that are refused or reported.
To add one: a file with NAME, VERSION and a function (engine, rows, **params) -> batches in the
layout `curator.core.arrow.VERDICTS`, one line here, one test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from curator.screens import cap, contamination, duplicates, licence
from curator.screens.rows import Rows

__all__ = ["SCREENS", "Rows", "Screen"]


@dataclass(frozen=True, slots=True)
class Screen:
    """A judge of rows that must see all of them."""

    version: int
    """Changes when its judgement changes."""
    run: Callable[..., Iterator[pa.RecordBatch]]
    """(engine, rows, **params) -> verdicts on rows that it rejects or reports, by row id."""


SCREENS = {
    licence.NAME: Screen(licence.VERSION, licence.licence),
    contamination.NAME: Screen(contamination.VERSION, contamination.contamination),
    duplicates.NAME: Screen(duplicates.VERSION, duplicates.duplicates),
    cap.NAME: Screen(cap.VERSION, cap.cap),
}
