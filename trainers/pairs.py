"""What a verifier is trained on: right and wrong solutions of the same problems, in equal number.

In: graded problems. Out: problems to train on and problems to measure on. The split is by the text
of the question, so that one that is in two sets is on one side only.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from curator.core.errors import UsageError
from trainers.evaluation.grade import Graded


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with its different solutions that are surely right or surely wrong."""

    question: str
    """With its options, as the verifier reads it."""
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def judged(problems: Iterable[Graded]) -> list[Judged]:
    """The graded problems as a verifier sees them.

    Samples whose answer could not be compared are neither; equal texts count once. What stands in
    several sets is one problem.
    """
    found: dict[str, Judged] = {}
    for one in problems:
        texts = [sample.text for sample in one.problem.samples]
        right = tuple(text for text, is_right in zip(texts, one.right, strict=True) if is_right)
        wrong = tuple(text for text, is_wrong in zip(texts, one.wrong, strict=True) if is_wrong)
        asked = question(one.problem.question, one.problem.choices)
        same = found.get(key := _plain(asked), Judged(asked, (), ()))
        found[key] = Judged(
            same.question,
            tuple(dict.fromkeys(same.right + right)),
            tuple(dict.fromkeys(same.wrong + wrong)),
        )
    return list(found.values())


def question(text: str, choices: Sequence[str]) -> str:
    """A question with its options."""
    if not choices:
        return text
    options = " ".join(f"({chr(65 + n)}) {each.strip()}" for n, each in enumerate(choices))
    return f"{text}\nAnswer Choices: {options}"


def split(problems: Sequence[Judged], held_out: float, seed: int) -> tuple[list[Judged], ...]:
    """Problems to train on, and the share to measure on, drawn by hashes of their questions.

    Raises UsageError if a side would be without right and wrong solutions.
    """
    order = sorted(problems, key=lambda each: _hash(seed, _plain(each.question)))
    count = max(1, round(len(order) * held_out))
    measured, trained = order[:count], order[count:]
    if not any(each.right and each.wrong for each in trained):
        raise UsageError(
            "No problem to train on has a right and a wrong solution: sample more solutions, or "
            "problems that the model solves sometimes"
        )
    if not any(each.right for each in measured) or not any(each.wrong for each in measured):
        raise UsageError(
            f"The {count:,} held-out problems lack right or wrong solutions: sample more problems, "
            "or raise held_out"
        )
    return trained, measured


def pairs(problems: Sequence[Judged], per_problem: int, seed: int) -> list[tuple[str, str, str]]:
    """Questions with a right and a wrong solution each; at most half of `per_problem` a question.

    No solution is in two pairs; a question without both kinds gives none.
    """
    found = []
    for each in problems:
        right, wrong = (drawn(texts, per_problem // 2, seed) for texts in (each.right, each.wrong))
        found += [(each.question, one, other) for one, other in zip(right, wrong, strict=False)]
    return found


def drawn(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """So many of the texts, drawn by their hashes: the same ones whatever else is there."""
    return sorted(texts, key=lambda text: _hash(seed, text))[:count]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s]", text.casefold()))


def _hash(seed: int, text: str) -> bytes:
    return sha256(f"{seed}\n{text}".encode("utf-8", "surrogatepass")).digest()
