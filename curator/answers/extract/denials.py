"""Tell answers that are stated from those that are denied, supposed or conditional.

In: a text and the span of a phrase such as `the answer is`. Out: `stated_place(…)`, where the
stated answer begins: `7` in `the answer is not 8. It is 7`; None if the phrase states none (`you
might think the answer is 8`). `has_condition(…)`, whether it holds only under a condition.
"""

import re

from curator.answers.extract.regions import mentions

_NEGATED = re.compile(
    r"\s{0,9}(?:not|n['’]t|no\slonger|never|neither|nicht|keine?|pas|niet|inte|ikke|nie|не"
    r"|n['’]est\spas|no\ses|não\sé|non\sè)\b|\s{0,9}不是",
    re.I,
)
_DENIED_AFTER = re.compile(r"(?:では|じゃ)(?:な|あり)|아니|아닙|değil|नहीं|নয়|不[对對]|错误|錯誤")
_REPLACED = re.compile(r"(?:では|じゃ)なく(?:て)?[、,]?\s?|[가이]?\s?(?:아니라|아니고),?\s")
_CORRECTED = re.compile(
    r"[^\n]{1,60}?(?:\sbut|[.,;]|\s[-–—])\s(?:(?:but|rather|instead|actually|in\sfact|really),?\s){0,2}"
    r"(?:(?:it|that|the\s(?:(?:correct|actual|real|true|right)\s)?(?:answer|value|one))"
    r"(?:['’]s|\sis|\swas)\s"
    r"(?:(?:actually|really|instead|rather|in\sfact)\s)?|(?<=but\s)|(?<=rather\s))"
    r"(?=[-+]?[$(\[*]{0,3}\\?\(?[-+]?(?:\d|[A-Z]\b)|[$\\])",
    re.I,
)
"""From an answer that is denied to the one in its place: `not 8. It is 7`."""
_CORRECTED_ELSEWHERE = re.compile(
    r"[^\n]{1,40}?(?:,?\s(?:sondern|mais|sino|mas|ma|maar|utan|men|a)\s|[,，]?\s?而是\s?)(?=[-$\\]?[\d$\\A-Z])"
)
_SUPPOSED = re.compile(  # `you might think`, `it is tempting to say`, `Tom says`
    r"(?:\b(?:(?:some|many|most|people|students|others|they)\s(?:(?:people|students|readers)\s)?"
    r"(?:(?:might|may|could|would)\s)?|(?:you|one|it|we)\s(?:might|may|could)\s(?:at\sfirst\s)?"
    r"(?:be\stempted\sto\s)?|(?:tempt(?:ing|ed)|easy|wrong|mistake(?:\sis)?|incorrect|natural)\sto\s)"
    r"(?:think|say|guess|believe|assume|expect|conclude|argue|claim|suggest|seem|appear|answer)"
    r"|\b(?:says|thinks|claims|believes|guesses|thought|said|guessed|claimed|believed))\s(?:like\s)?"
    r"(?:that\s)?(?:(?:the|this|our|an?|your)\s)?(?:(?:final|correct|right)\s)?\Z"
    r"|\bat\sfirst(?:\s(?:glance|sight))?,?\s(?:it\s(?:seems|looks|appears)\s(?:like\s|that\s)?)?the\s\Z",
    re.I,
)
_CONDITIONAL = re.compile(r"(?:would|should|might|could)\s(?:have\s)?be", re.I)
_IF = re.compile(r"\bif\s[^.\n]{1,100}\Z", re.I)
_IF_AFTER = re.compile(r"[^.\n]{1,80}?\sif\s", re.I)
_CONDITION_AFTER = re.compile(r"[^.\n]{1,80}?\s(?:had|were|unless)\s", re.I)
_CONDITION_BEFORE = re.compile(
    r"(?:^|[.!?\n]\s?)(?:But\s|So\s)?(?:if\s[^.\n]{1,80}?\s(?:had|were)|had|were|otherwise)\b[^.\n]{0,80}\Z",
    re.I,
)
_NOT_STATED = re.compile(
    r"\b(?:wrong|incorrect|false|mistaken|erroneous|tempting|another|other|previous|earlier|initial"
    r"|original)\s(?:final\s)?\Z"
    r"|\b(?:if|whether|suppose|assum\w{1,4}|unless|check\w{0,3}|verif\w{1,3}|confirm\w{0,3}|about|doubt\w{0,3}|unsure"
    r"|not\s(?:sure|certain|clear))\s(?:that\s)?(?:(?:the|an?|this|our|my|your)\s)?(?:(?:final|correct)\s)?\Z",
    re.I,
)
HINTS = {
    _NOT_STATED: (
        *("wrong", "incorrect", "false", "mistaken", "erroneous", "tempting", "other", "previous"),
        *("earlier", "initial", "original", "if", "whether", "suppose", "assum", "unless"),
        *("check", "verif", "confirm", "about", "doubt", "unsure", "not"),
    ),
    _SUPPOSED: (
        *("think", "say", "guess", "believe", "assume", "expect", "conclude", "argue", "claim"),
        *("suggest", "seem", "appear", "answer", "thought", "said", "first"),
    ),
}
"""Words without which a pattern finds nothing in ASCII: a cheap check before the search."""


def is_supposed(before: str) -> bool:
    """Return whether the text before a phrase makes it no statement: `whether the answer is`."""
    return _finds(_NOT_STATED, before[-40:]) or _finds(_SUPPOSED, before[-80:])


def _finds(pattern: re.Pattern[str], before: str) -> bool:
    hinted = not before.isascii() or mentions(before.lower(), HINTS[pattern])
    return hinted and pattern.search(before) is not None


def has_condition(text: str, start: int, end: int) -> bool:
    """Return whether a phrase such as `the answer would be` has an `if` before or after it."""
    if not _CONDITIONAL.search(text, start, end):
        return False
    return bool(_IF.search(text[max(0, start - 120) : start]) or _IF_AFTER.match(text, end))


def _is_unreal(text: str, start: int, end: int) -> bool:
    """Return whether a condition is known not to hold: `if he had paid, it would be 8`."""
    if not _CONDITIONAL.search(text, start, end):
        return False
    before = _CONDITION_BEFORE.search(text[max(0, start - 200) : start])
    return bool(before or _CONDITION_AFTER.match(text, end))


def stated_place(text: str, start: int, end: int, language: str) -> int | None:
    """Return where the answer begins that a phrase states; None if it states none."""
    before = text[max(0, start - 80) : start]
    if _finds(_NOT_STATED, before[-40:]) or _is_unreal(text, start, end):
        return None
    if not (_NEGATED.match(text, end) or _finds(_SUPPOSED, before)):
        return end
    corrected = _CORRECTED.match(text, end)
    if corrected is None and not language.startswith("English"):
        corrected = _CORRECTED_ELSEWHERE.match(text, end)
    return corrected.end() if corrected else None


def undenied_place(text: str, start: int, end: int) -> int | None:
    """Return where the answer in a sentence begins that may deny it at its end, as Japanese does.

    None if the sentence names no other answer in place of the one that it denies.
    """
    replaced = _REPLACED.search(text, start, end)
    if replaced:
        return replaced.end()
    return None if _DENIED_AFTER.search(text, start, min(len(text), end + 20)) else start
