"""Check the rationales of a version again with the current checks and graders.

In: a version. Out: the next version of its name, from the same problems and rationales. No source
is read, no rationale is written, and programs with a cached execution are not run.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from curator.core.errors import UsageError, to_one_line
from curator.pipeline.attempts import AttemptsInput
from curator.pipeline.context import BuildContext, Mode
from curator.pipeline.freeze import check_has_rows, freeze, screen_and_freeze
from curator.pipeline.open_context import open_context
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.check import check
from curator.pipeline.state import BuildInputs, SubsetState
from curator.recipe.schema import Recipe
from curator.recipe.upgrade import upgrade_recipe
from curator.versions.content import Content, Objects, content_of, objects_of
from datastore.memo import Outputs
from datastore.store import Store
from datastore.versions import Manifest


def reverify(
    version: str,
    store: str | Path = ".curator",
    *,
    message: str = "",
    options: RunOptions = DEFAULTS,
) -> Manifest:
    """Return the version that the current checks make of `version`; itself if nothing changed.

    The recipe is the one stored in the version. `curator diff` between the two versions lists the
    verdicts that changed.
    """
    with Store(Path(store)) as opened:
        manifest = opened.versions.get(version)
        content, objects = content_of(manifest), objects_of(manifest)
        if objects.pulled:
            raise UsageError(
                f"{manifest.ref} was pulled: the store has neither its rejected rows nor its "
                "evaluation sets. Build its recipe, or check its rows with 'curator audit'."
            )
        recipe, sandbox = recipe_of(manifest), content.code.sandbox
        with open_context(opened, recipe, options, Mode(sandbox_version=sandbox)) as context:
            subsets = {
                name: _reverify_subset(context, content, objects, name)
                for name in context.recipe.subsets
            }
            evals = objects.evals
            inputs = BuildInputs(
                sources=content.sources,
                evals=content.evals,
                origins=objects.origins,
                # In the recipe's order, which decides between items with the same overlap.
                eval_problems={
                    name: evals[name] for name in context.recipe.evals() if name in evals
                },
                lists=objects.lists,
                list_files=content.lists,
                attempts={
                    name: AttemptsInput(each.model, each.sha256, objects.solutions[name])
                    for name, each in content.attempts.items()
                },
            )
            result = screen_and_freeze(context, subsets, inputs)
            check_has_rows(recipe.name, result)
            command = ["reverify", manifest.ref, *options.arguments()]
            return freeze(context, result, message or f"{manifest.ref} verified again", command)


def recipe_of(manifest: Manifest) -> Recipe:
    """Return the resolved recipe of a version, with the subsets in their order.

    Raises UsageError if this version of Curator does not accept it.
    """
    try:
        return Recipe.model_validate(upgrade_recipe(content_of(manifest).ordered_recipe()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = to_one_line(".".join(map(str, first["loc"])), 60)
        raise UsageError(
            f"The recipe in {manifest.ref} is not valid at '{place}': "
            f"{to_one_line(first['msg'])}. Build a recipe file instead."
        ) from None


def _reverify_subset(
    context: BuildContext, content: Content, objects: Objects, name: str
) -> SubsetState:
    """Return a subset as the version has it, with the verdicts of the current checks."""
    before, subset = content.subsets[name], context.recipe.subsets[name]
    counts = {
        "records": before.records,
        "quarantined": before.quarantined,
        "problems": before.problems,
        "rationales": before.rationales,
        "without": before.without_rationale,
    }
    state = SubsetState(
        subset,
        before.licence,
        tuple(before.waits_for),
        problems=tuple(objects.problems.get(name, ())),
        quarantine=objects.quarantine.get(name, ""),
        rationales=tuple(objects.rationales.get(name, ())),
        agreements=objects.agreements.get(name, ""),
        replies=objects.replies.get(name, ""),
        attempts=objects.attempts.get(name, ""),
        prompts=before.taught.prompts if before.taught else {},
        counts=counts | (before.taught.counts if before.taught else {}) | before.invented,
    )
    if not state.rationales:
        return state
    problems, rationales = state.problems, state.rationales
    if len(problems) == len(rationales):
        pairs = [([one], [other]) for one, other in zip(problems, rationales, strict=True)]
    else:  # an older release wrote all rationales into one object
        pairs = [(list(problems), list(rationales))]
    shards = [
        Shard(partial(context.store.objects.total_rows, each[1]), (name, *each, state.agreements))
        for each in pairs
    ]
    done = run_shards(context, check_shard, shards, "checking")
    outcomes: Counter[str] = Counter()
    for each in done:
        outcomes.update(each.counts)
    verdicts = tuple(each.objects["verdicts"] for each in done)
    return replace(state, verdicts=verdicts, outcomes=dict(outcomes))


def check_shard(
    context: BuildContext,
    name: str,
    problems: Sequence[str],
    rationales: Sequence[str],
    agreements: str,
) -> Outputs:
    """Return the outputs of stage `check` for one shard."""
    return check(context, name, problems, rationales, agreements)
