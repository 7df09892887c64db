"""Print the differences between two versions to the terminal."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from curator.cli.tables import format_cell, print_table
from curator.cli.terminal import print_line
from curator.core.escape import for_terminal

if TYPE_CHECKING:
    from curator.versions.diff import KeyChange, RowChange, VerdictChange

_INDENT = "    "
MAX_VALUE, MIN_VALUE = 30, 14
"""Number of characters printed of a value of a recipe: at most, and in front of a long key."""
_GAPS = 4
"""Columns between the three columns of the table of keys."""


def print_diff(
    versions: tuple[str, str],
    keys: "Sequence[KeyChange]",
    changes: "Sequence[RowChange]",
    verdicts: "Sequence[VerdictChange]",
    questions: Mapping[str, str] | None,
    limit: int = 0,
) -> None:
    """Print what differs between two versions.

    With `questions`, the questions of rows by id, these rows are listed, and `limit` verdicts (all
    with 0).
    """
    if keys:
        columns = shutil.get_terminal_size((80, 24)).columns
        key_width = min(max(len(each.key) for each in keys), columns - 2 * MIN_VALUE - _GAPS)
        width = min(MAX_VALUE, (columns - max(key_width, len("recipe")) - _GAPS) // 2)
        cut = [
            (_cut_key(each.key, key_width), *(_cut_value(v, width) for v in (each.was, each.now)))
            for each in keys
        ]
        print_table(("recipe", "was", "is"), cut, whole=("recipe", "was", "is"))
        print_line()
    _print_row_changes(*versions, changes, questions)
    listed = () if questions is None else verdicts[: limit or None]
    _print_verdict_changes(verdicts, listed)


def _cut_value(value: str, width: int) -> str:
    if not value:
        return "–"
    return value if len(value) <= width else f"{value[: width - 1]}…"


def _cut_key(key: str, width: int) -> str:
    """Return a key without its beginning if it is too long: its end says what changed."""
    return key if len(key) <= width else f"…{key[1 - width :]}"


def _print_row_changes(
    a: str, b: str, changes: "Sequence[RowChange]", questions: Mapping[str, str] | None
) -> None:
    """Print the number of changes by subset and rule; with `questions` their rows, too."""
    if not changes:
        print_line(f"{a} and {b} have the same rows.")
        return
    counts = Counter((change.subset, change.what, change.rule) for change in changes)
    rows = [(*key, count) for key, count in sorted(counts.items())]
    print_table(
        ("subset", "change", "rule responsible", "rows"), rows, ("rows",), ("subset", "change")
    )
    if questions is None:
        differ = (
            "1 row differs" if len(changes) == 1 else f"{format_cell(len(changes))} rows differ"
        )
        print_line(f"{differ}; --rows lists them.")
        return
    print_line()
    marks = {"added": "+", "removed": "-", "changed": "~"}
    longest = max(len(change.subset) for change in changes)
    listed = [change for change in changes if change.id in questions]
    width = shutil.get_terminal_size((80, 24)).columns - len(_INDENT)
    for change in listed:
        was = f", was {change.was[:12]}" if change.was else ""
        subset = change.subset.ljust(longest)
        print_line(f"{marks[change.what]} {change.id[:12]}  {subset}  {change.rule}{was}")
        question = " ".join(for_terminal(questions[change.id]).split())
        print_line(f"{_INDENT}{textwrap.shorten(question, width, placeholder=' …')}")
    if len(listed) < len(changes):
        print_line(f"{len(listed):,} of {len(changes):,} rows that differ.")


def _print_verdict_changes(
    changes: "Sequence[VerdictChange]", listed: "Sequence[VerdictChange]"
) -> None:
    """Print the number of changes by old and new verdict, then those `listed`."""
    if not changes:
        return
    print_line()
    print_line("Verdicts that changed on rationales that both versions have:")
    counts = Counter(
        (
            *(each.subset, each.check),
            *(_verdict_text(each.was, each.by), _verdict_text(each.now, each.rule)),
        )
        for each in changes
    )
    rows = [(*key, count) for key, count in sorted(counts.items())]
    print_table(("subset", "check", "was", "is", "rows"), rows, ("rows",), ("subset", "check"))
    if listed:
        print_line()
        for each in listed:
            was, now = _verdict_text(each.was, each.by), _verdict_text(each.now, each.rule)
            print_line(f"{each.id[:12]}  {each.subset}  {each.check}: {was} -> {now}")


def _verdict_text(verdict: str, rule: str) -> str:
    return f"{verdict} (by {rule})" if rule else verdict or "–"
