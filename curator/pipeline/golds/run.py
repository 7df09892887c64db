"""Find the golds in doubt of any dataset.

In: its name, and files of models' answers. Out: `GoldsInDoubt`, as `curator golds` prints it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curator.core.errata import erratum_key, read_errata
from curator.core.errors import UsageError
from curator.core.model import Problem
from curator.pipeline.golds.model_answers import read_model_answers
from curator.pipeline.golds.suspects import GoldsInDoubt, find_suspects
from curator.pipeline.open_context import open_context
from curator.pipeline.overlap import read_problems, ruled_problems
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.recipe.schema import Recipe
from datastore.store import Store

RECIPE = Recipe.model_construct(name="golds", about="Golds in doubt", subsets={})
"""Not of a version: it gives the default limits of programs and comparisons."""


def find_golds_in_doubt(
    name: str,
    answers: Sequence[str] = (),
    store: str | Path = ".curator",
    options: RunOptions = DEFAULTS,
    errata: Path | None = None,
) -> GoldsInDoubt:
    """Return the suspects among the gold answers of a source, evaluation set, version or file.

    `answers` are files of models' answers, `FILE` or `FAMILY=FILE`. Suspects on which a person has
    ruled in the file `errata`, or in the errata of the version, are counted and left out: also an
    answer that a person has stated. Raises UsageError if no problem has a gold answer.
    """
    rulings = read_errata(errata) if errata else {}
    read = read_problems(name, store, options.mirror_folder, responses=True)
    problems = list({each.id: each for each in read if isinstance(each, Problem)}.values())
    if not any(each.gold for each in problems):
        raise UsageError(f"None of {len(problems):,} problems of {name} has a gold answer.")
    with Store(Path(store)) as opened, open_context(opened, RECIPE, options) as context:
        models = [read_model_answers(each, context.checker) for each in answers]
        found = find_suspects(problems, models, context.checker)
    ruled = ruled_problems(name, store)
    settled = {
        erratum_key(each.question, each.gold, each.choices) for each in problems if each.id in ruled
    }
    settled |= rulings.keys()
    left = [each for each in found.suspects if each.key not in settled]
    return replace(found, suspects=left, ruled=len(found.suspects) - len(left))
