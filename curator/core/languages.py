"""The language of a question, by its script and its commonest words.

In: a text. Out: an ISO 639-1 code, empty if the text has too few words to tell; or the words of an
answer in a script that its question does not have. Not covered: languages that are not listed,
which are counted as the nearest one or as none.
"""

import re
from collections import Counter
from dataclasses import dataclass

NAMES = {
    "en": "English",
    "de": "German",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
    "ar": "Arabic",
    "bn": "Bengali",
    "el": "Greek",
    "he": "Hebrew",
    "hi": "Hindi",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian",
    "th": "Thai",
    "zh": "Chinese",
}
"""Languages that are found, by code."""

_WORDS = {
    "en": "the of and is are to in how many what find that has have if for with does she he each",
    "de": "der die das und ist wie viele ein eine im hat von mit wenn den des sind zu welche sie",
    "es": "el los las cuántos cuántas una qué del cuál tiene por para es está más ella cada",
    "fr": "le les des et est combien une du dans quel quelle elle il avec pour sont au en de",
    "it": "gli quanti quante una della che quale nel sono ha più lei ogni di ne",
    "nl": "het een hoeveel van met als hij wat zijn heeft welke voor zij elke de en",
    "pt": "os quantos quantas um uma da que com se qual tem para em são mais ela ele cada",
}
_OF_WORD: dict[str, list[str]] = {}
for _code, _listed in _WORDS.items():
    for _word in _listed.split():
        _OF_WORD.setdefault(_word, []).append(_code)
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]{3}")),  # single letters are names of angles
)
_WORD = re.compile(r"\\[a-z]+|[^\W\d_]+")
"""A word, or a command of LaTeX, which does not count as one."""
MAX_TEXT = 2_000
"""Maximum number of characters that are read."""
_SHARE = 0.2
"""Minimum share of the letters in another script than Latin: formulas hold some."""


_RUNS = re.compile(
    "(?P<zh>[\u4e00-\u9fff]{2,})|(?P<ja>[\u3040-\u30ff]{2,})|(?P<ko>[\uac00-\ud7af]{2,})"
    "|(?P<ru>[\u0400-\u04ff]{3,})|(?P<ar>[\u0600-\u06ff]{3,})|(?P<he>[\u0590-\u05ff]{3,})"
    "|(?P<hi>[\u0900-\u097f]{3,})|(?P<bn>[\u0980-\u09ff]{3,})|(?P<th>[\u0e00-\u0e7f]{3,})"
)
"""Words in another script than Latin and Greek, by code."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Words of a text in a script that its question does not have."""

    code: str
    letters: int
    """Letters in that script."""
    place: int
    """Offset of the first of these words."""
    quote: str
    """The first of these words, at most 20 letters."""


def find_switch(text: str, question: str) -> Switch | None:
    """Return the first script to which a text switches; None if it keeps those of its question.

    Not covered: a change between languages of one script, such as English and French.
    """
    if text.isascii():
        return None
    expected = {match.lastgroup for match in _RUNS.finditer(question)}
    found: dict[str, Switch] = {}
    for match in _RUNS.finditer(text):
        code = match.lastgroup or ""
        if code in expected:
            continue
        first = found.get(code)
        letters = (first.letters if first else 0) + match.end() - match.start()
        place, quote = (first.place, first.quote) if first else (match.start(), match[0][:20])
        found[code] = Switch(code, letters, place, quote)
    return next(iter(found.values()), None)


def language_of(text: str) -> str:
    """Return the code of a text's language; empty if it is not recognised."""
    text = text[:MAX_TEXT]
    if not text.isascii():
        letters = sum(map(str.isalpha, text)) or 1
        for code, script in _SCRIPTS:
            if sum(map(len, script.findall(text))) > _SHARE * letters:
                return code
    counts: Counter[str] = Counter()
    for word in _WORD.findall(text.lower()):
        counts.update(_OF_WORD.get(word, ()))
    # In a tie, the first language of `_WORDS`: English.
    best = max(_WORDS, key=lambda code: counts[code])
    return best if counts[best] >= 2 else ""
