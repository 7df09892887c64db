"""Builds the training data of a verifier: pairs of a right and a wrong solution of a problem.

In: graded problems. Out: training problems, held-out problems, pairs. The split is by the text of
the question, so that a question in two sets is on one side only.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from curator.checks.grade_samples import GradedProblem
from curator.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class SolutionSet:
    """A question with its distinct solutions that are certainly right or certainly wrong."""

    question: str
    """The question with its choices, as in the verifier's prompt."""
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def collect_solutions(problems: Iterable[GradedProblem]) -> list[SolutionSet]:
    """Collect the right and wrong solutions of each question.

    Samples whose answer could not be compared are in neither group. Equal texts count once, and the
    same question in several sets is one problem.
    """
    return merge_solutions(map(_solutions, problems))


def _solutions(one: GradedProblem) -> SolutionSet:
    texts = [sample.text for sample in one.problem.samples]
    return SolutionSet(
        format_question(one.problem.question, one.problem.choices),
        tuple(text for text, is_right in zip(texts, one.right, strict=True) if is_right),
        tuple(text for text, is_wrong in zip(texts, one.wrong, strict=True) if is_wrong),
    )


def merge_solutions(parts: Iterable[SolutionSet]) -> list[SolutionSet]:
    """Return one set per question, in the order of their first parts; equal texts count once."""
    questions: dict[str, str] = {}
    sides: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for part in parts:
        key = _normalise(part.question)
        questions.setdefault(key, part.question)
        right, wrong = sides.setdefault(key, ({}, {}))
        right.update(dict.fromkeys(part.right))
        wrong.update(dict.fromkeys(part.wrong))
    return [
        SolutionSet(question, tuple(sides[key][0]), tuple(sides[key][1]))
        for key, question in questions.items()
    ]


def format_question(text: str, choices: Sequence[str]) -> str:
    """Return a question with its choices."""
    if not choices:
        return text
    listed = " ".join(f"({chr(65 + n)}) {each.strip()}" for n, each in enumerate(choices))
    return f"{text}\nAnswer Choices: {listed}"


def split(
    problems: Sequence[SolutionSet], held_out: float, seed: int
) -> tuple[list[SolutionSet], ...]:
    """Split into training problems and held-out problems, by the hash of the question.

    Raises UsageError if a side has no right or no wrong solutions.
    """
    order = sorted(problems, key=lambda each: _hash(seed, _normalise(each.question)))
    count = max(1, round(len(order) * held_out))
    held_out_problems, trained = order[:count], order[count:]
    if not any(each.right and each.wrong for each in trained):
        raise UsageError(
            "No training problem has a right and a wrong solution. Sample more solutions, or "
            "problems that the model sometimes solves."
        )
    if not any(each.right for each in held_out_problems) or not any(
        each.wrong for each in held_out_problems
    ):
        raise UsageError(
            f"The {count:,} held-out problems have no right or no wrong solutions. Sample more "
            "problems, or increase held_out."
        )
    return trained, held_out_problems


def make_pairs(
    problems: Sequence[SolutionSet], per_problem: int, seed: int
) -> list[tuple[str, str, str]]:
    """Return (question, right solution, wrong solution), up to `per_problem` / 2 per question.

    No solution is in two pairs. A question without both kinds gives no pair.
    """
    pairs = []
    for each in problems:
        count = per_problem // 2
        right, wrong = (draw_by_hash(side, count, seed) for side in (each.right, each.wrong))
        pairs += [(each.question, one, other) for one, other in zip(right, wrong, strict=False)]
    return pairs


def draw_by_hash(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Return the `count` texts with the lowest hashes; the choice is stable as texts are added."""
    return sorted(texts, key=lambda text: _hash(seed, text))[:count]


def _normalise(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s]", text.casefold()))


def _hash(seed: int, text: str) -> bytes:
    return sha256(f"{seed}\n{text}".encode("utf-8", "surrogatepass")).digest()
