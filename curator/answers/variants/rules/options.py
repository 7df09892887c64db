r"""Variants of the letter of a choice.

In: a `Gold` with choices. Out: `FORMS`, rules for other ways to name the right choice, and
`MISSES`, rules for ways to name another one. Choices with the same text or value as the right one
are never taken for another one.
"""

import re
from collections.abc import Iterator
from fractions import Fraction

from curator.answers.variants.rules.rule import Gold, Rule, pick
from curator.core.model import LETTERS

_BARE = ("{}", "({})", "{}.", "{})", "[{}]", "({}).")
_LATEX = (r"\textbf{{({})}}", r"\text{{{}}}", r"\boxed{{{}}}", r"\boxed{{\text{{{}}}}}", "$({})$")
_WORDS = ("option {}", "Choice {}", "answer ({})", "**{}**", "**({})**")
_WITH_TEXT = ("({}) {}", "{}) {}", "{}. {}", r"\textbf{{({})}}\ {}", "option {}: {}")
_NUMBER = re.compile(r"[^\d./-]*(-?\d+(?:\.\d+)?)(?:/(\d+))?\D*")


def _choice_text(gold: Gold, index: int) -> str:
    return gold.choices[index].strip()


def _key(text: str) -> str | Fraction:
    """Return what makes two choices the same: their only number, or letters and digits."""
    match = _NUMBER.fullmatch(text.replace(",", "").strip())
    if match and int(match[2] or 1):
        return Fraction(match[1]) / int(match[2] or 1)
    return "".join(filter(str.isalnum, text.casefold()))


def _others(gold: Gold) -> list[int]:
    """Return the choices that certainly differ from the right one, the nearest first."""
    if gold.index < 0:
        return []
    right = _key(_choice_text(gold, gold.index))
    indices = [i for i in range(len(gold.choices)) if _key(_choice_text(gold, i)) != right]
    return sorted(indices, key=lambda i: (abs(i - gold.index), i))


def _is_plain(text: str) -> bool:
    """Return whether a choice's text cannot be taken for a letter or for several choices."""
    return len(text) > 1 and not re.search(r"[$\\{}]|\b[A-E]\b|above|these", text)


def _named(gold: Gold, index: int, forms: tuple[str, ...]) -> Iterator[str]:
    if gold.index >= 0:
        yield from (form.format(LETTERS[index]) for form in forms)


def _letter(gold: Gold) -> Iterator[str]:
    yield from _named(gold, gold.index, _BARE)


def _letter_in_latex(gold: Gold) -> Iterator[str]:
    yield from _named(gold, gold.index, _LATEX)


def _letter_in_words(gold: Gold) -> Iterator[str]:
    yield from _named(gold, gold.index, _WORDS)


def _letter_with_text(gold: Gold) -> Iterator[str]:
    if gold.index >= 0 and _is_plain(_choice_text(gold, gold.index)):
        text = _choice_text(gold, gold.index)
        yield from (form.format(LETTERS[gold.index], text) for form in _WITH_TEXT)


def _text(gold: Gold) -> Iterator[str]:
    if gold.index >= 0 and _is_plain(_choice_text(gold, gold.index)):
        yield _choice_text(gold, gold.index)


FORMS = (
    Rule("letter of the choice", "`(B)`, `B.`, `[B]`", _letter),
    Rule("letter in LaTeX", r"`\textbf{(B)}`, `\boxed{B}`", _letter_in_latex),
    Rule("letter in words", "`option B`, `**B**`", _letter_in_words),
    Rule("letter with text", "`(B) 12`, `B. 12`", _letter_with_text),
    Rule("text of the choice", "`12` if B is 12", _text),
)


def _other_letter(gold: Gold) -> Iterator[str]:
    for index in _others(gold):
        forms = (*_BARE, *_LATEX, *_WORDS)
        yield LETTERS[index]
        yield pick(f"{gold.choices}{index}", forms[1:]).format(LETTERS[index])


def _neighbour_in_all_forms(gold: Gold) -> Iterator[str]:
    for index in _others(gold)[:1]:
        yield from _named(gold, index, (*_BARE, *_LATEX, *_WORDS))


def _other_with_text(gold: Gold) -> Iterator[str]:
    for index in _others(gold):
        text = _choice_text(gold, index)
        if _is_plain(text):
            yield pick(f"{gold.choices}{index}", _WITH_TEXT).format(LETTERS[index], text)


def _other_text(gold: Gold) -> Iterator[str]:
    for index in _others(gold):
        if _is_plain(_choice_text(gold, index)):
            yield _choice_text(gold, index)


MISSES = (
    Rule("another choice", "the letter of every other choice", _other_letter),
    Rule("neighbouring choice", "the letter of a neighbour in all forms", _neighbour_in_all_forms),
    Rule("another choice with text", "`(C) 13` for B", _other_with_text),
    Rule("text of another choice", "`13` if B is 12 and C is 13", _other_text),
)
