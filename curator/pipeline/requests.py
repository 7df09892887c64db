"""The requests to a teacher about a problem, and how their replies are read.

In: a subset, and how it samples. Out: its prompts, what identifies its requests, the text of a
rationale in a reply, and whether a problem needs a further sample.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from curator.checks import CHECKS
from curator.checks.executed import PRINTED_NOTHING
from curator.core.model import Kind, Problem, Verdict
from curator.core.thoughts import join_thought, split_thought
from curator.pipeline.band import decide_band
from curator.pipeline.context import BuildContext
from curator.pipeline.stages.tool_rounds import RoundLimits
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.keys import canonical
from curator.recipe.schema import Subset
from curator.teacher import Call, Sampling
from curator.writers import WRITERS
from curator.writers.instruction import choices_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from datastore.memo import Outputs
from datastore.text import is_storable

TOOL_PROMPT = "tir_tools"
"""The prompt of the writer `tir` with tool calls."""


def missing_teachers(context: BuildContext, subset: Subset) -> tuple[str, ...]:
    """Return what a subset waits for if its writers need a teacher and the recipe has none."""
    if context.teacher_session:
        return ()
    writers = (writer for writer in subset.writers if WRITERS[writer].teacher)
    return tuple(f"a teacher for writer {writer}" for writer in writers)


def sampling_of(context: BuildContext, subset: Subset) -> Sampling:
    """Return how a subset samples its problems."""
    return subset.sampling or context.recipe.sampling


def samples_per_problem(context: BuildContext, subset: Subset) -> int:
    """Return the maximum number of rows of one problem and writer that can pass the checks."""
    sampling = sampling_of(context, subset)
    return min(sampling.tries, sampling.until or sampling.tries)


def has_unanswered(outputs: Outputs) -> bool:
    """Return whether a later run of the stage may answer more calls."""
    return outputs.counts["unanswered"] > 0


def needs_verdicts(sampling: Sampling) -> bool:
    """Return whether the next request depends on the verdicts of the last reply."""
    return sampling.until is not None or sampling.band is not None or sampling.repair


def request_identity(
    teacher_session: TeacherSession, subset: Subset, sampling: Sampling
) -> dict[str, Any]:
    """Return all that determines the requests about a problem, and how their replies are read."""
    names = {
        TOOL_PROMPT if prompt == "tir" and sampling.tools else prompt
        for writer in subset.writers
        for prompt in WRITERS[writer].prompts
    }
    if sampling.repair:
        names.add("repair")
    prompts = teacher_session.prompts(sampling)
    settings = teacher_session.settings
    identity = {
        "family": settings.family,
        "model": settings.model,
        "parameters": settings.parameters,
        "sampling": canonical(sampling),
        "prompts": {name: prompts.digest(name) for name in sorted(names)},
    }
    marks = teacher_session.thoughts
    return identity | ({"thoughts": list(marks)} if marks else {})


def prompt_of(writer: str, kind: Kind, sampling: Sampling) -> str:
    """Return the name of the prompt by which a writer asks for a solution."""
    return TOOL_PROMPT if kind == "TIR" and sampling.tools else WRITERS[writer].prompt(kind)


def round_limits(sampling: Sampling) -> RoundLimits:
    """Return how a teacher runs programs."""
    return RoundLimits(sampling.rounds, sampling.tools)


def messages_of(prompts: Prompts, prompt: str, problem: Problem) -> Messages:
    """Return the conversation that asks for the solution of a problem: prompt `cot` or `pot`."""
    options = choices_line(problem.choices) if problem.choices else ""
    return prompts.messages(prompt, question=problem.question.strip(), options=options)


def read_call(
    call: Call, kind: Kind, choices: Sequence[str], thoughts: Literal["drop", "keep"] = "drop"
) -> tuple[str, str]:
    """Return the text of a rationale and "", or "" and the reason why the call has none.

    With `thoughts` as `keep`, the text of a CoT begins with the thought, if the call has one.
    """
    if call.status == "failed":
        return "", f"call failed: {call.reason}"
    if call.flaw:
        return "", call.flaw
    text, reason = read_reply(call.text, kind, choices)
    if not text or kind == "PoT" or thoughts == "drop":
        return text, reason
    thought = call.reasoning or split_thought(call.text)[0]
    if not is_storable(thought):
        return "", "not valid Unicode text"
    return join_thought(thought, text), ""


def is_decided(sampling: Sampling, outcomes: Mapping[str, int]) -> bool:
    """Return whether a problem needs no further sample after these outcomes."""
    passed, failed = outcomes.get("passed", 0), outcomes.get("failed", 0)
    if sampling.band:
        return decide_band(passed, failed, sampling.band, sampling.error) is not None
    return passed == sampling.until


def execution_error(verdicts: Sequence[Verdict]) -> str:
    """Return why a program did not run or did not print; empty if it did both."""
    for verdict in verdicts:
        if CHECKS[verdict.check].proves == "execution" and verdict.outcome == "failed":
            return verdict.evidence.get("error", verdict.reason)
    return ""


def printed_nothing(verdicts: Sequence[Verdict]) -> bool:
    """Return whether a program ran to its end without printing."""
    return any(verdict.reason == PRINTED_NOTHING for verdict in verdicts)
