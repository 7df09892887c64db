"""The figures of a version: how many rows it has, which were dropped and why, what they contain.

In: the tables of `curator.versions.report.write` (schema `current`) and the content of a manifest.
Out: frozen records for the templates.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curator.core.model import EVIDENCE_LEVELS
from curator.versions.content import Content
from curator.versions.report.mathinstruct import PublishedPart, published_part
from datastore.engine import Engine

STATUSES = ("kept", "not_drawn", "screened", "undecided", "rejected")
"""Status of a rationale: it is in the version; the mixture did not draw it; a screen rejected it;
a check could not decide; a check rejected it. The style sheet has a colour for each."""

MAX_FIELDS = 24
"""Number of fields that get a line of their own."""

Counts = list[tuple[str, int]]
"""Names with their rows, the largest count first."""


@dataclass(frozen=True, slots=True)
class SubsetFigures:
    """The counts of one subset from its records to its kept rows."""

    subset: str
    kind: str
    licence: str
    waits_for: str
    """Missing sources or teachers; empty if all are available."""
    records: int
    quarantined: int
    problems: int
    without_rationale: int
    rationales: int
    by_status: Mapping[str, int]
    """Rationales by `STATUSES`."""
    source: str
    """The `source` string of its rows in the release."""
    published: PublishedPart | None
    """The subset of MathInstruct that it claims to be."""
    calls: int
    """Calls to a teacher that its rows depend on."""


def read_subsets(engine: Engine, content: Content, schema: str = "current") -> list[SubsetFigures]:
    """Return the figures of every subset in the order of the recipe."""
    statuses = _count_statuses(engine, schema)
    figures = []
    for name in content.order:
        counts, source = content.subsets[name], content.release_as(name)
        figures.append(
            SubsetFigures(
                subset=name,
                kind=counts.kind,
                licence=counts.licence,
                waits_for=", ".join(counts.waits_for),
                records=counts.records,
                quarantined=counts.quarantined,
                problems=counts.problems,
                without_rationale=counts.without_rationale,
                rationales=counts.rationales,
                by_status=statuses.get(name, dict.fromkeys(STATUSES, 0)),
                source=source,
                published=published_part(content, name),
                calls=counts.taught.calls if counts.taught else 0,
            )
        )
    return figures


def _count_statuses(engine: Engine, schema: str) -> dict[str, dict[str, int]]:
    """Count rationales by subset and status."""
    counts: dict[str, dict[str, int]] = {}
    query = f"SELECT subset, status, count(*) FROM {schema}.row_status GROUP BY ALL"
    for subset, status, count in engine.sql(query).fetchall():
        counts.setdefault(subset, dict.fromkeys(STATUSES, 0))[status] = count
    return counts


@dataclass(frozen=True, slots=True)
class DropReason:
    """Rows that are not in the version for the same reason."""

    rule: str
    """Check or screen, and its reason: `answer: contradicts the gold`."""
    status: str
    rows: int
    subsets: Counts


def count_drop_reasons(engine: Engine) -> list[DropReason]:
    """Count the rows that are not in the version by reason, the largest count first."""
    query = """
        SELECT rule, status, sum(n)::BIGINT AS all_rows,
            list({'s': subset, 'n': n} ORDER BY n DESC, subset)
        FROM (SELECT rule, status, subset, count(*) AS n FROM current.row_status
            WHERE status <> 'kept' GROUP BY ALL)
        GROUP BY rule, status ORDER BY all_rows DESC, rule
    """
    return [
        DropReason(rule, status, rows, [(each["s"], each["n"]) for each in subsets])
        for rule, status, rows, subsets in engine.sql(query).fetchall()
    ]


@dataclass(frozen=True, slots=True)
class Composition:
    """Kept rows by the values of one column."""

    counts: Counts
    """At most `MAX_FIELDS` values; levels in their own order."""
    others: int
    """Rows with any other value."""
    missing: int
    """Rows without a value."""


def count_column(engine: Engine, column: str) -> Composition:
    """Count the kept rows by `field` or `level` of their problems."""
    rows = engine.sql(
        f"SELECT coalesce({column}, ''), count(*) FROM current.row_status r "
        "LEFT JOIN current.problem p ON p.id = r.problem_id WHERE status = 'kept' "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    named = [(str(name), int(count)) for name, count in rows if name]
    listed = named[:MAX_FIELDS]
    return Composition(
        counts=sorted(listed) if column == "level" else listed,
        others=sum(count for _, count in named[MAX_FIELDS:]),
        missing=sum(count for name, count in rows if not name),
    )


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """How often an equivalence rule decided, and how."""

    name: str
    passed: int
    failed: int
    undecided: int


def count_rules(engine: Engine) -> list[RuleCounts]:
    """Count the comparisons with gold answers by rule, the largest count first."""
    query = """
        SELECT coalesce(evidence::JSON ->> '$.rule', reason) AS rule,
            count(*) FILTER (outcome = 'passed') AS p, count(*) FILTER (outcome = 'failed'),
            count(*) FILTER (outcome = 'undecided')
        FROM current.verdict WHERE "check" = 'answer' GROUP BY 1 ORDER BY count(*) DESC, 1
    """
    return [RuleCounts(*row) for row in engine.sql(query).fetchall()]


def count_votes(engine: Engine) -> list[tuple[str, str, int]]:
    """Return how solutions of new problems agreed: votes, outcome, rationales."""
    query = """
        SELECT coalesce(evidence::JSON ->> '$.votes', '–') AS v, outcome, count(*)
        FROM current.verdict WHERE "check" = 'agreement' GROUP BY ALL ORDER BY outcome, v
    """
    return [(str(vote), str(outcome), int(n)) for vote, outcome, n in engine.sql(query).fetchall()]


def count_levels(content: Content) -> list[tuple[str, str, int]]:
    """Return (evidence level, meaning, kept rows) of each level that kept rows have.

    The rows of versions that an older release of Curator made have no level.
    """
    counts: Counter[str] = Counter()
    for subset in content.subsets.values():
        counts.update(subset.levels)
    return [
        (level, about, counts[level]) for level, about in EVIDENCE_LEVELS.items() if counts[level]
    ]


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """What the contamination screen found for one evaluation set."""

    name: str
    questions: int
    """Questions of the set; 0 if it could not be reached."""
    revision: str
    """Its revision, or why it could not be reached."""
    removed: int
    flagged: int
    overlaps: Sequence[tuple[str, str, int]]
    """(subset, level, rows): what the rows of each subset have in common with the set."""


def count_contamination(
    engine: Engine, content: Content, questions: Mapping[str, int]
) -> list[EvaluationSet] | None:
    """Return every evaluation set that rows were screened against; None without the screen."""
    if "contamination" not in content.code.screens:
        return None
    query = """
        SELECT v.evidence::JSON ->> '$.set', r.subset, v.reason, v.outcome = 'failed', count(*)
        FROM current.verdict v JOIN current.row_status r ON r.id = v.row_id
        WHERE v."check" = 'contamination' GROUP BY ALL ORDER BY count(*) DESC, 1, 2, 3
    """
    found = engine.sql(query).fetchall()

    def count(name: str, failed: bool) -> int:
        return sum(rows for set_, _, _, out, rows in found if set_ == name and out == failed)

    return [
        EvaluationSet(
            name,
            questions.get(name, 0),
            origin.revision or origin.missing,
            count(name, True),
            count(name, False),
            [(subset, level, rows) for set_, subset, level, _, rows in found if set_ == name],
        )
        for name, origin in sorted(content.evals.items())
    ]


LARGEST = 10
"""Number of clusters that a report lists per screen."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The rows that one screen rejected because it kept a similar one."""

    screen: str
    rows: int
    """Rejected rows."""
    clusters: int
    """Rows that were kept for them."""
    largest: Sequence[tuple[str, str, int, float]]
    """(id of the kept row, its question, rejected rows, smallest Jaccard index)."""


def count_clusters(engine: Engine) -> list[Clusters]:
    """Return the clusters of each screen that names the row it kept."""
    clusters = """
        SELECT "check" AS screen, evidence::JSON ->> '$.kept' AS kept, count(*) AS rows,
            min(coalesce(try_cast(evidence::JSON ->> '$.index' AS DOUBLE), 1)) AS index
        FROM current.verdict WHERE screen > 0 AND outcome = 'failed'
            AND (evidence::JSON ->> '$.kept') IS NOT NULL GROUP BY 1, 2
    """
    totals = engine.sql(
        f"SELECT screen, sum(rows)::BIGINT, count(*) FROM ({clusters}) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    query = f"""
        SELECT screen, kept, left(any_value(instruction), 200), any_value(rows), any_value(index)
        FROM (
            SELECT * FROM ({clusters})
            QUALIFY row_number() OVER (PARTITION BY screen ORDER BY rows DESC, kept) <= {LARGEST:d}
        ) JOIN current.rationale ON lower(hex(id)) = kept
        GROUP BY screen, kept ORDER BY 1, 4 DESC, 2
    """
    largest = engine.sql(query).fetchall()
    return [
        Clusters(screen, rows, count, [tuple(each[1:]) for each in largest if each[0] == screen])
        for screen, rows, count in totals
    ]
