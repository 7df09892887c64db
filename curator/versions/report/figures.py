"""The figures of a version: where its rows went and why, what is in it, who decided.

In: the tables of `curator.versions.report.write` (schema `now`) and the content of a
manifest. Out: frozen
records that the template shows as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curator.versions.content import Content
from curator.versions.report.mathinstruct import PUBLISHED, Published
from datastore.engine import Engine

FATES = ("kept", "undrawn", "screened", "undecided", "failed")
"""What becomes of a rationale, and the tone of its colour: it is in the version; the mixture did
not draw it; a screen took it away; the checks could not tell; the checks found it wrong."""

MOST_FIELDS = 24
"""Fields that get a line of their own."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one subset from problems to kept rows."""

    subset: str
    kind: str
    licence: str
    waits: str
    """What it waits for; empty if nothing."""
    records: int
    quarantined: int
    problems: int
    without: int
    """Problems without a rationale."""
    rationales: int
    fates: Mapping[str, int]
    """Rationales by `FATES`."""
    source: str
    """The `source` string of its rows in the released form."""
    published: Published | None
    """MathInstruct's own subset of that `source` string."""
    taught: int
    """Calls to a teacher that its rows rest on."""


def ways(engine: Engine, content: Content, schema: str = "now") -> list[Way]:
    """Every subset of a version in the order of its recipe."""
    fates = fates_of(engine, schema)
    found = []
    for name in content.order:
        counts, source = content.subsets[name], content.release_as(name)
        found.append(
            Way(
                subset=name,
                kind=counts.kind,
                licence=counts.licence,
                waits=", ".join(counts.waits_for),
                records=counts.records,
                quarantined=counts.quarantined,
                problems=counts.problems,
                without=counts.without_rationale,
                rationales=counts.rationales,
                fates=fates.get(name, dict.fromkeys(FATES, 0)),
                source=source,
                published=PUBLISHED.get(source),
                taught=counts.taught.calls if counts.taught else 0,
            )
        )
    return found


def fates_of(engine: Engine, schema: str) -> dict[str, dict[str, int]]:
    """Rationales by subset and fate."""
    found: dict[str, dict[str, int]] = {}
    query = f"SELECT subset, fate, count(*) FROM {schema}.judged GROUP BY ALL"
    for subset, fate, count in engine.sql(query).fetchall():
        found.setdefault(subset, dict.fromkeys(FATES, 0))[fate] = count
    return found


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows that one rule kept out."""

    rule: str
    """Check or screen, and its reason: `answer: wrong answer`."""
    fate: str
    rows: int
    subsets: Sequence[tuple[str, int]]
    """Subsets with their rows, most first."""


def losses(engine: Engine) -> list[Lost]:
    """Rules that kept rows out, those with most rows first."""
    query = """
        SELECT rule, fate, sum(n)::BIGINT AS all_rows,
            list({'s': subset, 'n': n} ORDER BY n DESC, subset)
        FROM (SELECT rule, fate, subset, count(*) AS n FROM now.judged WHERE fate <> 'kept'
            GROUP BY ALL)
        GROUP BY rule, fate ORDER BY all_rows DESC, rule
    """
    return [
        Lost(rule, fate, rows, [(each["s"], each["n"]) for each in subsets])
        for rule, fate, rows, subsets in engine.sql(query).fetchall()
    ]


Counted = list[tuple[str, int]]
"""Names with rows, most first."""


def composition(engine: Engine) -> dict[str, tuple[Counted, int, int]]:
    """Kept rows by field and level: those with most rows, rows of all others, rows without one."""
    found = {}
    for column in ("field", "level"):
        rows = engine.sql(
            f"SELECT coalesce({column}, ''), count(*) FROM now.judged j "
            "LEFT JOIN now.problem p ON p.id = j.problem_id WHERE fate = 'kept' "
            "GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
        named = [(str(name), int(count)) for name, count in rows if name]
        nameless = sum(count for name, count in rows if not name)
        rest = sum(count for _, count in named[MOST_FIELDS:])
        shown = named[:MOST_FIELDS]
        found[column] = (sorted(shown) if column == "level" else shown, rest, nameless)
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the graders, and what it decided."""

    name: str
    passed: int
    failed: int
    undecided: int

    @property
    def rows(self) -> int:
        """All that it decided."""
        return self.passed + self.failed + self.undecided


def rules(engine: Engine) -> list[Rule]:
    """By which rule answers were found equal to the gold ones or not, most first."""
    query = """
        SELECT coalesce(evidence::JSON ->> '$.rule', reason) AS rule,
            count(*) FILTER (outcome = 'passed') AS p, count(*) FILTER (outcome = 'failed'),
            count(*) FILTER (outcome = 'undecided')
        FROM now.verdict WHERE "check" = 'answer' GROUP BY 1 ORDER BY count(*) DESC, 1
    """
    return [Rule(*row) for row in engine.sql(query).fetchall()]


def votes(engine: Engine) -> list[tuple[str, str, int]]:
    """How solutions of new problems agreed: votes, outcome, rationales."""
    query = """
        SELECT coalesce(evidence::JSON ->> '$.votes', '–') AS v, outcome, count(*)
        FROM now.verdict WHERE "check" = 'agreement' GROUP BY ALL ORDER BY outcome, v
    """
    return [(str(vote), str(outcome), int(n)) for vote, outcome, n in engine.sql(query).fetchall()]


def proved(engine: Engine) -> int:
    """Kept rows whose answer was compared with a gold one and is equal."""
    query = """
        SELECT count(*) FROM now.judged WHERE fate = 'kept' AND id IN
        (SELECT row_id FROM now.verdict WHERE "check" = 'answer' AND outcome = 'passed')
    """
    return int(engine.sql(query).fetchall()[0][0])


@dataclass(frozen=True, slots=True)
class Screened:
    """What the screen of contamination found against one evaluation set."""

    name: str
    questions: int
    """Questions of the set; 0 where it could not be reached."""
    revision: str
    """Its revision, or that it was not reached."""
    removed: int
    near: int


def contamination(
    engine: Engine, content: Content, questions: Mapping[str, int]
) -> list[Screened] | None:
    """Every evaluation set that rows were screened against; None if they were not."""
    if "contamination" not in content.code.screens:
        return None
    query = """
        SELECT evidence::JSON ->> '$.set', count(*) FILTER (outcome = 'failed'),
            count(*) FILTER (outcome = 'passed')
        FROM now.verdict WHERE "check" = 'contamination' GROUP BY 1
    """
    found = {name: (removed, near) for name, removed, near in engine.sql(query).fetchall()}
    return [
        Screened(
            name,
            questions.get(name, 0),
            read.revision or read.missing,
            *found.get(name, (0, 0)),
        )
        for name, read in sorted(content.evals.items())
    ]
