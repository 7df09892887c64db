"""The parts of a card that vouch for its rows: subsets, proofs, contamination, rebuild, citations.

In: the content of a version and counts of its rows. Out: Markdown, the texts of others escaped.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from curator.checks import CHECKS
from curator.release.counts import ReleaseCounts, SubsetCounts
from curator.sources import EVALS, SOURCES
from curator.sources.source import Source
from curator.versions.content import Content
from datastore.versions import Manifest

FORM_ONLY = "form only: nothing of the answer was proved"
NO_ANSWER = "the answer was not proved"


def plain(text: object) -> str:
    """Another's text inside Markdown: one line, no markup, no table cell, no comment, no link."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return re.sub(r"([\\`*\[\]|#])", r"\\\1", line).replace("<", "&lt;").replace(">", "&gt;")


def _table(head: Sequence[str], right: int, rows: Iterable[Sequence[object]]) -> str:
    """A table whose last `right` columns are numbers."""
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    cells = ([f"{c:,}" if isinstance(c, int) else plain(c) for c in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *cells))


def subsets_table(content: Content, facts: ReleaseCounts) -> str:
    """Every subset of the recipe: rows, questions, how many rationales were proved, licence."""
    rows = []
    for name in content.order:
        built, counted = content.subsets[name], facts.subsets.get(name, SubsetCounts())
        total = built.rationales
        rate = f"{100 * built.passed / total:.1f}% of {total:,}" if total else "–"
        licences = ", ".join(each or "none stated" for each in counted.licences) or built.licence
        writers = ", ".join(counted.writers) or "–"
        waits = f"waits for {', '.join(built.waits_for)}" if built.waits_for else ""
        note = "" if counted.rows else waits
        rows.append(
            (
                name,
                built.kind,
                writers,
                licences,
                rate,
                note,
                counted.problems,
                counted.rows,
            )
        )
    head = ("subset", "kind", "writers", "licence", "passed the checks", "note")
    table = _table((*head, "questions", "rows"), 2, rows)
    return (
        f'{table}\n\n`load_dataset(…, "SUBSET")` reads one of them, without a name it reads all. '
        "What passed the checks may still be taken away by screens or left out by the mixture."
    )


def proofs(content: Content, facts: ReleaseCounts) -> str:
    """What was done to rows, and how many had it done; the rules that compared answers."""
    done: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for counted in facts.subsets.values():
        rules.update(counted.rules)
        for checks, rows in counted.proofs.items():
            done[_proof(checks.split(","))] += rows
    table = _table(("what was done", "rows"), 1, done.most_common())
    by = ", ".join(f"{plain(rule or 'unnamed')} ({rows:,})" for rule, rows in rules.most_common())
    told = f"\n\nAnswers equal the gold ones by these rules: {by}." if by else ""
    code = content.code
    checks = ", ".join(f"{plain(name)} {version}" for name, version in code.checks.items())
    return (
        f"{table}{told}\n\nThe column `verdicts` has the evidence for each row. Versions of what "
        f"judged: {checks or 'no checks'}, answers {code.answers}, sandbox {code.sandbox}."
    )


def _proof(passed: Collection[str]) -> str:
    """Return what the passed checks prove about a row."""
    checks = [check for name, check in CHECKS.items() if name in passed and check.statement]
    if not checks:
        return FORM_ONLY
    statements = [check.statement for check in checks]
    proved = any(check.proves == "answer" for check in checks)
    return "; ".join(statements if proved else [*statements, NO_ANSWER])


def contamination(content: Content) -> str:
    """The decontamination certificate, or that there is none."""
    screen = content.recipe.screens.contamination
    if not screen:
        return "**The rows were not screened against any evaluation set.**"
    evals = content.evals
    reached = [name for name in screen.against if name in evals and evals[name].revision]
    lost = [name for name in screen.against if name not in reached]
    rows = [(name, evals[name].revision) for name in reached]
    subsets, near_key = content.subsets.values(), "near contamination"
    removed = sum(each.reasons.get("failed: contaminated", 0) for each in subsets)
    near = sum(
        each.reported.get(f"passed: {near_key}", 0) + each.reasons.get(f"failed: {near_key}", 0)
        for each in subsets
    )
    masked = "are reported, not removed" if screen.masked == "report" else "are removed, too"
    parts = [
        f"Rows were removed whose question shares {screen.ngram} words in a row with one of an "
        "evaluation set; shorter questions were compared whole. Questions that agree only after "
        f"their numbers are masked {masked}. **{removed:,} rows removed, {near:,} near.**",
        _table(("evaluation set", "revision or digest of what was read"), 0, rows)
        if rows
        else "**No evaluation set could be reached.**",
    ]
    if lost:
        parts.append(f"**Not reached, so not screened against:** {plain(', '.join(lost))}.")
    return "\n\n".join(parts)


def rebuild(version: Manifest, repo: str) -> str:
    """Commands that fetch, compare and rebuild the version."""
    return f"""\
```sh
# These rows as a version of a store; what differs from a version of one's own.
curator pull {repo}@v{version.number}
curator diff mine {repo.replace("/", "--")} --rows
# The same again, from the sources below.
curator build recipe.yaml
```

`recipe.yaml` is the whole recipe; what it names by a relative path has to lie beside it. A build
that reads the revisions below has the digest `{version.digest}`."""


def citations(content: Content, facts: ReleaseCounts) -> str:
    """Every source and evaluation set that was read, with its licence, revision and paper."""
    rows = [
        (name, _where(SOURCES.get(name)), read.licence, read.revision, _cited(name, SOURCES))
        for name, read in sorted(content.sources.items())
        if read.revision
    ]
    head = ("source", "where", "licence", "revision or digest", "citation")
    papers = sorted({EVALS[name].citation for name in content.evals if name in EVALS} - {""})
    told = f"\n\nEvaluation sets: {plain(', '.join(papers))}." if papers else ""
    return (
        f"{_table(head, 0, rows)}{told}\n\nThe mixture follows MathInstruct (arXiv:2309.05653); "
        "claims put before problems follow arXiv:2308.03958."
    )


def _where(source: Source | None) -> str:
    if source is None:
        return "named by the recipe"
    return source.hub or source.github


def _cited(name: str, known: Mapping[str, Source]) -> str:
    return known[name].citation if name in known else ""
