"""How rows and versions look in a terminal."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curator.cli.app import show_json
from curator.cli.tables import number, printable, table

if TYPE_CHECKING:
    from curator.pipeline.preview import Previewed
    from curator.versions.diff import Change, VerdictChange
    from curator.versions.why import RowHistory
    from datastore.versions import Manifest

WIDTH = 78
LINES = 12
"""Lines of a text that are shown."""


def print_manifest(manifest: "Manifest") -> None:
    """A version: its name, digest and the way of every subset from problems to kept rows."""
    content = manifest.content
    subsets: dict[str, dict[str, Any]] = {
        name: content["subsets"][name] for name in content["order"]
    }
    print(f"{manifest.ref}  {content['rows']['count']:,} rows  digest {manifest.digest[:16]}")
    if manifest.message:
        print(manifest.message)
    built = {
        name: {**counts, "screened": _screened(counts, content["recipe"]["undecided"] == "keep")}
        for name, counts in subsets.items()
        if counts["problems"]
    }
    keys = ("problems", "rationales", "passed", "failed", "undecided", "screened", "kept")
    rows = [(name, *(counts[key] for key in keys)) for name, counts in built.items()]
    rows.append(("all", *(sum(counts[key] for counts in built.values()) for key in keys)))
    print()
    table(("subset", *keys), rows, right=keys, whole=("subset",))
    _print_reasons(built)
    _print_invented(built)
    _print_taught(built, content.get("teacher"))
    _print_waiting(subsets)
    _print_places(content)


def _screened(counts: dict[str, Any], keeps_undecided: bool) -> int:
    """Rows that the checks let through and a screen took away."""
    passed: int = counts["passed"] + (counts["undecided"] if keeps_undecided else 0)
    return passed - int(counts["available"])


def _print_reasons(subsets: dict[str, dict[str, Any]]) -> None:
    rows = [
        (name, *_split(reason), count)
        for name, counts in subsets.items()
        for group in ("reasons", "reported")
        for reason, count in sorted(counts[group].items(), key=lambda item: -item[1])
    ]
    rows += [
        (name, "quarantined", "did not parse", counts["quarantined"])
        for name, counts in subsets.items()
        if counts["quarantined"] and "invented" not in counts
    ]
    rows += [
        (name, "not drawn", "mixture", counts["available"] - counts["kept"])
        for name, counts in subsets.items()
        if counts["available"] > counts["kept"]
    ]
    if rows:
        print()
        table(("subset", "outcome", "reason", "rows"), rows, right=("rows",))


def _print_invented(subsets: dict[str, dict[str, Any]]) -> None:
    """What became of the questions that a teacher was asked for."""
    rows = [
        (name, key.removeprefix("invented: "), count)
        for name, counts in subsets.items()
        for key, count in counts.get("invented", {}).items()
    ]
    if rows:
        print()
        table(("self-instruct", "questions", "number"), rows, ("number",), ("self-instruct",))


def _print_taught(subsets: dict[str, dict[str, Any]], teacher: dict[str, Any] | None) -> None:
    """What a teacher was asked, and replies that hold no rationale by their reason."""
    if not teacher:
        return
    taught = {name: counts["taught"] for name, counts in subsets.items() if "taught" in counts}
    rows: list[tuple[str, str, int]] = []
    for name, counts in taught.items():
        rows.append((name, "asked", counts["calls"]))
        for key, count in counts.items():
            if key.startswith("unread: "):
                rows.append((name, f"no rationale: {key.removeprefix('unread: ')}", count))
            elif key == "repaired" and count:
                rows.append((name, "programs shown their error", count))
            elif key == "unanswered" and count:
                rows.append((name, "to be asked again by the next build", count))
    print()
    table(("teacher", "what came of it", "calls"), rows, ("calls",), ("teacher",))
    how = "a replay of recorded calls, not a model" if teacher["replay"] else teacher["family"]
    print(f"Written by {teacher['model']} ({how}).")


def _split(reason: str) -> tuple[str, str]:
    """A reason apart from its outcome, in words that cover checks and screens."""
    outcome, _, why = reason.partition(": ")
    return {"passed": "reported", "failed": "rejected"}.get(outcome, outcome), why


def _print_waiting(subsets: dict[str, dict[str, Any]]) -> None:
    waiting = [
        (name, ", ".join(counts["waits_for"]))
        for name, counts in subsets.items()
        if counts["waits_for"]
    ]
    if waiting:
        print()
        table(("subset", "waits for"), waiting, whole=("subset",))


def _print_places(content: dict[str, Any]) -> None:
    missing = [name for name, origin in content["evals"].items() if "missing" in origin]
    if missing:
        print(f"\nNot screened against, for they could not be reached: {', '.join(missing)}")


def print_previewed(rows: "Sequence[Previewed]") -> None:
    """Rows one below the other, with what every check found."""
    for row in rows:
        print(f"── {row.subset} {row.id[:12]} {_fate(row)}")
        _print_text(row.instruction)
        print()
        _print_text(row.text)
        for verdict in row.verdicts:
            _print_verdict(verdict.check, verdict.outcome, verdict.reason, verdict.evidence)
        print()
    kept = Counter(row.subset for row in rows if row.kept)
    seen = Counter(row.subset for row in rows)
    table(("subset", "rows", "kept"), [(s, n, kept[s]) for s, n in seen.items()], ("rows", "kept"))


def _fate(row: "Previewed") -> str:
    if row.kept:
        return "kept"
    stopped = any(verdict.outcome != "passed" for verdict in row.verdicts)
    return "not kept" if stopped else "not drawn by the mixture"


def _print_text(text: str) -> None:
    lines = [
        line
        for raw in text.split("\n")
        for line in textwrap.wrap(printable(raw.expandtabs(4)), WIDTH) or [""]
    ]
    for line in lines[:LINES]:
        print(f"  {line.rstrip()}")
    if len(lines) > LINES:
        print(f"  … {len(lines) - LINES} more lines")


def _print_verdict(check: str, outcome: str, reason: str, evidence: dict[str, str]) -> None:
    told = [reason] if reason else []
    told += [f"{key} {printable(value)}" for key, value in evidence.items()]
    text = textwrap.shorten(" · ".join(told), WIDTH * 2 - 27, placeholder=" …")
    print(f"  {outcome:9}  {check:13}  {text}".rstrip())


def print_row_history(story: "RowHistory") -> None:
    """One row from its source to its verdicts."""
    problem, rationale = story.problem, story.rationale
    print(f"row       {story.id}")
    print(f"subset    {story.subset}")
    print(f"versions  {', '.join(story.versions) or f'none; {story.absent}'}")
    print(f"source    {problem['source']} {problem['place']}, {problem['licence']}")
    print(f"from      {story.origin}")
    print(f"revision  {story.revision[:40]}")
    print(f"problem   {problem['id']}  gold {printable(problem['gold']) or '(none)'}")
    print(f"writer    {rationale['writer']}, {rationale['kind']}\n")
    _print_text(rationale["instruction"])
    print()
    _print_text(rationale["text"])
    print()
    for verdict in story.verdicts:
        _print_verdict(verdict["check"], verdict["outcome"], verdict["reason"], verdict["evidence"])


def print_changes(a: str, b: str, changes: "Sequence[Change]", every: bool) -> None:
    """Counts of changes by subset and rule, then every row if asked."""
    if not changes:
        print(f"{a} and {b} have the same rows.")
        return
    counts = Counter((change.subset, change.what, change.rule) for change in changes)
    rows = [(*key, count) for key, count in sorted(counts.items())]
    table(("subset", "change", "rule responsible", "rows"), rows, ("rows",), ("subset", "change"))
    if not every:
        many = "1 row differs" if len(changes) == 1 else f"{number(len(changes))} rows differ"
        print(f"{many}; --rows lists them.")
        return
    print()
    signs = {"added": "+", "removed": "-", "changed": "~"}
    longest = max(len(change.subset) for change in changes)
    for change in changes:
        was = f", was {change.was[:12]}" if change.was else ""
        subset = change.subset.ljust(longest)
        print(f"{signs[change.what]} {change.id[:12]}  {subset}  {change.rule}{was}")


def print_verdict_changes(judged: "Sequence[VerdictChange]", every: bool) -> None:
    """Counts of verdicts that changed, by what they were and are, then each of them if asked."""
    if not judged:
        return
    print("\nVerdicts that changed on rationales that both versions have:")
    counts = Counter(
        (each.subset, each.check, _by(each.was, each.by), _by(each.now, each.rule))
        for each in judged
    )
    rows = [(*key, count) for key, count in sorted(counts.items())]
    table(("subset", "check", "was", "is", "rows"), rows, ("rows",), ("subset", "check"))
    if every:
        print()
        for each in judged:
            was, now = _by(each.was, each.by), _by(each.now, each.rule)
            print(f"{each.id[:12]}  {each.subset}  {each.check}: {was} -> {now}")


def _by(said: str, rule: str) -> str:
    return f"{said} (by {rule})" if rule else said or "–"


def show_manifest(manifest: "Manifest", as_json: bool) -> None:
    """Print a version for people or machines."""

    if as_json:
        show_json({"version": manifest.ref, **_plain(manifest)})
    else:
        print_manifest(manifest)


def _plain(manifest: "Manifest") -> dict[str, object]:
    return {
        "digest": manifest.digest,
        "parent": manifest.parent,
        "message": manifest.message,
        **manifest.content,
    }
