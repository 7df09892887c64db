"""Counts for the card of a release, taken from the files that are published.

In: an engine and Parquet files in the layout `release.shards.SCHEMA`. Out: `ReleaseCounts`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curator.checks import CHECKS
from curator.core.languages import MAX_TEXT, language_of
from datastore.engine import Engine, literal, scan

_COUNTED = {"kind": "kinds", "licence": "licences", "writer": "writers", "evidence_level": "levels"}
"""Columns of the files, with the attribute of `SubsetCounts` that counts their values."""


@dataclass
class SubsetCounts:
    """Counts of one subset."""

    rows: int = 0
    problems: int = 0
    """Distinct questions."""
    kinds: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    writers: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    """Rows by evidence level; the level is empty in versions of older releases of Curator."""
    rules: Counter[str] = field(default_factory=Counter)
    """Rows by the rule that found their answer equal to the gold answer."""


@dataclass(frozen=True)
class ReleaseCounts:
    """Counts of a release."""

    subsets: dict[str, SubsetCounts]
    languages: Mapping[str, int] = field(default_factory=dict)
    """Rows by the language of their question, the most frequent first; not those of which it is not
    recognised."""

    @property
    def rows(self) -> int:
        """Number of rows of all subsets."""
        return sum(each.rows for each in self.subsets.values())

    @property
    def licences(self) -> dict[str, int]:
        """Rows by licence, as the sources state it."""
        total: Counter[str] = Counter()
        for each in self.subsets.values():
            total.update(each.licences)
        return dict(sorted(total.items()))


def count_rows(engine: Engine, files: Sequence[Path]) -> ReleaseCounts:
    """Count the rows of Parquet files by subset, and by licence, writer, level and rule."""
    subsets: dict[str, SubsetCounts] = {}
    if not files:
        return ReleaseCounts(subsets)
    rows = scan(files)
    for name, count, problems in engine.sql(
        "SELECT subset, count(*), count(DISTINCT md5(upstream || '|' || question)) "
        f"FROM {rows} GROUP BY 1 ORDER BY 1"
    ).fetchall():
        subsets[name] = SubsetCounts(count, problems)
    for column, attribute in _COUNTED.items():
        for name, value, count in engine.sql(
            f"SELECT subset, {column}, count(*) FROM {rows} GROUP BY ALL ORDER BY ALL"
        ).fetchall():
            getattr(subsets[name], attribute)[value] = count
    layout = '[{"check":"VARCHAR","outcome":"VARCHAR","evidence":"JSON"}]'
    engine.sql(
        "CREATE OR REPLACE VIEW row_verdicts AS "
        f"SELECT subset, id, from_json(verdicts, '{layout}') AS verdicts FROM {rows}"
    )
    answer_checks = [literal(name) for name, check in CHECKS.items() if check.proves == "answer"]
    for name, rule, count in engine.sql(
        "SELECT subset, v.evidence ->> '$.rule' AS rule, count(*) "
        "FROM (SELECT subset, unnest(verdicts) AS v FROM row_verdicts) "
        f"WHERE v.\"check\" IN ({', '.join(answer_checks)}) AND v.outcome = 'passed' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        subsets[name].rules[rule or ""] = count
    languages: Counter[str] = Counter()
    for batch in engine.batches(f"SELECT left(question, {MAX_TEXT}) FROM {rows}"):
        languages.update(map(language_of, batch.column(0).to_pylist()))
    found = {code: count for code, count in languages.most_common() if code}
    return ReleaseCounts(subsets, found)
