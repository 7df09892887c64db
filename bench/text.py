"""Generates random text for benchmark rows, in the lengths and formats of each source.

Phrases from a pool are joined with numbers between them. This is cheap, and any thirteen
consecutive words are practically unique, as in real text.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

REQUESTS = (
    "Let's write a program.",
    "Let's write a Python program.",
    "Let's program in Python in the response.",
    "Let's write a Python program to solve it.",
    "Please write a program to solve it",
)
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "ol")]
WORDS, PHRASES = 3_000, 50_000


@lru_cache
def pool(seed: int) -> tuple[list[str], list[str]]:
    """Return generated words, and phrases of six words with a realistic frequency distribution."""
    generator = np.random.default_rng(seed)
    syllables = np.array(SYLLABLES)
    pairs = np.char.add(generator.choice(syllables, WORDS), generator.choice(syllables, WORDS))
    words = [str(word) for word in pairs]
    ranks = 1 / np.arange(1, WORDS + 1)
    picks = generator.choice(WORDS, (PHRASES, 6), p=ranks / ranks.sum())
    return words, [" ".join(words[pick] for pick in row) for row in picks.tolist()]


class Text:
    """A stream of text. Different seeds share no long run of words, different salts no question."""

    def __init__(self, generator: np.random.Generator, salt: str, seed: int) -> None:
        self._generator = generator
        self._salt = salt
        self._words, self._phrases = pool(seed)
        self._numbers: list[int] = []
        self._count = 0

    def _next(self) -> int:
        if not self._numbers:
            self._numbers = self._generator.integers(0, 1 << 30, 100_000).tolist()
        return self._numbers.pop()

    def prose(self, length: int) -> str:
        """Return text of 0.5 to 1.5 times `length` characters."""
        # A phrase with its number has about 39 characters.
        count = max(1, round(length * (0.5 + self._next() % 1000 / 1000) / 39))
        parts = []
        for _ in range(count):
            pick = self._next()
            parts.append(f"{self._phrases[pick % PHRASES]} {pick % 997}")
        return ", ".join(parts)

    def question(self, length: int) -> str:
        """Return a unique question of about `length` characters."""
        self._count += 1
        return f"In {self._salt}{self._count} {self.prose(length - 25)}, how many $x$?"

    def program(self, length: int) -> str:
        """Return a Python program of about `length` characters that prints a number."""
        lines = []
        for number in range(max(1, round(length / 33))):
            pick = self._next()
            lines.append(f"{self._words[pick % WORDS]}_{number} = {pick % 997} * {pick % 13} + 7")
        return "\n".join([*lines, f"print({self._words[pick % WORDS]}_{number})"])


@dataclass(frozen=True)
class Source:
    """One of the 14 sources: its number of rows, and mean lengths of its texts in characters."""

    name: str
    rows: int
    question: int
    output: int

    def row(self, question: str, text: Text) -> dict[str, str]:
        """Return a row with `question` in the format of this source."""
        if "PoT" in self.name:
            request = REQUESTS[len(question) % len(REQUESTS)]
            return self._row(f"{question} {request}", text.program(self.output))
        if "aqua" in self.name:
            choices = "\nAnswer Choices: (A) 5 (B) 6 (C) 7 (D) 8 (E) 9"
            opening = "Let's think about the multi-choice question.\n"
            return self._row(
                question + choices, f"{opening}{text.prose(self.output)}\nThe answer is C."
            )
        return self._row(question, f"{text.prose(self.output)}\nThe answer is 7.")

    def _row(self, instruction: str, output: str) -> dict[str, str]:
        return {"source": self.name, "instruction": instruction, "output": output}


SOURCES = (
    Source("data/CoT/gsm_train.json", 7_473, 240, 300),
    Source("data/CoT/gsm_rft.json", 28_300, 240, 420),
    Source("data/CoT/aqua_rat.json", 89_400, 280, 900),
    Source("data/CoT/MATH_train.json", 11_200, 260, 900),
    Source("data/CoT/TheoremQA.json", 600, 300, 900),
    Source("data/CoT/math50k_camel.json", 49_484, 330, 2_300),
    Source("data/CoT/college_math.json", 1_840, 250, 900),
    Source("data/PoT/gsm_gpt4.json", 14_000, 300, 450),
    Source("data/PoT/aqua_rat_filtered.json", 9_700, 300, 450),
    Source("data/PoT/MATH_train.json", 10_600, 280, 500),
    Source("data/PoT/TheoremQA.json", 700, 300, 600),
    Source("data/PoT/mathqa.json", 24_400, 200, 250),
    Source("data/PoT/numglue.json", 13_000, 180, 150),
    Source("data/CoT/number_comparison.json", 1_400, 120, 150),
)


def repeat(row: dict[str, str], generator: np.random.Generator) -> dict[str, str]:
    """Return the row with other white space, or an instruction in other case."""
    match int(generator.integers(4)):
        case 0:
            return dict(row)
        case 1:
            return row | {"instruction": row["instruction"].replace(" ", "  ")}
        case 2:
            return row | {"instruction": row["instruction"].upper()}
        case _:
            return row | {"output": row["output"] + "\n\n"}


def disguise(question: str, generator: np.random.Generator) -> str:
    """Return the question with other white space or case."""
    match int(generator.integers(3)):
        case 0:
            return question
        case 1:
            return question.replace(" ", "\n")
        case _:
            return question.lower()
