"""Print the differences between two versions to the terminal."""

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curator.cli.tables import format_cell, print_table
from curator.cli.terminal import print_line
from curator.core.escape import for_terminal

if TYPE_CHECKING:
    from curator.versions.changes import Changes
    from curator.versions.diff import KeyChange

_INDENT = "    "
MAX_VALUE, MIN_VALUE = 30, 14
"""Number of characters printed of a value of a recipe: at most, and in front of a long key."""
_GAPS = 4
"""Columns between the three columns of the table of keys."""


def print_diff(
    versions: tuple[str, str],
    keys: "Sequence[KeyChange]",
    changes: "Changes",
    listed: bool,
    limit: int = 0,
) -> None:
    """Print what differs between two versions; if `listed`, each row and verdict, too.

    `limit` is the number of rows and of verdicts that are listed; all with 0.
    """
    print_key_changes(keys)
    _print_row_changes(*versions, changes, listed, limit)
    _print_verdict_changes(changes, listed, limit)


def print_key_changes(keys: "Sequence[KeyChange]") -> None:
    """Print the keys of the recipes that differ, if any."""
    if not keys:
        return
    columns = shutil.get_terminal_size((80, 24)).columns
    key_width = min(max(len(each.key) for each in keys), columns - 2 * MIN_VALUE - _GAPS)
    width = min(MAX_VALUE, (columns - max(key_width, len("recipe")) - _GAPS) // 2)
    cut = [
        (_cut_key(each.key, key_width), *(_cut_value(v, width) for v in (each.was, each.now)))
        for each in keys
    ]
    print_table(("recipe", "was", "is"), cut, whole=("recipe", "was", "is"))
    print_line()


def _cut_value(value: str, width: int) -> str:
    if not value:
        return "–"
    return value if len(value) <= width else f"{value[: width - 1]}…"


def _cut_key(key: str, width: int) -> str:
    """Return a key without its beginning if it is too long: its end says what changed."""
    return key if len(key) <= width else f"…{key[1 - width :]}"


def _print_row_changes(a: str, b: str, changes: "Changes", listed: bool, limit: int) -> None:
    """Print the number of changes by subset and rule; if `listed`, the rows."""
    counts = changes.count_rows()
    total = sum(count for *_, count in counts)
    if not total:
        print_line(f"{a} and {b} have the same rows.")
        return
    print_table(
        ("subset", "change", "rule responsible", "rows"), counts, ("rows",), ("subset", "change")
    )
    if not listed:
        differ = "1 row differs" if total == 1 else f"{format_cell(total)} rows differ"
        print_line(f"{differ}; --rows lists them.")
        return
    print_line()
    marks = {"added": "+", "removed": "-", "changed": "~"}
    longest = max(len(subset) for subset, *_ in counts)
    width = shutil.get_terminal_size((80, 24)).columns - len(_INDENT)
    for change, text in changes.rows(limit):
        was = f", was {change.was[:12]}" if change.was else ""
        subset = change.subset.ljust(longest)
        print_line(f"{marks[change.what]} {change.id[:12]}  {subset}  {change.rule}{was}")
        question = " ".join(for_terminal(text).split())
        print_line(f"{_INDENT}{textwrap.shorten(question, width, placeholder=' …')}")
    if limit and limit < total:
        print_line(f"{limit:,} of {total:,} rows that differ.")


def _print_verdict_changes(changes: "Changes", listed: bool, limit: int) -> None:
    """Print the number of changes by old and new verdict; if `listed`, the verdicts."""
    counts = changes.count_verdicts()
    if not counts:
        return
    print_line()
    print_line("Verdicts that changed on rationales that both versions have:")
    rows = [
        (subset, check, _verdict_text(was, by), _verdict_text(now, rule), count)
        for subset, check, was, by, now, rule, count in counts
    ]
    print_table(
        ("subset", "check", "was", "is", "rows"), sorted(rows), ("rows",), ("subset", "check")
    )
    if listed:
        print_line()
        for each in changes.verdicts(limit):
            was, now = _verdict_text(each.was, each.by), _verdict_text(each.now, each.rule)
            print_line(f"{each.id[:12]}  {each.subset}  {each.check}: {was} -> {now}")


def _verdict_text(verdict: str, rule: str) -> str:
    return f"{verdict} (by {rule})" if rule else verdict or "–"
