"""Print rows, versions and their differences to the terminal."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curator.cli.app import show_json
from curator.cli.tables import format_cell, print_table, print_wrapped
from curator.cli.terminal import print_line
from curator.core.errors import to_one_line
from curator.core.escape import for_terminal
from curator.core.model import EVIDENCE_LEVELS, PROOFS

if TYPE_CHECKING:
    from curator.pipeline.preview import PreviewRow
    from curator.versions.content import Content, SubsetContent, Teacher
    from curator.versions.diff import RowChange, VerdictChange
    from curator.versions.why import RowHistory
    from datastore.versions import Manifest

    Counts = Sequence[tuple[str, SubsetContent]]

WIDTH = 78
MAX_LINES = 12
"""Maximum number of lines printed per text, apart from the number of those left out."""
LAST_LINES = 4
"""How many of them are the last ones of the text."""
MAX_EVIDENCE_LINES = 4
"""Maximum number of lines printed of the evidence of a verdict."""
_EVIDENCE_INDENT = 28


def print_manifest(manifest: "Manifest") -> None:
    """Print a version: its name and digest, and what stopped the rows of each subset."""
    from curator.versions.content import content_of

    content = content_of(manifest)
    print_line(f"{manifest.ref}  {content.rows.count:,} rows  digest {manifest.digest[:16]}")
    if manifest.message:
        print_line(manifest.message)
    subsets = [(name, content.subsets[name]) for name in content.order]
    built = [(name, counts) for name, counts in subsets if counts.problems]
    keys = ("problems", "rationales", "passed", "failed", "undecided", "screened", "kept")
    rows = [
        (
            *(name, counts.problems, counts.rationales, counts.passed, counts.failed),
            *(counts.undecided, content.screened(name), counts.kept),
        )
        for name, counts in built
    ]
    totals = [sum(column) for column in list(zip(*rows, strict=True))[1:]] or [0] * len(keys)
    print_line()
    print_table(("subset", *keys), [*rows, ("all", *totals)], right=keys, whole=("subset",))
    _print_levels(built)
    _print_reasons(built)
    _print_new_questions(built)
    _print_calls(built, content.teacher)
    _print_waiting(subsets)
    _print_missing(content)


def _print_levels(subsets: "Counts") -> None:
    """Print the kept rows by evidence level; versions of older releases of Curator state none."""
    rows = [
        (name, *(counts.levels.get(level, 0) for level in EVIDENCE_LEVELS))
        for name, counts in subsets
        if counts.levels
    ]
    if not rows:
        return
    totals = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    levels = dict(zip(EVIDENCE_LEVELS, totals, strict=True))
    print_line()
    names = tuple(EVIDENCE_LEVELS)
    print_table(("evidence", *names), [*rows, ("all", *totals)], right=names, whole=("evidence",))
    proved, total = sum(levels[level] for level in PROOFS), sum(totals)
    print_wrapped(
        f"{proved:,} of {total:,} rows are proved: {', '.join(PROOFS[:-1])} or {PROOFS[-1]}."
    )


def _print_reasons(subsets: "Counts") -> None:
    rows = [
        (name, *_outcome_and_reason(key), count)
        for name, counts in subsets
        for group in (counts.reasons, counts.reported)
        for key, count in sorted(group.items(), key=lambda item: -item[1])
    ]
    rows += [
        (name, "not written", "no rationale", counts.without_rationale)
        for name, counts in subsets
        if counts.without_rationale
    ]
    rows += [
        (name, "quarantined", "did not parse", counts.quarantined)
        for name, counts in subsets
        if counts.quarantined and not counts.invented
    ]
    rows += [
        (name, "not drawn", "mixture", counts.available - counts.kept)
        for name, counts in subsets
        if counts.available > counts.kept
    ]
    if rows:
        print_line()
        print_table(("subset", "outcome", "reason", "rows"), rows, right=("rows",))


def _print_new_questions(subsets: "Counts") -> None:
    """Print the outcomes of the questions that a teacher made."""
    rows = [
        (name, key.removeprefix("invented: "), count)
        for name, counts in subsets
        for key, count in counts.invented.items()
    ]
    if rows:
        print_line()
        print_table(
            ("self-instruct", "result", "questions"), rows, ("questions",), ("self-instruct",)
        )


def _print_calls(subsets: "Counts", teacher: "Teacher | None") -> None:
    """Print the calls to the teacher, and its replies without a rationale by reason."""
    if not teacher:
        return
    rows: list[tuple[str, str, int]] = []
    for name, counts in subsets:
        if not (calls := counts.taught):
            continue
        rows.append((name, "sent", calls.calls))
        if calls.repaired:
            rows.append((name, "repair of a failed program", calls.repaired))
        if calls.unanswered:
            rows.append((name, "failed; the next build retries them", calls.unanswered))
        for key, count in calls.counts.items():
            if key.startswith("unread: "):
                rows.append((name, f"no rationale: {key.removeprefix('unread: ')}", count))
    print_line()
    print_table(("teacher", "result", "calls"), rows, ("calls",), ("teacher",))
    how = "replayed from recorded calls" if teacher.replay else teacher.family
    print_line(f"Teacher: {teacher.model} ({how}).")


def _outcome_and_reason(key: str) -> tuple[str, str]:
    """Split `outcome: reason`; the outcome becomes a word that fits checks and screens."""
    outcome, _, reason = key.partition(": ")
    return {"passed": "reported", "failed": "rejected"}.get(outcome, outcome), reason


def _print_waiting(subsets: "Counts") -> None:
    waiting = [(name, ", ".join(counts.waits_for)) for name, counts in subsets if counts.waits_for]
    if waiting:
        print_line()
        print_table(("subset", "waits for"), waiting, whole=("subset",))


def _print_missing(content: "Content") -> None:
    missing = [name for name, origin in content.evals.items() if origin.missing]
    if missing:
        print_line()
        print_wrapped(f"Not screened against, because they could not be read: {', '.join(missing)}")


def print_preview(rows: "Sequence[PreviewRow]") -> None:
    """Print rows one below the other, each with its verdicts."""
    for row in rows:
        print_line(f"── {row.subset} {row.id[:12]} {_row_status(row)}")
        _print_text(row.instruction)
        print_line()
        _print_solution(row.text, row.as_written)
        for verdict in row.verdicts:
            _print_verdict(verdict.check, verdict.outcome, verdict.reason, verdict.evidence)
        print_line()
    kept = Counter(row.subset for row in rows if row.kept)
    total = Counter(row.subset for row in rows)
    print_table(
        ("subset", "rows", "kept"), [(s, n, kept[s]) for s, n in total.items()], ("rows", "kept")
    )


def _row_status(row: "PreviewRow") -> str:
    if row.kept:
        return "kept"
    stopped = any(verdict.outcome != "passed" for verdict in row.verdicts)
    return "not kept" if stopped else "not drawn by the mixture"


def _print_text(text: str) -> None:
    lines = [
        line
        for raw in text.split("\n")
        for line in textwrap.wrap(for_terminal(raw.expandtabs(4)), WIDTH) or [""]
    ]
    hidden = len(lines) - MAX_LINES
    if hidden > 1:  # the end of a text states its answer
        lines[MAX_LINES - LAST_LINES : -LAST_LINES] = [f"… {hidden} more lines"]
    for line in lines:
        print_line(f"  {line.rstrip()}")


def _print_solution(text: str, as_written: str) -> None:
    """Print a rationale as checks read it; the form that a release gives it is only mentioned."""
    _print_text(as_written or text)
    if as_written:
        print_line("  (as its author wrote it; a release has it in the form of MathInstruct)")


def _print_verdict(check: str, outcome: str, reason: str, evidence: dict[str, str]) -> None:
    parts = [reason] if reason else []
    parts += [f"{key} {value}" for key, value in evidence.items()]
    lines = textwrap.wrap(for_terminal(" · ".join(parts)), WIDTH - _EVIDENCE_INDENT) or [""]
    if len(lines) > MAX_EVIDENCE_LINES:
        lines = [*lines[: MAX_EVIDENCE_LINES - 1], f"{lines[MAX_EVIDENCE_LINES - 1]} …"]
    print_line(f"  {outcome:9}  {check:13}  {lines[0]}".rstrip())
    for line in lines[1:]:
        print_line(f"{'':{_EVIDENCE_INDENT}}{line}")


def print_row_history(history: "RowHistory") -> None:
    """Print one row from its source to its verdicts."""
    problem, rationale = history.problem, history.rationale
    print_line(f"row       {history.id}")
    print_line(f"subset    {history.subset}")
    print_line(f"versions  {', '.join(history.versions) or f'none; {history.absent}'}")
    print_line(f"source    {problem['source']} {problem['place']}, {problem['licence']}")
    print_line(f"from      {history.origin}")
    print_line(f"revision  {to_one_line(history.revision, 40)}")
    print_line(f"problem   {problem['id']}  gold {problem['gold'] or '(none)'}")
    print_line(f"writer    {rationale['writer']}, {rationale['kind']}")
    level = history.evidence_level or "not stated: an older release of Curator checked the row"
    print_line(f"evidence  {level if history.versions else 'none: the row is in no version'}")
    print_line()
    _print_text(rationale["instruction"])
    print_line()
    _print_solution(rationale["text"], rationale.get("as_written") or "")
    print_line()
    for verdict in history.verdicts:
        _print_verdict(verdict["check"], verdict["outcome"], verdict["reason"], verdict["evidence"])


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


def show_manifest(manifest: "Manifest", as_json: bool) -> None:
    """Print a version as text or as JSON."""
    if not as_json:
        print_manifest(manifest)
        return
    head = {
        "version": manifest.ref,
        "digest": manifest.digest,
        "parent": manifest.parent,
        "message": manifest.message,
    }
    show_json(head | manifest.content)
