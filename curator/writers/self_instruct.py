"""Self-Instruct: plans requests for new problems, and reads questions from the replies.

In: seed problems, the number of questions, a random seed; then replies. Out: Draws, balanced over
topics and types; then questions, or the reason why a reply has none. Multiple choice is not
requested: without a gold answer, agreement is the proof, and guesses among four letters agree too
often.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from curator.core.errors import RecipeError, join_errors
from curator.core.json_text import parse_json
from curator.core.model import content_id
from curator.writers.parse_reply import LONGEST_WITH_THOUGHTS, strip_thoughts
from datastore.text import is_storable

SAME_TOPIC, OTHER_TOPICS = 2, 2
"""Examples per request from the requested topic, and from other topics."""
SHORTEST, LONGEST = 25, 1_500
"""Minimum and maximum characters of a question."""
LONGEST_REPLY = 20_000
"""Maximum characters of a reply without its thoughts: one question."""
LONGEST_FILE = 5_000_000
"""Maximum characters of a seed file."""
_FIELDS = ("question", "answer", "topic", "type")


@dataclass(frozen=True, slots=True)
class Seed:
    """A problem written by hand, as an example of topic, type and level."""

    question: str
    answer: str
    topic: str
    """`linear algebra`"""
    type: str
    """`computation`, `counting`, `true or false`"""


@dataclass(frozen=True, slots=True)
class Draw:
    """One request for a question: the values of the prompt `question` and the sample number."""

    topic: str
    type: str
    examples: tuple[str, ...]
    sample: int
    """Number among the draws of the same topic and type; it makes every request different."""


def read_seeds(text: str, file: str) -> tuple[Seed, ...]:
    """Read seeds from JSON Lines; raise RecipeError with all errors and their line numbers."""
    if len(text) > LONGEST_FILE:
        raise RecipeError(f"{file}:1: expected at most {LONGEST_FILE:,} characters of seeds")
    seeds: dict[str, Seed] = {}
    errors = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or set(row) != set(_FIELDS):
            errors.append(f"{file}:{number}: expected an object with {', '.join(_FIELDS)}")
        elif not all(isinstance(row[name], str) and row[name].strip() for name in _FIELDS):
            errors.append(f"{file}:{number}: expected a text for each of {', '.join(_FIELDS)}")
        elif not all(is_storable(row[name]) for name in _FIELDS):
            errors.append(f"{file}:{number}: text may not contain NUL or lone surrogates")
        elif row["question"] in seeds:
            errors.append(f"{file}:{number}: the question repeats an earlier line")
        else:
            seeds[row["question"]] = Seed(*(row[name].strip() for name in _FIELDS))
    if not errors and not seeds:
        errors.append(f"{file}:1: expected seed problems, saw none")
    if errors:
        raise RecipeError(join_errors(errors))
    return tuple(seeds.values())


def make_draws(seeds: Sequence[Seed], questions: int, seed: int) -> Iterator[Draw]:
    """Yield a draw for each question; a larger number starts with the same draws.

    Each pair of topic and type is drawn equally often, with a difference of at most one. Hashes
    determine order and examples: a new seed problem changes only draws that show it, unless it
    adds a topic or type.
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
        examples = sorted(
            (*same, *others[:OTHER_TOPICS]),
            key=lambda one: _rank(seed, place, "order", one.question),
        )
        yield Draw(topic, kind, tuple(one.question for one in examples), sample=place)


def _rank(*parts: object) -> bytes:
    return content_id("draw", *map(str, parts))


_LABEL = re.compile(
    r"^(?:[^\S\n]|[*_#>])*+(?:new )?(?:problem|question)\b[\s\d*_]*:[\s*_]*", re.I | re.M
)
_SOLUTION = re.compile(
    r"^(?:[^\S\n]|[*_#])*+(?:solution|answer|hint|explanation|proof)\b[\s*_]*[:.]"
    r"|\bthe (?:final )?answer is\b|\\boxed|####",
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
    r"answer choices|which of the following|(?<![\w}])\(a\)\s.{1,300}(?<![\w}])\(b\)\s",
    re.I | re.S,
)
_FIRST_CHOICE = re.compile(r"^(?:[^\S\n]|\*)*+a[.)]", re.I | re.M)
_SECOND_CHOICE = re.compile(r"^(?:[^\S\n]|\*)*+b[.)]", re.I | re.M)
_REQUEST = re.compile(
    r"\?|\b(?:find|compute|calculate|determine|evaluate|solve|simplify|express|count|state|give"
    r"|list|true or false|factor|approximate|estimate|write|what|how many)\b",
    re.I,
)
_FIRST_PART = re.compile(r"^[^\S\n]*+\(?(?:i{1,3}|[1-9])[.)]\s", re.M)
_NEXT_PART = re.compile(r"^[^\S\n]*+\(?(?:i{2,3}|[2-9])[.)]\s", re.M)


def _has_in_order(text: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    """Return whether the text has matches of all patterns, one after the other."""
    end = 0
    for pattern in patterns:
        match = pattern.search(text, end)
        if match is None:
            return False
        end = match.end()
    return True


def read_question(text: str) -> tuple[str, str]:
    """Return the question of a reply and "", or "" and the reason why it is rejected.

    The reply must have the form that the prompt requests: `Problem:` and one problem. Whether the
    question makes sense is not checked here; agreement of the answers must show that.
    """
    if len(text) > LONGEST_WITH_THOUGHTS:
        return "", "too long"
    if not is_storable(text):
        return "", "not valid Unicode text"
    reply = strip_thoughts(text.replace("\r\n", "\n"))
    if reply is None:
        return "", "unfinished thought"
    if len(reply) > LONGEST_REPLY:
        return "", "too long"
    text = reply.strip()
    if not text:
        return "", "empty reply"
    labels = list(_LABEL.finditer(text))
    if not labels:
        return "", "no problem stated"
    if len(labels) > 1:
        return "", "several questions"
    question = text[labels[0].end() :].strip(" \n*_`")
    for reason, *patterns in (
        ("holds its solution", _SOLUTION),
        ("offers choices", _CHOICES),
        ("offers choices", _FIRST_CHOICE, _SECOND_CHOICE),
        ("needs a figure", _FIGURE),
        ("refers to other text", _OTHER_TEXT),
        ("asks for a proof", _PROOF),
        ("several questions", _FIRST_PART, _NEXT_PART),
    ):
        if _has_in_order(question, patterns):
            return "", reason
    if len(question) < SHORTEST:
        return "", "too short"
    if len(question) > LONGEST:
        return "", "too long"
    if question.count("?") > 1:
        return "", "several questions"
    if not _REQUEST.search(question):
        return "", "asks nothing"
    return question, ""
