"""Problems whose right and wrong solutions a tiny model can tell apart: sums of small numbers.

In: how many solutions. Out: problems with samples, right and wrong in turns. Wrong sums are off by
six or more: a model of this size feels how large a number is long before it can add.
"""

import random
from pathlib import Path

from curator.core.samples import Sample, SampledProblem, write_samples
from trainers.apply_verifier import ENDING, PROMPT

OFF_BY = 6
MOST = 10
LETTERS = "abcde"


def sums(samples: int = 40, seed: int = 0) -> list[SampledProblem]:
    """Problems `a + b` with solutions that differ in words and end in a right or a wrong sum."""
    draw = random.Random(seed)
    problems = []
    for a in range(MOST):
        for b in range(MOST):
            texts = []
            for n in range(samples):
                wrong = draw.choice([s for s in range(2 * MOST - 1) if abs(s - a - b) >= OFF_BY])
                said = wrong if n % 2 else a + b
                # Different texts, since equal ones count once.
                word = f"{LETTERS[n // 2 % 5]} {LETTERS[n // 10 % 5]}"
                texts.append(f"{word} The answer is {said}.")
            found = tuple(Sample("CoT", text) for text in texts)
            problems.append(
                SampledProblem("sums", f"{a}-{b}", f"{a} + {b}?", str(a + b), samples=found)
            )
    return problems


def written(path: Path, problems: list[SampledProblem]) -> Path:
    write_samples(problems, path)
    return path


def words(problems: list[SampledProblem]) -> list[str]:
    """Texts that a tokenizer of these problems has to know."""
    said = [
        PROMPT.format(question=each.question, solution=sample.text)
        for each in problems
        for sample in each.samples
    ]
    return [*said, f"{ENDING} correct", f"{ENDING} incorrect"]
