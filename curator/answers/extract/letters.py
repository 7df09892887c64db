"""Letters of choices in a solution: chosen, or only discussed.

In: a text of a question with choices. Out: `chosen_letters(text)`, the spans that name the choice
which is the answer; `parse_letters(text)`, the letters of an answer of several choices. "Choice A
is correct", "option D." and "we choose (B)" choose; "Choice B gives 5", "not B" and "eliminate A"
do not.
"""

import re
from collections.abc import Iterator

from curator.answers.extract.regions import lower, mentions

_FONT = r"\\(?:math|text)(?:bf|rm|it|sf)?\s?\{|\\boldsymbol\s?\{"
_OPEN = rf"(?:\$\s?)?(?:{_FONT})?[*_]{{0,2}}[(\[]?(?:{_FONT})?"
_CLOSED = r"[)\]}*_$]{0,6}"
_NAMED = re.compile(
    r"(?i:(?:answer|ans|option|choice)\b[\s.:]{0,20}(?:option\b\s{0,4})?)"
    rf"{_OPEN}([A-Z](?![\w'’-])|[a-z](?=[\s.)\]\"”]*\Z)){_CLOSED}"
)
_PREDICATE = (
    r"(?:is|must\sbe|would\sbe|has\sto\sbe)\s(?:(?:indeed|thus|therefore|clearly|also)\s)?(?:the\s)?"
    r"(?:(?:correct|right|best|only)\s)?(?:answer|option|choice|correct|right|true)\b"
    r"(?!\s(?:only|if|when|for|to)\b)"
)
_PREDICATED = re.compile(rf"\s{{0,9}}{_PREDICATE}")
_CORRECT = re.compile(
    rf"[(\[]?\b([A-Z])\b(?:{_CLOSED}|[):.]\s[^.;,\n]{{1,40}}?)\s{{1,9}}{_PREDICATE}"
)
_CHOSEN = re.compile(
    r"\b(?:(?:it|which|that|this)\s(?:must|has\sto|should)\sbe|[Cc]hoos(?:e|ing)|[Ss]elect(?:ing)?|[Pp]ick(?:ing)?|(?:go|going|goes|went)\s(?:with|for)|I(?:['’]d|\swould)\ssay|[Ll]eav(?:es|ing)(?:\s(?:us|only|with)){0,3})"
    rf"\s(?:option\s|choice\s|answer\s)?{_OPEN}([A-Z]){_CLOSED}(?=\s?(?:[.,;]|$|\n))",
    re.M,
)
ANY_LETTER = r"[(\[]?[A-H][)\]]?"
_LIST = rf"{ANY_LETTER}(?:\s?(?:,\s?and\b|[,、&;+/]|\band\b|和|及|与)\s?{ANY_LETTER}){{1,7}}"
_SEVERAL = re.compile(
    rf"\b(?:[Oo]ptions|[Cc]hoices|[Aa]nswers|[Ss]tatements)\s({_LIST})\s(?:are|must\sbe)\s"
    r"(?:both\s|all\s)?(?:the\s)?(?:correct|right|true)\b"
)
_ONLY = re.compile(
    rf"\b[Oo]nly\s(?:option\s|choice\s|answer\s)?{_OPEN}([A-Z]){_CLOSED}\s"
    r"(?:works|fits|holds|remains|satisfies|matches|is\s(?:correct|left|right|true|possible|valid))\b"
)
_LAST = re.compile(
    r"(?:\b[Tt]herefore,?|\bgives\s{1,9}us|=|>>|->|=>|\b[Tt]hus,?|\b[Hh]ence,?|\b[Ss]o,?)\s{0,9}"
    r"[(\[]?([A-E])[)\]]?\s{0,9}\.?\Z"
)
_DISCUSSED = re.compile(
    r"(?:\b(?:not|neither|n?or|than|instead\sof|unlike|if|between|out|(?:eliminat|reject|exclud|discard"
    r"|dismiss|remov|consider|compar|check|test|try|examin)\w{0,6})|n't)\s(?:the\s)?[(\[]?\Z",
    re.I,
)
_VERB = re.compile(r"\s{0,4}(?:(?P<word>[a-z]{2,}(?:n't)?)\b|(?P<list>,\s[(\[]?[A-Z]\b))")
_REASON_WORDS = """because since as so which and for with hence therefore thus by from in at that
where rather instead not but"""
_REASONS = frozenset(_REASON_WORDS.split())
_NOUNS = ("answer", "ans", "option", "choice")
_PREDICATES = (*_NOUNS, "correct", "right", "true")
_VERBS = (" be ", "choos", "select", "pick", "leav", " with ", " for ", " say ", " are ", "only ")


def _is_chosen(text: str, match: re.Match[str]) -> bool:
    """Return whether a named letter is chosen, going by the words around it."""
    if _DISCUSSED.search(text, max(0, match.start() - 24), match.start()):
        return False
    if _PREDICATED.match(text, match.end()):
        return True
    following = _VERB.match(text, match.end())
    return following is None or following["word"] in _REASONS


def chosen_letters(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of letters that the text chooses; the text has no blanks at its end."""
    lowered = lower(text)
    for noun in _NOUNS:
        start = lowered.find(noun)
        while start >= 0:
            match = _NAMED.match(text, start)
            if match and not text[start - 1 : start].isalpha() and _is_chosen(text, match):
                yield match.span(1)
            start = lowered.find(noun, start + len(noun))
    for match in _CORRECT.finditer(text) if mentions(lowered, _PREDICATES) else ():
        if not _DISCUSSED.search(text, max(0, match.start() - 24), match.start()):
            yield match.span(1)
    for pattern in (_CHOSEN, _SEVERAL, _ONLY) if mentions(lowered, _VERBS) else ():
        yield from (match.span(1) for match in pattern.finditer(text))
    for match in _LAST.finditer(text, max(0, len(text) - 60)):
        yield match.span(1)


_WHOLE_LIST = re.compile(rf"{_LIST}|[A-H]{{2,8}}")


def parse_letters(text: str, count: int) -> str:
    """Return `A, B, D` for `ABD` or `A, B and D`; empty for a text that is no such list."""
    if len(text) > 60 or not _WHOLE_LIST.fullmatch(text):
        return ""
    letters = re.findall(r"[A-H]", text)
    if letters != sorted(set(letters)) or ord(letters[-1]) - ord("A") >= count:
        return ""
    return ", ".join(letters)
