"""A subset study: train a model on each of several mixtures and score all on the same problems.

In: recipes, a training recipe, evaluation sets. Out: one result per recipe, as in the ablation of
MAmmoTH. Every step writes a file named after its inputs, so a rerun resumes where the study
stopped, and a changed recipe repeats only its own steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curator.cli.model_steps import (
    Evaluation,
    ModelServer,
    Trained,
    export_release,
    load_sft,
    lock_folder,
    score_model,
    train_model,
)
from curator.core.errors import UsageError
from curator.pipeline.build import build
from curator.pipeline.run_options import RunOptions
from curator.pipeline.sample import SampleRequest, find_sets
from curator.recipe.load import load_recipe
from curator.recipe.schema import Recipe
from curator.recipe.yaml_document import shipped_recipes
from curator.versions.content import content_of
from trainers.evaluation.evaluate import Result


@dataclass(frozen=True)
class StudyRequest:
    """What is trained and how it is scored."""

    recipes: Sequence[str]
    training: str
    """Training recipe, the same for every mixture."""
    sampling: SampleRequest
    """Evaluation sets, and how solutions are sampled."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Parameters of the sampling calls: temperature, max_tokens."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Keys of the training recipe that are replaced."""


@dataclass(frozen=True)
class MixtureResult:
    """One mixture and the scores of its model."""

    recipe: str
    version: str
    rows: int
    result: Result
    file: Path
    """File of the result."""


def recipes_in(name: str) -> list[str]:
    """Return the recipes in a folder, or the shipped ones under a name such as `ablations`."""
    folder = Path(name)
    if folder.is_dir():
        recipes = [str(path) for path in sorted(folder.glob("*.yaml"))]
    else:
        recipes = [each for each in shipped_recipes() if each.startswith(f"{name.rstrip('/')}/")]
    if not recipes:
        raise UsageError(f"No recipes in {name}. Choose a folder with .yaml files, or 'ablations'.")
    return recipes


def study(
    request: StudyRequest,
    folder: Path,
    store: Path,
    serve: ModelServer,
    options: RunOptions,
) -> list[MixtureResult]:
    """Return one result per recipe, in the order of the recipes; all files go to `folder`.

    Raises UsageError with the command to run first if training needs several processes.
    """
    # Validate all inputs before the first long step.
    recipes = [load_recipe(name) for name in request.recipes]
    find_sets(request.sampling)
    load_sft(request.training, request.overrides, "release")
    evaluation = Evaluation(request.sampling, request.parameters, store, options)
    with lock_folder(folder):
        return [_train_and_score(request, each, folder, evaluation, serve) for each in recipes]


def _train_and_score(
    request: StudyRequest,
    recipe: Recipe,
    folder: Path,
    evaluation: Evaluation,
    serve: ModelServer,
) -> MixtureResult:
    store, options = evaluation.store, evaluation.options
    options.listener.note(f"{recipe.name}: building")
    manifest = build(recipe, store, options=options)
    run_folder = folder / recipe.name
    release = export_release(store, manifest, run_folder)
    training = load_sft(request.training, request.overrides, str(release))
    model = train_model(training, recipe.name, options.listener) / "model"
    trained = Trained(recipe.name, str(model), release)
    result, file = score_model(trained, evaluation, run_folder, serve)
    count = content_of(manifest).rows.count
    return MixtureResult(recipe.name, manifest.ref, count, result, file)
