"""Estimate the teacher's calls of a build, and find what an edit of the recipe makes it rerun.

In: a subset with its problems, and the newest version of the recipe's name. Out: the number of
cached and missing calls, with tokens and cost; what changed since that version. Nothing is sent,
run or written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from curator.core.model import Problem
from curator.pipeline.band import min_samples
from curator.pipeline.context import BuildContext
from curator.pipeline.follow_rounds import follow_rounds
from curator.pipeline.requests import (
    messages_of,
    prompt_of,
    request_identity,
    round_limits,
    sampling_of,
)
from curator.pipeline.stages.tool_rounds import Conversation
from curator.recipe.schema import Subset
from curator.sandbox.session import LONGEST_OUTPUT
from curator.teacher import Sampling
from curator.teacher.token_count import MESSAGE, prompt_tokens
from curator.versions.content import Content
from curator.writers import WRITERS
from curator.writers.prompt_templates import Messages

CHUNK = 1_000
"""Number of problems whose calls are looked up together."""


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """The teacher's calls of one subset."""

    cached: int = 0
    """Calls that are cached."""
    least: int = 0
    """Minimum number of missing calls: no problem needs more than its first samples."""
    most: int = 0
    """Maximum number of missing calls: every problem is sampled as often as the recipe allows, and
    every solution of the writer `tir` runs as many programs as it may."""
    repairs: int = 0
    """Maximum number of further calls, to repair programs. Their tokens are not counted, since the
    programs are not known yet."""
    prompt_tokens: int = 0
    """Tokens of the prompts of all missing calls. An output that is not known yet counts as the
    longest one, one token per character."""
    answer_tokens: int = 0
    """Tokens of the replies to all missing calls: the average of the cached replies for each, or
    the recipe's maximum if none is cached."""
    money: float = 0.0
    """Cost of these tokens at the recipe's prices."""


def estimate_calls(
    context: BuildContext, subset: Subset, problems: Iterable[Problem]
) -> CallEstimate:
    """Estimate the calls about a subset's problems; a repeated problem counts once."""
    session = context.teacher_session
    assert session, "only a recipe with a teacher has calls"
    sampling = sampling_of(context, subset)
    prompts, tally = session.prompts(sampling), CallTally(context)
    writers = [name for name in subset.writers if WRITERS[name].teacher]
    distinct = iter({problem.id: problem for problem in problems}.values())
    while chunk := list(islice(distinct, CHUNK)):
        conversations = [
            messages_of(prompts, prompt_of(writer, subset.kind, sampling), problem)
            for problem in chunk
            for writer in writers
        ]
        if subset.kind == "TIR":
            tally.add_rounds(conversations, sampling, context)
        else:
            tally.add(conversations, sampling.tries, fewest_samples(sampling))
    return tally.estimate(repairs=tally.most if sampling.repair else 0)


def fewest_samples(sampling: Sampling) -> int:
    """Return the smallest number of samples per problem after which sampling can stop."""
    if sampling.band:
        return min_samples(sampling.band, sampling.error, sampling.tries)
    return min(sampling.until or sampling.tries, sampling.tries)


class CallTally:
    """Counts cached and missing calls."""

    def __init__(self, context: BuildContext) -> None:
        assert context.teacher_session
        self.most = 0
        self._session, self._ledger = context.teacher_session, context.store.ledger("calls")
        self._count = lru_cache(maxsize=4_096)(context.teacher_session.count)
        self._cached = self._least = self._reply_tokens = self._replies = self._prompt_tokens = 0
        self._repeated_rounds = 0

    def add(
        self,
        conversations: Sequence[Messages],
        tries: int,
        fewest: int,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        """Count `tries` samples of each conversation, or only the sample given for each.

        Sampling may stop after the `fewest` samples. Returns the texts of the cached calls.
        """
        if samples:
            numbers = [[each] for each in samples]
        else:
            numbers = [list(range(tries))] * len(conversations)
        keys = [
            [self._session.request(conversation, number).key for number in each]
            for conversation, each in zip(conversations, numbers, strict=True)
        ]
        records = self._ledger.get_many(key for each in keys for key in each)
        texts = []
        for conversation, each in zip(conversations, keys, strict=True):
            calls = [records[key]["call"] for key in each if key in records]
            cached = [call for call in calls if call["final"]]
            missing = len(each) - len(cached)
            self._add_cached(cached)
            self._least += min(missing, max(0, fewest - len(cached)))
            self.add_missing(conversation, missing)
            texts += [call["text"] for call in cached]
        return texts

    def add_rounds(
        self, conversations: Sequence[Messages], sampling: Sampling, context: BuildContext
    ) -> None:
        """Count all samples of conversations in which the teacher runs programs.

        A sample needs one call at least. At most it runs the maximum number of programs, one per
        reply; each call repeats all replies and outputs before it.
        """
        limits, session = round_limits(sampling), self._session
        tries = range(sampling.tries)
        tools = session.request((), 0, limits.tools).tools
        followed = follow_rounds(
            ((conversation, sample) for conversation in conversations for sample in tries),
            limits,
            lambda messages, sample: session.request(messages, sample, limits.tools),
            self._ledger.get_many,
            context.checker.find_session,
        )
        for first in range(0, len(followed), sampling.tries):
            samples = followed[first : first + sampling.tries]
            unfinished = [each for each in samples if each.next]
            ended = len(samples) - len(unfinished)
            self._least += min(len(unfinished), max(0, fewest_samples(sampling) - ended))
            for each in samples:
                self._add_cached(each.calls)
            for each in unfinished:
                count = max(1, limits.programs + 1 - len(each.calls))
                self.add_missing(each.next, count)
                self._prompt_tokens += count * self._count(tools)
                self._repeated_rounds += count * (count - 1) // 2 + count * each.pending

    def _add_cached(self, calls: Sequence[Mapping[str, Any]]) -> None:
        self._cached += len(calls)
        self._reply_tokens += sum(call["completion_tokens"] for call in calls)
        self._replies += sum(call["status"] == "answered" for call in calls)

    def add_missing(self, conversation: Conversation, count: int) -> None:
        """Count missing calls, each with a prompt as long as `conversation`."""
        self.most += count
        self._prompt_tokens += count * prompt_tokens(self._count, conversation) if count else 0

    def estimate(self, repairs: int) -> CallEstimate:
        """Return the counts, with the tokens and cost of the missing calls."""
        settings = self._session.settings
        maximum = max_reply_tokens(settings.parameters)
        per_reply = self._reply_tokens / self._replies if self._replies else maximum
        prices = settings.prices
        repeated = self._repeated_rounds * (per_reply + LONGEST_OUTPUT + 2 * MESSAGE)
        prompt = self._prompt_tokens + round(repeated)
        money = prompt * prices.input + self.most * per_reply * prices.output
        return CallEstimate(
            self._cached,
            self._least,
            self.most,
            repairs,
            prompt,
            round(self.most * per_reply),
            round(money / 1_000_000, 6),
        )


def max_reply_tokens(parameters: Mapping[str, Any]) -> int:
    """Return the maximum number of tokens per reply; 0 if the parameters do not limit it."""
    maximum = parameters.get("max_completion_tokens", parameters.get("max_tokens"))
    return maximum if isinstance(maximum, int) else 0


def find_changes(context: BuildContext, name: str, subset: Subset, before: Content) -> list[str]:
    """Return the keys that decide the rows of a subset and differ from an earlier version."""
    old = before.recipe.subsets[name]
    new = context.recipe.canonical()["subsets"][name]
    changes = [
        key
        for key in ("source", "part", "kind", "writers", "checks")
        if getattr(old, key) != new[key]
    ]
    if any(WRITERS[writer].teacher for writer in subset.writers):
        changes += _find_teacher_changes(context, name, subset, before)
    limits = context.recipe.canonical()["limits"]
    changes += [
        f"limits.{key}"
        for key in sorted({*limits, *before.recipe.limits} - {"quarantine"})
        if before.recipe.limits.get(key) != limits.get(key)
    ]
    return changes


def _find_teacher_changes(
    context: BuildContext, name: str, subset: Subset, before: Content
) -> list[str]:
    session = context.teacher_session
    if not session:
        return ["teacher"]
    new = request_identity(session, subset, sampling_of(context, subset))
    teacher, calls = before.teacher, before.subsets[name].taught
    if not teacher or not calls:
        return ["teacher"]
    changes = ["calls that failed"] if calls.unanswered else []
    changes += [
        key for key in ("family", "model", "parameters") if getattr(teacher, key) != new[key]
    ]
    sampling = before.recipe.subsets[name].sampling or before.recipe.sampling
    changes += ["sampling"] if sampling != new["sampling"] else []
    for prompt, digest in new["prompts"].items():
        if calls.prompts.get(prompt) != digest:
            changes.append(f"prompt {prompt}")
    return changes
