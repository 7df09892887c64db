"""Sections of a card: subsets, evidence, contamination, rebuild, citations.

In: the content of a version and counts of its rows. Out: Markdown with untrusted text escaped.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from curator.core.escape import for_markdown
from curator.core.languages import NAMES
from curator.core.model import EVIDENCE_LEVELS, MATCH_LEVELS, PROOFS
from curator.core.recall import RECALL_VERSION, find_recall
from curator.core.words import counted, verb
from curator.release.counts import ReleaseCounts, SubsetCounts
from curator.sources import EVALS, SOURCES
from curator.sources.source import Source
from curator.versions.content import ContaminationRecipe, Content
from curator.versions.lengths import TOKENIZER, Lengths
from curator.versions.report.mathinstruct import follows_mathinstruct
from datastore.versions import Manifest

Overlaps = Sequence[tuple[str | int, ...]]
"""`Measures.overlaps`."""


def markdown_table(head: Sequence[str], right: int, rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table whose last `right` columns are aligned right."""
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    cells = ([f"{c:,}" if isinstance(c, int) else for_markdown(c) for c in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *cells))


def subsets_table(content: Content, counts: ReleaseCounts) -> str:
    """Return a table of all subsets: kind, writers, licence, passed rationales, questions, rows."""
    rows = []
    for name in content.order:
        subset, stats = content.subsets[name], counts.subsets.get(name, SubsetCounts())
        total = subset.rationales
        rate = f"{100 * subset.passed / total:.1f}% of {total:,}" if total else "–"
        licences = ", ".join(each or "none stated" for each in stats.licences) or subset.licence
        writers = ", ".join(stats.writers) or "–"
        waits = f"waits for {', '.join(subset.waits_for)}" if subset.waits_for else ""
        note = "" if stats.rows else waits
        rows.append(
            (
                name,
                subset.kind,
                writers,
                licences,
                rate,
                note,
                stats.problems,
                stats.rows,
            )
        )
    head = ("subset", "kind", "writers", "licence", "passed the checks", "note")
    table = markdown_table((*head, "questions", "rows"), 2, rows)
    return (
        f'{table}\n\n`load_dataset(…, "SUBSET")` reads one subset; without a name it reads all. '
        "Rows that passed the checks may still be rejected by screens or left out by the mixture."
    )


def evidence(content: Content, counts: ReleaseCounts) -> str:
    """Return the numbers of rows by evidence level, and by the rule that compared answers."""
    levels: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for stats in counts.subsets.values():
        levels.update(stats.levels)
        rules.update(stats.rules)
    rows: list[tuple[str, str, int]] = [
        (name, about, levels[name]) for name, about in EVIDENCE_LEVELS.items() if levels[name]
    ]
    if levels[""]:
        rows.append(("not stated", "an older release of Curator checked the row", levels[""]))
    proved = sum(levels[name] for name in PROOFS)
    summary = (
        f"**{proved:,} of {counted(levels.total(), 'row')} {verb(proved, 'is', 'are')} "
        f"proved:** their evidence level is "
        f"{', '.join(PROOFS[:-1])} or {PROOFS[-1]}."
    )
    table = markdown_table(("evidence level", "meaning", "rows"), 1, rows)
    by = ", ".join(
        f"{for_markdown(rule or 'unnamed')} ({rows:,})" for rule, rows in rules.most_common()
    )
    equal = f"\n\nAnswers are equal to the gold answers by these rules: {by}." if by else ""
    code = content.code
    checks = ", ".join(f"{for_markdown(name)} {version}" for name, version in code.checks.items())
    return (
        f"{summary}\n\n{table}{equal}\n\nThe column `evidence_level` has the level of each row, "
        "and `verdicts` what it rests on. Versions of the "
        f"code: {checks or 'no checks'}, answers {code.answers}, sandbox {code.sandbox}."
    )


def lengths(found: Sequence[Lengths]) -> str:
    """Return the numbers of rows by length in tokens, and the lengths of their thoughts."""
    edges = sorted({edge for each in found for edge, _ in each.buckets})
    rows = [
        (label, *(dict(each.buckets).get(edge, 0) for each in found))
        for edge in edges
        if any(dict(each.buckets).get(edge) for each in found)
        for label in [f"{edge:,}"]
    ]
    table = markdown_table(("tokens from", *(each.kind for each in found)), len(found), rows)
    counted_rows = sum(each.rows for each in found)
    parts = [
        f"{each.kind}: median {each.median:,}, 90th percentile {each.percentile_90:,}, maximum "
        f"{each.maximum:,}"
        + (
            f"; median of {counted(each.thoughts, 'thought')}: {each.thought:,}"
            if each.thoughts
            else ""
        )
        for each in found
    ]
    return (
        f"Tokens of instruction and output together, of the tokenizer {TOKENIZER}, in "
        f"{counted(counted_rows, 'row')}. {'. '.join(parts)}.\n\n{table}"
    )


def contamination(content: Content, overlaps: Overlaps = ()) -> str:
    """Return the decontamination certificate, or a statement that the rows were not screened.

    `overlaps` are those of `Measures`.
    """
    screen = content.recipe.screens.contamination
    if not screen or not screen.against:
        return "**The rows were not screened against any evaluation set.**"
    evals = content.evals
    reached = [name for name in screen.against if name in evals and evals[name].revision]
    missing = [name for name in screen.against if name not in reached]
    rows = [(name, evals[name].revision) for name in reached]
    parts = [
        _levels(screen, content, overlaps),
        markdown_table(("evaluation set", "revision or digest"), 0, rows)
        if rows
        else "**No evaluation set could be read.**",
    ]
    if missing:
        parts.append(
            f"**Could not be read, so not screened against:** {for_markdown(', '.join(missing))}."
        )
    if others := [name for name in EVALS if name not in screen.against]:
        parts.append(f"**Not screened against:** {for_markdown(', '.join(others))}.")
    return "\n\n".join(parts)


def _levels(screen: ContaminationRecipe, content: Content, overlaps: Overlaps) -> str:
    """Return what was done with rows by level of match, and how many there were."""
    removed: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for subset in content.subsets.values():
        removed.update(subset.reasons)
        flagged.update(subset.reported)
    if screen.same_question is None:
        near = flagged["passed: near contamination"] + removed["failed: near contamination"]
        return (
            "An older version of Curator compared runs of consecutive words. "
            f"**{removed['failed: contaminated']:,} rows removed, {near:,} near.**"
        )
    actions = screen.model_dump()
    rows = [
        (level, about, actions[level.replace(" ", "_")], removed[f"failed: {level}"],
         flagged[f"passed: {level}"])
        for level, about in MATCH_LEVELS.items()
    ]  # fmt: skip
    table = markdown_table(("level", "the row", "default action", "removed", "flagged"), 2, rows)
    return f"{table}{_exceptions(screen)}{_overlaps(content, overlaps)}{_recall(content)}"


def _exceptions(screen: ContaminationRecipe) -> str:
    """Return the actions that differ for an evaluation set or a subset."""
    rows = [
        (name, *(actions.get(level.replace(" ", "_")) or "" for level in MATCH_LEVELS))
        for name, actions in [*screen.sets.items(), *screen.subsets.items()]
    ]
    if not rows:
        return ""
    table = markdown_table(("evaluation set or subset", *MATCH_LEVELS), 0, rows)
    return f"\n\nOther actions, of which those of a subset precede:\n\n{table}"


def _overlaps(content: Content, overlaps: Overlaps) -> str:
    """Return how many rows of each subset repeat an evaluation question, removed and flagged.

    By evaluation set, too, where that was counted.
    """
    head = ("evaluation set", "subset") if overlaps else ("subset",)
    rows = overlaps or [(name, *found) for name, found in _count_levels(content) if any(found)]
    if not rows:
        return ""
    table = markdown_table((*head, *MATCH_LEVELS), len(MATCH_LEVELS), rows)
    return (
        "\n\nRows that repeat an evaluation question, removed or flagged. A row that repeats "
        f"several counts once: for the strictest action, then for the strongest level.\n\n{table}"
    )


def _count_levels(content: Content) -> Iterator[tuple[str, list[int]]]:
    for name, subset in content.subsets.items():
        removed, flagged = subset.reasons, subset.reported
        yield (
            name,
            [
                removed.get(f"failed: {level}", 0) + flagged.get(f"passed: {level}", 0)
                for level in MATCH_LEVELS
            ],
        )


def _recall(content: Content) -> str:
    """Return the measured recall of the screen that was applied, if it was measured."""
    rows = find_recall(content.code.screens)
    if not rows:
        return ""
    table = markdown_table(("way to hide a question", *MATCH_LEVELS), 4, rows)
    return (
        f"\n\nShare of hidden evaluation questions that version {RECALL_VERSION} of the screen "
        f"finds, by level, measured by `bench/contamination.py`:\n\n{table}"
    )


def rebuild(version: Manifest, repo: str) -> str:
    """Return the commands that pull, compare and rebuild the version."""
    return f"""\
```sh
# Pull these rows into a store, and compare them with your own version.
curator pull {repo}@v{version.number}
curator diff mine {repo.replace("/", "--")} --rows
# Rebuild the version from the sources below.
curator build recipe.yaml
```

`recipe.yaml` is the whole recipe. Files that it names by a relative path must lie beside it. A
build from the revisions below has the digest `{version.digest}`."""


def citations(content: Content, counts: ReleaseCounts) -> str:
    """Return all sources and evaluation sets that were read: licence, revision, paper."""
    rows = [
        (
            name,
            _location(SOURCES.get(name)),
            read.licence,
            read.revision,
            SOURCES[name].citation if name in SOURCES else "",
        )
        for name, read in sorted(content.sources.items())
        if read.revision
    ]
    head = ("source", "location", "licence", "revision or digest", "citation")
    papers = sorted({EVALS[name].citation for name in content.evals if name in EVALS} - {""})
    evals = f"\n\nEvaluation sets: {for_markdown(', '.join(papers))}." if papers else ""
    used = []
    if follows_mathinstruct(content):
        used.append("The mixture follows MathInstruct (arXiv:2309.05653).")
    if any(each.writers["hinted"] for each in counts.subsets.values()):
        used.append("User claims in hinted rows follow arXiv:2308.03958.")
    return "\n\n".join(
        [f"{markdown_table(head, 0, rows)}{evals}", *([" ".join(used)] if used else [])]
    )


def kinds(counts: ReleaseCounts) -> set[str]:
    """Return the kinds of rows that are there: CoT, PoT, and `question` for rows without a text."""
    return {
        "question" if {*stats.writers} == {"question"} else kind
        for stats in counts.subsets.values()
        for kind in stats.kinds
    }


def languages(counts: ReleaseCounts) -> str:
    """Return a sentence about the languages of the questions."""
    if not counts.languages:
        return "The language of the questions was not recognised."
    named = [
        f"{NAMES[code]} ({count:,} row{'s' * (count != 1)})"
        for code, count in counts.languages.items()
    ]
    others = counts.rows - sum(counts.languages.values())
    rest = f"; not recognised: {counted(others, 'row')}" if others else ""
    return f"Languages of the questions, by their commonest words: {', '.join(named)}{rest}."


def _location(source: Source | None) -> str:
    if source is None:
        return "described in the recipe"
    return source.hub or source.github
