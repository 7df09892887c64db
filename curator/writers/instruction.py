"""What a model is asked: the question, its options if any, and the trigger for programs.

In: a Problem and the kind of rationale. Out: one text; a problem always gets the same trigger.
"""

from curator.core.model import LETTERS, Kind, Problem

TRIGGERS = (
    "Let's write a program.",
    "Let's write a Python program.",
    "Let's program in Python in the response.",
    "Let's write a Python program to solve it.",
    "Please write a program to solve it",
)
"""The five sentences that end a PoT instruction in the released MathInstruct, letter by letter."""


def build_instruction(problem: Problem, kind: Kind) -> str:
    """The instruction of a row in the form of the released MathInstruct.

    A released row has its instruction as question already: it is returned unchanged. A formula or a
    program computes a number, so its problem is asked without its options, as MathInstruct does
    for MathQA and NumGLUE.
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
    """`Answer Choices: (A) 2 (B) 4 (C) 8`, for at most 26 options."""
    pairs = zip(LETTERS, choices, strict=False)
    return "Answer Choices: " + " ".join(f"({letter}) {text.strip()}" for letter, text in pairs)
