"""Builds the instruction of a row: the question, its choices, and the request for a program.

In: a Problem and the kind of rationale. Out: one text; a problem always gets the same request.
"""

from curator.core.model import LETTERS, Kind, Problem

TRIGGERS = (
    "Let's write a program.",
    "Let's write a Python program.",
    "Let's program in Python in the response.",
    "Let's write a Python program to solve it.",
    "Please write a program to solve it",
)
"""The five sentences that end PoT instructions in the released MathInstruct, unchanged."""


def build_instruction(problem: Problem, kind: Kind) -> str:
    """Return the instruction of a row in the form of the released MathInstruct.

    The question of a released row is already its instruction and is returned unchanged. A formula
    or program computes a number, so the choices are omitted, as in MathInstruct's MathQA and
    NumGLUE rows.
    """
    if problem.source == "mathinstruct":
        return problem.question
    text = problem.question.strip()
    computes = kind == "PoT" and problem.notation in ("mathqa", "python")
    if problem.choices and not computes:
        text = f"{text}\n{choices_line(problem.choices)}"
    if kind == "PoT":
        text = f"{text} {TRIGGERS[int.from_bytes(problem.id[:8], 'big') % len(TRIGGERS)]}"
    return text


def choices_line(choices: tuple[str, ...]) -> str:
    """Return `Answer Choices: (A) 2 (B) 4 (C) 8`, for up to 26 choices."""
    pairs = zip(LETTERS, choices, strict=False)
    return "Answer Choices: " + " ".join(f"({letter}) {text.strip()}" for letter, text in pairs)


def lists_choices(question: str) -> bool:
    """Return whether a question contains its choices, in the form of a released row."""
    return "answer choices:" in question.lower()


def add_choices(problem: Problem) -> str:
    """Return the question followed by its choices, unless it lists them itself."""
    # A filled gold answer comes with choices, which the question may already contain.
    if problem.choices and not lists_choices(problem.question):
        return f"{problem.question}\n{choices_line(problem.choices)}"
    return problem.question
