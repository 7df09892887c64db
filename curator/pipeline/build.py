"""Build a recipe into a version: subsets through ingest, write and verify, then screens and draw.

In: a recipe and a store. Out: an immutable version. Stages that are remembered are not run again,
so building again is resuming; what a killed build had finished is never lost.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from curator.core.errors import SourceError
from curator.core.progress import Listener, Silent
from curator.pipeline.context import BuildContext, open_context
from curator.pipeline.freeze import freeze, screen_and_freeze
from curator.pipeline.locate import LocatedSource, find_evals, find_sources
from curator.pipeline.stages.generate import sampling_of
from curator.pipeline.state import BuildInputs, Result, SubsetState
from curator.pipeline.subset import (
    SubsetInputs,
    build_order,
    find_seeds,
    problems_against,
    run_subset,
)
from curator.recipe.load import load_recipe
from curator.recipe.schema import Recipe
from curator.teacher import Budget
from curator.versions.content import Origin
from datastore.store import Store
from datastore.versions import Manifest


def build(
    recipe: Recipe | str | Path,
    store: str | Path = ".curator",
    *,
    mirror: str | Path | None = None,
    allow_missing: bool = False,
    workers: int | None = None,
    message: str = "",
    listener: Listener | None = None,
    unsafe_local: bool = False,
    budget: Budget | None = None,
) -> Manifest:
    """Build a recipe and return the version it makes, which is the newest one if nothing changed.

    `mirror` is a folder of upstream files, laid out as `sources/NAME/FILE` and `evals/NAME/FILE`;
    without it the Hub is read. A source that cannot be reached raises SourceError, unless
    `allow_missing`: then its subsets wait, and the version says so. `workers` is the number of
    processes that run programs, one a core by default; it changes no byte of the result. `budget`
    bounds what this build may spend on its teacher, on top of the recipe's own budget; where either
    is reached it raises BudgetReached with all answers kept.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    with ExitStack() as stack:
        opened = stack.enter_context(Store(Path(store)))
        context = open_context(
            stack, opened, recipe, workers, listener or Silent(), unsafe_local, budget=budget
        )
        return freeze(
            context, run(context, Path(mirror) if mirror else None, allow_missing), message
        )


def run(context: BuildContext, mirror: Path | None, allow_missing: bool) -> Result:
    """All stages of a recipe."""
    return run_located(
        context, find_sources(context, mirror), find_evals(context, mirror), allow_missing
    )


def run_located(
    context: BuildContext,
    sources: Mapping[str, LocatedSource],
    evals: Mapping[str, LocatedSource],
    allow_missing: bool,
) -> Result:
    """All stages of a recipe over sources and evaluation sets that were looked for."""
    recipe = context.recipe
    missing = [found.missing for found in (*sources.values(), *evals.values()) if found.missing]
    if missing and not allow_missing:
        many = f"{missing[0]} (and {len(missing) - 1} more)" if len(missing) > 1 else missing[0]
        raise SourceError(f"{many}; build without what is missing by --allow-missing")
    if context.teacher_session:
        context.teacher_session.check(
            sampling_of(context, each) for each in recipe.subsets.values()
        )
    inputs = SubsetInputs(sources, evals, find_seeds(recipe))
    reached: dict[str, SubsetState] = {}
    for name in build_order(recipe):
        reached[name] = run_subset(context, name, inputs, reached)
    read = BuildInputs(
        sources={name: _origin(found) for name, found in sources.items()}
        | {
            name: Origin(licence=reached[name].licence, revision=f"sha256:{each.digest}")
            for name, each in inputs.seeds.items()
        },
        evals={name: _origin(found) for name, found in evals.items()},
        origins={name: found.opened.origin for name, found in sources.items() if found.opened}
        | {name: str(each.path) for name, each in inputs.seeds.items()},
        against=problems_against(context, evals),
    )
    return screen_and_freeze(context, {name: reached[name] for name in recipe.subsets}, read)


def _origin(found: LocatedSource) -> Origin:
    """Return what was read: the pinned revision, or a digest of local files wherever they lie."""
    licence, opened = found.source.licence, found.opened
    if opened is None:
        return Origin(licence=licence, missing="not reached")
    return Origin(licence=licence, revision=opened.revision or f"sha256:{opened.digest}")
