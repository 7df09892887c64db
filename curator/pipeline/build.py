"""Build a recipe into a version: ingest, write and verify each subset; then screens and draw.

In: a recipe and a store. Out: an immutable version. The result of every stage is cached, so a rerun
resumes a build that was stopped or killed.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from curator.core.errors import SourceError
from curator.pipeline.attempts import open_attempts, read_attempts
from curator.pipeline.context import BuildContext
from curator.pipeline.freeze import check_has_rows, freeze, screen_and_freeze
from curator.pipeline.lists import open_lists, store_lists
from curator.pipeline.locate import LocatedSource, find_evals, find_sources
from curator.pipeline.open_context import open_context
from curator.pipeline.requests import sampling_of
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.stages.ingest import find_eval_problems, ingest_all
from curator.pipeline.stages.screen import find_screen_tokenizer
from curator.pipeline.state import BuildInputs, Result, SubsetInputs, SubsetState
from curator.pipeline.subset import (
    build_order,
    open_files,
    run_subsets,
)
from curator.recipe.load import load_recipe
from curator.recipe.schema import Recipe
from curator.versions.content import Origin
from datastore.store import Store
from datastore.versions import Manifest


def build(
    recipe: Recipe | str | Path,
    store: str | Path = ".curator",
    *,
    message: str = "",
    options: RunOptions = DEFAULTS,
) -> Manifest:
    """Build a recipe and return its version; an unchanged recipe returns the newest version.

    `recipe` is a recipe, the path of its file or the name of a shipped one, `message` the message
    of the new version. Rerun a build that was stopped to resume it. Raises SourceError if a source
    cannot be read, unless `options.allow_missing`; UsageError if the version would have no rows;
    BudgetReached, with all replies cached, if the next call might exceed `options.budget` or the
    recipe's own budget.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    with Store(Path(store)) as opened, open_context(opened, recipe, options) as context:
        result = run_stages(context, *find_inputs(context))
        check_has_rows(context.recipe.name, result)
        return freeze(context, result, message, _command(recipe, options))


def _command(recipe: Recipe, options: RunOptions) -> list[str]:
    """Return the arguments of `curator` that repeat a build; none if the recipe has no file."""
    return ["build", recipe.file, *options.arguments()] if recipe.file else []


def find_inputs(
    context: BuildContext,
) -> tuple[dict[str, LocatedSource], dict[str, LocatedSource]]:
    """Return the located sources and evaluation sets of a build.

    What the user can repair is checked first: the recipe's own files are read, and tokenizers
    loaded, before evaluation sets are searched on the Hub. Raises SourceError and UsageError.
    """
    for _, parameters in context.recipe.active_screens():
        find_screen_tokenizer(context, parameters)
    sources = find_sources(context)
    own = {name: each for name, each in sources.items() if each.source.local}
    _report_missing(context, own.values())
    ingest_all(context, own)
    return sources, find_evals(context)


def _report_missing(context: BuildContext, located: Collection[LocatedSource]) -> list[str]:
    """Return why sources cannot be read. Raises SourceError unless they may be missing."""
    missing = [each.missing for each in located if each.missing]
    if missing and not context.options.allow_missing:
        others = ", ".join(
            each.source.folder or each.source.name for each in located if each.missing
        )
        also = f" Missing: {others}." if len(missing) > 1 else ""
        raise SourceError(
            f"{missing[0].rstrip('.')}.{also} To build without them, use --allow-missing."
        )
    return missing


def run_stages(
    context: BuildContext,
    sources: Mapping[str, LocatedSource],
    evals: Mapping[str, LocatedSource],
) -> Result:
    """Run all stages of a recipe on the located sources and evaluation sets.

    Raises SourceError if one of them cannot be read, unless `context.options.allow_missing`.
    """
    recipe = context.recipe
    missing = _report_missing(context, (*sources.values(), *evals.values()))
    if context.teacher_session:
        context.teacher_session.check(
            sampling_of(context, each) for each in recipe.subsets.values()
        )
    inputs, lists = SubsetInputs(sources, evals, open_files(recipe)), open_lists(recipe)
    attempts = read_attempts(context, open_attempts(recipe))
    ingest_all(context, sources, evals.values())
    reached: dict[str, SubsetState] = {}
    for names in build_order(recipe):
        reached |= run_subsets(context, names, inputs, reached)
    if missing and not any(state.verdicts for state in reached.values()):
        raise SourceError(f"{recipe.name}: no subset can be built. {missing[0]}")
    read = BuildInputs(
        sources={name: _origin(located) for name, located in sources.items()}
        | {
            name: Origin(licence=reached[name].licence, revision=f"sha256:{each.digest}")
            for name, each in inputs.files.items()
        },
        evals={name: _origin(located) for name, located in evals.items()},
        origins={name: located.opened.origin for name, located in sources.items() if located.opened}
        | {name: str(each.path) for name, each in inputs.files.items()},
        eval_problems=find_eval_problems(context, evals),
        lists=store_lists(context, lists),
        list_files={key: file.digest for key, file in lists.items()},
        attempts=attempts,
    )
    return screen_and_freeze(context, {name: reached[name] for name in recipe.subsets}, read)


def _origin(located: LocatedSource) -> Origin:
    """Return what was read: the pinned revision, or a digest of local files wherever they lie."""
    licence, opened = located.source.licence, located.opened
    if opened is None:
        return Origin(licence=licence, missing="not reached")
    return Origin(licence=licence, revision=opened.revision or f"sha256:{opened.digest}")
