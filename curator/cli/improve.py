"""Rejection sampling in rounds: train a model on its own solutions that passed all checks.

In: a recipe whose writers need a teacher, a base model, a training recipe, evaluation sets. Out:
one result per model, the base model first. In each round the newest model is the recipe's teacher,
the build makes a version of the solutions that the recipe accepts, and the base model is trained on
it. Calls are cached by the digest of the model's files, and every step by its inputs, so a rerun
resumes, and a change repeats only the steps that depend on it.

One round is RFT (arXiv:2308.01825); like STaR (arXiv:2203.14465), each round trains the base model,
not that of the round before.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from curator.cli.model_steps import (
    Evaluation,
    ModelServer,
    Trained,
    endpoint_of,
    export_release,
    load_sft,
    lock_folder,
    score_model,
    train_model,
)
from curator.core.errors import BudgetReached, TeacherError, UsageError
from curator.core.solve_rates import select_rates
from curator.core.words import counted
from curator.pipeline.build import find_inputs, run_stages
from curator.pipeline.freeze import check_has_rows, freeze
from curator.pipeline.open_context import open_context
from curator.pipeline.run_options import RunOptions
from curator.pipeline.sample import SampleRequest, find_sets
from curator.pipeline.state import Result as BuildResult
from curator.recipe.load import load_recipe
from curator.recipe.schema import Recipe
from curator.teacher import Budget, TeacherSettings
from curator.versions.content import content_of
from curator.versions.queries import solve_counts
from curator.writers import WRITERS
from datastore.engine import literal
from datastore.errors import NotFound
from datastore.files import canonical_json
from datastore.store import Store
from datastore.versions import Manifest
from trainers.evaluation.evaluate import Result, compare
from trainers.evaluation.metrics import Interval, bootstrap_intervals

BASE = "the base model"
"""Name of the model of round 0."""
METRIC = "Pass@1"
NO_CALLS = Budget(calls=0)
NO_ADDRESS = "http://localhost/v1"
"""Address of a teacher that may make no calls."""


@dataclass(frozen=True)
class ImproveRequest:
    """What is sampled, trained and scored."""

    recipe: str
    training: str
    """Training recipe, the same for every round."""
    sampling: SampleRequest
    """Evaluation sets, and how solutions are sampled."""
    rounds: int = 1
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Parameters of the calls of the evaluation: temperature, max_tokens."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Keys of the training recipe that are replaced."""


@dataclass(frozen=True)
class Round:
    """The model of one round, and its scores."""

    number: int
    """0 is the base model."""
    model: str
    """Folder or Hub id."""
    version: str
    """Version that it was trained on; empty for the base model."""
    rows: int
    result: Result
    file: Path
    """File of the result."""
    solve_rate: Interval | None = None
    """Mean share of right solutions per problem of the recipe, with its 95% interval over problems.
    None for the model of the last round, which is not sampled on them."""

    @property
    def name(self) -> str:
        """Name in results and sentences."""
        return round_name(self.number)


def round_name(number: int) -> str:
    """Return the name of a round's model."""
    return f"round {number}" if number else BASE


def improve(
    request: ImproveRequest, folder: Path, store: Path, serve: ModelServer, options: RunOptions
) -> list[Round]:
    """Return the base model and the model of each round; files go to a folder of the recipe's name.

    Raises UsageError if the recipe samples nothing from a teacher, if no solution of a round
    passes, if another process works in the folder, and with the command to run first if training
    needs several processes; TeacherError if calls remain without a reply.
    """
    # Validate all inputs before the first long step.
    recipe = load_recipe(request.recipe)
    _check_writers(recipe)
    find_sets(request.sampling)
    base = load_sft(request.training, request.overrides, "release")
    evaluation = Evaluation(request.sampling, request.parameters, store, options)
    with lock_folder(folder / recipe.name):
        return _run_rounds(request, recipe, base.model, evaluation, folder / recipe.name, serve)


def _run_rounds(
    request: ImproveRequest,
    recipe: Recipe,
    base: str,
    evaluation: Evaluation,
    folder: Path,
    serve: ModelServer,
) -> list[Round]:
    store, options = evaluation.store, evaluation.options
    trained, version, rows = Trained(BASE, base), "", 0
    rounds: list[Round] = []
    for number in range(request.rounds + 1):
        with keep_server(serve) as kept:
            result, file = score_model(trained, evaluation, folder, kept)
            rounds.append(Round(number, trained.model, version, rows, result, file))
            if number == request.rounds:
                break
            options.listener.note(f"{round_name(number + 1)}: building")
            message = f"Round {number + 1}: solutions of {trained.model}"
            manifest = build_solutions(recipe, trained.model, message, evaluation, kept)
        version, rows = manifest.ref, content_of(manifest).rows.count
        rounds[-1] = replace(rounds[-1], solve_rate=measure_solve_rate(store, manifest))
        release = export_release(store, manifest, folder)
        training = load_sft(request.training, request.overrides, str(release))
        name = round_name(number + 1)
        model = train_model(training, name, options.listener) / "model"
        trained = Trained(name, str(model), release)
    return rounds


def compare_rounds(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return the paired difference of `METRIC` to the round before, per round and set."""
    return [
        {"round": one.number, **difference}
        for before, one in pairwise(rounds)
        for difference in compare(one.result, before.result)
        if difference["metric"] == METRIC
    ]


@contextmanager
def keep_server(serve: ModelServer) -> Iterator[ModelServer]:
    """Yield `serve` that starts the server of a model when it is needed first, and only once.

    Servers run until the context ends.
    """
    with ExitStack() as stack:
        start = cache(lambda model: stack.enter_context(serve(model)))
        yield lambda model: nullcontext(start(model))


def build_solutions(
    recipe: Recipe, model: str, message: str, evaluation: Evaluation, serve: ModelServer
) -> Manifest:
    """Build a recipe with a model as its teacher; the model is served only if calls are missing."""
    store, options = evaluation.store, evaluation.options
    unserved = replace(options, budget=NO_CALLS)
    try:
        return _build(teach(recipe, model, NO_ADDRESS), message, store, unserved)
    except BudgetReached:
        with serve(model) as address:
            return _build(teach(recipe, model, address), message, store, options)


def teach(recipe: Recipe, model: str, address: str) -> Recipe:
    """Return the recipe with a served model as its teacher.

    The sampling parameters, concurrency, timeout and tries of the recipe's teacher stay.
    """
    old = recipe.teacher or TeacherSettings(model=model)
    delivery = {key: getattr(old, key) for key in ("concurrency", "timeout_s", "tries")}
    teacher = endpoint_of(model, address, old.parameters).model_copy(update=delivery)
    return recipe.model_copy(update={"teacher": teacher})


def _build(recipe: Recipe, message: str, store: Path, options: RunOptions) -> Manifest:
    """Build a version; return the existing one of this content, which need not be the newest."""
    with Store(store) as opened, open_context(opened, recipe, options) as context:
        result = run_stages(context, *find_inputs(context))
        _check_answered(recipe, result)
        check_has_rows(recipe.name, result)
        try:
            digest = sha256(canonical_json(result.content.plain())).hexdigest()
            return opened.versions.get(digest)
        except NotFound:
            return freeze(context, result, message, [])


def _check_answered(recipe: Recipe, result: BuildResult) -> None:
    """Raise TeacherError if calls failed that a rerun repeats: the round would not be the same."""
    taught = [each.taught for each in result.content.subsets.values() if each.taught]
    if failed := sum(each.unanswered for each in taught):
        raise TeacherError(
            f"{counted(failed, 'call')} of {recipe.name} failed, as the model's server stopped or "
            "was too slow. Rerun the command to resume with these calls."
        )


def measure_solve_rate(store: Path, manifest: Manifest) -> Interval | None:
    """Return the mean solve rate of a version's teacher; None without decided attempts."""
    teacher = content_of(manifest).teacher
    if not teacher:
        return None
    with Store(store, readonly=True) as opened, opened.engine() as engine:
        rates = engine.sql(
            f"SELECT rate FROM ({select_rates(solve_counts(opened, manifest))}) "
            f"WHERE model = {literal(teacher.model)} AND rate IS NOT NULL ORDER BY problem_id"
        ).fetchall()
    return bootstrap_intervals(np.array(rates, dtype=float))[0] if rates else None


def _check_writers(recipe: Recipe) -> None:
    """Raise UsageError if no writer of the recipe samples solutions from a teacher."""
    if not any(WRITERS[name].teacher for each in recipe.subsets.values() for name in each.writers):
        samplers = ", ".join(name for name, writer in WRITERS.items() if writer.teacher)
        raise UsageError(
            f"{recipe.name} samples no solutions: no subset has a writer that needs a teacher. "
            f"Add one of {samplers} to the writers of a subset."
        )
