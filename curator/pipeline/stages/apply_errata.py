"""Stage `apply_errata`: apply people's rulings on gold answers to problems.

In: problems and a recipe's file of errata. Out: the same problems in the same order, and which of
them have a ruling; a gold answer that was ruled wrong is replaced by the right one, and removed if
that is not known or if it was ruled ambiguous, so that the check `answer` leaves its rows out. Not
covered: evaluation sets, and the copies of a problem whose question differs by more than white
space.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from curator.core.arrow import PROBLEMS, RULED, make_batch
from curator.core.errata import ERRATA, Erratum, errata_result, erratum_key, read_errata
from curator.core.model import Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.read import read_problems, write_records
from datastore.memo import Outputs
from datastore.text import make_storable

_CODE = (__name__, "curator.core.errata")


def apply_errata(
    context: BuildContext, name: str, problems: Sequence[str]
) -> tuple[list[Outputs], dict[str, int]]:
    """Return the outputs of each shard of problems, and the counts of all of them by `ERRATA`.

    Raises UsageError if the file of the recipe's errata is missing or invalid.
    """
    recipe = context.recipe
    rulings = read_errata(recipe.folder / recipe.errata)
    # Without reasons: a better wording changes nothing.
    applied = [asdict(each) | {"reason": ""} for each in rulings.values()]
    rows = context.store.objects.rows
    shards = [Shard(partial(rows, each), (name, each, applied)) for each in problems]
    done = run_shards(context, correct_shard, shards, f"applying the errata to {name}")
    return done, {result: sum(each.counts[result] for each in done) for result in ERRATA}


def correct_shard(
    context: BuildContext, name: str, problems: str, applied: Sequence[Mapping[str, object]]
) -> Outputs:
    """Write objects `problems`, in upstream's order, and `ruled`, in the layout `RULED`.

    Counts: problems with a ruling by its result, one of `ERRATA`.
    """
    rulings = {str(each["key"]): Erratum(**each) for each in applied}  # type: ignore[arg-type]

    def make() -> tuple[dict[str, str], dict[str, int]]:
        ruled: list[tuple[str, ...]] = []
        corrected = write_records(context, _correct(context, problems, rulings, ruled), PROBLEMS)
        batch = make_batch(list(zip(*ruled, strict=True)) or [()] * len(RULED), RULED)
        counts = Counter(errata_result(ruling, answer) for _, _, ruling, answer in ruled)
        written = {"problems": corrected, "ruled": context.store.objects.write([batch], RULED)}
        return written, {result: counts[result] for result in ERRATA}

    params = {"errata": list(applied)}
    return context.once(Stage("apply_errata", _CODE), params, [problems], make, name)


def _correct(
    context: BuildContext,
    problems: str,
    rulings: Mapping[str, Erratum],
    ruled: list[tuple[str, ...]],
) -> Iterator[Problem]:
    """Yield the problems; `ruled` receives the rulings on them."""
    for problem in read_problems(context, [problems]):
        ruling = rulings.get(erratum_key(problem.question, problem.gold, problem.choices))
        if ruling is None:
            yield problem
            continue
        ruled.append((make_storable(problem.place), ruling.key, ruling.ruling, ruling.answer))
        kept = ruling.ruling == "right"
        yield problem if kept else replace(problem, gold=ruling.answer, gold_in="")
