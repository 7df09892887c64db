"""Writer `hinted`: verified rows with what a user claims put in front (sycophancy, Clever Hans).

In: a problem and a verified rationale. Out: the rationale with no claim, a true or a false one, a
third each, by hash (after arXiv:2308.03958 and 2305.13160). True and false claims have the same
phrases and spelling, so that nothing but the mathematics tells them apart. The solution is kept as
it is, after one sentence that agrees or disagrees. Problems for which no false value can be shown
to be false get no hinted row at all, else a claim would tell something.
"""

import re
from collections.abc import Iterator
from typing import Literal

from curator.answers import compare_by_rules
from curator.core.model import LETTERS, Problem, Rationale, content_id

Claim = Literal["none", "true", "false"]
_DRAWS: tuple[Claim, ...] = ("none", "true", "false")

VALUE_CLAIMS = (
    "I think the answer is {}.",
    "My own result is {}, please check it.",
    "A friend of mine says that the answer is {}.",
    "I am fairly sure that it comes to {}.",
    "My teacher told us that the result is {}.",
    "I worked on this for a while and got {}.",
    "Somebody online claims that the answer is {}.",
    "It should be {}, shouldn't it?",
)
STEP_CLAIMS = (
    "In my solution I use that {}.",
    "One of my steps is {}.",
    "A classmate's solution has the line {}.",
    "I have already found that {}.",
)
AGREEMENTS = (
    "That is right, as the following shows.",
    "This agrees with what follows.",
    "The working below confirms this.",
)
DISAGREEMENTS = (
    "That is not right, as the following shows.",
    "This differs from what follows.",
    "The working below does not confirm this.",
)

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_STEP = re.compile(
    r"(?<![\w.,)=+*/×·-])(?<![-+*/×·=] )"
    r"(\d{1,9}(?:\.\d{1,6})?) ?([-+*/×]) ?(\d{1,9}(?:\.\d{1,6})?) ?= ?"
    r"(\d{1,9}(?:\.\d{1,6})?)(?![\d,]*\d|\.\d|[%/^*])"
)
_MINUS = re.compile(r"(?<![A-Za-z])[-−] ?[\da-zA-Z]")
_LETTER = re.compile(r"\(([a-h])\)")
_OPPOSITES = {"true": "false", "yes": "no"}


def choose_claim(rationale: Rationale, seed: int) -> Claim:
    """Which claim is put in front of a rationale; equally likely each, and fixed by the seed."""
    return _DRAWS[_hash_number(rationale, seed, "claim") % len(_DRAWS)]


def add_hint(problem: Problem, rationale: Rationale, seed: int) -> Rationale | None:
    """The hinted row of a verified rationale.

    None if the problem has no gold answer, or none whose false variants are surely different. With
    claim `none` instruction and text are those of `rationale`; it is a row of its own all the same.
    """
    values = list(_value_pairs(problem))
    if not values:
        return None
    claim = choose_claim(rationale, seed)
    instruction, text = rationale.instruction, rationale.text
    if claim != "none":
        steps = list(_step_pairs(rationale.text)) if rationale.kind == "CoT" else []
        by_step = bool(steps) and _hash_number(rationale, seed, "what") % 3 == 0
        pairs = steps if by_step else values
        true, false = pairs[_hash_number(rationale, seed, "value") % len(pairs)]
        phrases = STEP_CLAIMS if by_step else VALUE_CLAIMS
        phrase = phrases[_hash_number(rationale, seed, "phrase") % len(phrases)]
        said = phrase.format(true if claim == "true" else false)
        replies = AGREEMENTS if claim == "true" else DISAGREEMENTS
        reply = replies[_hash_number(rationale, seed, "reply") % len(replies)]
        instruction = f"{said}\n{instruction}"
        text = f"{'# ' if rationale.kind == 'PoT' else ''}{reply}\n{text}"
    return Rationale(problem.id, "hinted", rationale.kind, instruction, text, rationale.copy)


def _hash_number(rationale: Rationale, seed: int, use: str) -> int:
    name = content_id("hinted", str(seed), use, rationale.id.hex())
    return int.from_bytes(name[:8], "big")


def _value_pairs(problem: Problem) -> Iterator[tuple[str, str]]:
    """The gold answer with each false value that is surely different from it."""
    gold = problem.gold.strip()
    if not gold:
        return
    if problem.choices:
        place = LETTERS.find(gold.strip("(). ").upper())
        if not 0 <= place < len(problem.choices):
            return
        for other in range(len(problem.choices)):
            # Upstreams list one value twice, under two letters.
            same = compare_by_rules(problem.choices[place], problem.choices[other])
            if same is not None and same.outcome == "equal":
                continue
            if _differ(LETTERS[place], LETTERS[other], problem.choices):
                yield _choice_text(problem, place), _choice_text(problem, other)
        return
    signed = _MINUS.search(problem.question) is not None
    slips = (
        *_negations(gold),
        *_other_letters(gold, problem.question),
        *_changed_numbers(gold, signed),
    )
    for false in dict.fromkeys(slips):
        if _differ(gold, false):
            yield gold, false


def _differ(gold: str, other: str, choices: tuple[str, ...] = ()) -> bool:
    found = compare_by_rules(gold, other, choices)
    return found is not None and found.outcome == "different"


def _choice_text(problem: Problem, place: int) -> str:
    return f"({LETTERS[place]}) {problem.choices[place].strip()}"


def _negations(gold: str) -> Iterator[str]:
    for one, other in (*_OPPOSITES.items(), *((no, yes) for yes, no in _OPPOSITES.items())):
        if gold.lower() == one:
            yield other.capitalize() if gold[0].isupper() else other


def _other_letters(gold: str, question: str) -> Iterator[str]:
    """The other letters where the question itself lists options: `(a) … (b) …`."""
    if _LETTER.fullmatch(gold):
        yield from (f"({letter})" for letter in _LETTER.findall(question))


def _changed_numbers(gold: str, signed: bool) -> Iterator[str]:
    """The gold with one of its numbers changed, in the spelling of the gold, or its sign.

    A minus is put in front only if the question has one (`signed`): elsewhere, among plums and
    pounds, it would show at once which claims are false.
    """
    for found in list(_NUMBER.finditer(gold))[:6]:
        if gold[: found.start()].endswith("sqrt["):
            continue
        for changed in _wrong_numbers(found[0]):
            yield gold[: found.start()] + changed + gold[found.end() :]
    bare = gold.lstrip("$ ")
    if signed and bare[:1].isdigit() and "," not in bare and "=" not in bare and len(bare) <= 12:
        yield gold.replace(bare, f"-{bare}", 1)
    elif gold.startswith("-") and gold[1:2].isdigit():
        yield gold[1:]


def _wrong_numbers(number: str) -> Iterator[str]:
    """What people make of a number by mistake: one off, doubled, halved, two digits swapped."""
    plain = number.replace(",", "")
    decimals = len(plain.partition(".")[2])
    scale = 10**decimals
    whole = int(plain.replace(".", ""))
    slips = [whole + 1, whole + scale, whole - 1, 2 * whole, 10 * whole]
    if whole % 2 == 0:
        slips.append(whole // 2)
    digits = str(whole)
    slips += [
        int(digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :])
        for at in range(len(digits) - 1)
    ]
    for slip in slips:
        if slip > 0 and slip != whole:
            front, back = divmod(slip, scale)
            said = f"{front:,}" if "," in number else str(front)
            yield f"{said}.{back:0{decimals}d}" if decimals else said


def _step_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Right steps such as `36/3 = 12` of a solution, each with a wrong result of it."""
    for found in _STEP.finditer(text):
        left, sign, right, result = found.groups()
        value = f"{left} {sign.replace('×', '*')} {right}"
        known = compare_by_rules(value, result)
        if known is None or known.outcome != "equal":
            continue
        for slip in _wrong_numbers(result):
            if _differ(value, slip) and _differ(result, slip):
                yield f"{left} {sign} {right} = {result}", f"{left} {sign} {right} = {slip}"
