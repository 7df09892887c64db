"""Stage `generate`: a teacher writes, checks and repairs rationales as the recipe says.

In: problems of a subset whose writers need a teacher. Out: all rationales, right or wrong, in
upstream's order, and every reply without a rationale, with its reason. Calls are cached in the
ledger `calls`, so a rerun repeats none. If a call failed temporarily, the next build runs the stage
again and repeats only that call.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

import pyarrow as pa

from curator.core import arrow
from curator.core.model import Problem, QuarantinedRecord, Rationale
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.requests import has_unanswered, needs_verdicts, request_identity, sampling_of
from curator.pipeline.solver import Solver
from curator.pipeline.stages.check import check_params
from curator.pipeline.stages.read import read_problems
from curator.pipeline.stages.write import CopyNumbers
from curator.pipeline.state import Rationales, SubsetState, Written
from curator.writers import WRITERS

Attempt = tuple[bytes, bytes]
"""Ids of a problem and of the rationale of one sample."""
ATTEMPTS = pa.schema([("problem_id", arrow.ID), ("rationale_id", arrow.ID)])
RATIONALES = "rationales:"
"""Prefix of the names of rationale objects; the number of the object of problems follows."""

_CODE = (
    "curator.writers",
    "curator.answers",
    "curator.core.thoughts",
    "curator.core.tool_calls",
    "curator.core.turns",
    "curator.core.tool_messages",
    __name__,
    "curator.pipeline.requests",
    "curator.pipeline.solver",
    "curator.teacher.response",
    "curator.teacher.messages",
    "curator.pipeline.band",
    "curator.pipeline.stages.tool_rounds",
    "curator.sandbox",
)


def generate(context: BuildContext, name: str, state: SubsetState) -> Written:
    """Write objects `rationales:NUMBER`, `replies` (those without a rationale) and `attempts`.

    Return the state with replies, attempts and prompts, and the rationales. Counts: problems,
    without, rationales, calls, unanswered, repaired, replayed. Raises BudgetReached and
    TeacherError; the replies received before that are cached.
    """
    teacher_session = context.teacher_session
    assert teacher_session, "a recipe without a teacher has no such stage"
    subset, problems = state.subset, state.problems
    sampling = sampling_of(context, subset)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        if _asks_for_programs(context):
            context.checker.prepare()
        counts: Counter[str] = Counter(
            problems=0, without=0, rationales=0, calls=0, unanswered=0, repaired=0, replayed=0
        )
        unread: list[QuarantinedRecord] = []
        attempts: list[Attempt] = []
        written = _rationales(context, name, state, (unread, attempts), counts)
        copies = CopyNumbers()
        objects: dict[str, str] = {}
        for number, digest in enumerate(problems):
            shard = islice(written, context.store.objects.rows(digest))
            numbered = copies.number(chain.from_iterable(shard))
            batches = arrow.to_batches(numbered, arrow.RATIONALES)
            objects[f"{RATIONALES}{number:06d}"] = context.store.objects.write(
                batches, arrow.RATIONALES
            )
        replies = arrow.to_batches(unread, arrow.QUARANTINE)
        objects["replies"] = context.store.objects.write(replies, arrow.QUARANTINE)
        columns = list(zip(*attempts, strict=True)) or [(), ()]
        batch = arrow.make_batch(columns, ATTEMPTS)
        objects["attempts"] = context.store.objects.write([batch], ATTEMPTS)
        return objects, dict(counts)

    identity = request_identity(teacher_session, subset, sampling)
    params = {"kind": subset.kind, "writers": list(subset.writers)} | identity
    if needs_verdicts(sampling) or subset.kind == "TIR":  # outputs depend on the sandbox
        params |= check_params(context, subset)
    outputs = context.once(Stage("generate", _CODE), params, problems, make, name, has_unanswered)
    shards = [d for name, d in sorted(outputs.objects.items()) if name.startswith(RATIONALES)]
    state = replace(
        state,
        replies=outputs.objects["replies"],
        attempts=outputs.objects["attempts"],
        prompts=identity["prompts"],
    )
    return state, Rationales(shards, outputs.counts)


def _asks_for_programs(context: BuildContext) -> bool:
    """Return whether the teacher writes programs, for this subset or a later one."""
    return any(
        subset.kind != "CoT" and any(WRITERS[writer].teacher for writer in subset.writers)
        for subset in context.recipe.subsets.values()
    )


def _rationales(
    context: BuildContext,
    name: str,
    state: SubsetState,
    others: tuple[list[QuarantinedRecord], list[Attempt]],
    counts: Counter[str],
) -> Iterator[list[Rationale]]:
    """Yield the rationales of each problem in order, those that need no teacher first.

    Replies without a rationale, and attempts, are added to `others`.
    """
    unread, attempts = others
    teacher_session, subset = context.teacher_session, state.subset
    assert teacher_session
    solver = Solver(context, subset)
    plain = [WRITERS[writer] for writer in subset.writers if not WRITERS[writer].teacher]
    total = sum(context.store.objects.rows(digest) for digest in state.problems)
    problems = _mark_first(read_problems(context, state.problems))
    for generated, first in teacher_session.each(
        problems, solver.solve, f"generating {name}", total
    ):
        rationales = list[Rationale]()
        for writer in plain:
            assert writer.write is not None
            rationales += writer.write(generated.problem, subset.kind)
        rationales += generated.rationales
        unread += generated.unread
        attempts += [(generated.problem.id, each) for each in generated.attempts]
        counts.update(f"unread: {each.reason}" for each in generated.unread)
        for key in ("calls", "unanswered", "repaired", "replayed"):
            counts[key] += getattr(generated, key)
        counts["problems"] += first
        counts["rationales"] += len(rationales)
        counts["without"] += not rationales
        yield rationales


def _mark_first(problems: Iterable[Problem]) -> Iterator[tuple[Problem, bool]]:
    """Yield each record of a source, and whether it is the first one of its problem."""
    seen: set[bytes] = set()
    for problem in problems:
        yield problem, problem.id not in seen
        seen.add(problem.id)
