"""Steps that `curator study` and `curator improve` share: release, train, sample and score.

In: a version, a training recipe, a model. Out: files in the folder of the run, each named after its
inputs, so that a rerun resumes and repeats only what a change affects.
"""

import errno
import gc
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from curator.core.errors import CuratorError, TeacherError, UsageError
from curator.core.files import write_aside
from curator.core.progress import Listener
from curator.core.samples import SampledProblem, write_samples
from curator.core.words import counted
from curator.pipeline.grade import RULES, grade_in_shards
from curator.pipeline.run_options import RunOptions
from curator.pipeline.sample import SampleRequest, digest_sets, sample
from curator.recipe.yaml_document import read_document
from curator.release.export import export
from curator.teacher import TeacherSettings
from curator.teacher.local_server import COMMAND, digest_model, serve
from datastore.locks import try_lock
from datastore.store import Store
from datastore.versions import Manifest
from trainers.evaluation.evaluate import Result, read_result, write_result
from trainers.evaluation.evaluate_files import evaluate_files
from trainers.preflight import find_absent_model, preflight
from trainers.recipe import PART, SFT, Training, load_training
from trainers.run import IGNORED_KEYS
from trainers.sft import train_sft

NO_SPACE = os.strerror(errno.ENOSPC)
ModelServer = Callable[[str], AbstractContextManager[str]]
"""Serves a model, by its folder or Hub id; yields the address of its endpoint."""


@dataclass(frozen=True)
class Evaluation:
    """How a model is sampled and scored."""

    sampling: SampleRequest
    """Evaluation sets, and how solutions are sampled."""
    parameters: Mapping[str, object]
    """Parameters of the sampling calls: temperature, max_tokens."""
    store: Path
    options: RunOptions


@dataclass(frozen=True)
class Trained:
    """A model to be scored."""

    name: str
    """Name in results and notes."""
    model: str
    """Folder or Hub id."""
    release: Path | None = None
    """File that it was trained on; None for a base model."""


def export_release(store: Path, manifest: Manifest, folder: Path) -> Path:
    """Export a version to train on, unless that is done; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    release = folder / f"{manifest.digest[:12]}.jsonl"
    if not release.exists():
        with Store(store, readonly=True) as opened:
            export(opened, manifest, "prompt-completion", release)
    return release


def load_sft(training: str, overrides: Mapping[str, str], release: str) -> SFT:
    """Load a training recipe for one release, without an output folder.

    Raises RecipeError, and UsageError if it is not an SFT recipe or its model is not there.
    """
    kind = read_document(training, Training, PART).values.get("train")
    if kind != "sft":
        raise UsageError(f"{training} trains {kind}. Choose a training recipe with train: sft.")
    loaded = load_training(training, {**overrides, "release": release, "output": ""})
    assert isinstance(loaded, SFT)
    if absent := find_absent_model(loaded.model):
        raise UsageError(f"{training} needs {absent}. Choose another model with --model.")
    return loaded


def train_model(training: SFT, name: str, listener: Listener) -> Path:
    """Train on the recipe's release, unless that is done; return the folder of the run.

    It is beside the release. Raises UsageError with the command to run first if training needs
    several processes.
    """
    release = Path(training.release)
    inputs = training.model_dump_json(exclude=IGNORED_KEYS)
    folder = release.with_name(f"{release.stem}-{sha256(inputs.encode()).hexdigest()[:8]}")
    training = training.model_copy(update={"output": str(folder)})
    if not (folder / "model").exists():
        checks = preflight(training)
        missing = [line for one in checks for line in one.missing]
        missing += [f"several processes: {one.launch}" for one in checks if one.launch]
        if missing:
            raise UsageError(f"{training.name} for {release} needs {'; '.join(missing)}")
    listener.note(f"{name}: training")
    try:
        train_sft(training, listener.note)
    except Exception as error:  # safetensors and torch have exceptions of their own for it
        if NO_SPACE not in str(error):
            raise
        raise CuratorError(
            f"Cannot write {folder}: {NO_SPACE}. Free some space, then rerun to resume."
        ) from error
    _free_gpu()
    return folder


def _free_gpu() -> None:
    """Give back the memory of the GPU, which a server of the trained model needs next."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


def endpoint_of(model: str, address: str, parameters: Mapping[str, object]) -> TeacherSettings:
    """Return the settings of a served model; calls are cached by the digest of its files."""
    return TeacherSettings(
        model=model,
        base_url=address,
        family=f"local {digest_model(model)}".strip(),
        key_env="",
        parameters=dict(parameters),
    )


def score_model(
    trained: Trained, evaluation: Evaluation, folder: Path, start: ModelServer
) -> tuple[Result, Path]:
    """Sample a model and score it, unless that is done; return the result and its file.

    Raises TeacherError if calls failed because the server is gone; no sample is kept then.
    """
    parts = Path(trained.model).parent.name if trained.release else trained.model
    options = evaluation.options
    sets = digest_sets(evaluation.sampling, options.mirror_folder)
    inputs = [parts, digest_model(trained.model), repr(evaluation.sampling), sets]
    text = json.dumps([*inputs, dict(evaluation.parameters)], sort_keys=True)
    key = sha256(text.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    samples = folder / f"{key}.samples.jsonl"
    file = folder / f"{key}-{RULES}.json"
    if not samples.exists():
        options.listener.note(f"{trained.name}: sampling")
        with (
            start(trained.model) as address,
            Store(evaluation.store) as opened,
            write_aside(samples) as temporary,
        ):
            settings = endpoint_of(trained.model, address, evaluation.parameters)
            problems = sample(evaluation.sampling, settings, opened, options)
            write_samples(check_server(problems, address), temporary)
    if not file.exists():
        options.listener.note(f"{trained.name}: scoring")
        grade = partial(grade_in_shards, store=evaluation.store, options=options)
        result = evaluate_files([samples], trained.name, grade, trained_on=trained.release)
        write_result(result, file)
    return read_result(file), file


def check_server(problems: Iterable[SampledProblem], address: str) -> Iterator[SampledProblem]:
    """Yield the problems; raise TeacherError if calls failed and the server is gone."""
    failed = 0
    for problem in problems:
        failed += sum(each.finish == "failed" for each in problem.samples)
        yield problem
    if failed and not _answers(address):
        raise TeacherError(
            f"The model's server stopped: {counted(failed, 'call')} failed. Rerun the command to "
            "resume with these calls."
        )


def _answers(address: str) -> bool:
    url = urlsplit(address)
    try:
        with socket.create_connection((url.hostname, url.port or 80), 5):
            return True
    except OSError:
        return False


def model_server(command: str) -> ModelServer:
    """Return what serves each model, by default with `transformers serve`.

    It raises UsageError if the command names no model.
    """

    def start(model: str) -> AbstractContextManager[str]:
        if command and "{model}" not in command:
            raise UsageError(
                f"The server command '{command}' lacks {{model}}, in whose place each model's "
                "folder is written."
            )
        return serve(model, command or COMMAND)

    return start


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from working in a folder; raises UsageError if one does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = try_lock(folder / ".lock")
    if file is None:
        raise UsageError(
            f"{folder} is in use by another process. Wait for it, or choose another folder (-o)."
        )
    with file:
        yield
