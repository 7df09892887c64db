"""The lines of an audit: what each check says of all rows, with the first examples.

In: an engine over the objects of a judged dataset. Out: Line, one a check. Unlike in a build, every
check and screen looks at every row, whatever the others say of it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from curator.screens import normalize
from datastore.engine import Engine, literal

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Example:
    """One row or record that a check says something about."""

    place: str
    reason: str
    what: str
    """What was seen, in a line."""
    row: str = ""
    """Its id in hex; empty for what is no row."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one check found."""

    check: str
    rows: int
    """Rows (records, for `malformed`) that it looked at."""
    failed: int = 0
    undecided: int = 0
    told: int = 0
    """Rows that are told and not held against the dataset."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    note: str = ""

    @property
    def passed(self) -> int:
        """Rows that nothing is said of."""
        return self.rows - self.failed - self.undecided - self.told


def open_rows(engine: Engine, rationales: str, problems: str) -> None:
    """View `texts` (id, instruction, text) and table `audited` of the same rows: (id, number,
    place, kind, gold, licence, same, head).

    `number` is the position in the file, `same` the hash of the normalised question, `head` the
    first of it.
    """
    at = "coalesce(try_cast(regexp_extract(place, ':([0-9]+)$', 1) AS BIGINT), 0)"
    file = "regexp_replace(place, ':[0-9]+$', '')"
    same = f"md5_number({normalize.key(normalize.stem(normalize.fold('question')))})"
    text = "hash(solution || program)"
    engine.sql(f"CREATE VIEW texts AS SELECT id, instruction, text FROM ({rationales})")
    # The writer numbers equal rationales, so that each of them finds the record that it is from.
    engine.sql(f"""
        CREATE TABLE audited AS
        WITH upstream AS (
            SELECT id AS problem_id, place, gold, licence, question, {at} AS nth, {file} AS file,
                {text} AS hashed,
                row_number() OVER (PARTITION BY id, {text} ORDER BY {file}, {at}) - 1 AS copy
            FROM ({problems})
        ),
        written AS (SELECT id, problem_id, kind, copy, hash(text) AS hashed FROM ({rationales}))
        SELECT id, row_number() OVER (ORDER BY file, nth, id) - 1 AS number, place, kind, gold,
            licence, {same} AS same, left(question, 200) AS head
        FROM written JOIN upstream USING (problem_id, hashed, copy)
    """)


def judged(engine: Engine, check: str, verdicts: str, note: str = "", without: str = "") -> Line:
    """A line of what a check or screen said of the rows that it speaks of.

    What passed with a reason is told. Rows with the reason `without` do not count.
    """
    where = f'"check" = {literal(check)} AND reason <> {literal(without or "-")}'
    counts = engine.sql(
        f"SELECT outcome, reason, count(*) FROM ({verdicts}) WHERE {where} GROUP BY ALL "
        "ORDER BY 3 DESC, 2"
    ).fetchall()
    query = f"""
        SELECT place, reason, evidence, head, id, outcome FROM (
            SELECT *, row_number() OVER (PARTITION BY outcome, reason ORDER BY number) AS nth
            FROM ({verdicts}) v JOIN audited ON audited.id = v.row_id
            WHERE {where} AND (outcome <> 'passed' OR reason <> '')
        ) WHERE nth <= {EXAMPLES}
        ORDER BY array_position(['failed', 'undecided', 'passed'], outcome), nth, number
    """
    found = engine.sql(query).fetchall()
    kept = [json.loads(evidence).get("kept") for _, _, evidence, *_ in found]
    places = places_of(engine, filter(None, kept))  # of the rows that duplicates repeat
    examples = [
        Example(place, reason, _seen(json.loads(evidence), head, places), row.hex())
        for place, reason, evidence, head, row, _ in found
    ]

    def total(outcome: str) -> int:
        return sum(n for given, reason, n in counts if given == outcome and reason)

    return Line(
        check,
        sum(n for _, _, n in counts),
        total("failed"),
        total("undecided"),
        total("passed"),
        {reason: n for _, reason, n in counts if reason},
        examples,
        note,
    )


def places_of(engine: Engine, rows: Iterable[str]) -> dict[str, str]:
    """Where rows stand, by their ids in hex."""
    listed = ", ".join(map(literal, rows)) or "''"
    query = f"SELECT lower(hex(id)), place FROM audited WHERE lower(hex(id)) IN ({listed})"
    return dict(engine.sql(query).fetchall())


def _seen(evidence: Mapping[str, str], head: str, places: Mapping[str, str]) -> str:
    """The evidence of a verdict in a few words."""
    if "kept" in evidence:
        return f"repeats {places.get(evidence['kept'], evidence['kept'])}"
    if "item" in evidence:
        return f"{evidence['set']} {evidence['item']}, shares {evidence['shared']}"
    if "answer" in evidence:
        return f"answer {evidence['answer'][:60]}, gold {evidence['gold'][:60]}"
    words = evidence.get("error") or evidence.get("seen") or evidence.get("gold")
    return words or head
