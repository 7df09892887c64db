"""Print versions to the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from curator.cli.app import show_json
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line
from curator.core.model import EVIDENCE_LEVELS, PROOFS, verdict_word
from curator.core.words import counted, verb

if TYPE_CHECKING:
    from curator.versions.content import Content, SubsetContent, Teacher
    from datastore.versions import Manifest

    Counts = Sequence[tuple[str, SubsetContent]]


def print_manifest(manifest: "Manifest") -> None:
    """Print a version: its name and digest, and what stopped the rows of each subset."""
    from curator.versions.content import content_of

    content = content_of(manifest)
    print_line(
        f"{manifest.ref}  {counted(content.rows.count, 'row')}  digest {manifest.digest[:16]}"
    )
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
    _print_attempts(content)
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
        f"{proved:,} of {counted(total, 'row')} {verb(proved, 'is', 'are')} proved: "
        f"{', '.join(PROOFS[:-1])} or {PROOFS[-1]}."
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
        for reason, count in calls.unread.items():
            rows.append((name, f"no rationale: {reason}", count))
    print_line()
    print_table(("teacher", "result", "calls"), rows, ("calls",), ("teacher",))
    how = "replayed from recorded calls" if teacher.replay else teacher.family
    print_line(f"Teacher: {teacher.model} ({how}).")


def _print_attempts(content: "Content") -> None:
    """Print the solutions in each file of attempts: how many succeed, fail and are not used."""
    if not content.attempts:
        return
    outcomes = ("successes", "failures", "undecided")
    rows = [
        (file, each.model, *(each.counts[key] for key in outcomes), sum(each.unused.values()))
        for file, each in content.attempts.items()
    ]
    keys = (*outcomes, "unused")
    print_line()
    print_table(("attempts", "model", *keys), rows, right=keys)
    reasons = dict.fromkeys(reason for each in content.attempts.values() for reason in each.unused)
    if reasons:
        print_wrapped(f"Unused: {', '.join(reasons)}; listed in the SQL view quarantine.")


def _outcome_and_reason(key: str) -> tuple[str, str]:
    """Split `outcome: reason` into the word for the verdict, and the reason."""
    outcome, _, reason = key.partition(": ")
    return verdict_word(outcome, reason), reason


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


def show_made(manifest: "Manifest", newest: str, as_json: bool) -> None:
    """Print a version that was made; one line if it is the one that was the `newest` before."""
    if manifest.ref == newest and not as_json:
        rows = content_rows(manifest)
        print_line(
            f"{manifest.ref} is unchanged: {counted(rows, 'row')}, digest {manifest.digest[:16]}"
        )
    else:
        show_manifest(manifest, as_json)


def content_rows(manifest: "Manifest") -> int:
    """Return the number of rows of a version."""
    from curator.versions.content import content_of

    return content_of(manifest).rows.count


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
