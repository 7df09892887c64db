"""Build one subset of a recipe: get its problems, write rationales, check them.

In: a subset, the located sources, and the subsets built before it. Out: its state, with the digests
of its objects.
"""

from collections.abc import Mapping
from dataclasses import replace

from curator.pipeline.context import BuildContext, NotBuilt
from curator.pipeline.locate import source_name
from curator.pipeline.stages.check import check
from curator.pipeline.stages.fill_gold import fill_gold, gold_index
from curator.pipeline.stages.generate import generate, missing_teachers
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.registry import STAGES
from curator.pipeline.stages.write import write
from curator.pipeline.stages.writer_stage import WriterStage, Written
from curator.pipeline.state import CALL_COUNTS, InputFile, SubsetInputs, SubsetState
from curator.recipe.schema import Recipe, Subset
from curator.writers import WRITERS, own_stage
from datastore.memo import Outputs


def stage_of(subset: Subset) -> WriterStage | None:
    """Return the stage that belongs to the subset's writer; None if it has none."""
    writer = own_stage(subset.writers)
    return STAGES[writer] if writer else None


def build_order(recipe: Recipe) -> list[str]:
    """Return the names of the subsets, each after those that it may depend on."""

    def order(name: str) -> int:
        stage = stage_of(recipe.subsets[name])
        return stage.order if stage else 0

    return sorted(recipe.subsets, key=order)


def open_files(recipe: Recipe) -> dict[str, InputFile]:
    """Read the files of writers that have one, by subset. Raises SourceError and RecipeError."""
    stages = {name: stage_of(subset) for name, subset in recipe.subsets.items()}
    return {
        name: stage.open_file(recipe, recipe.subsets[name])
        for name, stage in stages.items()
        if stage and stage.open_file
    }


def run_subset(
    context: BuildContext, name: str, inputs: SubsetInputs, built: Mapping[str, SubsetState]
) -> SubsetState:
    """Run the stages of one subset, as far as its source and its writers allow.

    `built` are the subsets before it in `build_order`.
    """
    stage = stage_of(context.recipe.subsets[name])
    if stage:
        state, written = stage.run(context, name, inputs, built)
    else:
        state, written = _read_and_write(context, name, inputs)
    return _check(context, name, state, written) if written else state


def _read_and_write(context: BuildContext, name: str, inputs: SubsetInputs) -> Written:
    """Read the problems of a source, and write rationales for them."""
    subset, sources = context.recipe.subsets[name], inputs.sources
    located = sources[source_name(name, subset)]
    licence = located.source.licence
    waits = missing_teachers(context, subset)
    if located.opened is None:
        if not located.missing:
            raise NotBuilt("fetch")
        return SubsetState(subset, licence, (f"source {located.source.name}", *waits)), None
    ingested = ingest(context, located.source, located.opened)
    problems = problems_of(ingested, subset.part)
    if problems and subset.gold_sources():
        golds = gold_index(context, {each: sources[each] for each in subset.gold_sources()})
        problems = (fill_gold(context, name, problems, golds).objects["problems"],)
    if not problems:
        what = f"a problem in part {subset.part}" if subset.part else "a problem that parses"
        waits = (f"{what} of source {located.source.name}", *waits)
    state = SubsetState(
        subset,
        licence,
        waits,
        problems=problems,
        quarantine=ingested.objects["quarantine"],
        counts=ingested.counts,
    )
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    if not problems or (len(teachers) == len(subset.writers) and not context.teacher_session):
        return state, None
    if teachers and context.teacher_session:
        return generate(context, name, state)
    return state, write(context, name, subset, problems)


def _check(context: BuildContext, name: str, state: SubsetState, written: Outputs) -> SubsetState:
    """Return the state with the rationales and their verdicts."""
    rationales = written.objects["rationales"]
    checked = check(context, name, state.subset, state.problems, rationales, state.agreements)
    # A writer with a stage of its own may have made calls before those for rationales.
    sums = {key: state.counts.get(key, 0) + written.counts.get(key, 0) for key in CALL_COUNTS}
    calls = sums if "calls" in written.counts else {}
    return replace(
        state,
        rationales=rationales,
        verdicts=checked.objects["verdicts"],
        counts={**state.counts, **written.counts, **calls},
        outcomes=checked.counts,
    )
