"""Stage `apply_errata`: apply people's rulings on gold answers to problems.

In: problems and a recipe's file of errata. Out: the same problems in the same order; a gold answer
that was ruled wrong is replaced by the right one, and removed if that is not known or if it was
ruled ambiguous, so that the check `answer` leaves its rows out. Not covered: evaluation sets, and
the copies of a problem whose question differs by more than white space.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from curator.core import arrow
from curator.core.errata import Erratum, erratum_key, read_errata
from curator.core.model import Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.read import read_problems, write_records
from datastore.memo import Outputs

_CODE = (__name__, "curator.core.errata")


def apply_errata(context: BuildContext, name: str, problems: Sequence[str]) -> tuple[str, ...]:
    """Return the same shards of problems with the rulings of the recipe's errata.

    Raises UsageError if the file is missing or invalid.
    """
    recipe = context.recipe
    rulings = read_errata(recipe.folder / recipe.errata)
    # Without reasons: a better wording changes nothing.
    applied = [asdict(each) | {"reason": ""} for each in rulings.values() if each.ruling != "right"]
    rows = context.store.objects.rows
    shards = [Shard(partial(rows, each), (name, each, applied)) for each in problems]
    done = run_shards(context, correct_shard, shards, f"applying the errata to {name}")
    return tuple(outputs.objects["problems"] for outputs in done)


def correct_shard(
    context: BuildContext, name: str, problems: str, applied: Sequence[Mapping[str, object]]
) -> Outputs:
    """Write object `problems`, in upstream's order, and count the `corrected` and `removed`."""
    rulings = {str(each["key"]): Erratum(**each) for each in applied}  # type: ignore[arg-type]

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts: Counter[str] = Counter(corrected=0, removed=0)
        corrected = _correct(context, problems, rulings, counts)
        return {"problems": write_records(context, corrected, arrow.PROBLEMS)}, dict(counts)

    params = {"errata": list(applied)}
    return context.once(Stage("apply_errata", _CODE), params, [problems], make, name)


def _correct(
    context: BuildContext, problems: str, rulings: Mapping[str, Erratum], counts: Counter[str]
) -> Iterator[Problem]:
    for problem in read_problems(context, [problems]):
        ruling = rulings.get(erratum_key(problem.question, problem.gold, problem.choices))
        if ruling is None:
            yield problem
            continue
        counts["corrected" if ruling.answer else "removed"] += 1
        yield replace(problem, gold=ruling.answer, gold_in="")
