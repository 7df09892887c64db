"""Rank the gold answers of a dataset by what speaks against them.

In: problems, and files of models' answers. Out: suspects, the most doubtful first. Doubt is a sum
of log10 odds, as in naive Bayes: a model whose answers agree with a share p of all golds adds
log10(3p / (1 - p)) for the answer that it states and takes as much from it if it states the gold
answer; models of a family share one voice, and so do programs that come with a problem. Doubts
rank, and are not probabilities: models make the same mistakes, and golds are the measure of p.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from curator.answers import compare_by_rules
from curator.core.errata import erratum_key
from curator.core.model import Problem
from curator.pipeline.checker import Checker
from curator.pipeline.golds.model_answers import ModelAnswers, question_key
from curator.pipeline.golds.own_solution import read_own
from curator.versions.golds.evidence import NUMBER, PROGRAM, SOLUTION, STEP, UNLISTED
from curator.versions.golds.own_solution import OwnEvidence, find_choice
from curator.versions.golds.places import name_places

OTHER_ERRORS = 3
"""Different wrong answers among which a model that errs is taken to choose."""
GOLD = "\0gold"
_MAX_ANSWER = 200


@dataclass(frozen=True, slots=True)
class Suspect:
    """A gold answer in doubt."""

    key: str
    """Key of its errata."""
    places: tuple[str, ...]
    """Where its copies are; with their sources, if these differ."""
    question: str
    gold: str
    other: str
    """The answer that most evidence names instead; empty if nothing names one."""
    doubt: float
    evidence: tuple[str, ...]
    """What speaks against the gold answer and what speaks for it, in words."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One answer to a problem, by a model, or by a text that comes with the problem."""

    voice: str
    """The family that shares a voice."""
    name: str
    answer: str
    weight: float
    """Log10 odds, before the voice is shared."""


@dataclass(frozen=True, slots=True)
class GoldsInDoubt:
    """The result of a search for suspects."""

    problems: int
    compared: int
    """Problems with a gold answer and at least one other statement."""
    agreement: Mapping[str, float]
    """By file of answers: the share of its answers that are equal to the gold answer."""
    suspects: Sequence[Suspect]
    ruled: int = 0
    """Suspects that are left out, since a person has ruled on them."""


def find_suspects(
    problems: Sequence[Problem],
    models: Sequence[ModelAnswers],
    checker: Checker,
    own_texts: bool = True,
) -> GoldsInDoubt:
    """Return the gold answers against which there is any evidence, the most doubtful first.

    Copies of a problem, in one source or several, are one suspect with the evidence of the most
    doubtful copy: a ruling is on all of them.

    Without `own_texts`, solutions and programs that come with a problem are not read.
    """
    golds = [each for each in problems if each.gold]
    owns = read_own(golds, checker) if own_texts else [OwnEvidence()] * len(golds)
    keys = [question_key(each.question) for each in golds]
    places = _find_places(golds)
    stated = [
        [(model, model.answers[key][:_MAX_ANSWER]) for model in models if key in model.answers]
        for key in keys
    ]
    same = _compare(golds, stated, owns, checker)
    agreement = _agreement(golds, stated, same)
    suspects = []
    compared = 0
    for problem, answers, own in zip(golds, stated, owns, strict=True):
        statements = [
            Statement(each.family, each.name, answer, _weight(agreement[each.name]))
            for each, answer in answers
        ]
        statements += _own_statements(problem, own, same)
        compared += bool(statements)
        if suspect := _find_suspect(problem, places, statements, own, same):
            suspects.append(suspect)
    distinct: dict[str, Suspect] = {}
    for suspect in sorted(suspects, key=lambda each: (-each.doubt, each.key)):
        distinct.setdefault(suspect.key, suspect)
    return GoldsInDoubt(len(problems), compared, agreement, list(distinct.values()))


def _key(problem: Problem) -> str:
    return erratum_key(problem.question, problem.gold, problem.choices)


def _find_places(problems: Sequence[Problem]) -> Mapping[str, tuple[str, ...]]:
    """Return the places of the copies of each problem, by the key of its errata."""
    copies: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        copies[_key(problem)].append(problem)
    return {key: name_places([(x.source, x.place) for x in some]) for key, some in copies.items()}


Same = Mapping[tuple[str, str, tuple[str, ...]], bool]
"""By gold answer, answer and choices: whether they are equal; undecided pairs are missing."""


def _compare(
    golds: Sequence[Problem],
    stated: Sequence[Sequence[tuple[ModelAnswers, str]]],
    owns: Sequence[OwnEvidence],
    checker: Checker,
) -> Same:
    pairs = [
        (problem.gold, answer, problem.choices)
        for problem, answers, own in zip(golds, stated, owns, strict=True)
        for answer in (*(each for _, each in answers), own.solution, own.program)
        if answer
    ]
    distinct = list(dict.fromkeys(pairs))
    results = zip(distinct, checker.compare(distinct), strict=True)
    return {pair: each.outcome == "equal" for pair, each in results if each.outcome != "undecided"}


def _agreement(
    golds: Sequence[Problem], stated: Sequence[Sequence[tuple[ModelAnswers, str]]], same: Same
) -> dict[str, float]:
    results: dict[str, list[bool]] = defaultdict(list)
    for problem, answers in zip(golds, stated, strict=True):
        for model, answer in answers:
            pair = (problem.gold, answer, problem.choices)
            if pair in same:
                results[model.name].append(same[pair])
    # One right and one wrong answer are added, so that few answers give no extreme share.
    return {name: (sum(some) + 1) / (len(some) + 2) for name, some in results.items()}


def _weight(agreement: float) -> float:
    return max(0.0, log10(OTHER_ERRORS * agreement / (1 - agreement)))


def _own_statements(problem: Problem, own: OwnEvidence, same: Same) -> Iterator[Statement]:
    repeats = same.get((problem.gold, own.solution, problem.choices), False)
    # A gold answer that was read from the solution is no second opinion.
    if own.solution and not (repeats and problem.gold_in == "solution"):
        yield Statement("its solution", "its solution", own.solution, SOLUTION)
    if own.program:
        listed = not problem.choices or find_choice(own.program, problem.choices)
        weight = PROGRAM if listed else UNLISTED
        yield Statement("its program", "its program", own.program, weight)


def _find_suspect(
    problem: Problem,
    places: Mapping[str, tuple[str, ...]],
    statements: Sequence[Statement],
    own: OwnEvidence,
    same: Same,
) -> Suspect | None:
    """Return the suspect; None if nothing contradicts the gold answer."""
    sizes: dict[str, int] = defaultdict(int)
    for each in statements:
        sizes[each.voice] += 1
    groups: dict[str, list[Statement]] = defaultdict(list)
    for each in statements:
        equal = same.get((problem.gold, each.answer, problem.choices))
        if equal is not None:
            groups[GOLD if equal else _group(each.answer, groups, problem.choices)].append(each)

    def odds(group: str) -> float:
        return sum(each.weight / sizes[each.voice] for each in groups.get(group, ()))

    others = [group for group in groups if group != GOLD]
    other = max(others, key=lambda group: (odds(group), group), default="")
    faults = _faults(own)
    if not other and not faults:
        return None
    against = groups.get(other, [])
    doubt = (odds(other) if other else 0.0) - odds(GOLD) + sum(weight for _, weight in faults)
    other = min((each.answer for each in against), key=lambda text: (len(text), text), default="")
    evidence = [_say(against, f"say {other}")] if against else []
    evidence += [text for text, _ in faults]
    evidence += [_say(groups[GOLD], "agree with the gold")] if GOLD in groups else []
    key = _key(problem)
    return Suspect(
        key,
        places[key],
        problem.question,
        problem.gold,
        other,
        round(doubt, 2),
        tuple(evidence),
    )


def _group(answer: str, groups: Mapping[str, object], choices: tuple[str, ...]) -> str:
    """Return the group of an answer: the first one whose answer is equal, or a new one."""
    for group in groups:
        result = compare_by_rules(group, answer, choices) if group != GOLD else None
        if result and result.outcome == "equal":
            return group
    return answer


def _faults(own: OwnEvidence) -> list[tuple[str, float]]:
    faults = [(f"wrong {own.wrong_step}", STEP)] if own.wrong_step else []
    if own.unused:
        faults.append((f"its solution does not use {', '.join(own.unused[:4])}", NUMBER))
    if own.invented:
        faults.append((f"its solution invents {', '.join(own.invented[:4])}", NUMBER))
    return faults


def _say(statements: Sequence[Statement], what: str) -> str:
    """Return who says something: the voices, with the number of their models if several."""
    counts: dict[str, int] = defaultdict(int)
    for each in statements:
        counts[each.voice] += 1
    names = [voice if count == 1 else f"{voice} ({count})" for voice, count in counts.items()]
    verb = what.replace("say ", "says ").replace("agree ", "agrees ") if len(names) == 1 else what
    return f"{', '.join(names)} {verb}"
