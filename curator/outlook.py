"""What a build would ask of its teacher, and what an edit makes it ask or judge again.

In: a subset with its problems, and the newest version of the recipe's name. Out: calls that are
known and calls that are missing, their tokens and money; rows of that version that would be made
anew, and what changed since. Nothing is asked, run or written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from curator.model import Problem
from curator.rationales import WRITERS
from curator.sections import Subset
from curator.stages import Workshop, verify_params
from curator.synthesis import asked, messages_of, sampling_of
from curator.teacher.tokens import prompt_tokens
from datastore.versions import Manifest

CHUNK = 1_000
"""Problems whose calls are looked up at once."""


@dataclass(frozen=True, slots=True)
class Outlook:
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


def outlook(shop: Workshop, subset: Subset, problems: Iterable[Problem]) -> Outlook:
    """The calls of a subset's problems, each counted once."""
    teaching = shop.teaching
    assert teaching, "only a recipe with a teacher has calls"
    settings, sampling = teaching.settings, sampling_of(shop, subset)
    prompts, ledger = teaching.prompts(sampling), shop.store.ledger("calls")
    writers = [name for name in subset.writers if WRITERS[name].teacher]
    count = lru_cache(maxsize=4_096)(teaching.count)
    cached = least = most = spoken = answered = tokens = 0
    distinct = iter({problem.id: problem for problem in problems}.values())
    while some := list(islice(distinct, CHUNK)):
        talks = [messages_of(prompts, writer, each) for each in some for writer in writers]
        keys = [[teaching.request(talk, n).key for n in range(sampling.tries)] for talk in talks]
        known = ledger.get_many(key for each in keys for key in each)
        for talk, samples in zip(talks, keys, strict=True):
            calls = [known[key]["call"] for key in samples if key in known]
            kept = [call for call in calls if call["final"]]
            missing = len(samples) - len(kept)
            cached += len(kept)
            most += missing
            least += missing if sampling.until is None else int(not kept)
            spoken += sum(call["completion_tokens"] for call in kept)
            answered += sum(call["status"] == "answered" for call in kept)
            tokens += missing * prompt_tokens(count, talk) if missing else 0
    each = spoken / answered if answered else most_allowed(settings.parameters)
    prices = settings.prices
    return Outlook(
        cached,
        least,
        most,
        most if sampling.repair else 0,
        tokens,
        round(most * each),
        round((tokens * prices.input + most * each * prices.output) / 1_000_000, 6),
    )


def most_allowed(parameters: Mapping[str, Any]) -> int:
    """Tokens that an answer may have; 0 if nothing bounds it."""
    most = parameters.get("max_completion_tokens", parameters.get("max_tokens"))
    return most if isinstance(most, int) else 0


def changed(shop: Workshop, name: str, subset: Subset, before: Manifest | None) -> list[str]:
    """What decides the rows of a subset and is not as it was in an earlier version, in words."""
    if before is None or name not in before.content["subsets"]:
        return []
    recipe = before.content["recipe"]
    was: Mapping[str, Any] = recipe["subsets"].get(name, {})
    now = shop.recipe.canonical()["subsets"][name]
    told = [
        key for key in ("source", "part", "kind", "writers", "checks") if was.get(key) != now[key]
    ]
    if any(WRITERS[writer].teacher for writer in subset.writers):
        told += _asked_otherwise(shop, name, subset, before)
    limits = verify_params(shop, subset)["limits"]
    told += [f"limits.{key}" for key, value in limits.items() if recipe["limits"].get(key) != value]
    return told


def _asked_otherwise(shop: Workshop, name: str, subset: Subset, before: Manifest) -> list[str]:
    teaching = shop.teaching
    if not teaching:
        return ["teacher"]
    now = asked(teaching, subset, sampling_of(shop, subset))
    teacher = before.content.get("teacher")
    taught = before.content["subsets"][name].get("taught")
    if not teacher or not taught:
        return ["teacher"]
    told = ["calls that failed"] if taught["unanswered"] else []
    told += [key for key in ("family", "model", "parameters") if teacher[key] != now[key]]
    recipe = before.content["recipe"]
    sampling = recipe["subsets"][name].get("sampling") or recipe["sampling"]
    told += ["sampling"] if sampling != now["sampling"] else []
    for prompt, digest in now["prompts"].items():
        if taught["prompts"].get(prompt) != digest:
            told.append(f"prompt {prompt}")
    return told
