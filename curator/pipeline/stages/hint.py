"""The stage of the writer `hinted`: proved rows of another subset with a user's claim in front.

In: what another subset proved. Out: rationales, in its order; rows that failed or are undecided
there have none.
"""

from collections.abc import Iterator

from curator.core import arrow
from curator.core.model import Rationale
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import columns, each_problem
from curator.pipeline.stages.write import numbered
from curator.pipeline.state import SubsetState
from curator.writers.hinted import add_hint
from datastore.memo import Outputs


def hint(context: BuildContext, name: str, base: SubsetState) -> Outputs:
    """Object `rationales`; counts of problems and rationales, and of proved rows `without` any."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts = {"problems": 0, "without": 0, "rationales": 0}
        made = track_progress(_hinted(context, base, counts), context.listener, f"writing {name}")
        batches = arrow.to_batches(numbered(made), arrow.RATIONALES)
        return {"rationales": context.store.objects.write(batches, arrow.RATIONALES)}, counts

    code = ("curator.writers", "curator.answers", __name__)
    inputs = [*base.problems, base.rationales, base.verdicts]
    return context.once(Stage("hint", code), {"seed": context.recipe.seed}, inputs, make, name)


def _hinted(
    context: BuildContext, base: SubsetState, counts: dict[str, int]
) -> Iterator[Rationale]:
    problems = each_problem(context, base.problems)
    problem = None
    asked: set[bytes] = set()
    for rationale in _proved(context, base):
        while problem is None or problem.id != rationale.problem_id:
            problem = next(problems)
        asked.add(problem.id)
        counts["problems"] = len(asked)
        if made := add_hint(problem, rationale, context.recipe.seed):
            counts["rationales"] += 1
            yield made
        else:
            counts["without"] += 1


def _proved(context: BuildContext, base: SubsetState) -> Iterator[Rationale]:
    """The rationales whose verdicts all passed; verdicts stand in the order of rationales."""
    verdicts = columns(context, [base.verdicts], ["row_id", "outcome"])
    row, outcome = next(verdicts, (None, ""))
    names = ["id", "problem_id", "writer", "kind", "instruction", "text", "copy"]
    for id_, *values in columns(context, [base.rationales], names):
        outcomes = []
        while row == id_:
            outcomes.append(outcome)
            row, outcome = next(verdicts, (None, ""))
        if outcomes and set(outcomes) == {"passed"}:
            yield Rationale(*values)
