"""Derives variable names from the words of a text.

In: words around a number or a computation. Out: valid ASCII names, unique in their program, of up
to 40 characters (without the number that makes a name unique), that do not shadow a builtin.
"""

import re
import unicodedata
from collections.abc import Sequence


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


LONGEST = 40
MOST_WORDS = 6

RESERVED = word_set(
    "answer math "
    "abs aiter all and anext any as ascii assert async await bin bool break breakpoint "
    "bytearray bytes callable case chr class classmethod compile complex continue copyright "
    "credits def del delattr dict dir divmod elif else enumerate eval except exec exit filter "
    "finally float for format from frozendict frozenset getattr global globals hasattr hash "
    "help hex id if import in input int is isinstance issubclass iter lambda lazy len license "
    "list locals map match max memoryview min next nonlocal not object oct open or ord pass pow "
    "print property quit raise range repr return reversed round sentinel set setattr slice "
    "sorted staticmethod str sum super try tuple type vars while with yield zip"
)
"""A fixed list: the interpreter's builtins differ between releases, and the same text must get the
same name in all of them."""
_OUTER = word_set(
    "a an the this that these those of in on at to for from by with per and or as is are was "
    "were be been will would has have had his her their its it he she they i we you there so "
    "then thus therefore hence now next first finally also if which who whose when than because "
    "since after before but not s one two three four five six seven eight nine ten"
)
"""Words that no name ends with."""
_LEADING = word_set(
    "a an the this that thats these those so then thus therefore hence now next first "
    "second finally also which means and but since because if we i it there is are was were of "
    "in at to for by with from or as let be x find calculate determine compute subtract "
    "add divide multiply how many much"
)
"""Words that no name starts with."""
_WEAK = word_set(
    "left more less fewer total each remaining altogether old away long in all other together "
    "extra equals apart is of the"
)
"""Words that are too vague to be a name alone."""
_CLAUSE = re.compile(
    r"[,;:()\[\]!?\n\"“”]|\.(?!\d)|\s[-–—]\s|\b(?:so|then|because|since|thus|therefore|which|meaning)\b",
    re.IGNORECASE,
)
_VERB = re.compile(r"\s(?:is|was|are|were|equals|will be|would be|comes to)$", re.IGNORECASE)
_ARITHMETIC_START = re.compile(r"[$€£]?\s{0,9}\({0,9}\s{0,9}[$€£]?\.?\d|[+*/×÷=]")


def split_words(text: str) -> list[str]:
    """Split text into lower-case ASCII words: `Betty's café, 2nd` → bettys, cafe, 2nd."""
    text = text.replace("’", "'").replace("'", "")
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.findall(r"[a-z0-9]+", folded)


def make_identifier(parts: Sequence[str]) -> str:
    """Join words to a name, cut at a word boundary; empty if they do not give a valid name."""
    words = [word for word in parts if word and word.isascii() and word.isalnum()]
    while words and (words[0] in _LEADING or words[0][0].isdigit()):
        words.pop(0)
    words = words[:MOST_WORDS]
    while words and (words[-1] in _OUTER or len("_".join(words)) > LONGEST):
        words.pop()
    name = "_".join(words)
    if not name or len(name) < 2 or not name.isidentifier():
        return ""
    return f"{name}_value" if name in RESERVED else name


class Names:
    """Assigns unique names within one program."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, name: str, fallback: str = "result") -> str:
        """Return `name`, or `name_2`, `name_3`, … if taken; `fallback` replaces an empty name."""
        base = name or fallback
        unique, count = base, 1
        while unique in self._used:
            count += 1
            unique = f"{base}_{count}"
        self._used.add(unique)
        return unique


def name_result(before: str, after: str) -> str:
    """Return a name for a result from the text before its expression and after its value.

    ("Natalia sold ", " clips in May.") → `clips_in_may`; ("The number of stamps is ", ".") →
    `number_of_stamps`; ("Weng earns ", " per minute.") → `weng_earns_per_minute`. May be empty.
    """
    if label := _label(before):
        return label
    subject, is_statement = _subject(before)
    follows = _phrase_after(after)
    unit = [word for word in follows if word not in _OUTER]
    if is_statement and subject:
        return subject
    rate = bool(follows) and follows[0] in ("per", "a", "an", "each", "every")
    strong = [word for word in unit if word not in _WEAK]
    if strong and not rate:
        return make_identifier(follows)
    if follows and subject:
        return make_identifier([*subject.split("_"), *follows])
    return subject or make_identifier(follows)


def _phrase_after(after: str) -> list[str]:
    clause = _CLAUSE.split(after, maxsplit=1)[0]
    clause = re.sub(r"(?:(?<=[a-z])|^\s*)/(?=\s*[a-z])", " per ", clause)
    phrase: list[str] = []
    for word in re.split(r"\s+", clause.strip()):
        if re.search(r"[\d=+*/$<>]", word):
            break
        phrase.extend(split_words(word))
    return phrase[:MOST_WORDS]


def _label(before: str) -> str:
    """Return total_distance for `First find the total distance: 3 + 4`; empty for a long label."""
    label, _, rest = before.rpartition(":")
    phrase = split_words(re.split(r"[.,;]", label)[-1]) if re.search(r"\d", rest) else []
    while phrase and phrase[0] in _LEADING:
        phrase.pop(0)
    return make_identifier(phrase) if len(phrase) <= MOST_WORDS else ""


def _subject(before: str) -> tuple[str, bool]:
    """Return the name from the last clause that has one, and whether the clause ends in "is"."""
    clauses = [clause.strip() for clause in _CLAUSE.split(before)]
    texts = [_before_arithmetic(clause) for clause in clauses]
    for text in reversed(texts):
        verb = _VERB.search(text)
        label = make_identifier(split_words(text[: verb.start()] if verb else text))
        if label and ("_" in label or verb):
            return label, bool(verb)
    for text in reversed(texts):
        if label := make_identifier(split_words(text)):
            return label, False
    return "", False


def _before_arithmetic(clause: str) -> str:
    start = _ARITHMETIC_START.search(clause)
    return clause[: start.start()].strip() if start else clause.strip()
