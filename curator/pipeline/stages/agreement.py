"""The gold answer of a new problem: the answer on which a teacher's solutions agree.

In: problems with several solutions and programs each. Out: the same problems with the agreed answer
as gold, or without gold, and the verdict `agreement` with the votes.
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
"""Version of the verdict `agreement`."""

Text = tuple[Kind, str]
"""Kind and text of one rationale; the text is empty if the reply had none."""


def agree(
    checker: Checker, some: Sequence[tuple[Problem, list[Text]]], rule: SelfInstruct
) -> Iterator[tuple[Problem, Verdict]]:
    """Yield each problem with the agreed answer as gold, or an empty gold, and the verdict.

    Programs are run and answers compared in pairs. A vote counts for the first answer it equals.
    """
    candidates = [
        Candidate(problem.id, kind, "", text, "", ())
        for problem, texts in some
        for kind, text in texts
        if text
    ]
    answers = iter(checker.extract_answers(candidates))
    votes = [
        (problem, [(kind, next(answers) if text else None) for kind, text in texts])
        for problem, texts in some
    ]
    pairs = {
        (render_answer(one), render_answer(other), ())
        for _, ballot in votes
        for (_, one), (_, other) in combinations(ballot, 2)
        if one and other
    }
    ordered = sorted(pairs)
    compared = zip(ordered, checker.compare(ordered), strict=True)
    equal = {(one, other) for (one, other, _), result in compared if result.outcome == "equal"}
    for problem, ballot in votes:
        yield _decide(problem, ballot, equal, rule)


def _decide(
    problem: Problem,
    ballot: Sequence[tuple[Kind, Answer | None]],
    equal: set[tuple[str, str]],
    rule: SelfInstruct,
) -> tuple[Problem, Verdict]:
    """Return the problem with its gold, and the verdict, by the answers to it."""
    clusters: dict[str, list[Kind]] = {}
    for kind, answer in ballot:
        if answer:
            text = render_answer(answer)
            same = (one for one in clusters if one == text or (one, text) in equal)
            clusters.setdefault(next(same, text), []).append(kind)
    best = max(clusters, key=lambda one: len(clusters[one]), default="")
    voters = clusters.get(best, [])
    programs = voters.count("PoT")
    enough = len(voters) >= rule.agree and (programs > 0 or rule.pot == 0)
    evidence = {
        "answer": best,
        "votes": f"{len(voters)} of {len(ballot)}",
        "programs": f"{programs} of {rule.pot}",
    }
    solved = replace(problem, gold=best if enough else "")
    outcome: Outcome = "passed" if enough else "undecided"
    reason = "" if enough else "no agreement"
    return solved, Verdict(solved.id, "agreement", VERSION, outcome, reason, evidence)
