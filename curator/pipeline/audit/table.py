"""The table of an audit: one line per check, screen and statistic, each over all rows.

In: the result of a build of the dataset. Out: the lines, in the order in which they are shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from curator.checks import CHECKS
from curator.checks.answer import NO_GOLD
from curator.core import arrow
from curator.core.model import EVIDENCE_LEVELS
from curator.core.words import counted, verb
from curator.pipeline.audit import statistics
from curator.pipeline.audit.dataset import Dataset
from curator.pipeline.audit.findings import EXAMPLES, Example, Line, open_rows, read_line
from curator.pipeline.context import BuildContext
from curator.pipeline.locate import LocatedSource
from curator.pipeline.stages.fill_gold import fill_shard, gold_index
from curator.pipeline.stages.ingest import find_eval_problems, ingest, problems_of
from curator.pipeline.stages.screen import input_digests, screen_all
from curator.pipeline.state import Result
from curator.recipe.schema import Screens
from curator.screens import SCREENS, Screen, near_duplicates
from curator.screens.near_duplicates import NearDuplicates
from curator.versions import queries
from curator.versions.queries import Part
from datastore.compute_missing import chunks
from datastore.engine import Engine, literal, scan

NEAR = 0.75
"""Minimum Jaccard index of the questions that an audit reports as near-duplicates."""
SHARDS = 4
"""Number of shards that are joined together: planning a query takes as long as a thousand rows."""


def verdict_table(
    context: BuildContext,
    result: Result,
    dataset: Dataset,
    sources: Mapping[str, LocatedSource],
    evals: Mapping[str, LocatedSource],
    records: Mapping[str, int],
) -> list[Line]:
    """Return the lines. `records` are the counts of ingest."""
    objects = context.store.objects
    parts = _unchecked_parts(context, result)
    against = find_eval_problems(context, evals)
    # The screens of a recipe that mentions none, each over all rows.
    audited = {name: screen for name, screen in SCREENS.items() if screen.on}
    screened = {name: screen_all(context, parts, against, only=(name,)) for name in audited}
    near = _near_duplicates(context, parts)
    if context.executor:
        context.executor.release()
    checked = list(chain.from_iterable(result.objects.verdicts.values()))
    verdicts = queries.verdicts(map(objects.path, checked))
    inputs = [*input_digests(parts, {}), *checked]
    with context.store.guard_query(inputs), context.store.engine() as engine:
        context.listener.progress("auditing rows", 0, None)
        open_rows(engine, _shards(parts))
        rows = engine.sql("SELECT count(*) FROM audited").fetchall()[0][0]
        lines = [_malformed(context, result, records)]
        for name, check in CHECKS.items():
            note = _note(engine, context, name, sources, verdicts)
            # Rows whose answers are not compared are in the note.
            ignore = NO_GOLD if "equivalence" in check.needs else ""
            line = read_line(engine, name, verdicts, note, ignore)
            # An audit always states whether answers were proved.
            lines += [line] if line.rows or check.proves == "answer" else []
        for name, outputs in screened.items():
            digests = [each.objects["verdicts"] for each in outputs.values()]
            paths = queries.verdicts(map(objects.path, digests)) if digests else verdicts
            note = _screen_note(audited[name], evals)
            line = read_line(engine, name, paths, note)
            lines.append(replace(line, rows=rows if digests else 0))
        statistics.measure_texts(engine, _read_texts(context, result))
        lines += [
            *statistics.solve_rates(engine, verdicts),
            statistics.near_duplicates(engine, near),
            statistics.lengths(engine),
            statistics.languages(engine),
        ]
        return [*lines, statistics.licences(engine, dataset.licence, dataset.licence_origin)]


def _shards(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """Yield a SELECT of the rationales, and one of the problems, of some shards at a time."""
    for part in parts:
        for some in chunks(zip(part.rationales, part.problems, strict=True), SHARDS):
            rationales, problems = zip(*some, strict=True)
            yield f"SELECT * FROM {scan(rationales)}", f"SELECT * FROM {scan(problems)}"


def _read_texts(context: BuildContext, result: Result) -> Iterator[pa.RecordBatch]:
    for digests in result.objects.rationales.values():
        for digest in digests:
            columns = ("id", "kind", "instruction", "text")
            yield from context.store.objects.read(digest, columns, statistics.BATCH)


def _near_duplicates(context: BuildContext, parts: Sequence[Part]) -> str:
    """Return a SELECT of the verdicts of the screen `near_duplicates` on all rows."""
    screens = Screens(near_duplicates=NearDuplicates(threshold=NEAR))
    recipe = context.recipe.model_copy(update={"screens": screens})
    name = near_duplicates.NAME
    outputs = screen_all(replace(context, recipe=recipe), parts, {}, only=(name,))
    path = context.store.objects.path(outputs[name].objects["verdicts"])
    return queries.verdicts([path])


def _screen_note(screen: Screen, evals: Mapping[str, LocatedSource]) -> str:
    if "evals" not in screen.needs:
        return screen.audit_note
    missing = ", ".join(name for name, located in evals.items() if not located.opened)
    if missing:
        return f"not compared with: {missing}"
    return f"compared with all {len(evals)} evaluation sets"


def _unchecked_parts(context: BuildContext, result: Result) -> list[Part]:
    """Return the subsets without verdicts, so that a screen sees rows that a check rejected."""
    objects = context.store.objects
    no_verdicts = objects.path(objects.write(arrow.to_batches([], arrow.VERDICTS), arrow.VERDICTS))
    return [
        Part(
            subset=name,
            kind=subset.kind,
            problems=tuple(map(objects.path, result.objects.problems[name])),
            rationales=tuple(map(objects.path, result.objects.rationales[name])),
            verdicts=(no_verdicts,),
        )
        for name, subset in context.recipe.subsets.items()
    ]


def _malformed(context: BuildContext, result: Result, records: Mapping[str, int]) -> Line:
    """Return the line of the quarantined records, which are the same for every subset."""
    digest = next(iter(result.objects.quarantine.values()))
    reasons: Counter[str] = Counter()
    examples: list[Example] = []
    for batch in context.store.objects.read(digest):
        reasons.update(batch.column("reason").to_pylist())
        examples += [
            Example(row["place"], row["reason"], row["raw"][:80])
            for row in batch.slice(0, EXAMPLES - len(examples)).to_pylist()
        ]
    bad, total = records["quarantined"], records["quarantined"] + records["records"]
    counts = dict(reasons.most_common())
    return Line("malformed", total, bad, reasons=counts, examples=examples)


def _note(
    engine: Engine,
    context: BuildContext,
    check: str,
    sources: Mapping[str, LocatedSource],
    verdicts: str,
) -> str:
    """Return the note of a check: how many programs were completed, where golds are from, and the
    evidence levels of the rows that passed.
    """
    if "execution" in CHECKS[check].needs:
        query = (
            f"SELECT count(*) FROM ({verdicts}) "
            f'WHERE "check" = {literal(check)} AND contains(evidence, \'"completed"\')'
        )
        completed = engine.sql(query).fetchall()[0][0]
        return (
            f"{counted(completed, 'program')} "
            f"{verb(completed, 'prints nothing and was', 'print nothing and were')} completed"
            if completed
            else ""
        )
    if "equivalence" not in CHECKS[check].needs:
        return ""
    query = "SELECT count(*) FILTER (gold <> ''), count(*) FILTER (gold = '') FROM audited"
    with_gold, without_gold = engine.sql(query).fetchall()[0]
    filled = _filled_golds(context, sources)
    levels = dict(
        engine.sql(
            f"SELECT evidence_level, count(*) FROM ({queries.evidence_levels(verdicts)}) GROUP BY 1"
        ).fetchall()
    )
    notes = [f"{counted(with_gold, 'row')} with a gold answer"] if with_gold else []
    notes += [f"{without_gold:,} without a gold answer"] if without_gold else []
    notes += [f"questions filled from: {filled}"] if filled else []
    notes += [f"{level}: {levels[level]:,}" for level in EVIDENCE_LEVELS if level in levels]
    return ", ".join(notes)


def _filled_golds(context: BuildContext, sources: Mapping[str, LocatedSource]) -> str:
    """Return how many golds the stage `fill_gold` filled from each source."""
    counts: Counter[str] = Counter()
    for name, subset in context.recipe.subsets.items():
        golds = subset.gold_sources()
        located = sources[name]
        if golds and located.opened:
            problems = problems_of(ingest(context, located.source, located.opened), subset.part)
            index = gold_index(context, {each: sources[each] for each in golds})
            for each in problems:
                counts.update(fill_shard(context, name, each, index).counts)
    del counts["stated"]
    return ", ".join(
        f"{name.removeprefix('filled: ')} {count:,}"
        for name, count in counts.most_common()
        if count
    )
