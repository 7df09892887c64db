"""Build subsets of a recipe: get their problems, write rationales, check them.

In: subsets, the located sources, and the subsets built before them. Out: their states, with the
digests of their objects.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from curator.pipeline.context import BuildContext, NotBuilt, Stage
from curator.pipeline.locate import LocatedSource, source_name
from curator.pipeline.requests import missing_teachers
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.check import CODE as CHECK_CODE
from curator.pipeline.stages.check import check_params
from curator.pipeline.stages.copies import CODE as COPIES_CODE
from curator.pipeline.stages.copies import Pair, number_all
from curator.pipeline.stages.fill_gold import gold_index
from curator.pipeline.stages.generate import generate
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.prepare import Prepared, prepare
from curator.pipeline.stages.registry import STAGES
from curator.pipeline.stages.write import CODE as WRITE_CODE
from curator.pipeline.stages.write import write_params
from curator.pipeline.stages.write_and_check import write_and_check
from curator.pipeline.stages.writer_stage import WriterStage
from curator.pipeline.state import (
    CALL_COUNTS,
    ERRATA,
    TO_WRITE,
    InputFile,
    Rationales,
    SubsetInputs,
    SubsetState,
    Written,
)
from curator.recipe.schema import Recipe, Subset
from curator.sources import Source
from curator.writers import WRITERS, own_stage
from datastore.memo import Outputs

T = TypeVar("T", str, int)

RATIONALES, VERDICTS = "rationales:", "verdicts:"
"""Prefixes of the names of a subset's objects; the number of the shard follows."""
WRITE, CHECK = "write|", "check|"
"""Prefixes of the names of a subset's counts."""


def stage_of(subset: Subset) -> WriterStage | None:
    """Return the stage that belongs to the subset's writer; None if it has none."""
    writer = own_stage(subset.writers)
    return STAGES[writer] if writer else None


def build_order(recipe: Recipe) -> list[list[str]]:
    """Return the names of the subsets in groups, each after those that it may depend on."""

    def order(name: str) -> int:
        stage = stage_of(recipe.subsets[name])
        return stage.order if stage else 0

    ordered = sorted(recipe.subsets, key=order)
    return [list(group) for _, group in groupby(ordered, order)]


def open_files(recipe: Recipe) -> dict[str, InputFile]:
    """Read the files of writers that have one, by subset. Raises SourceError and RecipeError."""
    stages = {name: stage_of(subset) for name, subset in recipe.subsets.items()}
    return {
        name: stage.open_file(recipe, recipe.subsets[name])
        for name, stage in stages.items()
        if stage and stage.open_file
    }


def missing_problem(subset: Subset, source: str) -> str:
    """Return what a subset waits for if its source has no problem for it."""
    what = f"a problem in part {subset.part}" if subset.part else "a problem that parses"
    return f"{what} of source {source}"


def run_subsets(
    context: BuildContext,
    names: Sequence[str],
    inputs: SubsetInputs,
    built: Mapping[str, SubsetState],
) -> dict[str, SubsetState]:
    """Run the stages of some subsets, as far as their sources and their writers allow.

    `built` are the subsets before them in `build_order`. The shards of all of them run together.
    """
    started = _start(context, names, inputs, built)
    ready = {name: (state, written) for name, (state, written) in started.items() if written}
    done: dict[str, Outputs] = {}
    for name, each in ready.items():
        if cached := context.cached(*_whole(context, *each)):
            done[name] = cached
    done |= _run(context, {name: each for name, each in ready.items() if name not in done})
    return {
        name: _add_results(state, written, done[name]) if written else state
        for name, (state, written) in started.items()
    }


def _whole(
    context: BuildContext, state: SubsetState, written: Rationales
) -> tuple[Stage, dict[str, Any], list[str]]:
    """Return stage, parameters and inputs of what is cached of a whole subset.

    They are those of the stages of all its shards. An unchanged build reads this one record instead
    of some records per shard.
    """
    stage = Stage("subset", (__name__, *WRITE_CODE, *CHECK_CODE, *COPIES_CODE))
    params = {"write": write_params(state.subset), "check": check_params(context, state.subset)}
    inputs = [*state.problems, *written.shards, state.agreements]
    return stage, params, inputs


def _run(
    context: BuildContext, ready: Mapping[str, tuple[SubsetState, Rationales]]
) -> dict[str, Outputs]:
    """Write and check the shards of some subsets; return the outputs of each subset."""
    calls = [
        (name, problems, rationales, state.agreements)
        for name, (state, written) in ready.items()
        for problems, rationales in zip(state.problems, written.shards, strict=True)
    ]
    rows = context.store.objects.rows
    shards = [Shard(partial(rows, each[1]), each) for each in calls]
    results = run_shards(context, write_and_check, shards, "writing and checking")
    by_subset: dict[str, list[tuple[Outputs | None, Outputs]]] = {name: [] for name in ready}
    pairs: dict[str, list[Pair]] = {name: [] for name in ready}
    for (name, _, rationales, _), (wrote, checked) in zip(calls, results, strict=True):
        by_subset[name].append((wrote, checked))
        written = wrote.objects["rationales"] if wrote else rationales
        pairs[name].append((written, checked.objects["verdicts"]))
    several = {name: (ready[name][0].problems, each) for name, each in pairs.items() if each[1:]}
    numbered = number_all(context, several)
    done = {name: _join(by_subset[name], pairs[name], numbered.get(name)) for name in ready}
    for name, outputs in done.items() if not context.dry else ():
        made = partial(lambda each: (each.objects, each.counts), outputs)
        context.once(*_whole(context, *ready[name]), made, name)
    return done


def _start(
    context: BuildContext,
    names: Sequence[str],
    inputs: SubsetInputs,
    built: Mapping[str, SubsetState],
) -> dict[str, Written]:
    """Return the subsets with their problems, and the rationales that they have so far."""
    subsets = {name: context.recipe.subsets[name] for name in names}
    own = {name: stage for name, subset in subsets.items() if (stage := stage_of(subset))}
    ingested = _ingest(context, [name for name in names if name not in own], inputs.sources)
    problems = {name: problems_of(each, subsets[name].part) for name, each in ingested.items()}
    golds = {
        name: gold_index(context, {each: inputs.sources[each] for each in sources})
        for name in problems
        if problems[name] and (sources := subsets[name].gold_sources())
    }
    prepared = prepare(context, problems, golds)
    started: dict[str, Written] = {}
    for name in names:
        if name in own:
            started[name] = own[name].run(context, name, inputs, built)
        else:
            source = inputs.sources[source_name(name, subsets[name])].source
            started[name] = _start_one(
                context, name, source, ingested.get(name), prepared.get(name)
            )
    return started


def _ingest(
    context: BuildContext, names: Sequence[str], sources: Mapping[str, LocatedSource]
) -> dict[str, Outputs]:
    """Return what `ingest` returned for the sources of subsets that could be read.

    Many subsets may share one source of many objects, which is looked up once.
    """
    keys = {name: source_name(name, context.recipe.subsets[name]) for name in names}
    read: dict[str, Outputs] = {}
    for key in dict.fromkeys(keys.values()):
        located = sources[key]
        if located.opened:
            read[key] = ingest(context, located.source, located.opened)
        elif not located.missing:
            raise NotBuilt("fetch")
    return {name: read[key] for name, key in keys.items() if key in read}


def _start_one(
    context: BuildContext,
    name: str,
    source: Source,
    ingested: Outputs | None,
    prepared: Prepared | None,
) -> Written:
    """Return the state of a subset with a source, and the rationales that it has so far."""
    subset = context.recipe.subsets[name]
    waits = missing_teachers(context, subset)
    if ingested is None or prepared is None:
        return SubsetState(subset, source.licence, (f"source {source.name}", *waits)), None
    if not prepared.problems:
        waits = (missing_problem(subset, source.name), *waits)
    rulings = {f"{ERRATA}{result}": count for result, count in prepared.rulings.items()}
    state = SubsetState(
        subset,
        source.licence,
        waits,
        problems=prepared.problems,
        ruled=prepared.ruled,
        quarantine=ingested.objects["quarantine"],
        counts={**ingested.counts, **rulings},
    )
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    if not state.problems or (len(teachers) == len(subset.writers) and not context.teacher_session):
        return state, None
    if teachers and context.teacher_session:
        return generate(context, name, state)
    return state, Rationales([TO_WRITE] * len(state.problems), {})


def _join(
    shards: Sequence[tuple[Outputs | None, Outputs]],
    pairs: Sequence[Pair],
    numbered: tuple[list[Pair], int] | None,
) -> Outputs:
    """Return objects `rationales:NUMBER` and `verdicts:NUMBER` of a subset.

    Counts: those of stage `write` as `write|NAME`, those of stage `check` as `check|NAME`.
    `numbered` are the result of `number_all`; None for a subset of one shard.
    """
    counts: Counter[str] = Counter()
    for wrote, checked in shards:
        counts.update(
            {f"{WRITE}{key}": count for key, count in (wrote.counts if wrote else {}).items()}
        )
        counts.update({f"{CHECK}{key}": count for key, count in checked.counts.items()})
    if numbered:
        pairs, counts[f"{WRITE}problems"] = numbered
    objects: dict[str, str] = {}
    for number, (rationales, verdicts) in enumerate(pairs):
        objects |= {f"{RATIONALES}{number:06d}": rationales, f"{VERDICTS}{number:06d}": verdicts}
    return Outputs(objects, dict(counts))


def _add_results(state: SubsetState, written: Rationales, outputs: Outputs) -> SubsetState:
    """Return the state of a subset with the rationales and the verdicts of all its shards."""
    counts = {**_below(outputs.counts, WRITE), **written.counts}
    # A writer with a stage of its own may have made calls before those for rationales.
    sums = {key: state.counts.get(key, 0) + counts.get(key, 0) for key in CALL_COUNTS}
    calls = sums if "calls" in counts else {}
    return replace(
        state,
        rationales=tuple(_below(outputs.objects, RATIONALES).values()),
        verdicts=tuple(_below(outputs.objects, VERDICTS).values()),
        counts={**state.counts, **counts, **calls},
        outcomes=_below(outputs.counts, CHECK),
    )


def _below(values: Mapping[str, T], prefix: str) -> dict[str, T]:
    """Return the values whose name starts with `prefix`, by the rest of it, in its order."""
    named = sorted((name, value) for name, value in values.items() if name.startswith(prefix))
    return {name.removeprefix(prefix): value for name, value in named}
