"""Write and check the rows of a shard, as soon as its problems are in memory.

In: an object of problems. Out: those of stages `write` and `check`, which are cached, so that it
does not matter which stage runs them first.
"""

from collections.abc import Sequence

from curator.checks import CHECKS
from curator.pipeline.context import BuildContext
from curator.pipeline.stages.check import check
from curator.pipeline.stages.write import write
from curator.pipeline.state import TO_WRITE
from curator.recipe.schema import Recipe, Subset
from curator.writers import WRITERS, own_stage
from datastore.memo import Outputs


def write_and_check(
    context: BuildContext, name: str, problems: str, rationales: str, agreements: str
) -> tuple[Outputs | None, Outputs]:
    """Return the outputs of stage `write`, None if the shard is written, and of stage `check`."""
    subset = context.recipe.subsets[name]
    if rationales != TO_WRITE:
        return None, check(context, name, [problems], [rationales], agreements)
    written, rows = write(context, name, subset, problems)
    rationales = written.objects["rationales"]
    return written, check(context, name, [problems], [rationales], agreements, rows)


def write_ingested(context: BuildContext, subsets: Sequence[str], part: str, problems: str) -> None:
    """Write the rows of the named subsets that use these problems, one part of their source.

    They are checked, too, unless that runs programs or compares answers: a piece of a file has more
    rows than a shard, so few processes would do what many can.
    """
    for name in subsets:
        subset = context.recipe.subsets[name]
        if subset.part not in ("", part):
            continue
        if any(CHECKS[check].needs for check in subset.checks):
            write(context, name, subset, problems)
        else:
            write_and_check(context, name, problems, TO_WRITE, "")


def uses_ingested(recipe: Recipe, name: str) -> bool:
    """Return whether the rows of a subset are written from the unchanged problems of its source."""
    subset = recipe.subsets[name]
    return (
        not own_stage(subset.writers)
        and needs_no_teacher(subset)
        and not is_prepared(recipe, subset)
    )


def needs_no_teacher(subset: Subset) -> bool:
    """Return whether all rationales of a subset can be written from its problems alone."""
    return not any(WRITERS[writer].teacher for writer in subset.writers)


def is_prepared(recipe: Recipe, subset: Subset) -> bool:
    """Return whether stage `prepare` changes the problems of a subset before they are used."""
    return bool(subset.gold_sources() or recipe.errata or subset.open_choices)
