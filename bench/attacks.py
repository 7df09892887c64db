"""Hides evaluation questions in training rows, in the ways that `contamination.py` measures.

In: a problem of an evaluation set and a random generator. Out: the training problems that hide it:
one, two if the question is split, or none if the attack does not apply. The same generator state
gives the same problems.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

from curator.core.model import LETTERS, Problem

Attack = Callable[[Problem, Random], list[Problem]]

PROMPTS = (
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "Let's think step by step.",
    "Solve the following problem. Show your work and state the final answer.",
)
AROUND = (
    (
        "A tutor collects exercises for the next lesson and writes each of them on a card. The "
        "card for the first group has this text.",
        "The group compares its solution with that of its neighbours before the lesson ends.",
    ),
    (
        "You will get an exercise from an old workbook. Some pages are torn, so read it twice.",
        "After you have solved it, explain to a younger pupil which step was the hardest one.",
    ),
    (
        "Context: the following exercise was part of a quiz that a school held in the spring, "
        "and most of the pupils left out a unit.",
        "Write the solution in complete sentences, and check it once more before you hand it in.",
    ),
)
DISTRACTORS = (
    "(A green bicycle stood in front of the library all morning.)",
    "(The old clock in the hall had stopped again the day before.)",
    "(Somebody in the next room was practising the violin.)",
)
NUMBER = re.compile(r"[0-9]+")


def ask(problem: Problem, question: str) -> list[Problem]:
    """Return the problem with another question, and without a list of choices."""
    return [replace(problem, question=question, choices=())]


def repeat(problem: Problem, random: Random) -> list[Problem]:
    return [problem]


def change_layout(problem: Problem, random: Random) -> list[Problem]:
    """Change the case of all letters, and the white space between words."""
    question = random.choice((str.upper, str.lower))(problem.question)
    space = random.choice(("  ", "\n", "\t"))
    return [replace(problem, question=space.join(question.split()))]


def add_prompt_before(problem: Problem, random: Random) -> list[Problem]:
    return [replace(problem, question=f"{random.choice(PROMPTS)}\n\n{problem.question}")]


def add_prompt_after(problem: Problem, random: Random) -> list[Problem]:
    return [replace(problem, question=f"{problem.question}\n{random.choice(PROMPTS)}")]


def embed(problem: Problem, random: Random) -> list[Problem]:
    before, after = random.choice(AROUND)
    return [replace(problem, question=f"{before} {problem.question} {after}")]


def drop_options(problem: Problem, random: Random) -> list[Problem]:
    return ask(problem, problem.question) if problem.choices else []


def write_options(choices: tuple[str, ...]) -> str:
    return " ".join(f"{letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))


def append_options(problem: Problem, random: Random) -> list[Problem]:
    """Write the choices into the question, without the words `Answer Choices:`."""
    options = write_options(problem.choices)
    return ask(problem, f"{problem.question}\n{options}") if options else []


def move_options(problem: Problem, random: Random) -> list[Problem]:
    """Write the choices in another order in front of the question."""
    options = write_options(problem.choices[::-1])
    return ask(problem, f"Choose from {options}.\n{problem.question}") if options else []


def change_numbers(problem: Problem, random: Random) -> list[Problem]:
    """Replace each number by another one of as many digits, which changes the gold answer."""

    def other(match: re.Match[str]) -> str:
        old, digits = int(match[0]), len(match[0])
        smallest = 10 ** (digits - 1) if digits > 1 and match[0][0] != "0" else 0
        new = random.randrange(smallest, 10**digits - 1)
        return f"{new + (new >= old):0{digits}}"

    question = NUMBER.sub(other, problem.question)
    return [replace(problem, question=question, gold="")] if question != problem.question else []


def insert_distractor(problem: Problem, random: Random) -> list[Problem]:
    """Insert a sentence in the middle: after a full stop, or between any two words; not in TeX."""
    question = problem.question
    gaps = [
        gap.start()
        for gap in re.finditer(r"\s", question)
        if not question.count("$", 0, gap.end()) % 2
    ]
    stops = [gap for gap in gaps if question[gap - 1] in ".?!"]
    middle = min(stops or gaps or [0], key=lambda gap: abs(gap - len(question) // 2))
    text = f"{question[:middle]} {random.choice(DISTRACTORS)} {question[middle:].lstrip()}"
    return [replace(problem, question=text.strip())]


def split(problem: Problem, random: Random) -> list[Problem]:
    """Write the first half of the words into one row, and the second half into another one."""
    words = problem.question.split()
    half = len(words) // 2
    parts = (" ".join(words[:half]), " ".join(words[half:]))
    return [replace(problem, question=part) for part in parts] if half else []


ATTACKS: dict[str, Attack] = {
    "verbatim": repeat,
    "case and space": change_layout,
    "prompt before": add_prompt_before,
    "prompt after": add_prompt_after,
    "embedded in a text": embed,
    "options dropped": drop_options,
    "options appended": append_options,
    "options moved": move_options,
    "distractor inserted": insert_distractor,
    "split over two rows": split,
    "numbers changed": change_numbers,
}
"""By name, in the order of the table."""
