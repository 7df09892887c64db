"""Stage `apply_errata`: apply people's rulings on gold answers to problems.

In: problems and a recipe's file of errata. Out: the same problems in the same order, and which of
them have a ruling; a gold answer that was ruled wrong is replaced by the right one, and removed if
that is not known or if it was ruled ambiguous, so that the check `answer` leaves its rows out. Not
covered: evaluation sets, and the copies of a problem whose question differs by more than white
space.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from curator.core.arrow import RULED, make_batch
from curator.core.errata import ERRATA, Erratum, errata_result, erratum_key
from curator.core.model import Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import read_problems, write_problems
from datastore.memo import Outputs
from datastore.text import make_storable

_CODE = (__name__, "curator.core.errata")


def correct_shard(
    context: BuildContext, name: str, problems: str, applied: Sequence[Mapping[str, object]]
) -> Outputs:
    """Write objects `problems`, in upstream's order, and `ruled`, in the layout `RULED`.

    `applied` are the rulings as plain values, without their reasons. Counts: problems with a ruling
    by its result, one of `ERRATA`.
    """
    rulings = {str(each["key"]): Erratum(**each) for each in applied}  # type: ignore[arg-type]

    def make() -> tuple[dict[str, str], dict[str, int]]:
        ruled: list[tuple[str, ...]] = []
        corrected = write_problems(context, _correct(context, problems, rulings, ruled))
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
