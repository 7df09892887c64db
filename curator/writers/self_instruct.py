"""Self-Instruct: which new problems are asked for, and what a teacher's new problem must look like.

In: seed problems, how many questions, a seed number; then replies. Out: Draws, balanced over topics
and types; then questions, or why a reply holds none. Choices are not asked for: without a gold an
answer is proved by agreement, and guessing among four letters agrees too often.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from curator.core.errors import RecipeError
from curator.core.model import content_id
from curator.writers.parse_reply import LONGEST as LONGEST_REPLY
from curator.writers.parse_reply import strip_thoughts

SAME_TOPIC, OTHER_TOPICS = 2, 2
"""Examples shown of the topic that is asked for, and of others."""
SHORTEST, LONGEST = 25, 1_500
"""Characters of a question."""
LONGEST_FILE = 5_000_000
_FIELDS = ("question", "answer", "topic", "type")


@dataclass(frozen=True, slots=True)
class Seed:
    """A problem written by hand, to show topic, type and level."""

    question: str
    answer: str
    topic: str
    """`linear algebra`"""
    type: str
    """`computation`, `counting`, `true or false`"""


@dataclass(frozen=True, slots=True)
class Draw:
    """One question to ask for: the values of the prompt `question`, and a number of the sample."""

    topic: str
    type: str
    examples: tuple[str, ...]
    sample: int
    """Draws of one topic and type are numbered, so that no two are the same request."""


def read_seeds(text: str, file: str) -> tuple[Seed, ...]:
    """The seeds of a JSON-lines text; raises RecipeError with every fault, each with its line."""
    if len(text) > LONGEST_FILE:
        raise RecipeError(f"{file}:1: expected at most {LONGEST_FILE:,} characters of seeds")
    seeds: dict[str, Seed] = {}
    faults = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or set(row) != set(_FIELDS):
            faults.append(f"{file}:{number}: expected an object with {', '.join(_FIELDS)}")
        elif not all(isinstance(row[name], str) and row[name].strip() for name in _FIELDS):
            faults.append(f"{file}:{number}: expected a text for each of {', '.join(_FIELDS)}")
        elif row["question"] in seeds:
            faults.append(f"{file}:{number}: the question stands in an earlier line too")
        else:
            seeds[row["question"]] = Seed(*(row[name].strip() for name in _FIELDS))
    if not faults and not seeds:
        faults.append(f"{file}:1: expected seed problems, saw none")
    if faults:
        raise RecipeError("\n".join(faults[:20]))
    return tuple(seeds.values())


def make_draws(seeds: Sequence[Seed], questions: int, seed: int) -> Iterator[Draw]:
    """As many draws as questions are wanted; more of them begin with the same ones.

    Every topic is asked for with every type equally often, up to one. Order and examples follow
    from hashes: a new seed problem changes only draws that show it, or that have its new topic or
    type.
    """
    topics = sorted({one.topic for one in seeds})
    types = sorted({one.type for one in seeds})
    for number in range(questions):
        place, cell = divmod(number, len(topics) * len(types))
        if cell == 0:
            cells = sorted(product(topics, types), key=lambda one: _rank(seed, place, *one))
        topic, kind = cells[cell]
        ranked = sorted(seeds, key=lambda one: _rank(seed, place, topic, kind, one.question))
        same = [one for one in ranked if one.topic == topic][:SAME_TOPIC]
        others = [one for one in ranked if one.topic != topic and one.type == kind]
        shown = sorted(
            (*same, *others[:OTHER_TOPICS]),
            key=lambda one: _rank(seed, place, "order", one.question),
        )
        yield Draw(topic, kind, tuple(one.question for one in shown), sample=place)


def _rank(*parts: object) -> bytes:
    return content_id("draw", *map(str, parts))


_LABEL = re.compile(r"^[\s*_#>]*(?:new )?(?:problem|question)\b[\s\d*_]*:[\s*_]*", re.I | re.M)
_SOLUTION = re.compile(
    r"^[\s*_#]*(?:solution|answer|hint|explanation|proof)\b[\s*_]*[:.]|\bthe (?:final )?answer is\b"
    r"|\\boxed|####",
    re.I | re.M,
)
_FIGURE = re.compile(
    r"\b(?:figures?|picture|drawing|diagram|illustration|sketch)\b"
    r"|\b(?:graph|table|chart|image)s? (?:below|above|shown|at the right)\b|\[asy\]|!\[|https?://",
    re.I,
)
_OTHER_TEXT = re.compile(
    r"\b(?:the )?(?:above|previous|preceding|aforementioned|earlier) "
    r"(?:problem|question|example|exercise|result|matrix|equation)s?\b"
    r"|\b(?:problem|example|exercise|theorem|section|lemma) \d|\bas before\b",
    re.I,
)
_PROOF = re.compile(
    r"\b(?:prove|disprove|show that|demonstrate that|give a proof|explain (?:why|how)|justify"
    r"|discuss|describe how)\b",
    re.I,
)
_CHOICES = re.compile(
    r"answer choices|which of the following|(?<![\w}])\(a\)\s.{1,300}(?<![\w}])\(b\)\s"
    r"|^[\s*]*a[.)].*\n[\s*]*b[.)]",
    re.I | re.S | re.M,
)
_REQUEST = re.compile(
    r"\?|\b(?:find|compute|calculate|determine|evaluate|solve|simplify|express|count|state|give"
    r"|list|true or false|factor|approximate|estimate|write|what|how many)\b",
    re.I,
)
_PARTS = re.compile(
    r"^\s*(?:\(?(?:i{1,3}|[1-9])[.)])\s.*^\s*\(?(?:i{2,3}|[2-9])[.)]\s", re.S | re.M
)


def read_question(text: str) -> tuple[str, str]:
    """The question of a reply and "", or "" and the reason why it is not taken, in a few words.

    The reply must have the form that the prompt asks for: `Problem:` and one problem. Whether the
    question makes sense is not judged here: answers that agree must show that.
    """
    if len(text) > LONGEST_REPLY:
        return "", "too long"
    alone = strip_thoughts(text.replace("\r\n", "\n"))
    if alone is None:
        return "", "unfinished thought"
    text = alone.strip()
    if not text:
        return "", "empty reply"
    labels = list(_LABEL.finditer(text))
    if not labels:
        return "", "no problem stated"
    if len(labels) > 1:
        return "", "several questions"
    asked = text[labels[0].end() :].strip(" \n*_`")
    for reason, pattern in (
        ("holds its solution", _SOLUTION),
        ("offers choices", _CHOICES),
        ("needs a figure", _FIGURE),
        ("refers to other text", _OTHER_TEXT),
        ("asks for a proof", _PROOF),
        ("several questions", _PARTS),
    ):
        if pattern.search(asked):
            return "", reason
    if len(asked) < SHORTEST:
        return "", "too short"
    if len(asked) > LONGEST:
        return "", "too long"
    if asked.count("?") > 1:
        return "", "several questions"
    if not _REQUEST.search(asked):
        return "", "asks nothing"
    return asked, ""
