"""Kinds of questions whose answer a grader cannot check, or whose right answer may be a guess.

In: a question, its gold answer and its choices. Out: the kinds that apply, each with the words that
decided, the strongest obstacle first; none for a question with one answer that can be compared.
Every kind needs explicit words. Not covered: questions without them, such as one that relies on a
figure that it does not mention, and languages other than English.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from curator.answers.extract.regions import mentions
from curator.core.model import LETTERS

QuestionKind = Literal[
    "needs a figure",
    "has a drawing",
    "proof",
    "open-ended",
    "several parts",
    "no gold answer",
    "yes/no",
    "multiple choice",
]
KINDS: Mapping[QuestionKind, str] = {
    "needs a figure": "refers to a figure or table that the text does not contain",
    "has a drawing": "a part of the question is drawn by code, such as `[asy]`",
    "proof": "asks for a proof only",
    "open-ended": "asks for an explanation, a description or an example only",
    "several parts": "asks several labelled questions",
    "no gold answer": "the gold answer is missing, or a word such as `proof` or `notfound`",
    "yes/no": "half of all guesses are right",
    "multiple choice": "lists choices, so that the right one may be a guess",
}
"""In the order in which they are reported."""
CHOICES_LINE = "answer choices:"
_NOT_GIVEN = re.compile(
    r"proof|proved|proven|qed|notfound|none|null|nan|na|unknown|unanswerable|noanswer|omitted"
    r"|answernotfound|answers?(?:may)?var(?:y|ies)|varies|see(?:solution|proof)|not(?:provided|available|applicable)"
)
_VALUE = re.compile(r"[\w\\∞∅]")
_BOOLEANS = frozenset(("yes", "no", "true", "false"))
_DRAWN = re.compile(r"\[asy\]|\\begin\{(?:asy|tikzpicture|pspicture|picture)\}", re.I)
_DRAWING = re.compile(r"\[asy\](?:[^\[]|\[(?!/asy\]))*+(?:\[/asy\])?", re.I)
_PICTURE = re.compile(
    r"\\includegraphics|!\[[^\]\n]{0,200}\]\(|<img\b|<image>|\[(?:image|figure|diagram)\b"
    r"|\b[\w/-]{1,60}\.(?:png|jpe?g|gif|svg)\b",
    re.I,
)
_NOUN = r"(?:figures?|diagrams?|pictures?|drawings?|illustrations?|sketch|graphs?|charts?|tables?)"
_ABOVE = (
    r"(?:above|below|at (?:the )?(?:right|left)|(?:to|on) the (?:right|left))\b"
    r"(?! (?:the|of|a|an|\$|\w+ =))"
)
_FIGURE = re.compile(
    rf"\b(?:the|this|these|following|adjoining|accompanying) (?:\w+ )?{_NOUN} "
    rf"(?:(?:(?:is|are) )?(?:given |shown |drawn )?{_ABOVE}|(?:(?:is|are) )?shown\b)"
    r"|\bin (?:the |this )?(?:(?:above|adjoining|accompanying|attached|given|following) )?"
    r"(?:figure|diagram)s?\b(?! skat)"
    rf"|\b(?:above|adjoining|accompanying|attached) {_NOUN}\b"
    r"|\bfollowing (?:figure|diagram|circuit|picture|illustration|graph,)"
    rf"|\b(?:shown|given|listed|displayed|pictured|drawn) in (?:the |this )?(?:\w+ )?{_NOUN}\b"
    r"|\b(?:refer to|according to|based on|see|use|using) (?:the |this )?"
    r"(?:(?:bar|line|circle|pie|given) )?(?:figure|diagram|chart|graph|picture)\b"
    r"(?! (?:of|out|that|skat\w*|with|is|whose|\w+ =)\b)"
    r"|\bthe (?:bar|line|pie|circle) (?:graph|chart)s? (?:shows?|represents?|displays?)\b"
    r"|\bthe (?:graph|diagram)s? of [^.?\n]{1,40} (?:is|are) shown\b"
    r"|\b(?:as|graph) (?:shown|pictured|drawn|depicted|illustrated) (?:above|below|here)\b"
    r"|\bas (?:shown|pictured)[.,;]"
    r"|\bnot drawn to scale\b|\bthis shaded\b"
    r"|(?<!\()\bfig(?:\.|ure\b) ?(?:q?\d{1,2}\b|q?\d{1,2}[a-d]\b|q[a-z\d]{1,2}\b)",
    re.I,
)
_TABLE_IN_TEXT = re.compile(
    r"\\begin\{(?:array|tabular|matrix|[bp]matrix)\}|\\hline|\|[^|\n]{0,80}\||[^&]&[^&]"
)
TABLE_NUMBERS = 6
"""Numbers in a text from which on it is taken to contain the table that it mentions."""
_START = r"(?:^|[.?!:;,)$]\s|\n|\b(?:then|and|please|hence|also) )\s{0,9}"
_PROVE = re.compile(
    rf"{_START}((?:(?:prove|show|verify|demonstrate) (?:(?:or disprove|also|first|by \w+) )?"
    r"(?:that|:)|(?:dis)?prove (?!to\b|or\b)|justify that|give a proof)(?: \S{1,40}){0,3})",
    re.I,
)
_EXPLAIN = re.compile(
    rf"{_START}((?:explain|describe|discuss|comment on|give (?:an|another) example"
    r"|(?:draw|sketch|design|derive) (?:a|an|the)"
    r"|write an? (?:\w+ )?(?:story|essay|poem|paragraph|word problem)|justify your)\b"
    r"(?: \S{1,40}){0,3})",
    re.I,
)
_ASKS = re.compile(
    r"\?|\b(?:find|compute|calculate|determine|evaluate|what|how (?:many|much)|solve|simplify"
    r"|express|estimate)\b",
    re.I,
)
_TRUE_OR_FALSE = re.compile(r"\b(?:true or false|yes or no)\b", re.I)
_LAST_SENTENCE = re.compile(r"(?:^|[.?!,:;]\s|\n)\s{0,9}([^.?!,:;\n]{1,300}\?)$")
_CAN_BE_YES = re.compile(
    r"(?:is|are|does|do|can|will|did|has|have|was|were|should|must) (?!.*\bor\b)", re.I
)
_WHICH = re.compile(
    r"\bwhich (?:one |ones )?(?:of (?:the|these) (?:\w+ )?(?:following|choices|options|answers)"
    r"|following|option|choice)\b"
    r"|\bchoose the (?:correct|right|best) (?:answer|option|choice)\b"
    r"|[?.]\s{0,3}(?:options|choices)\s?:",
    re.I,
)
_CONDITIONS = re.compile(
    r"\b(?:condition|propert(?:y|ie)|rule|fact|operation|step|axiom|statement)s?\b", re.I
)
_COUNTED = re.compile(r"\bhow many of\b", re.I)
_UPPER = re.compile(
    r"(?<![\w)])\(\s?([A-J])\s?\)|(?:^|[\n{$]|quad| {2})\s{0,9}([A-J])[).]\s"
    r"|(?<=[\s?])([A-J])\)\s"
)
_LOWER = re.compile(
    r"(?:^|[\s.,;:?])(?:part )?\(\s?([a-j])\s?\)\s|(?:^|\n)\s{0,9}([a-j])[).]\s", re.I
)
_ROMAN = re.compile(r"(?<!\w)\(\s?(i{1,3}|iv|v|vi{1,3})\s?\)\s", re.I)
_NUMBERED = re.compile(r"(?:\A|\n|[.?:]\s)\s{0,9}(?:question |part )?\(?([1-9])[).:]\s", re.I)
_PART = re.compile(r"\bpart \(?([a-j])\)?[:.]\s", re.I)
_ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
HINTS: Mapping[re.Pattern[str], tuple[str, ...]] = {
    _DRAWN: ("[asy]", "\\begin{"),
    _DRAWING: ("[asy]",),
    _PICTURE: ("\\include", "![", "<im", "[im", "[fig", "[dia", ".png", ".jp", ".gif", ".svg"),
    _FIGURE: (
        *("fig", "diagram", "pict", "drawing", "illustrat", "sketch", "graph", "chart", "table"),
        *("circuit", "shown", "drawn", "shaded"),
    ),
    _PROVE: ("prove", "show", "verify", "demonstrate", "justify", "proof"),
    _EXPLAIN: (
        *("explain", "describe", "discuss", "comment", "example", "draw", "sketch", "design"),
        *("derive", "write", "justify"),
    ),
    _TRUE_OR_FALSE: (" or ",),
    _WHICH: ("which", "choose", "options", "choices"),
}
"""Words without which a pattern finds nothing: a cheap check before the search."""
_CASES = str.maketrans("İıſ", "iis")
"""Letters that a pattern without case takes for i and s, and that `lower` does not."""


class Labels(NamedTuple):
    """Labels of parts or choices."""

    pattern: re.Pattern[str]
    order: Sequence[str]
    needed: re.Pattern[str]
    """Finds a label of lower-case texts without which there are not enough: a cheap check."""


UPPER = Labels(_UPPER, LETTERS, re.compile(r"c\s?[).]"))
LOWER = Labels(_LOWER, LETTERS, re.compile(r"b\s?[).]\s"))
PARTS = (
    LOWER,
    Labels(_PART, LETTERS, re.compile(r"b\)?[:.]\s")),
    Labels(_ROMAN, _ROMANS, re.compile(r"ii\s?\)\s")),
    Labels(_NUMBERED, "123456789", re.compile(r"2[).:]\s")),
)


@dataclass(frozen=True, slots=True)
class FoundKind:
    """A kind that applies to a question."""

    kind: QuestionKind
    seen: str
    """The words that decided, or the gold answer."""


def find_kinds(question: str, gold: str, choices: Sequence[str] = ()) -> tuple[FoundKind, ...]:
    """Return the kinds that apply, in the order of KINDS.

    The question may contain its choices after `Answer Choices:`, as in MathInstruct.
    """
    body, listed = split_choices(question)
    found = {each.kind: each for each in _find(body, gold, bool(choices or listed))}
    return tuple(found[kind] for kind in KINDS if kind in found)


def split_choices(instruction: str) -> tuple[str, str]:
    """Return the text before `Answer Choices:` and that from there on, which may be empty."""
    at = instruction.lower().rfind(CHOICES_LINE)
    return (instruction, "") if at < 0 else (instruction[:at].rstrip(), instruction[at:])


def _find(body: str, gold: str, has_choices: bool) -> Iterator[FoundKind]:
    lowered = fold_case(body)
    yield from _find_figure(body, lowered)
    if mentions(lowered, HINTS[_DRAWING]):
        text = _DRAWING.sub(" ", body)
        lowered = fold_case(text)
    else:
        text = body
    proof, explain = _search(_PROVE, text, lowered), _search(_EXPLAIN, text, lowered)
    if proof and not _asks_beside(text, proof):
        yield FoundKind("proof", proof[1])
    elif explain and not (0 < len(gold.split()) < 9 or _asks_beside(text, explain)):
        yield FoundKind("open-ended", explain[1])
    labels = _find_choices(text, lowered)
    if parts := "" if has_choices or labels else _find_parts(text, lowered):
        yield FoundKind("several parts", parts)
    plain = _letters(gold)
    if states_no_answer(gold):
        yield FoundKind("no gold answer", gold.strip())
    asked = _search(_TRUE_OR_FALSE, text, lowered)
    if (plain in _BOOLEANS and len(gold) < 20) or (asked and plain in ("t", "f")):
        yield FoundKind("yes/no", gold.strip())
    elif not gold.strip() and (guess := asked[0] if asked else _find_yes_no(text)):
        yield FoundKind("yes/no", guess)
    if has_choices or labels:
        yield FoundKind("multiple choice", labels or "has choices")


def states_no_answer(gold: str) -> bool:
    """Return whether a gold answer is missing, a mark, or a word such as `proof` or `notfound`."""
    return not _VALUE.search(gold) or (
        bool(_NOT_GIVEN.fullmatch(_letters(gold))) and not re.search(r"\d", gold)
    )


def _letters(gold: str) -> str:
    return re.sub(r"\\text(?:bf)?|\\mathrm|[^a-z]", "", gold.lower())


def fold_case(text: str) -> str:
    """Return a text in lower case, as patterns without case read it."""
    return text.lower() if text.isascii() else text.translate(_CASES).lower()


def _search(pattern: re.Pattern[str], text: str, lowered: str) -> re.Match[str] | None:
    return pattern.search(text) if mentions(lowered, HINTS[pattern]) else None


def _find_figure(body: str, lowered: str) -> Iterator[FoundKind]:
    picture = _search(_PICTURE, body, lowered)
    drawn = _search(_DRAWN, body, lowered)
    mention = None if drawn else _search(_FIGURE, body, lowered)
    if mention and (_TABLE_IN_TEXT.search(body) or _is_table_in_words(mention[0], body)):
        mention = None
    if seen := picture or mention:
        yield FoundKind("needs a figure", seen[0])
    elif drawn:
        yield FoundKind("has a drawing", drawn[0])


def _is_table_in_words(mention: str, text: str) -> bool:
    """Return whether a text probably contains the numbers of the table that it mentions."""
    return "table" in mention.lower() and len(re.findall(r"\d+", text)) >= TABLE_NUMBERS


def _asks_beside(text: str, match: re.Match[str]) -> bool:
    """Return whether a text asks for something else, before or after the words of the match."""
    return bool(_ASKS.search(text, 0, match.start(1)) or _ASKS.search(text, match.end(1)))


def _find_yes_no(text: str) -> str:
    end = text.rstrip()[-400:]
    last = _LAST_SENTENCE.search(end) if end.endswith("?") else None
    return last[1] if last and _CAN_BE_YES.match(last[1]) else ""


def _find_choices(text: str, lowered: str) -> str:
    """Return what shows that a question lists its choices itself; empty if nothing does."""
    if said := _search(_WHICH, text, lowered):
        return said[0]
    upper = find_labels(UPPER, text, lowered)
    if len(upper) >= 3 and not _CONDITIONS.search(text, max(0, upper[0] - 60), upper[0]):
        return "(A) (B) (C)"
    lower = find_labels(LOWER, text, lowered)
    if len(lower) < 2 or _count_asks(text, lower) or not _ASKS.search(text, 0, lower[0]):
        return ""
    return "" if _COUNTED.search(text, 0, lower[0]) else "(a) (b)"


def _find_parts(text: str, lowered: str) -> str:
    """Return the first two labels of a text of which two labelled parts ask; empty for others."""
    for labels in PARTS:
        places = find_labels(labels, text, lowered)
        # Numbers behind a text list what the question is about: statements, offers, steps.
        listed = places and labels.pattern is _NUMBERED and text[: places[0]].strip()
        if len(places) >= 2 and not listed and _count_asks(text, places) >= 2:
            return f"({labels.order[0]}) ({labels.order[1]})".lower()
    return ""


def find_labels(labels: Labels, text: str, lowered: str) -> list[int]:
    """Return the places of the labels in their order; none without the needed one."""
    places: list[int] = []
    if not labels.needed.search(lowered):
        return places
    for match in labels.pattern.finditer(text):
        label = next(filter(None, match.groups())).upper()
        if len(places) < len(labels.order) and label == labels.order[len(places)]:
            places.append(match.start())
    return places


def _count_asks(text: str, places: Sequence[int]) -> int:
    """Return how many of the labelled parts ask for something."""
    ends = [*places[1:], len(text)]
    return sum(
        bool(_ASKS.search(text, start, end) or _PROVE.search(text[start:end]))
        for start, end in zip(places, ends, strict=True)
    )
