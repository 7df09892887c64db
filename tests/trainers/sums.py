"""Problems whose right and wrong solutions a tiny model can distinguish: sums of small numbers.

In: the number of solutions. Out: problems with samples, alternately right and wrong. Wrong sums are
off by eight or more, since a model of this size learns magnitudes long before it can add.
"""

import random
from pathlib import Path

from curator.core.samples import Sample, SampledProblem, write_samples
from trainers.apply_verifier import ENDING, PROMPT

OFF_BY = 8
MOST = 10
LETTERS = "abcde"


def sums(samples: int = 40, seed: int = 0) -> list[SampledProblem]:
    """Return problems `a + b` with distinct solutions that end with a right or a wrong sum."""
    draw = random.Random(seed)
    problems = []
    for a in range(MOST):
        for b in range(MOST):
            texts = []
            for n in range(samples):
                wrong = draw.choice([s for s in range(2 * MOST - 1) if abs(s - a - b) >= OFF_BY])
                value = wrong if n % 2 else a + b
                # Distinct texts, since equal ones count once.
                word = f"{LETTERS[n // 2 % 5]} {LETTERS[n // 10 % 5]}"
                texts.append(f"{word} The answer is {value}.")
            samples_ = tuple(Sample("CoT", text) for text in texts)
            problems.append(
                SampledProblem("sums", f"{a}-{b}", f"{a} + {b}?", str(a + b), samples=samples_)
            )
    return problems


def write_problems(path: Path, problems: list[SampledProblem]) -> Path:
    write_samples(problems, path)
    return path


def prompt_texts(problems: list[SampledProblem]) -> list[str]:
    """Return the texts that a tokenizer for these problems must cover."""
    texts = [
        PROMPT.format(question=each.question, solution=sample.text)
        for each in problems
        for sample in each.samples
    ]
    return [*texts, f"{ENDING} correct", f"{ENDING} incorrect"]
