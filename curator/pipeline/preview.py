"""Preview a recipe: run a few problems of each source through all stages, without a version.

In: a recipe and a store. Out: rows with their verdicts. Stages are cached as in a build.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from curator.core.model import Kind
from curator.pipeline.build import find_inputs, run_stages
from curator.pipeline.context import Mode
from curator.pipeline.open_context import open_context
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.state import Result
from curator.recipe.load import load_recipe
from curator.recipe.schema import Recipe
from datastore.store import Store


@dataclass(frozen=True)
class RowVerdict:
    """One verdict on a row."""

    check: str
    outcome: str
    reason: str
    evidence: dict[str, str]


@dataclass(frozen=True)
class PreviewRow:
    """A row that a version would contain (`kept`), or that was rejected."""

    subset: str
    id: str
    kept: bool
    instruction: str
    text: str
    as_written: str
    """The text as its author wrote it, if `text` differs; checks read it. Otherwise empty."""
    verdicts: Sequence[RowVerdict]
    kind: Kind
    labelled_steps: Sequence[Mapping[str, Any]]
    """The steps of the text and their alternatives, if upstream labels them."""


@dataclass(frozen=True)
class Preview:
    """The rows of a preview, and the subsets of its recipe."""

    rows: Sequence[PreviewRow]
    subsets: Mapping[str, Sequence[str]]
    """By subset, in the recipe's order, what it waits for."""


def preview(
    recipe: Recipe | str | Path,
    store: str | Path = ".curator",
    *,
    problems: int = 3,
    options: RunOptions = DEFAULTS,
) -> list[PreviewRow]:
    """Return the rows of the first `problems` records of each source, in the recipe's order."""
    return [*make_preview(recipe, store, problems=problems, options=options).rows]


def make_preview(
    recipe: Recipe | str | Path,
    store: str | Path = ".curator",
    *,
    problems: int = 3,
    options: RunOptions = DEFAULTS,
) -> Preview:
    """Return the rows of the first `problems` records of each source, in the recipe's order.

    Sources that cannot be read are skipped. Any share of malformed records is allowed: a few
    records say nothing about it. Raises SourceError if no subset can be built.
    """
    options = replace(options, allow_missing=True)
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    with (
        Store(Path(store)) as opened,
        open_context(opened, recipe, options, Mode(limit=problems)) as context,
    ):
        result = run_stages(context, *find_inputs(context))
        subsets = result.content.subsets
        waits = {name: subsets[name].waits_for for name in result.content.order}
        return Preview(_rows(opened, result), waits)


def _rows(store: Store, result: Result) -> list[PreviewRow]:
    verdicts: dict[bytes, list[RowVerdict]] = {}
    checked = chain.from_iterable(result.objects.verdicts.values())
    for digest in (*checked, *result.objects.screens.values()):
        for row in _read(store, digest):
            verdict = RowVerdict(
                row["check"], row["outcome"], row["reason"], json.loads(row["evidence"])
            )
            verdicts.setdefault(row["row_id"], []).append(verdict)
    kept = {row["id"] for row in _read(store, result.objects.rows)}
    return [
        PreviewRow(
            subset,
            row["id"].hex(),
            row["id"] in kept,
            row["instruction"],
            row["text"],
            row["as_written"],
            verdicts.get(row["id"], []),
            row["kind"],
            row.get("labelled_steps") or (),
        )
        for subset, digests in result.objects.rationales.items()
        for digest in digests
        for row in _read(store, digest)
    ]


def _read(store: Store, digest: str) -> list[dict[str, Any]]:
    return [row for batch in store.objects.read(digest) for row in batch.to_pylist()]
