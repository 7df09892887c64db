"""What a build would ask of its teacher, and what an edit makes it ask or judge again.

In: a subset with its problems, and the newest version of the recipe's name. Out: calls that are
known and calls that are missing, their tokens and money; rows of that version that would be made
anew, and what changed since. Nothing is asked, run or written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from curator.core.model import Problem
from curator.pipeline.context import BuildContext
from curator.pipeline.stages.check import check_params
from curator.pipeline.stages.generate import messages_of, request_identity, sampling_of
from curator.recipe.schema import Subset
from curator.teacher.token_count import prompt_tokens
from curator.versions.content import Content
from curator.writers import WRITERS
from curator.writers.prompt_templates import Messages

CHUNK = 1_000
"""Problems whose calls are looked up at once."""


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What is known of the calls of one subset, and what is missing."""

    cached: int = 0
    """Calls that the store knows."""
    least: int = 0
    """Calls that are missing, if every problem is proved as soon as it may be."""
    most: int = 0
    """Calls that are missing, if every problem is sampled as often as the recipe allows."""
    repairs: int = 0
    """Further calls at most, should every program have to be repaired; their tokens are not
    counted, for nobody knows the programs."""
    prompt_tokens: int = 0
    """Of all missing prompts."""
    answer_tokens: int = 0
    """Of all missing answers: as many each as the known ones have on average, and as the recipe
    allows where none is known."""
    money: float = 0.0
    """For those tokens, at the recipe's prices."""


def estimate_calls(
    context: BuildContext, subset: Subset, problems: Iterable[Problem]
) -> CallEstimate:
    """The calls of a subset's problems, each counted once."""
    teacher_session = context.teacher_session
    assert teacher_session, "only a recipe with a teacher has calls"
    sampling = sampling_of(context, subset)
    prompts, tally = teacher_session.prompts(sampling), Tally(context)
    writers = [name for name in subset.writers if WRITERS[name].teacher]
    distinct = iter({problem.id: problem for problem in problems}.values())
    while some := list(islice(distinct, CHUNK)):
        talks = [
            messages_of(prompts, WRITERS[writer].prompt(subset.kind), each)
            for each in some
            for writer in writers
        ]
        tally.add(talks, sampling.tries, sampling.until is not None)
    return tally.outlook(repairs=tally.most if sampling.repair else 0)


class Tally:
    """Counts calls that the ledger knows and calls that are missing."""

    def __init__(self, context: BuildContext) -> None:
        assert context.teacher_session
        self.most = 0
        self._teaching, self._ledger = context.teacher_session, context.store.ledger("calls")
        self._count = lru_cache(maxsize=4_096)(context.teacher_session.count)
        self._cached = self._least = self._spoken = self._answered = self._tokens = 0

    def add(
        self,
        talks: Sequence[Messages],
        tries: int,
        one_may_do: bool,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        """Looks conversations up, `tries` samples each, or the sample given for each.

        `one_may_do` says that further samples are asked only if need be. Returns the texts of the
        calls that are known.
        """
        numbers = [[each] for each in samples] if samples else [list(range(tries))] * len(talks)
        keys = [
            [self._teaching.request(talk, number).key for number in some]
            for talk, some in zip(talks, numbers, strict=True)
        ]
        known = self._ledger.get_many(key for some in keys for key in some)
        texts = []
        for talk, some in zip(talks, keys, strict=True):
            kept = [c for key in some if key in known and (c := known[key]["call"])["final"]]
            missing = len(some) - len(kept)
            self._cached += len(kept)
            self._least += int(not kept) if one_may_do else missing
            self._spoken += sum(call["completion_tokens"] for call in kept)
            self._answered += sum(call["status"] == "answered" for call in kept)
            self.add_missing(talk, missing)
            texts += [call["text"] for call in kept]
        return texts

    def add_missing(self, talk: Messages, count: int) -> None:
        """Count calls that are not cached, each with a prompt as long as `talk`."""
        self.most += count
        self._tokens += count * prompt_tokens(self._count, talk) if count else 0

    def outlook(self, repairs: int) -> CallEstimate:
        """What was counted."""
        settings = self._teaching.settings
        allowed = most_allowed(settings.parameters)
        each = self._spoken / self._answered if self._answered else allowed
        money = self._tokens * settings.prices.input + self.most * each * settings.prices.output
        return CallEstimate(
            self._cached,
            self._least,
            self.most,
            repairs,
            self._tokens,
            round(self.most * each),
            round(money / 1_000_000, 6),
        )


def most_allowed(parameters: Mapping[str, Any]) -> int:
    """Tokens that an answer may have; 0 if nothing bounds it."""
    most = parameters.get("max_completion_tokens", parameters.get("max_tokens"))
    return most if isinstance(most, int) else 0


def changed(context: BuildContext, name: str, subset: Subset, before: Content) -> list[str]:
    """Return the keys that decide the rows of a subset and differ from an earlier version."""
    was = before.recipe.subsets[name]
    now = context.recipe.canonical()["subsets"][name]
    told = [
        key
        for key in ("source", "part", "kind", "writers", "checks")
        if getattr(was, key) != now[key]
    ]
    if any(WRITERS[writer].teacher for writer in subset.writers):
        told += _asked_otherwise(context, name, subset, before)
    limits = check_params(context, subset)["limits"]
    told += [
        f"limits.{key}" for key, value in limits.items() if before.recipe.limits.get(key) != value
    ]
    return told


def _asked_otherwise(
    context: BuildContext, name: str, subset: Subset, before: Content
) -> list[str]:
    teacher_session = context.teacher_session
    if not teacher_session:
        return ["teacher"]
    now = request_identity(teacher_session, subset, sampling_of(context, subset))
    teacher, calls = before.teacher, before.subsets[name].taught
    if not teacher or not calls:
        return ["teacher"]
    told = ["calls that failed"] if calls.unanswered else []
    told += [key for key in ("family", "model", "parameters") if getattr(teacher, key) != now[key]]
    sampling = before.recipe.subsets[name].sampling or before.recipe.sampling
    told += ["sampling"] if sampling != now["sampling"] else []
    for prompt, digest in now["prompts"].items():
        if calls.prompts.get(prompt) != digest:
            told.append(f"prompt {prompt}")
    return told
