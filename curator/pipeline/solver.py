"""A teacher's work on one problem: samples, their checks and repairs.

In: a problem of a subset whose writers need a teacher. Out: all its rationales, right or wrong, and
every reply without one, with its reason.
"""

from collections import Counter
from dataclasses import dataclass, field

from curator.checks import Candidate
from curator.checks.attempt import attempt_outcome
from curator.core.model import Problem, QuarantinedRecord, Rationale, Verdict
from curator.pipeline.context import BuildContext
from curator.pipeline.requests import (
    execution_error,
    is_decided,
    messages_of,
    needs_verdicts,
    prompt_of,
    read_call,
    round_limits,
    sampling_of,
)
from curator.pipeline.stages.tool_rounds import Conversation, take_rounds
from curator.recipe.schema import Subset
from curator.sources.fields import quarantine
from curator.teacher import Call
from curator.writers import WRITERS, build_instruction
from curator.writers.instruction import choices_line
from curator.writers.prompt_templates import Messages

LONGEST_ERROR = 1_000
"""Maximum number of characters of an error that a repair prompt shows."""
NO_RATIONALE = bytes(16)
"""Stands for a reply without a rationale among the attempts."""


@dataclass(slots=True)
class Generation:
    """The teacher's work on one problem."""

    problem: Problem
    rationales: list[Rationale] = field(default_factory=list)
    unread: list[QuarantinedRecord] = field(default_factory=list)
    """Replies without a rationale, and failed calls."""
    attempts: list[bytes] = field(default_factory=list)
    """The rationale of each sample, the repaired one if there is one; `NO_RATIONALE` for a reply
    without one. Failed calls are not attempts."""
    calls: int = 0
    unanswered: int = 0
    """Calls that failed temporarily."""
    repaired: int = 0
    """Repair prompts."""
    replayed: int = 0
    """Calls that a replay server answered."""


class Solver:
    """Generates rationales for the problems of one subset."""

    def __init__(self, context: BuildContext, subset: Subset) -> None:
        assert context.teacher_session
        self._session, self._subset = context.teacher_session, subset
        self._sampling = sampling_of(context, subset)
        self._characters = context.recipe.limits.characters
        self._prompts = self._session.prompts(self._sampling)
        self._writers = [name for name in subset.writers if WRITERS[name].teacher]

    async def solve(self, item: tuple[Problem, bool]) -> tuple[Generation, bool]:
        """Work on one problem. Only the first record of a problem leads to requests."""
        problem, first = item
        generated = Generation(problem)
        if first:
            for writer in self._writers:
                await self._write(generated, writer)
        return generated, first

    async def _write(self, generated: Generation, writer: str) -> None:
        sampling, outcomes = self._sampling, Counter[str]()
        prompt = prompt_of(writer, self._subset.kind, sampling)
        for sample in range(sampling.tries):
            messages = messages_of(self._prompts, prompt, generated.problem)
            before = len(generated.attempts)
            rationale = await self._sample(generated, writer, messages, sample)
            if rationale is not None and needs_verdicts(sampling):
                verdicts = await self._check(generated.problem, rationale)
                repairs = sampling.repair and self._subset.kind == "PoT"
                if repairs and (error := execution_error(verdicts)):
                    rationale = await self._repair(generated, writer, rationale, error, sample)
                    verdicts = await self._check(generated.problem, rationale) if rationale else []
                outcomes[attempt_outcome(verdicts) if rationale else "failed"] += 1
            elif rationale is None and len(generated.attempts) > before:
                outcomes["failed"] += 1
            if is_decided(sampling, outcomes):
                return

    async def _sample(
        self, generated: Generation, writer: str, messages: Messages, sample: int
    ) -> Rationale | None:
        """Return the rationale of one call; None if it has none, which is recorded with reason."""
        problem, kind = generated.problem, self._subset.kind
        limits = round_limits(self._sampling)

        async def get_call(messages: Conversation) -> Call:
            tools = kind == "TIR" and limits.tools
            call = await self._session.get_call(messages, sample, tools)
            generated.calls += 1
            generated.replayed += call.fingerprint.startswith("replay")
            return call

        if kind == "TIR":
            call, text, reason = await take_rounds(
                messages, limits, get_call, self._session.run_session
            )
        else:
            call = await get_call(messages)
            text, reason = read_call(call, kind, problem.choices, self._sampling.thoughts)
        if not text:
            place = f"{problem.place}, {writer} sample {sample}"
            generated.unread.append(quarantine(place, reason, call.text))
            generated.unanswered += call.status == "failed" and not call.final
            if call.status == "answered":
                generated.attempts.append(NO_RATIONALE)
            return None
        rationale = Rationale(problem.id, writer, kind, build_instruction(problem, kind), text)
        generated.rationales.append(rationale)
        generated.attempts.append(rationale.id)
        return rationale

    async def _repair(
        self,
        generated: Generation,
        writer: str,
        broken: Rationale,
        error: str,
        sample: int,
    ) -> Rationale | None:
        """Show the teacher how its program failed; return the new program."""
        generated.repaired += 1
        problem = generated.problem
        messages = self._prompts.messages(
            "repair",
            question=problem.question,
            options=choices_line(problem.choices) if problem.choices else "",
            program=broken.text,
            error=error[:LONGEST_ERROR],
        )
        attempt, before = generated.attempts.pop(), len(generated.attempts)
        repaired = await self._sample(generated, writer, messages, sample)
        if len(generated.attempts) == before:  # the call failed
            generated.attempts.append(attempt)
        return repaired

    async def _check(self, problem: Problem, rationale: Rationale) -> list[Verdict]:
        candidate = Candidate(
            rationale.id,
            rationale.kind,
            rationale.instruction,
            rationale.text,
            problem.gold,
            problem.choices,
            required=self._subset.evidence,
            characters=self._characters,
        )
        return await self._session.check_candidate(candidate, self._subset.checks)
