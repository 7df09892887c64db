"""Prepare the problems of subsets: fill golds, apply errata, open choices.

In: objects of problems as ingested. Out: the objects that the subset's rationales are written from,
shard by shard, through stages `fill_gold`, `apply_errata` and `open_choices`. Rows that need no
teacher are written and checked while their problems are in memory.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

from curator.core.errata import read_errata
from curator.pipeline.context import BuildContext
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.apply_errata import correct_shard
from curator.pipeline.stages.fill_gold import fill_shard
from curator.pipeline.stages.open_choices import open_shard
from curator.pipeline.stages.write_and_check import is_prepared, needs_no_teacher, write_and_check
from curator.pipeline.state import TO_WRITE


@dataclass(frozen=True, slots=True)
class Prepared:
    """The problems of a subset as its writers get them; or of one shard of it."""

    problems: tuple[str, ...] = ()
    """Objects, in upstream's order."""
    ruled: tuple[str, ...] = ()
    """Which rulings were applied, one object per object of problems; none without errata."""
    rulings: Mapping[str, int] = field(default_factory=dict)
    """Numbers of problems with a ruling, by its result; empty without errata."""


def prepare(
    context: BuildContext, ingested: Mapping[str, Sequence[str]], golds: Mapping[str, str]
) -> dict[str, Prepared]:
    """Return the problems of subsets, given those of their sources.

    `golds` are the objects of gold answers for the subsets that fill some. Raises UsageError if the
    file of the recipe's errata is missing or invalid.
    """
    recipe = context.recipe
    rulings = read_errata(recipe.folder / recipe.errata) if recipe.errata else {}
    # Without reasons: a better wording changes nothing.
    applied = [asdict(each) | {"reason": ""} for each in rulings.values()]
    calls = [
        (name, each, golds.get(name, ""), applied)
        for name, problems in ingested.items()
        for each in problems
        if is_prepared(recipe, recipe.subsets[name])
    ]
    rows = context.store.objects.rows
    shards = [Shard(partial(rows, call[1]), call) for call in calls]
    done = run_shards(context, prepare_shard, shards, "preparing rows")
    by_subset: dict[str, list[Prepared]] = {name: [] for name, *_ in calls}
    for (name, *_), prepared in zip(calls, done, strict=True):
        by_subset[name].append(prepared)
    return {
        name: _join(by_subset[name]) if name in by_subset else Prepared(tuple(problems))
        for name, problems in ingested.items()
    }


def prepare_shard(
    context: BuildContext,
    name: str,
    problems: str,
    golds: str,
    applied: Sequence[Mapping[str, object]],
) -> Prepared:
    """Prepare one object of problems of a subset; write and check its rows if no teacher does."""
    subset = context.recipe.subsets[name]
    if golds:
        problems = fill_shard(context, name, problems, golds).objects["problems"]
    ruled: tuple[str, ...] = ()
    rulings: Mapping[str, int] = {}
    if context.recipe.errata:
        corrected = correct_shard(context, name, problems, applied)
        problems = corrected.objects["problems"]
        ruled, rulings = (corrected.objects["ruled"],), corrected.counts
    if subset.open_choices:
        problems = open_shard(context, name, problems).objects["problems"]
    if needs_no_teacher(subset) and not context.dry:
        write_and_check(context, name, problems, TO_WRITE, "")
    return Prepared((problems,), ruled, rulings)


def _join(shards: Sequence[Prepared]) -> Prepared:
    rulings: Counter[str] = Counter()
    for each in shards:
        rulings.update(each.rulings)
    return Prepared(
        tuple(digest for each in shards for digest in each.problems),
        tuple(digest for each in shards for digest in each.ruled),
        dict(rulings),
    )
