"""Read the answer in a statement: its box, its letters, its first or last readable part.

In: a text, a statement, the choices. Out: `read_statement(…)`, an `Answer` with its place, or None
if nothing is stated after all ("the answer is reasonable"); `is_remark_like(…)`.
"""

import re
from collections.abc import Iterator, Sequence

from curator.answers.compare.choices import match_choices, parse_letter, split_label
from curator.answers.compare.rules import compare_by_rules
from curator.answers.extract.joined import join_boxes, selects_one
from curator.answers.extract.languages import COUNTERS, UNITS
from curator.answers.extract.letters import parse_letters
from curator.answers.extract.statements import Statement, trim
from curator.answers.parse.normalize import normalize
from curator.answers.parse.read import read, to_answer
from curator.core.boxes import box_spans
from curator.core.model import LETTERS, Answer

Span = tuple[int, int]
Choices = tuple[str, ...]

_CLAUSE = re.compile(
    r",\s(?=[A-Za-z])|;|[，；（]|\s(?:because|since|as|so|which|where|when|for|if|but|i\.e|(?:and|but|,)\snot"
    r"|rather\sthan|instead\sof)\b|\s\(|\s[-–—]\s(?=[A-Za-z])"
)
_REASON = re.compile(
    r"(?<=\b[Yy]es)[,.]|(?<=\b[Nn]o),|,?\s(?:because|since|as|so|which|where|when|for|if|but|i\.e)\b|;|\s\("
)
_VERB = re.compile(
    r"(?:^|\s)(?:is|are|was|were|equals?|has|have|had|costs?|needs?|weighs?|takes?|gets?|earns?|makes?"
    r"|pays?|paid|spends?|spent)\s(?!not\b)|[是为為有共]|等于|等於|需要"
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
_NOTHING = re.compile(r"[\s.…?_\\]*|\\[lc]?dots|(?:your |final |the )?answer", re.I)
_NO_NUMBER = re.compile(r"no\. ?\d", re.I)
_PRINTED_NOTHING = frozenset(("nan", "none", "null", "[]", "{}", "()", "zoo", "set()", "emptyset"))
_PRINTED_LIST = re.compile(r"[-+]?[\d.]+(?: [-+]?[\d.]+)+")
_ESCAPED_TWICE = re.compile(
    r"\\\\(?=(?:[dt]?frac|sqrt|text\w{0,2}|math\w{2}|pi|cdot|times|left|right|begin|end|circ|infty|pm)\b)"
)
_COMPUTED = (
    r"(?:and|or|to|plus|minus|times|by|per|out|over|more|less|fewer|of\s\d|percent|squared|cubed"
    r"|half|hundred|thousand|million|billion|trillion|dozen|quarters?|thirds?|x|mod)\b"
)
_JOINING = (
    r"(?:on|in|for|after|at|of|during|from|each|every|left|now|total|when|if|as|before|until|with"
    r"|because|since)\b"
)
_QUANTITY = re.compile(
    r"(?P<value>[-+]?\s?[$£€]?\d[\d,]{0,30}(?:\.\d{1,30})?(?:/\d{1,30})?%?)"
    rf"(?P<unit>\s(?!{_JOINING}|{_COMPUTED})[A-Za-z]{{2,30}})?(?=\s[a-z])(?!\s{_COMPUTED})"
)
_SIGN_WORD = re.compile(r"(?:negative|minus)\s(?=[\d$\\.])", re.I)
_BARE_LETTER = re.compile(r"[A-H]|[(\[] ?[A-Ja-j] ?[)\]]|(?i:option|choice) ?[(\[]?[A-J][)\]]?")
_OPTION_WORD = re.compile(r"\(?(?:both|option|choice)s?\b\s?", re.I)
_OPTION_HEAD = re.compile(
    r"\(?\[?([A-Z])(?:[\])]|\s*[.:,]|\s*$|\s+(?=[(=-]))|\(?([a-z])\s*(?:\)|:(?!\s*[a-z]\b))"
)
_LABELLED = re.compile(
    r"(?:\(([A-J]|[a-e])\)\s?|([A-J])[).:] )(?=[\w$(\[{√.-]|\\(?:[dt]?frac|sqrt|text|pi)\b)"
)
_NUMERIC = re.compile(
    r"(?:[\s\d.,+*/()^!{}$%×÷·-]|\\(?:[dt]?frac|cdot|times|div|left|right|[,!])"
    r"|\b(?:of|times|plus|minus|over)\b)+"
)
_LISTED = re.compile(r"(?<=[\d$)}]) ?(?:或者|或|和|及|与|、) ?")
_COUNTED = re.compile(
    rf"(.*[\d}}$)%])\s?(?:[{COUNTERS}][一-鿿가-힣]{{0,8}}"
    rf"|({'|'.join(sorted(UNITS, key=len, reverse=True))}))"
)


def match_choice(text: str, choices: Choices) -> str:
    """Return the letters of the choices that a statement names; empty if none or undecided."""
    text = _OPTION_WORD.sub("", text, count=1) if _OPTION_WORD.match(text) else text
    several = parse_letters(text, len(choices))
    if several:
        return several
    head = _OPTION_HEAD.match(text)
    if head and LETTERS.find((head[1] or head[2]).upper()) < len(choices):
        return (head[1] or head[2]).upper()
    matches, _ = match_choices(text, choices)
    if not matches or len({choices[index] for index in matches}) > 1:
        return ""
    return parse_letter(text) or LETTERS[matches[0]]


def _cut_clauses(text: str, start: int, end: int) -> list[Span]:
    """Return the span and its beginnings up to each clause: more text may follow the answer."""
    sentence = text[start:end]
    cuts = [cut.start() for cut in _CLAUSE.finditer(sentence)][:_MAX_CUTS]
    return [(start, end), *(trim(text, start, start + cut) for cut in cuts)]


def _last_parts(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Yield what follows the last verbs: `the premium is $2.02`, `she has 5 apples`."""
    if _CONDITION.match(text, spans[0][0]):
        return
    for start, end in spans[:_MAX_VERBS]:
        for verb in [*_VERB.finditer(text, start, end)][: -_MAX_VERBS - 1 : -1]:
            yield trim(text, verb.end(), end)


def _shorten(content: str) -> str:
    """Return one of two equal values, and the last side of a calculation (`6 * 2 = 12`)."""
    first, joined, second = content.partition(" or ")
    if joined and read(first).node is not None and read(second).node is not None:
        result = compare_by_rules(first, second)
        return first if result is not None and result.outcome == "equal" else content
    *sides, last = re.split(r"(?<![<>!=])=(?!=)", content)
    if sides and last.strip() and all(map(_NUMERIC.fullmatch, sides[-1:])):
        return last.strip()
    return content


def _read_formula(content: str, span: Span) -> Answer | None:
    """Return the answer of a readable formula with its unit; None for other texts."""
    if "\\\\" in content:
        content = _ESCAPED_TWICE.sub(r"\\", content)
    if content[:1] in "nmNM":
        content = _SIGN_WORD.sub("-", content)
    if not content.isascii():
        content = _LISTED.sub(", ", content)
    if not content.isascii() and (counted := _COUNTED.fullmatch(content)):
        content = f"{counted[1]} {UNITS.get(counted[2] or '', '')}".strip()
    reading = read(content)
    known = reading.node is not None or reading.time is not None
    return to_answer(content, span) if known else None


def _read_label(text: str, choices: Choices) -> str:
    """Return the letter of `B) 6` if that choice is 6; otherwise nothing."""
    letter, rest = split_label(text.replace("**", ""))
    index = LETTERS.find(letter) if letter else -1
    return letter if 0 <= index < len(choices) and index in match_choices(rest, choices)[0] else ""


def _read_quantity(content: str, span: Span, bounded: bool) -> Answer | None:
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


def _read_option(content: str, span: Span) -> Answer | None:
    """Return the choice that is named where the choices are unknown: `(B)`, `E`, `(b) 12`."""
    if len(content) > 200:
        return None
    plain = normalize(content)
    if _BARE_LETTER.fullmatch(plain):
        return Answer("option", parse_letter(plain), span=span)
    label = _LABELLED.match(plain)
    if label:
        value = to_answer(plain[label.end() :])
        letter = (label[1] or label[2]).upper()
        return Answer("option", f"({letter}) {plain[label.end() :]}", span=span) if value else None
    several = parse_letters(plain, len(LETTERS)) if "," in plain or "and" in plain else ""
    return Answer("option", several, span=span) if several else None


def _read_words(text: str, span: Span) -> Answer | None:
    """Return an answer in words (`Tuesday`); None for a remark about an answer."""
    reason = _REASON.search(text, *span)
    start, end = trim(text, span[0], reason.start()) if reason else span
    content = text[start:end]
    words = read(content).words.split()
    if not words or len(words) > _WORDS or words[0] in _OPENERS or _REMARKS.intersection(words):
        return None
    return None if _NO_NUMBER.match(content) else to_answer(content, (start, end))


def _read_boxes(text: str, boxes: Sequence[Span]) -> Answer | None:
    """Return the answer of several boxes that belong together; None if they do not."""
    content, span = join_boxes(text, boxes)
    if span[0] == boxes[-1][0] or read(content).node is None:
        return None
    if selects_one(text, span[1]):
        line_end = text.find("\n", span[1])
        end = min(line_end if line_end >= 0 else len(text), span[1] + 200)
        start = text.rfind("\\", 0, span[0])
        return Answer("text", text[start:end].strip(), span=(start, end))
    return to_answer(content, span)


def _read_output(content: str, span: Span) -> Answer | None:
    if "Error" in content or content.lower() in _PRINTED_NOTHING:
        return None
    if _PRINTED_LIST.fullmatch(content):
        content = content.replace(" ", ", ")
    return to_answer(content, span)


def _read_span(text: str, span: Span, choices: Choices) -> Answer | None:
    """Return the answer that a span states as a whole."""
    content = text[slice(*span)]
    if not content:
        return None
    if choices:
        choice = match_choice(normalize(content), choices)
        option = Answer("option", choice, span=span) if choice else None
    else:
        option = _read_option(content, span) if content[0] in "([\\$ABCDEFGHIJco" else None
    if option is None and ("=" in content or " or " in content):
        content = _shorten(content)
    return option or _read_formula(content, span)


def read_statement(
    text: str, statement: Statement, boxes: Sequence[Span], choices: Choices
) -> Answer | None:
    """Return the answer in a statement; None if it states none after all.

    `boxes` are the spans of the boxes in the text.
    """
    span = statement.start, statement.end
    content = text[slice(*span)]
    if statement.kind == "output":
        return _read_output(content, span)
    if statement.kind == "letter":
        letter = parse_letters(content, len(choices)) or parse_letter(content)
        letter = letter or _read_label(normalize(content), choices)
        valid = letter and (not choices or LETTERS.find(letter[0]) < len(choices))
        return Answer("option", letter, span=span) if valid else None
    if _NOTHING.fullmatch(content):
        return None
    if statement.kind == "box":
        before = [box for box in boxes if box[1] <= span[1]]
        joined = _read_boxes(text, before) if len(before) > 1 and not choices else None
        return joined or _read_span(text, span, choices) or to_answer(content, span)
    inner = [(span[0] + start, span[0] + end) for start, end in box_spans(content)]
    if inner:
        return read_statement(text, Statement(*inner[-1], "box"), inner, choices)
    answer = _read_span(text, span, choices)
    if answer is not None:
        return answer
    spans = _cut_clauses(text, *span)
    for part in (*spans[1:], *_last_parts(text, spans)):
        answer = _read_span(text, part, choices)
        if answer is not None:
            return answer
    quantity = _read_quantity(content, span, bounded=statement.kind != "hashes")
    if quantity is None and statement.kind == "hashes":
        return None if text[span[1] :].strip() else to_answer(content, span)
    return quantity or _read_words(text, span)
