"""What independent answers to a new problem agree on, and so prove it without a gold answer.

In: problems with the solutions and programs that a teacher wrote for each. Out: the same problems
with the agreed answer as gold, or without one, and the verdict `agreement` with the votes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from curator.answers import render_answer
from curator.checks import Candidate
from curator.core.model import Answer, Kind, Outcome, Problem, Verdict
from curator.pipeline.checker import Checker
from curator.recipe.schema import SelfInstruct

VERSION = 1
"""Of the verdict `agreement`."""

Text = tuple[Kind, str]
"""One answer of the teacher: its kind and its rationale, empty if it could not be read."""


def agree(
    checker: Checker, some: Sequence[tuple[Problem, list[Text]]], rule: SelfInstruct
) -> Iterator[tuple[Problem, Verdict]]:
    """Each problem with its agreed answer as gold, empty without agreement, and the votes.

    Programs are run. Answers are compared in pairs; a vote joins the first answer that it equals.
    """
    candidates = [
        Candidate(problem.id, kind, "", text, "", ())
        for problem, texts in some
        for kind, text in texts
        if text
    ]
    found = iter(checker.extract_answers(candidates))
    votes = [
        (problem, [(kind, next(found) if text else None) for kind, text in texts])
        for problem, texts in some
    ]
    pairs = {
        (render_answer(one), render_answer(other), ())
        for _, cast in votes
        for (_, one), (_, other) in combinations(cast, 2)
        if one and other
    }
    ordered = sorted(pairs)
    graded = zip(ordered, checker.compare(ordered), strict=True)
    equal = {(one, other) for (one, other, _), verdict in graded if verdict.outcome == "equal"}
    for problem, cast in votes:
        yield _decided(problem, cast, equal, rule)


def _decided(
    problem: Problem,
    cast: Sequence[tuple[Kind, Answer | None]],
    equal: set[tuple[str, str]],
    rule: SelfInstruct,
) -> tuple[Problem, Verdict]:
    clusters: dict[str, list[Kind]] = {}
    for kind, answer in cast:
        if answer:
            said = render_answer(answer)
            same = (one for one in clusters if one == said or (one, said) in equal)
            clusters.setdefault(next(same, said), []).append(kind)
    best = max(clusters, key=lambda one: len(clusters[one]), default="")
    voters = clusters.get(best, [])
    programs = voters.count("PoT")
    enough = len(voters) >= rule.agree and (programs > 0 or rule.pot == 0)
    evidence = {
        "answer": best,
        "votes": f"{len(voters)} of {len(cast)}",
        "programs": f"{programs} of {rule.pot}",
    }
    proved = replace(problem, gold=best if enough else "")
    outcome: Outcome = "passed" if enough else "undecided"
    reason = "" if enough else "no agreement"
    return proved, Verdict(proved.id, "agreement", VERSION, outcome, reason, evidence)
