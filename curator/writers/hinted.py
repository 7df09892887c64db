"""Writer `hinted`: verified rows that start with a user's claim (sycophancy, Clever Hans).

In: a problem and a verified rationale. Out: the rationale with no claim, a true claim or a false
one, chosen by hash with equal probability (after arXiv:2308.03958 and 2305.13160). True and false
claims share phrases and spelling, so that only the mathematics distinguishes them. A sentence that
agrees or disagrees precedes the unchanged solution. Problems without a value that is provably
false get no hinted row; otherwise the presence of a claim would reveal that it is true.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from curator.answers import compare_by_rules
from curator.core.model import LETTERS, Problem, Rationale, content_id
from curator.core.thoughts import join_thought, split_thought

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
    """Return the claim for a rationale: each is equally likely, and the seed determines it."""
    return _DRAWS[_hash_number(rationale, seed, "claim") % len(_DRAWS)]


def add_hint(problem: Problem, rationale: Rationale, seed: int) -> Rationale | None:
    """Return the hinted row of a verified rationale.

    Returns None if the problem has no gold answer, or no false value that provably differs from it.
    With the claim `none`, instruction and text are those of `rationale`, in a new row.
    """
    values = list(_value_pairs(problem))
    if not values:
        return None
    claim = choose_claim(rationale, seed)
    instruction, text, as_written = rationale.instruction, rationale.text, rationale.as_written
    if claim != "none":
        steps = list(_step_pairs(rationale.text)) if rationale.kind == "CoT" else []
        by_step = bool(steps) and _hash_number(rationale, seed, "what") % 3 == 0
        pairs = steps if by_step else values
        true, false = pairs[_hash_number(rationale, seed, "value") % len(pairs)]
        phrases = STEP_CLAIMS if by_step else VALUE_CLAIMS
        phrase = phrases[_hash_number(rationale, seed, "phrase") % len(phrases)]
        statement = phrase.format(true if claim == "true" else false)
        replies = AGREEMENTS if claim == "true" else DISAGREEMENTS
        reply = replies[_hash_number(rationale, seed, "reply") % len(replies)]
        instruction = f"{statement}\n{instruction}"
        reply = f"{'# ' if rationale.kind == 'PoT' else ''}{reply}\n"
        thought, answer = split_thought(text)
        text = join_thought(thought, f"{reply}{answer}")
        as_written = f"{reply}{split_thought(as_written)[1]}" if as_written else ""
    return replace(
        rationale, writer="hinted", instruction=instruction, text=text, as_written=as_written
    )


def _hash_number(rationale: Rationale, seed: int, use: str) -> int:
    name = content_id("hinted", str(seed), use, rationale.id.hex())
    return int.from_bytes(name[:8], "big")


def _value_pairs(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield the gold answer with each value that provably differs from it."""
    gold = problem.gold.strip()
    if not gold:
        return
    if problem.choices:
        place = LETTERS.find(gold.strip("(). ").upper())
        if not 0 <= place < len(problem.choices):
            return
        for other in range(len(problem.choices)):
            # Some sources list the same value under two letters.
            same = compare_by_rules(problem.choices[place], problem.choices[other])
            if same is not None and same.outcome == "equal":
                continue
            if _differ(LETTERS[place], LETTERS[other], problem.choices):
                yield _choice_text(problem, place), _choice_text(problem, other)
        return
    signed = _MINUS.search(problem.question) is not None
    candidates = (
        *_negations(gold),
        *_other_letters(gold, problem.question),
        *_changed_numbers(gold, signed),
    )
    for false in dict.fromkeys(candidates):
        if _differ(gold, false):
            yield gold, false


def _differ(gold: str, other: str, choices: tuple[str, ...] = ()) -> bool:
    equivalence = compare_by_rules(gold, other, choices)
    return equivalence is not None and equivalence.outcome == "different"


def _choice_text(problem: Problem, place: int) -> str:
    return f"({LETTERS[place]}) {problem.choices[place].strip()}"


def _negations(gold: str) -> Iterator[str]:
    for one, other in (*_OPPOSITES.items(), *((no, yes) for yes, no in _OPPOSITES.items())):
        if gold.lower() == one:
            yield other.capitalize() if gold[0].isupper() else other


def _other_letters(gold: str, question: str) -> Iterator[str]:
    """Yield the other letters if the question itself lists choices: `(a) … (b) …`."""
    if _LETTER.fullmatch(gold):
        yield from (f"({letter})" for letter in _LETTER.findall(question))


def _changed_numbers(gold: str, signed: bool) -> Iterator[str]:
    """Yield the gold answer with one number or the sign changed, in the same spelling.

    A minus is added only if the question has one (`signed`): in a question about plums or pounds
    it would reveal that the claim is false.
    """
    for number in list(_NUMBER.finditer(gold))[:6]:
        if gold[: number.start()].endswith("sqrt["):
            continue
        for changed in _wrong_numbers(number[0]):
            yield gold[: number.start()] + changed + gold[number.end() :]
    bare = gold.lstrip("$ ")
    if signed and bare[:1].isdigit() and "," not in bare and "=" not in bare and len(bare) <= 12:
        yield gold.replace(bare, f"-{bare}", 1)
    elif gold.startswith("-") and gold[1:2].isdigit():
        yield gold[1:]


def _wrong_numbers(number: str) -> Iterator[str]:
    """Yield typical mistakes for a number: one off, doubled, halved, two digits swapped."""
    plain = number.replace(",", "")
    decimals = len(plain.partition(".")[2])
    scale = 10**decimals
    whole = int(plain.replace(".", ""))
    mistakes = [whole + 1, whole + scale, whole - 1, 2 * whole, 10 * whole]
    if whole % 2 == 0:
        mistakes.append(whole // 2)
    digits = str(whole)
    mistakes += [
        int(digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :])
        for at in range(len(digits) - 1)
    ]
    for mistake in mistakes:
        if mistake > 0 and mistake != whole:
            front, back = divmod(mistake, scale)
            integer = f"{front:,}" if "," in number else str(front)
            yield f"{integer}.{back:0{decimals}d}" if decimals else integer


def _step_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield correct steps of a solution such as `36/3 = 12`, each with a wrong result."""
    for step in _STEP.finditer(text):
        left, operator, right, result = step.groups()
        value = f"{left} {operator.replace('×', '*')} {right}"
        equivalence = compare_by_rules(value, result)
        if equivalence is None or equivalence.outcome != "equal":
            continue
        for wrong in _wrong_numbers(result):
            if _differ(value, wrong) and _differ(result, wrong):
                yield (
                    f"{left} {operator} {right} = {result}",
                    f"{left} {operator} {right} = {wrong}",
                )
