"""Find the answer in a sentence: its first clause, what follows its verb, its first quantity.

In: a text and the span of a sentence that states an answer. Out: the spans that may hold it, an
`Answer` for a quantity or for words, or None: "reasonable" is a remark about an answer.
"""

import re
from collections.abc import Iterator, Sequence

from curator.answers.extract.statements import trim
from curator.answers.parse.read import read, to_answer
from curator.core.model import Answer

Span = tuple[int, int]

_CLAUSE = re.compile(
    r",\s(?=[A-Za-z])|;|[，；（]|\s(?:because|since|as|so|which|where|when|for|if|but|i\.e"
    r"|(?:and|but|,)\snot|rather\sthan|instead\sof|and\s(?:we|you|I|this|that|it)|to\sthe\snearest"
    r"|rounded|or,?\sequivalently|correct\sto|to\s(?:one|two|three|four|\d)\s(?:decimal|significant))\b"
    r"|\s\(|\s[-–—]\s(?=[A-Za-z])"
)
_REASON = re.compile(
    r"(?<=\b[Yy]es)[,.]|(?<=\b[Nn]o),|;|\s\("
    r"|,?\s(?:because|since|as|so|which|where|when|for|if|but|i\.e)\b"
)
_VERB = re.compile(
    r"(?:^|\s)(?:is|are|was|were|equals?|has|have|had|costs?|needs?|weighs?|takes?|gets?|earns?"
    r"|makes?|pays?|paid|spends?|spent|namely)\s(?!not\b)|[是为為有共]|等于|等於|需要"
)
_CONDITION = re.compile(r"(?:if|when|since|because|suppose|let|note|first)\b", re.I)
_MAX_CUTS = 8
_MAX_VERBS = 3
_WORDS = 4
"""Maximum number of words of an answer that is no formula."""

_REMARK_WORDS = """correct incorrect right wrong clear unclear obvious verified reasonable sensible
plausible consistent valid invalid confirmed checked checks unique desired expected required
needed boxed exact approximate rounded simplified expressed acceptable accurate unknown uncertain
trivial hard difficult easy straightforward immediate open ambiguous good fine ok okay nice sure
helpful done ready pending useful number numbers integer fraction decimal multiple approximation
estimate value sum product difference same best i me you it we they know"""
_REMARKS = frozenset(_REMARK_WORDS.split())
_OPENING_WORDS = """as at based because below by computed calculated derived found first follows for
from given here how if in it left let likely next not now obtained of on one's only our shown simply
simple since some such that then there therefore this thus to too unlikely up used we what when
where which why with within written you your"""
_OPENERS = frozenset(_OPENING_WORDS.split())
_NO_NUMBER = re.compile(r"no\. ?\d", re.I)
_COMPUTED = (
    r"(?:and|or|plus|minus|times|by|over|more|less|fewer|squared|cubed|x|mod|choose|divided"
    r"|multiplied|raised)\b"
)
_SCALES = (
    r"(?:to|per|out|percent|half|hundred|thousand|million|billion|trillion|dozen|quarters?|thirds?"
    r"|factorial|am|pm|noon)\b"
)
_JOINING = (
    r"(?:on|in|for|after|at|of|during|from|each|every|left|now|total|when|if|as|before|until|with|a"
    r"|because|since)\b"
)
_QUANTITY = re.compile(
    r"(?P<value>[-+]?\s?[$£€]?\d[\d,]{0,30}(?:\.\d{1,30})?(?:/\d{1,30})?%?)"
    rf"(?:(?P<unit>\s(?!{_JOINING}|{_COMPUTED}|{_SCALES})[A-Za-z-]{{2,30}})(?=\s[a-z])"
    rf"|(?=\s{_JOINING})(?!\s(?:in|of|for)\s\d))(?!\s{_COMPUTED}|\sto\s\d)"
)


def cut_clauses(text: str, start: int, end: int) -> list[Span]:
    """Return the span and its beginnings up to each clause: more text may follow the answer."""
    sentence = text[start:end]
    cuts = [cut.start() for cut in _CLAUSE.finditer(sentence)][:_MAX_CUTS]
    return [(start, end), *(trim(text, start, start + cut) for cut in cuts)]


def last_parts(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Yield what follows the last verbs: `the premium is $2.02`, `she has 5 apples`."""
    if _CONDITION.match(text, spans[0][0]):
        return
    for start, end in spans[:_MAX_VERBS]:
        for verb in [*_VERB.finditer(text, start, end)][: -_MAX_VERBS - 1 : -1]:
            yield trim(text, verb.end(), end)


def read_quantity(content: str, span: Span, bounded: bool) -> Answer | None:
    """Return the quantity with which a sentence begins: `18 dollars every day at the market`.

    If `bounded`, no other number may follow.
    """
    match = _QUANTITY.match(content)
    if match is None or (bounded and any(map(str.isdigit, content[match.end() :]))):
        return None
    unit = match["unit"] or ""
    if not unit and content[match.end() :].startswith(" of") and match["value"][-1] != "%":
        return None
    end = match.end() if unit and read(match[0]).node is not None else match.end("value")
    return to_answer(content[:end], (span[0], span[0] + end))


def read_words(text: str, span: Span) -> Answer | None:
    """Return an answer in words (`Tuesday`); None for a remark about an answer."""
    reason = _REASON.search(text, *span)
    start, end = trim(text, span[0], reason.start()) if reason else span
    content = text[start:end]
    words = read(content).words.split()
    if not words or len(words) > _WORDS or words[0] in _OPENERS or _REMARKS.intersection(words):
        return None
    return None if _NO_NUMBER.match(content) else to_answer(content, (start, end))
