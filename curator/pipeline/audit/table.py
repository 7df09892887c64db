"""The verdict table of an audit: a line a check, each over all rows whatever other checks say.

In: what a build of the dataset made. Out: Line, in the order in which one reads them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from curator.checks import CHECKS
from curator.core import arrow
from curator.pipeline.audit import statistics
from curator.pipeline.audit.dataset import Dataset
from curator.pipeline.audit.findings import EXAMPLES, Example, Line, judged, open_rows
from curator.pipeline.context import BuildContext
from curator.pipeline.locate import LocatedSource
from curator.pipeline.stages.fill_gold import fill_gold, gold_index
from curator.pipeline.stages.ingest import ingest, problems_against, problems_of
from curator.pipeline.stages.screen import screen_all
from curator.pipeline.state import Result
from curator.versions import queries
from curator.versions.queries import Part
from datastore.engine import Engine, literal, scan


def verdict_table(
    context: BuildContext,
    result: Result,
    dataset: Dataset,
    sources: Mapping[str, LocatedSource],
    evals: Mapping[str, LocatedSource],
    records: Mapping[str, int],
) -> list[Line]:
    """Every line, each over all rows."""
    objects = context.store.objects
    parts = _all_alive(context, result)
    against = problems_against(context, evals)
    screened = {
        name: screen_all(context, parts, against, only=(name,))
        for name in ("duplicates", "contamination")
    }
    missed = ", ".join(name for name, found in evals.items() if not found.opened)
    notes = {
        "contamination": f"not looked at: {missed}" if missed else f"all {len(evals)} sets",
        "duplicates": "up to case, space and punctuation",
    }
    written = " UNION ALL ".join(
        f"SELECT id, problem_id, kind, instruction, text, copy FROM {scan([part.rationales])}"
        for part in parts
    )
    verdicts = queries.verdicts(map(objects.path, result.objects.verdicts.values()))
    with context.store.engine() as engine:
        context.listener.progress("looking at rows", 0, None)
        open_rows(engine, written, queries.problems(parts))
        rows = engine.sql("SELECT count(*) FROM audited").fetchall()[0][0]
        found = [_malformed(context, result, records)]
        for name, check in CHECKS.items():
            note = _noted(engine, context, name, sources, verdicts)
            line = judged(engine, name, verdicts, note, without="no gold answer")
            # An audit always states whether answers were proved.
            found += [line] if line.rows or check.proves == "answer" else []
        for name, outputs in screened.items():
            digests = [each.objects["verdicts"] for each in outputs.values()]
            paths = queries.verdicts(map(objects.path, digests)) if digests else verdicts
            line = judged(engine, name, paths, notes[name])
            found.append(replace(line, rows=rows if digests else 0))
        found += [
            statistics.near_duplicates(engine),
            statistics.lengths(engine),
            statistics.languages(engine),
        ]
        return [*found, statistics.licences(engine, dataset.licence, dataset.licence_from)]


def _all_alive(context: BuildContext, result: Result) -> list[Part]:
    """The subsets as if no check had said anything."""
    objects = context.store.objects
    silent = objects.path(objects.write(arrow.batches([], arrow.VERDICTS), arrow.VERDICTS))
    return [
        Part(
            subset=name,
            kind=subset.kind,
            problems=tuple(map(objects.path, result.objects.problems[name])),
            rationales=objects.path(result.objects.rationales[name]),
            verdicts=silent,
        )
        for name, subset in context.recipe.subsets.items()
    ]


def _malformed(context: BuildContext, result: Result, records: Mapping[str, int]) -> Line:
    """Records that cannot be read as a row; every subset has read, and set aside, the same ones."""
    digest = next(iter(result.objects.quarantine.values()))
    reasons: Counter[str] = Counter()
    examples: list[Example] = []
    for batch in context.store.objects.read(digest):
        reasons.update(batch.column("reason").to_pylist())
        examples += [
            Example(row["place"], row["reason"], row["raw"][:80])
            for row in batch.slice(0, EXAMPLES - len(examples)).to_pylist()
        ]
    bad, told = records["quarantined"], dict(reasons.most_common())
    return Line("malformed", bad + records["records"], bad, reasons=told, examples=examples)


def _noted(
    engine: Engine,
    context: BuildContext,
    check: str,
    sources: Mapping[str, LocatedSource],
    verdicts: str,
) -> str:
    """What one should know of a check: where golds are from, what was completed."""
    if "execution" in CHECKS[check].needs:
        query = (
            f"SELECT count(*) FROM ({verdicts}) "
            f'WHERE "check" = {literal(check)} AND contains(evidence, \'"completed"\')'
        )
        completed = engine.sql(query).fetchall()[0][0]
        return f"{completed:,} print nothing and were completed" if completed else ""
    if "equivalence" not in CHECKS[check].needs:
        return ""
    query = "SELECT count(*) FILTER (gold <> ''), count(*) FILTER (gold = '') FROM audited"
    known, unknown_ = engine.sql(query).fetchall()[0]
    lent = _lent(context, sources)
    notes = [f"gold known for {known:,} rows"] if known else []
    notes += [f"{unknown_:,} without a gold answer"] if unknown_ else []
    notes += [f"questions lent one: {lent}"] if lent else []
    return ", ".join(notes)


def _lent(context: BuildContext, sources: Mapping[str, LocatedSource]) -> str:
    """How many golds each known source lent, as the stage counted."""
    counts: Counter[str] = Counter()
    for name, subset in context.recipe.subsets.items():
        golds: Any = getattr(subset.source, "golds", ())
        found = sources[name]
        if golds and found.opened:
            problems = problems_of(ingest(context, found.source, found.opened), subset.part)
            known = gold_index(context, {each: sources[each] for each in golds})
            counts.update(fill_gold(context, name, problems, known).counts)
    del counts["stated"]
    return ", ".join(
        f"{name.removeprefix('filled: ')} {many:,}" for name, many in counts.most_common() if many
    )
