"""A subset study: a model trained on each of several mixtures, and scored on the same problems.

In: recipes, a training recipe, evaluation sets. Out: one result a recipe, as in the ablation of
MAmmoTH. Every step leaves a file named by what it was made from, so that running it again goes on
where it was stopped, and a changed recipe repeats its own steps alone.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from curator.core.errors import UsageError
from curator.core.progress import Listener
from curator.core.samples import write_samples
from curator.pipeline.build import build
from curator.pipeline.sample import SampleRequest, known_sets, sample
from curator.recipe.load import load_recipe
from curator.recipe.yaml_document import read_document, shipped_recipes
from curator.release.export import export
from curator.teacher import TeacherSettings
from curator.versions.content import content_of
from datastore.store import Store
from trainers.evaluation.evaluate import Result, read_result, write_result
from trainers.evaluation.evaluate_files import evaluate_files
from trainers.preflight import preflight
from trainers.recipe import PART, SFT, Training, load_training
from trainers.run import NOT_WHAT
from trainers.sft import train_sft

Serving = Callable[[str], AbstractContextManager[str]]
"""From the folder of a model to the address of an endpoint that serves it meanwhile."""


@dataclass(frozen=True)
class Studied:
    """One mixture and how its model scores."""

    recipe: str
    version: str
    rows: int
    result: Result
    file: Path
    """Where the result is kept."""


def recipes_in(name: str) -> list[str]:
    """The recipes of a folder, or the shipped ones under a name such as `ablations`."""
    folder = Path(name)
    if folder.is_dir():
        found = [str(path) for path in sorted(folder.glob("*.yaml"))]
    else:
        found = [each for each in shipped_recipes() if each.startswith(f"{name.rstrip('/')}/")]
    if not found:
        raise UsageError(f"No recipes in {name}; name a folder with .yaml files, or ablations")
    return found


def study(
    recipes: Sequence[str],
    training: str,
    asked: SampleRequest,
    folder: Path,
    store: Path,
    serving: Serving,
    *,
    overrides: dict[str, str],
    sampling: dict[str, object],
    mirror: Path | None,
    allow_missing: bool,
    listener: Listener,
) -> list[Studied]:
    """One result a recipe, in their order.

    `overrides` are keys of the training recipe, `sampling` parameters of the samples. Raises
    UsageError with the command to run first where training needs several processes.
    """
    # All that may be wrong is seen before the first long step.
    loaded = [load_recipe(name) for name in recipes]
    known_sets(asked)
    _training(training, overrides, "release")
    found = []
    for recipe in loaded:
        listener.note(f"{recipe.name}: building")
        manifest = build(
            recipe, store, mirror=mirror, allow_missing=allow_missing, listener=listener
        )
        here = folder / recipe.name
        here.mkdir(parents=True, exist_ok=True)
        release = here / f"{manifest.digest[:12]}.jsonl"
        with Store(store, readonly=True) as opened:
            if not release.exists():
                export(opened, manifest, "prompt-completion", release)
        model = _trained(training, overrides, release, here, listener)
        made_from = json.dumps([model.name, repr(asked), sampling], sort_keys=True)
        key = sha256(made_from.encode()).hexdigest()[:12]
        samples, file = here / f"{key}.samples.jsonl", here / f"{key}.json"
        if not samples.exists():
            listener.note(f"{recipe.name}: sampling")
            with serving(str(model / "model")) as address, Store(store) as opened:
                settings = TeacherSettings(
                    model=str(model / "model"),
                    base_url=address,
                    family="local",
                    key_env="",
                    parameters=sampling,
                )
                problems = sample(asked, settings, opened, mirror=mirror, listener=listener)
                write_samples(problems, samples)
        if not file.exists():
            listener.note(f"{recipe.name}: scoring")
            result = evaluate_files([samples], recipe.name, trained_on=release)
            write_result(result, file)
        count = content_of(manifest).rows.count
        found.append(Studied(recipe.name, manifest.ref, count, read_result(file), file))
    return found


def _trained(
    training: str, overrides: dict[str, str], release: Path, here: Path, listener: Listener
) -> Path:
    """The folder of a run that is complete."""
    loaded = _training(training, overrides, str(release))
    made_of = loaded.model_dump_json(exclude=NOT_WHAT)
    folder = here / f"{release.stem}-{sha256(made_of.encode()).hexdigest()[:8]}"
    loaded = loaded.model_copy(update={"output": str(folder)})
    if not (folder / "model").exists():
        checked = preflight(loaded)
        lacking = [line for one in checked for line in one.missing]
        lacking += [f"several processes: {one.launch}" for one in checked if one.launch]
        if lacking:
            raise UsageError(f"{training} for {release} needs {'; '.join(lacking)}")
    listener.note(f"{here.name}: training")
    train_sft(loaded, listener.note)
    return folder


def _training(training: str, overrides: dict[str, str], release: str) -> SFT:
    """The training recipe for one mixture, as yet without a folder.

    Raises RecipeError, or UsageError if it is no SFT.
    """
    kind = read_document(training, Training, PART).values.get("train")
    if kind != "sft":
        raise UsageError(f"{training} trains {kind}; a study takes an sft")
    loaded = load_training(training, overrides | {"release": release, "output": ""})
    assert isinstance(loaded, SFT)
    return loaded
