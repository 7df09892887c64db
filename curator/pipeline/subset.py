"""One subset of a recipe: read, invented or made of another, then written and proved.

In: a subset, the sources that were found, and the subsets before it. Out: how far it came, with its
objects. Subsets that invent problems come after those that read some, which they must not repeat.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from curator.pipeline.context import NotBuilt, Workshop
from curator.pipeline.locate import Found, source_name
from curator.pipeline.stages.check import verify
from curator.pipeline.stages.fill_gold import known_golds, lend
from curator.pipeline.stages.generate import asked, sampling_of, teach
from curator.pipeline.stages.hint import hint
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.self_instruct import Seeds, invent, open_seeds
from curator.pipeline.stages.write import write
from curator.pipeline.state import TAUGHT, Progressed
from curator.recipe.schema import FileSource, HubSource, Recipe, SelfInstruct, Subset, SubsetSource
from curator.writers import WRITERS
from datastore.memo import Outputs


@dataclass(frozen=True)
class Inputs:
    """What the subsets of a recipe are made from, as it was found before any stage."""

    sources: Mapping[str, Found]
    evals: Mapping[str, Found]
    seeds: Mapping[str, Seeds]
    """By subset, of those that invent problems."""


def find_seeds(recipe: Recipe) -> dict[str, Seeds]:
    """The seeds of all subsets that invent problems; raises SourceError and RecipeError."""
    return {
        name: open_seeds(recipe.folder / subset.source.seeds)
        for name, subset in recipe.subsets.items()
        if isinstance(subset.source, SelfInstruct)
    }


def advance(
    shop: Workshop, name: str, inputs: Inputs, reached: Mapping[str, Progressed]
) -> Progressed:
    """One subset as far as its source and writers allow.

    `reached` are the subsets before it in `order`.
    """
    sources = inputs.sources
    subset = shop.recipe.subsets[name]
    match subset.source:
        case SubsetSource(subset=base):
            if base not in reached:
                raise NotBuilt("hint")
            return _hinted(shop, name, reached[base])
        case SelfInstruct():
            return _invented(shop, name, subset.source, inputs, reached)
    found = sources[source_name(name, subset)]
    licence = found.source.licence
    waits = _waits(shop, subset)
    if found.opened is None:
        if not found.missing:
            raise NotBuilt("fetch")
        return Progressed(subset, licence, (f"source {found.source.name}", *waits))
    ingested = ingest(shop, found.source, found.opened)
    problems = problems_of(ingested, subset.part)
    if problems and isinstance(subset.source, FileSource | HubSource) and subset.source.golds:
        known = known_golds(shop, {each: sources[each] for each in subset.source.golds})
        problems = (lend(shop, name, problems, known).objects["problems"],)
    if not problems:
        what = f"a problem in part {subset.part}" if subset.part else "a problem that parses"
        waits = (f"{what} of source {found.source.name}", *waits)
    read = Progressed(
        subset,
        licence,
        waits,
        problems=problems,
        quarantine=ingested.objects["quarantine"],
        counts=ingested.counts,
    )
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    if not problems or (len(teachers) == len(subset.writers) and not shop.teaching):
        return read
    if teachers and shop.teaching:
        return _proved(shop, name, *_taught(shop, name, read))
    return _proved(shop, name, read, write(shop, name, subset, problems))


def _waits(shop: Workshop, subset: Subset) -> tuple[str, ...]:
    teachers = [writer for writer in subset.writers if WRITERS[writer].teacher]
    return tuple(f"a teacher for writer {writer}" for writer in teachers if not shop.teaching)


def _taught(shop: Workshop, name: str, read: Progressed) -> tuple[Progressed, Outputs]:
    """What a teacher writes about problems that were read or invented."""
    assert shop.teaching
    subset = read.subset
    written = teach(shop, name, subset, read.problems)
    prompts = asked(shop.teaching, subset, sampling_of(shop, subset))["prompts"]
    return replace(read, replies=written.objects["replies"], prompts=prompts), written


def _hinted(shop: Workshop, name: str, base: Progressed) -> Progressed:
    """Rows of another subset with claims in front."""
    subset = shop.recipe.subsets[name]
    if not base.verdicts:
        assert isinstance(subset.source, SubsetSource)
        return Progressed(subset, base.licence, (f"subset {subset.source.subset}",))
    read = Progressed(subset, base.licence, (), problems=base.problems, agreements=base.agreements)
    return _proved(shop, name, read, hint(shop, name, base))


def _invented(
    shop: Workshop,
    name: str,
    source: SelfInstruct,
    inputs: Inputs,
    reached: Mapping[str, Progressed],
) -> Progressed:
    """New problems after seeds, and what the teacher writes about them."""
    subset = shop.recipe.subsets[name]
    if not shop.teaching:
        return Progressed(subset, source.licence, _waits(shop, subset))
    plain = [each for key, each in reached.items() if in_order(shop.recipe.subsets[key]) == 0]
    against = problems_against(shop, inputs.evals)
    read_by_all = {digest for each in plain for digest in each.problems}
    read_by_all.update(digest for digests in against.values() for digest in digests)
    made = invent(shop, name, subset, inputs.seeds[name], sorted(read_by_all))
    read = Progressed(
        subset,
        source.licence,
        (),
        problems=problems_of(made),
        quarantine=made.objects["quarantine"],
        agreements=made.objects["agreements"],
        counts=made.counts,
    )
    return _proved(shop, name, *_taught(shop, name, read))


def _proved(shop: Workshop, name: str, read: Progressed, written: Outputs) -> Progressed:
    """Rationales with their verdicts."""
    rationales = written.objects["rationales"]
    verified = verify(shop, name, read.subset, read.problems, rationales, read.agreements)
    # A teacher is asked for new problems, and then about them.
    both = {key: read.counts.get(key, 0) + written.counts.get(key, 0) for key in TAUGHT}
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


def order(recipe: Recipe) -> list[str]:
    """The subsets in the order in which they need each other."""
    return sorted(recipe.subsets, key=lambda name: in_order(recipe.subsets[name]))


def problems_against(shop: Workshop, evals: Mapping[str, Found]) -> dict[str, list[str]]:
    """Objects with the problems of each evaluation set that could be reached."""
    return {
        name: list(problems_of(ingest(shop, found.source, found.opened)))
        for name, found in evals.items()
        if found.opened
    }
