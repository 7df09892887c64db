"""Build one subset of a recipe: get its problems, write rationales, check them.

In: a subset, the located sources, and the subsets built before it. Out: its state, with the digests
of its objects. Self-Instruct subsets are built after those that read a source, whose problems they
must not repeat; subsets made from another subset are built last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from curator.pipeline.context import BuildContext, NotBuilt
from curator.pipeline.locate import LocatedSource, source_name
from curator.pipeline.stages.check import verify
from curator.pipeline.stages.fill_gold import fill_gold, gold_index
from curator.pipeline.stages.generate import generate, request_identity, sampling_of
from curator.pipeline.stages.hint import hint
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.self_instruct import Seeds, open_seeds, self_instruct
from curator.pipeline.stages.write import write
from curator.pipeline.state import CALL_COUNTS, SubsetState
from curator.recipe.schema import FileSource, HubSource, Recipe, SelfInstruct, Subset, SubsetSource
from curator.writers import WRITERS
from datastore.memo import Outputs


@dataclass(frozen=True)
class SubsetInputs:
    """What the subsets of a recipe are made from."""

    sources: Mapping[str, LocatedSource]
    evals: Mapping[str, LocatedSource]
    seeds: Mapping[str, Seeds]
    """Seeds of the Self-Instruct subsets, by subset."""


def find_seeds(recipe: Recipe) -> dict[str, Seeds]:
    """Open the seeds of all Self-Instruct subsets; raises SourceError and RecipeError."""
    return {
        name: open_seeds(recipe.folder / subset.source.seeds)
        for name, subset in recipe.subsets.items()
        if isinstance(subset.source, SelfInstruct)
    }


def run_subset(
    context: BuildContext, name: str, inputs: SubsetInputs, built: Mapping[str, SubsetState]
) -> SubsetState:
    """Build a subset as far as its source and writers allow.

    `built` are the subsets before it in `build_order`.
    """
    sources = inputs.sources
    subset = context.recipe.subsets[name]
    match subset.source:
        case SubsetSource(subset=base):
            if base not in built:
                raise NotBuilt("hint")
            return _run_hinted(context, name, built[base])
        case SelfInstruct():
            return _run_self_instruct(context, name, subset.source, inputs, built)
    located = sources[source_name(name, subset)]
    licence = located.source.licence
    waits = _missing_teachers(context, subset)
    if located.opened is None:
        if not located.missing:
            raise NotBuilt("fetch")
        return SubsetState(subset, licence, (f"source {located.source.name}", *waits))
    ingested = ingest(context, located.source, located.opened)
    problems = problems_of(ingested, subset.part)
    if problems and isinstance(subset.source, FileSource | HubSource) and subset.source.golds:
        index = gold_index(context, {each: sources[each] for each in subset.source.golds})
        problems = (fill_gold(context, name, problems, index).objects["problems"],)
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
        return state
    if teachers and context.teacher_session:
        return _verify(context, name, *_generate(context, name, state))
    return _verify(context, name, state, write(context, name, subset, problems))


def _missing_teachers(context: BuildContext, subset: Subset) -> tuple[str, ...]:
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    return tuple(
        f"a teacher for writer {writer}" for writer in teachers if not context.teacher_session
    )


def _generate(context: BuildContext, name: str, state: SubsetState) -> tuple[SubsetState, Outputs]:
    """Let the teacher write the rationales of a subset; return its new state and the outputs."""
    assert context.teacher_session
    subset = state.subset
    outputs = generate(context, name, subset, state.problems)
    prompts = request_identity(context.teacher_session, subset, sampling_of(context, subset))[
        "prompts"
    ]
    return replace(state, replies=outputs.objects["replies"], prompts=prompts), outputs


def _run_hinted(context: BuildContext, name: str, base: SubsetState) -> SubsetState:
    """Build a subset of the rows of `base` with a user's claim in front."""
    subset = context.recipe.subsets[name]
    if not base.verdicts:
        assert isinstance(subset.source, SubsetSource)
        return SubsetState(subset, base.licence, (f"subset {subset.source.subset}",))
    state = SubsetState(
        subset, base.licence, (), problems=base.problems, agreements=base.agreements
    )
    return _verify(context, name, state, hint(context, name, base))


def _run_self_instruct(
    context: BuildContext,
    name: str,
    source: SelfInstruct,
    inputs: SubsetInputs,
    built: Mapping[str, SubsetState],
) -> SubsetState:
    """Generate new problems from seeds, and rationales for them."""
    subset = context.recipe.subsets[name]
    if not context.teacher_session:
        return SubsetState(subset, source.licence, _missing_teachers(context, subset))
    from_sources = [
        each for key, each in built.items() if _build_rank(context.recipe.subsets[key]) == 0
    ]
    existing = {digest for each in from_sources for digest in each.problems}
    for digests in find_eval_problems(context, inputs.evals).values():
        existing.update(digests)
    made = self_instruct(context, name, subset, inputs.seeds[name], sorted(existing))
    state = SubsetState(
        subset,
        source.licence,
        (),
        problems=problems_of(made),
        quarantine=made.objects["quarantine"],
        agreements=made.objects["agreements"],
        counts=made.counts,
    )
    return _verify(context, name, *_generate(context, name, state))


def _verify(context: BuildContext, name: str, state: SubsetState, written: Outputs) -> SubsetState:
    """Check the rationales that were written; return the state with rationales and verdicts."""
    rationales = written.objects["rationales"]
    verified = verify(context, name, state.subset, state.problems, rationales, state.agreements)
    # Self-Instruct makes calls for new problems, and then for their rationales.
    sums = {key: state.counts.get(key, 0) + written.counts.get(key, 0) for key in CALL_COUNTS}
    calls = sums if "calls" in written.counts else {}
    return replace(
        state,
        rationales=rationales,
        verdicts=verified.objects["verdicts"],
        counts={**state.counts, **written.counts, **calls},
        outcomes=verified.counts,
    )


def _build_rank(subset: Subset) -> int:
    """Return 0 for a subset that reads a source, 1 for Self-Instruct, 2 for one made of another."""
    kinds: tuple[type, ...] = (SelfInstruct, SubsetSource)
    return next((n for n, kind in enumerate(kinds, 1) if isinstance(subset.source, kind)), 0)


def build_order(recipe: Recipe) -> list[str]:
    """Return the subsets in an order in which each comes after those it needs."""
    return sorted(recipe.subsets, key=lambda name: _build_rank(recipe.subsets[name]))


def find_eval_problems(
    context: BuildContext, evals: Mapping[str, LocatedSource]
) -> dict[str, list[str]]:
    """Return the objects with the problems of each evaluation set that can be read."""
    return {
        name: list(problems_of(ingest(context, located.source, located.opened)))
        for name, located in evals.items()
        if located.opened
    }
