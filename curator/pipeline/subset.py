"""One subset of a recipe: read, invented or made of another, then written and proved.

In: a subset, the sources that were found, and the subsets before it. Out: how far it came, with its
objects. Subsets that invent problems come after those that read some, which they must not repeat.
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
    """What the subsets of a recipe are made from, as it was found before any stage."""

    sources: Mapping[str, LocatedSource]
    evals: Mapping[str, LocatedSource]
    seeds: Mapping[str, Seeds]
    """By subset, of those that invent problems."""


def find_seeds(recipe: Recipe) -> dict[str, Seeds]:
    """The seeds of all subsets that invent problems; raises SourceError and RecipeError."""
    return {
        name: open_seeds(recipe.folder / subset.source.seeds)
        for name, subset in recipe.subsets.items()
        if isinstance(subset.source, SelfInstruct)
    }


def run_subset(
    context: BuildContext, name: str, inputs: SubsetInputs, reached: Mapping[str, SubsetState]
) -> SubsetState:
    """One subset as far as its source and writers allow.

    `reached` are the subsets before it in `order`.
    """
    sources = inputs.sources
    subset = context.recipe.subsets[name]
    match subset.source:
        case SubsetSource(subset=base):
            if base not in reached:
                raise NotBuilt("hint")
            return _hinted(context, name, reached[base])
        case SelfInstruct():
            return _invented(context, name, subset.source, inputs, reached)
    found = sources[source_name(name, subset)]
    licence = found.source.licence
    waits = _waits(context, subset)
    if found.opened is None:
        if not found.missing:
            raise NotBuilt("fetch")
        return SubsetState(subset, licence, (f"source {found.source.name}", *waits))
    ingested = ingest(context, found.source, found.opened)
    problems = problems_of(ingested, subset.part)
    if problems and isinstance(subset.source, FileSource | HubSource) and subset.source.golds:
        known = gold_index(context, {each: sources[each] for each in subset.source.golds})
        problems = (fill_gold(context, name, problems, known).objects["problems"],)
    if not problems:
        what = f"a problem in part {subset.part}" if subset.part else "a problem that parses"
        waits = (f"{what} of source {found.source.name}", *waits)
    read = SubsetState(
        subset,
        licence,
        waits,
        problems=problems,
        quarantine=ingested.objects["quarantine"],
        counts=ingested.counts,
    )
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    if not problems or (len(teachers) == len(subset.writers) and not context.teacher_session):
        return read
    if teachers and context.teacher_session:
        return _proved(context, name, *_taught(context, name, read))
    return _proved(context, name, read, write(context, name, subset, problems))


def _waits(context: BuildContext, subset: Subset) -> tuple[str, ...]:
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    return tuple(
        f"a teacher for writer {writer}" for writer in teachers if not context.teacher_session
    )


def _taught(context: BuildContext, name: str, read: SubsetState) -> tuple[SubsetState, Outputs]:
    """What a teacher writes about problems that were read or invented."""
    assert context.teacher_session
    subset = read.subset
    written = generate(context, name, subset, read.problems)
    prompts = request_identity(context.teacher_session, subset, sampling_of(context, subset))[
        "prompts"
    ]
    return replace(read, replies=written.objects["replies"], prompts=prompts), written


def _hinted(context: BuildContext, name: str, base: SubsetState) -> SubsetState:
    """Rows of another subset with claims in front."""
    subset = context.recipe.subsets[name]
    if not base.verdicts:
        assert isinstance(subset.source, SubsetSource)
        return SubsetState(subset, base.licence, (f"subset {subset.source.subset}",))
    read = SubsetState(subset, base.licence, (), problems=base.problems, agreements=base.agreements)
    return _proved(context, name, read, hint(context, name, base))


def _invented(
    context: BuildContext,
    name: str,
    source: SelfInstruct,
    inputs: SubsetInputs,
    reached: Mapping[str, SubsetState],
) -> SubsetState:
    """New problems after seeds, and what the teacher writes about them."""
    subset = context.recipe.subsets[name]
    if not context.teacher_session:
        return SubsetState(subset, source.licence, _waits(context, subset))
    plain = [each for key, each in reached.items() if in_order(context.recipe.subsets[key]) == 0]
    against = problems_against(context, inputs.evals)
    read_by_all = {digest for each in plain for digest in each.problems}
    read_by_all.update(digest for digests in against.values() for digest in digests)
    made = self_instruct(context, name, subset, inputs.seeds[name], sorted(read_by_all))
    read = SubsetState(
        subset,
        source.licence,
        (),
        problems=problems_of(made),
        quarantine=made.objects["quarantine"],
        agreements=made.objects["agreements"],
        counts=made.counts,
    )
    return _proved(context, name, *_taught(context, name, read))


def _proved(context: BuildContext, name: str, read: SubsetState, written: Outputs) -> SubsetState:
    """Rationales with their verdicts."""
    rationales = written.objects["rationales"]
    verified = verify(context, name, read.subset, read.problems, rationales, read.agreements)
    # A teacher is asked for new problems, and then about them.
    both = {key: read.counts.get(key, 0) + written.counts.get(key, 0) for key in CALL_COUNTS}
    asked = both if "calls" in written.counts else {}
    return replace(
        read,
        rationales=rationales,
        verdicts=verified.objects["verdicts"],
        counts={**read.counts, **written.counts, **asked},
        outcomes=verified.counts,
    )


def in_order(subset: Subset) -> int:
    """0 for subsets that read a source, 1 for those that invent, 2 for those made of another."""
    kinds: tuple[type, ...] = (SelfInstruct, SubsetSource)
    return next((n for n, kind in enumerate(kinds, 1) if isinstance(subset.source, kind)), 0)


def build_order(recipe: Recipe) -> list[str]:
    """The subsets in the order in which they need each other."""
    return sorted(recipe.subsets, key=lambda name: in_order(recipe.subsets[name]))


def problems_against(
    context: BuildContext, evals: Mapping[str, LocatedSource]
) -> dict[str, list[str]]:
    """Objects with the problems of each evaluation set that could be reached."""
    return {
        name: list(problems_of(ingest(context, found.source, found.opened)))
        for name, found in evals.items()
        if found.opened
    }
