"""Print the differences between two versions to the terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curator.cli.tables import format_cell, print_table
from curator.cli.terminal import print_line

if TYPE_CHECKING:
    from curator.versions.diff import RowChange, VerdictChange


def print_row_changes(a: str, b: str, changes: "Sequence[RowChange]", list_rows: bool) -> None:
    """Print the number of changes by subset and rule; with `list_rows` every row, too."""
    if not changes:
        print_line(f"{a} and {b} have the same rows.")
        return
    counts = Counter((change.subset, change.what, change.rule) for change in changes)
    rows = [(*key, count) for key, count in sorted(counts.items())]
    print_table(
        ("subset", "change", "rule responsible", "rows"), rows, ("rows",), ("subset", "change")
    )
    if not list_rows:
        differ = (
            "1 row differs" if len(changes) == 1 else f"{format_cell(len(changes))} rows differ"
        )
        print_line(f"{differ}; --rows lists them.")
        return
    print_line()
    marks = {"added": "+", "removed": "-", "changed": "~"}
    longest = max(len(change.subset) for change in changes)
    for change in changes:
        was = f", was {change.was[:12]}" if change.was else ""
        subset = change.subset.ljust(longest)
        print_line(f"{marks[change.what]} {change.id[:12]}  {subset}  {change.rule}{was}")


def print_verdict_changes(changes: "Sequence[VerdictChange]", list_rows: bool) -> None:
    """Print the number of changes by old and new verdict; with `list_rows` each of them, too."""
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
    if list_rows:
        print_line()
        for each in changes:
            was, now = _verdict_text(each.was, each.by), _verdict_text(each.now, each.rule)
            print_line(f"{each.id[:12]}  {each.subset}  {each.check}: {was} -> {now}")


def _verdict_text(verdict: str, rule: str) -> str:
    return f"{verdict} (by {rule})" if rule else verdict or "–"
