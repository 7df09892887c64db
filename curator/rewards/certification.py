r"""Certify reward functions on golds: which forms of an answer does each one accept?

In: golds with their choices, and names of `FUNCTIONS`. Out: a `Certificate`: error rates by kind of
answer, and why each misjudged gold is misjudged. Each function grades the gold as it is
written, up to 12 other true forms and up to 12 near misses, each as `The answer is \boxed{FORM}.`

The forms come from `curator.answers.variants`, which shares no code with our equivalence, so that
the function `curator` is measured by something else than itself. A call that hangs costs its time
limit, and counts as no reward. With a store, outcomes are kept in its ledger `gradings` under a
hash of the function's code, the gold and its forms, so that no gold is graded twice; a kill loses
the golds that are being graded, some ten of them. Not covered: answers outside of a box, and
forms that the generator does not write.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from curator.answers import extract
from curator.answers.compare.children import DIED, Children
from curator.answers.variants import Variant, generate_variants
from curator.core.errors import UsageError
from curator.core.model import content_id
from curator.rewards.functions import FUNCTIONS, check_installed, describe_code
from datastore.compute_missing import chunks, compute_missing
from datastore.new_file import new_file
from datastore.store import Store

Gold = tuple[str, tuple[str, ...]]
"""A gold answer and the choices of its question."""
_Item = tuple[Gold, list[Variant]]
"""A gold and its forms."""
Progress = Callable[[str, int, int | None], None]

FORMS = 12
"""Maximum number of true forms, and of near misses, of one gold."""
WALL_S = 15.0
"""Time limit of one call; that of TRL's `accuracy_reward` is 15 seconds, too."""
MEMORY_MB = 1024
AS_WRITTEN = "as written"
"""The kind of the true form that is the gold itself."""

CHUNK = 100
"""Golds that are looked up in the ledger at once."""
COMMIT = 1
"""Golds per sync of the ledger: grading one takes much longer than a sync."""
_FUNCTION_WORKER = "curator.rewards.function_worker"


@dataclass(frozen=True, slots=True)
class Graded:
    """What one function makes of one form."""

    form: Variant
    outcome: str
    """equal for a reward of 1, different for another one, undecided for none."""

    @property
    def is_wrong(self) -> bool:
        """Whether a true form has another outcome than equal, or a near miss is equal."""
        return (self.outcome == "equal") != (self.form.expected == "equal")


@dataclass(frozen=True, slots=True)
class Misjudged:
    """A gold that a function misjudges."""

    function: str
    reason: str
    forms: tuple[Graded, ...]
    """The forms with a wrong outcome."""


@dataclass(slots=True)
class Rates:
    """Outcomes of one function by expected outcome, for the answers of one kind."""

    golds: int = 0
    true_forms: Counter[str] = field(default_factory=Counter)
    near_misses: Counter[str] = field(default_factory=Counter)

    def plain(self) -> dict[str, int]:
        """Return the numbers for JSON."""
        return {
            "golds": self.golds,
            "true_forms": self.true_forms.total(),
            "rejected": self.true_forms["different"],
            "true_forms_without_reward": self.true_forms["undecided"],
            "near_misses": self.near_misses.total(),
            "accepted": self.near_misses["equal"],
        }


def choose_forms(gold: str, choices: Sequence[str] = ()) -> list[Variant]:
    """Return the gold as written, then up to `FORMS` true forms and `FORMS` near misses.

    The rules of the generator take turns, so that as many kinds as possible are among them.
    """
    groups: dict[str, dict[str, list[Variant]]] = {"equal": {}, "different": {}}
    for variant in generate_variants(gold, choices):
        groups[variant.expected].setdefault(variant.kind, []).append(variant)
    turns = [
        [variant for turn in zip_longest(*kinds.values()) for variant in turn if variant][:FORMS]
        for kinds in groups.values()
    ]
    return [Variant(AS_WRITTEN, gold, "equal"), *turns[0], *turns[1]]


def why_misjudged(graded: Sequence[Graded]) -> str:
    """Return why a gold is misjudged, given all its forms; empty if it is not.

    A function must accept the gold as it is written, no near miss, and half of the true forms.
    """
    true_forms = [each for each in graded if each.form.expected == "equal"]
    if any(each.is_wrong for each in true_forms if each.form.kind == AS_WRITTEN):
        return "does not accept the gold"
    if any(each.is_wrong for each in graded if each.form.expected == "different"):
        return "accepts a near miss"
    if 2 * sum(each.is_wrong for each in true_forms) > len(true_forms):
        return "does not accept most true forms"
    return ""


class Certificate:
    """Which golds the functions misjudge, and how often they err; it grows with `add`.

    Each distinct gold is graded once: by this object, or with a store by all processes that use it.
    """

    def __init__(
        self,
        functions: Sequence[str],
        progress: Progress | None = None,
        store: Store | None = None,
    ) -> None:
        self.functions = tuple(dict.fromkeys(functions))
        self.rates: dict[tuple[str, str], Rates] = defaultdict(Rates)
        """By function and kind of answer."""
        self.misjudged: dict[Gold, Misjudged] = {}
        """By gold: the first function, in their order, that misjudges it."""
        self.rejected: dict[str, Gold] = {}
        """By id: the golds of the rows that were left out."""
        self._golds: set[Gold] = set()
        self._progress = progress
        self._store = store

    def add(self, golds: Iterable[Gold]) -> None:
        """Grade the golds that are new."""
        new = [each for each in dict.fromkeys(golds) if each not in self._golds]
        self._golds.update(new)
        for function in self.functions:
            for number, (gold, graded) in enumerate(grade(new, function, self._store)):
                if self._progress and number % 100 == 0:
                    self._progress(f"certifying {function}", number, len(new))
                self.count(function, gold, graded)

    def reject(self, row: str, gold: Gold) -> str:
        """Return why the gold of a row is misjudged, and keep the row; empty if it is not."""
        found = self.misjudged.get(gold)
        if found is None:
            return ""
        self.rejected[row] = gold
        return f"{found.function} {found.reason}"

    def write(self, path: Path, overwrite: bool = False) -> None:
        """Write the rejected rows as JSON Lines, each with the forms that were misjudged.

        {"id": "5f0c…", "gold": "7", "choices": [], "grader": "trl", "reason": "accepts a near
        miss", "forms": [{"text": "7'", "kind": "prime", "expected": "different", "found":
        "equal"}]}. Raises BadTarget if the file exists and `overwrite` is false.
        """
        with new_file(path, overwrite) as out:
            for row, gold in self.rejected.items():
                line = _to_json(row, gold, self.misjudged[gold])
                out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def count(self, function: str, gold: Gold, graded: Sequence[Graded]) -> None:
        """Add what a function makes of the forms of one gold."""
        rates = self.rates[function, _kind(gold)]
        rates.golds += 1
        for each in graded:
            side = rates.true_forms if each.form.expected == "equal" else rates.near_misses
            side[each.outcome] += 1
        if gold not in self.misjudged and (reason := why_misjudged(graded)):
            wrong = tuple(each for each in graded if each.is_wrong)
            self.misjudged[gold] = Misjudged(function, reason, wrong)

    def plain(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return the rates for JSON: by function, then by kind of answer."""
        found: dict[str, dict[str, dict[str, int]]] = {name: {} for name in self.functions}
        for (function, kind), rates in sorted(self.rates.items()):
            found[function][kind] = rates.plain()
        return found


def certificate_of(
    names: str, progress: Progress | None = None, store: Store | None = None
) -> Certificate | None:
    """Return a certificate for names of functions that are separated by commas; None if empty.

    Raises UsageError for a name that is empty or not known, or whose package is not installed.
    """
    functions = [name.strip() for name in names.split(",")] if names else []
    if not all(functions):
        raise UsageError(
            f"--certify: expected names of graders separated by commas, saw '{names}'. Name one or "
            f"more of: {', '.join(FUNCTIONS)}."
        )
    check_installed(functions)
    return Certificate(functions, progress, store) if functions else None


def grade(
    golds: Sequence[Gold], function: str, store: Store | None = None
) -> Iterator[tuple[Gold, list[Graded]]]:
    """Yield each gold with its graded forms; the function runs in processes of its own.

    With a store, outcomes that are in it are not computed again. A read-only store is only read.
    """
    workers = os.cpu_count() or 1
    with closing(Children(_FUNCTION_WORKER, workers, WALL_S, MEMORY_MB, function)) as children:
        work = partial(_grade_forms, children)
        for chunk in chunks(golds, CHUNK):
            items = [(gold, choose_forms(*gold)) for gold in chunk]
            records = _look_up(store, function, items, work) if store else work(items)
            for (gold, forms), record in zip(items, records, strict=True):
                yield gold, list(map(Graded, forms, record["outcomes"]))


def _grade_forms(children: Children, items: Sequence[_Item]) -> Iterator[dict[str, Any]]:
    """Yield one record per gold: the outcome of each of its forms, and the rule."""
    found = children.map(
        [rf"The answer is \boxed{{{form.text}}}.", gold, list(choices)]
        for (gold, choices), forms in items
        for form in forms
    )
    for _, forms in items:
        graded = list(islice(found, len(forms)))
        outcomes, rules = [each.outcome for each in graded], [each.rule for each in graded]
        yield {"outcomes": outcomes, "rules": rules}


def _look_up(
    store: Store,
    function: str,
    items: Sequence[_Item],
    work: Callable[[Sequence[_Item]], Iterator[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Return the record of each gold from the ledger; the missing ones are computed and kept."""
    code = f"{describe_code(function)}\n{WALL_S} s, {MEMORY_MB} MB"
    keys = [
        content_id(
            "certification",
            code,
            gold,
            json.dumps(choices),
            *(form.text for form in forms),
        )
        for (gold, choices), forms in items
    ]

    def keep(record: dict[str, Any]) -> bool:
        return not store.readonly and DIED not in record["rules"]

    return compute_missing(store.ledger("gradings"), keys, items, work, keep, COMMIT)


def _to_json(row: str, gold: Gold, found: Misjudged) -> dict[str, object]:
    forms = [
        {
            "text": each.form.text,
            "kind": each.form.kind,
            "expected": each.form.expected,
            "found": each.outcome,
        }
        for each in found.forms
    ]
    whose = {"id": row, "gold": gold[0], "choices": list(gold[1])}
    return {**whose, "grader": found.function, "reason": found.reason, "forms": forms}


def _kind(gold: Gold) -> str:
    """Return the kind of an answer, which groups the rates and decides nothing."""
    answer = extract(rf"\boxed{{{gold[0]}}}", gold[1])
    return answer.kind if answer else "text"
