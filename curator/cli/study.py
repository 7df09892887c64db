"""A subset study: train a model on each of several mixtures and score all on the same problems.

In: recipes, a training recipe, evaluation sets. Out: one result per recipe, as in the ablation of
MAmmoTH. Every step writes a file named after its inputs, so a rerun resumes where the study
stopped, and a changed recipe repeats only its own steps.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

from curator.core.errors import UsageError
from curator.core.progress import Listener
from curator.core.samples import write_samples
from curator.pipeline.build import build
from curator.pipeline.grade import grade_in_shards
from curator.pipeline.run_options import RunOptions
from curator.pipeline.sample import SampleRequest, find_sets, sample
from curator.recipe.load import load_recipe
from curator.recipe.yaml_document import read_document, shipped_recipes
from curator.release.export import export
from curator.teacher import TeacherSettings
from curator.teacher.local_server import digest_model
from curator.versions.content import content_of
from datastore.store import Store
from trainers.evaluation.evaluate import Result, read_result, write_result
from trainers.evaluation.evaluate_files import evaluate_files
from trainers.preflight import preflight
from trainers.recipe import PART, SFT, Training, load_training
from trainers.run import IGNORED_KEYS
from trainers.sft import train_sft

ModelServer = Callable[[str], AbstractContextManager[str]]
"""Serves the model in a folder; yields the address of its endpoint."""


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
    _load_sft(request, "release")
    listener = options.listener
    results = []
    for recipe in recipes:
        listener.note(f"{recipe.name}: building")
        manifest = build(recipe, store, options=options)
        run_folder = folder / recipe.name
        run_folder.mkdir(parents=True, exist_ok=True)
        release = run_folder / f"{manifest.digest[:12]}.jsonl"
        with Store(store, readonly=True) as opened:
            if not release.exists():
                export(opened, manifest, "prompt-completion", release)
        model = _train(request, release, run_folder, listener)
        # The folder's name states what was trained; a retrained model may differ all the same.
        digest = digest_model(str(model / "model"))
        inputs = json.dumps(
            [model.name, digest, repr(request.sampling), dict(request.parameters)], sort_keys=True
        )
        key = sha256(inputs.encode()).hexdigest()[:12]
        samples, file = run_folder / f"{key}.samples.jsonl", run_folder / f"{key}.json"
        if not samples.exists():
            listener.note(f"{recipe.name}: sampling")
            with serve(str(model / "model")) as address, Store(store) as opened:
                settings = TeacherSettings(
                    model=str(model / "model"),
                    base_url=address,
                    family=f"local {digest}",
                    key_env="",
                    parameters=dict(request.parameters),
                )
                write_samples(sample(request.sampling, settings, opened, options), samples)
        if not file.exists():
            listener.note(f"{recipe.name}: scoring")
            grade = partial(grade_in_shards, store=store, options=options)
            result = evaluate_files([samples], recipe.name, grade, trained_on=release)
            write_result(result, file)
        count = content_of(manifest).rows.count
        results.append(MixtureResult(recipe.name, manifest.ref, count, read_result(file), file))
    return results


def _train(request: StudyRequest, release: Path, run_folder: Path, listener: Listener) -> Path:
    """Train on a release, unless that is done; return the folder of the run."""
    training = _load_sft(request, str(release))
    inputs = training.model_dump_json(exclude=IGNORED_KEYS)
    folder = run_folder / f"{release.stem}-{sha256(inputs.encode()).hexdigest()[:8]}"
    training = training.model_copy(update={"output": str(folder)})
    if not (folder / "model").exists():
        checks = preflight(training)
        missing = [line for one in checks for line in one.missing]
        missing += [f"several processes: {one.launch}" for one in checks if one.launch]
        if missing:
            raise UsageError(f"{request.training} for {release} needs {'; '.join(missing)}")
    listener.note(f"{run_folder.name}: training")
    train_sft(training, listener.note)
    return folder


def _load_sft(request: StudyRequest, release: str) -> SFT:
    """Load the training recipe for one release, without an output folder.

    Raises RecipeError, and UsageError if it is not an SFT recipe.
    """
    kind = read_document(request.training, Training, PART).values.get("train")
    if kind != "sft":
        raise UsageError(
            f"{request.training} trains {kind}. A study needs a recipe with train: sft."
        )
    overrides = {**request.overrides, "release": release, "output": ""}
    training = load_training(request.training, overrides)
    assert isinstance(training, SFT)
    return training
