"""What all rules share: the gold answer, a rule as a row of a table, how misses are written.

In: a gold answer. Out: `read_gold(text, choices)`, a `Gold`, which the rules take.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import TypeVar

from curator.answers.variants.algebra import Rewrite
from curator.answers.variants.differences import shapes_differ
from curator.answers.variants.formula import walk
from curator.answers.variants.notation import LATEX, PLAIN, PYTHON, Style
from curator.answers.variants.reading import read_shape
from curator.answers.variants.shapes import Shape, mixed_value, write_inequalities, write_shape
from curator.answers.variants.value import exact_value
from curator.core.model import LETTERS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold answer as written and as read."""

    text: str
    choices: tuple[str, ...] = ()
    shape: Shape | None = None
    """None for a letter of a choice, and where the text is not certain to mean one thing."""

    index: int = -1
    """The number of the right choice, from 0; -1 without choices."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of variant."""

    name: str
    about: str
    """What the rule does, with an example."""

    make: Callable[[Gold], Iterator[str]]


def read_gold(text: str, choices: Sequence[str] = ()) -> Gold:
    """Return a gold answer with its shape; with choices, the text is the letter of one of them."""
    text = text.strip()
    if choices:
        index = LETTERS.find(text) if len(text) == 1 else -1
        return Gold(text, tuple(choices), None, index if index < len(choices) else -1)
    return Gold(text, (), read_shape(text))


def pick(seed: str, options: Sequence[T]) -> T:
    """Return one option, the same for the same seed on every machine."""
    return options[int.from_bytes(sha256(seed.encode()).digest()[:4], "big") % len(options)]


def rewritten(gold: Gold, rewrite: Rewrite, style: Style = LATEX) -> Iterator[str]:
    """Yield the gold answer with all its formulas rewritten, if that changes any."""
    shape = gold.shape
    if shape is None or shape.kind in ("words", "mixed", "base"):
        return
    parts = tuple(map(rewrite, shape.parts))
    if parts != shape.parts:
        yield write_shape(shape.having(*parts), style)


def written(gold: Gold, style: Style, needed: str = "") -> Iterator[str]:
    """Yield the gold answer in a style, if `needed` is part of the text."""
    if gold.shape is not None:
        text = write_shape(gold.shape, style)
        if needed in text:
            yield text


def exact(gold: Gold) -> Fraction | None:
    """Return the value of a plain number, without a name, unit or base."""
    shape = gold.shape
    if shape is None or shape.form:
        return None
    if shape.kind == "mixed":
        return mixed_value(shape)
    return exact_value(shape.parts[0]) if shape.kind == "value" else None


def is_numeral(gold: Gold) -> bool:
    """Return whether a gold answer is digits with at most a sign and a point."""
    return re.fullmatch(r"-?[\d.]+", gold.text) is not None


MAX_CHANGES = 6
"""Maximum number of near misses that one rule makes of one gold answer."""


def write_miss(shape: Shape) -> str:
    """Write a near miss in one of several notations, which its text decides."""
    latex = write_shape(shape, LATEX)
    marked = any(
        part.text == "e" or "'" in part.text or "_" in part.text
        for end in shape.parts
        for _, part in walk(end)
    )
    if marked or shape.kind in ("quantity", "mixed", "base"):
        return latex
    if shape.kind == "intervals" and pick(latex, (True, False)):
        return write_inequalities(shape) or latex
    return write_shape(shape, pick(latex, (LATEX, LATEX, PLAIN, PYTHON)))


def write_different(gold: Gold, others: Iterator[Shape]) -> Iterator[str]:
    """Write those shapes that certainly differ from the gold answer; some, if there are many."""
    found = []
    for other in others:
        if gold.shape is not None and shapes_differ(gold.shape, other) and other not in found:
            found.append(other)
    step = max(1, -(-len(found) // MAX_CHANGES))
    yield from map(write_miss, found[::step])
