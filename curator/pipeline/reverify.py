"""Judge a version's rationales again by the graders and checks of today.

In: a version. Out: the next version of its name, from the same problems, rationales and executions:
no source is read, no rationale written, and no program run whose execution the store has.
"""

from dataclasses import replace
from pathlib import Path

from curator.core.errors import UsageError
from curator.pipeline.context import BuildContext, open_context
from curator.pipeline.freeze import freeze, screen_and_freeze
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.stages.check import verify
from curator.pipeline.state import BuildInputs, SubsetState
from curator.recipe.schema import Recipe
from curator.versions.content import Content, Objects, content_of, objects_of
from datastore.store import Store
from datastore.versions import Manifest


def reverify(
    version: str,
    store: str | Path = ".curator",
    *,
    message: str = "",
    options: RunOptions = DEFAULTS,
) -> Manifest:
    """The version that today's graders make of an older one, which is that one if nothing changed.

    Its recipe is the one that the version was built by. Rationales with verdicts that changed are
    what `curator diff` shows between the two.
    """
    with Store(Path(store)) as opened:
        manifest = opened.versions.get(version)
        content, objects = content_of(manifest), objects_of(manifest)
        if objects.pulled:
            raise UsageError(
                f"{manifest.ref} was pulled: it has no rejected rows and no evaluation sets to "
                "judge again; build its recipe, or judge its rows by 'curator audit'"
            )
        executor = content.code.sandbox
        with open_context(opened, recipe_of(manifest), options, executor=executor) as context:
            subsets = {
                name: _again(context, content, objects, name) for name in context.recipe.subsets
            }
            evals = objects.evals
            inputs = BuildInputs(
                sources=content.sources,
                evals=content.evals,
                origins=objects.origins,
                # In the recipe's order, which decides between two items that share as much.
                against={name: evals[name] for name in context.recipe.evals() if name in evals},
            )
            result = screen_and_freeze(context, subsets, inputs)
            return freeze(context, result, message or f"{manifest.ref} verified again")


def recipe_of(manifest: Manifest) -> Recipe:
    """The resolved recipe that a version was built by, its subsets in their order."""
    return Recipe.model_validate(content_of(manifest).ordered_recipe())


def _again(context: BuildContext, content: Content, objects: Objects, name: str) -> SubsetState:
    """Return a subset as the version has it, with verdicts of today."""
    before, subset = content.subsets[name], context.recipe.subsets[name]
    counts = {
        "records": before.records,
        "quarantined": before.quarantined,
        "problems": before.problems,
        "rationales": before.rationales,
        "without": before.without_rationale,
    }
    reached = SubsetState(
        subset,
        before.licence,
        tuple(before.waits_for),
        problems=tuple(objects.problems.get(name, ())),
        quarantine=objects.quarantine.get(name, ""),
        rationales=objects.rationales.get(name, ""),
        agreements=objects.agreements.get(name, ""),
        replies=objects.replies.get(name, ""),
        prompts=before.taught.prompts if before.taught else {},
        counts=counts | (before.taught.counts if before.taught else {}) | before.invented,
    )
    if not reached.rationales:
        return reached
    verified = verify(
        context, name, subset, reached.problems, reached.rationales, reached.agreements
    )
    return replace(reached, verdicts=verified.objects["verdicts"], outcomes=verified.counts)
