"""Grade samples of a model in shards, by the executor of a build; results stay in the store.

In: problems with samples. Out: the same problems in the same order, graded. A shard is an object of
samples, whose size depends on the samples alone; stage `grade` makes an object of gradings from it.
Programs and comparisons are cached as in a build, so a run that was stopped resumes.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curator import answers
from curator.checks.grade_samples import GradedProblem
from curator.core import arrow
from curator.core.progress import track_progress
from curator.core.samples import Sample, SampledProblem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.open_context import open_context
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.shards import Shard, run_shards
from curator.recipe.schema import Recipe
from datastore.memo import Outputs
from datastore.store import Store

RULES = answers.VERSION
"""Version of the rules by which samples are graded."""
SHARD_SAMPLES = 1_024
"""Number of samples after which a shard has no further problem."""
SHARD_CHARACTERS = 16 << 20
"""Number of characters of JSON after which a shard has no further problem."""

SAMPLES = pa.schema([("problem", pa.string())])
"""Problems as lines of JSON: their texts may have characters that a column cannot hold."""
GRADINGS = pa.schema(
    [
        ("clusters", pa.list_(pa.int32())),
        ("right", pa.list_(pa.bool_())),
        ("undecided", pa.int32()),
        ("published", pa.list_(pa.bool_())),
        ("published_clusters", pa.list_(pa.int32())),
        ("wrong", pa.list_(pa.bool_())),
    ]
)
"""The fields of a `GradedProblem` behind the problem, in their order."""

_RECIPE = Recipe.model_construct(name="evaluate", about="Samples of a model", subsets={})
"""Not of a version: it gives the default limits of programs and comparisons."""
_CODE = (
    __name__,
    "curator.checks",
    "curator.answers",
    "curator.sandbox",
    "curator.pipeline.checker",
)


def grade_in_shards(
    problems: Iterable[SampledProblem],
    store: str | Path = ".curator",
    options: RunOptions = DEFAULTS,
) -> Iterator[GradedProblem]:
    """Yield the problems with graded samples, in order. All problems are read before the first.

    Memory use is that of a shard.
    """
    with Store(Path(store)) as opened, open_context(opened, _RECIPE, options) as context:
        listener = options.listener
        read = track_progress(problems, listener, "reading samples", every=100)
        shards = list(_write_samples(opened, read))
        done = run_shards(context, grade_shard, shards, "grading")
        for shard, outputs in zip(shards, done, strict=True):
            columns = _read_gradings(opened, outputs.objects["gradings"])
            for problem, values in zip(
                _read_samples(opened, *shard.arguments), columns, strict=True
            ):
                yield GradedProblem(problem, *values)


def grade_shard(context: BuildContext, samples: str) -> Outputs:
    """Write object `gradings` of an object of samples, one row per problem."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        objects = context.store.objects
        total = objects.rows(samples)
        problems = _read_samples(context.store, samples)
        graded = context.checker.grade_samples(
            track_progress(problems, context.listener, "grading", total, every=20)
        )
        rows = [[getattr(one, name) for name in GRADINGS.names] for one in graded]
        batch = arrow.make_batch(list(zip(*rows, strict=True)), GRADINGS)
        return {"gradings": objects.write([batch], GRADINGS)}, {"problems": total}

    params = {
        "limits": context.recipe.limits.model_dump(exclude={"quarantine"}),
        "executor": context.checker.sandbox_version,
    }
    return context.once(Stage("grade", _CODE), params, [samples], make)


def _write_samples(store: Store, problems: Iterable[SampledProblem]) -> Iterator[Shard]:
    """Write objects of samples; yield the shard of each."""
    lines: list[str] = []
    samples = characters = 0

    def shard() -> Shard:
        batch = arrow.make_batch([lines], SAMPLES)
        return Shard(partial(int, samples), (store.objects.write([batch], SAMPLES),))

    for problem in problems:
        lines.append(json.dumps(asdict(problem)))
        samples += len(problem.samples)
        characters += len(lines[-1])
        if samples >= SHARD_SAMPLES or characters > SHARD_CHARACTERS:
            yield shard()
            lines, samples, characters = [], 0, 0
    if lines:
        yield shard()


def _read_samples(store: Store, samples: str) -> Iterator[SampledProblem]:
    for batch in store.objects.read(samples):
        for line in batch.column("problem").to_pylist():
            row = json.loads(line)
            yield SampledProblem(
                **row
                | {
                    "choices": tuple(row["choices"]),
                    "samples": tuple(Sample(**each) for each in row["samples"]),
                }
            )


def _read_gradings(store: Store, gradings: str) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of each problem: an array per list, with one element per sample."""
    for batch in store.objects.read(gradings):
        yield from zip(*map(_to_values, batch.columns), strict=True)


def _to_values(column: pa.Array) -> Any:
    if not pa.types.is_list(column.type):
        return column.to_pylist()
    values = column.values.to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type.value_type):
        values = values.astype(np.int64)
    return np.split(values, column.offsets.to_numpy()[1:-1])
