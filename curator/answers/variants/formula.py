r"""Formulas as trees, for writing them in other ways: a strict reader of a small notation.

In: the text of a gold answer in LaTeX or plain notation. Out: `read_formula(text)`, a `Formula`, or
None. The reader is independent of `curator.answers.parse`, so that it can test it. It reads only
what has one meaning: `f(2)`, `1/2x`, `\sin 2x`, `\log 5` and `pi` are None.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

Op = Literal[
    "number", "letter", "constant", "minus", "sum", "product", "quotient", "power", "root", "call"
]

MAX_LENGTH = 300
MAX_DEPTH = 12
FUNCTIONS = ("sin", "cos", "tan", "ln", "log")


@dataclass(frozen=True, slots=True)
class Formula:
    """One operation with its operands."""

    op: Op
    parts: tuple["Formula", ...] = ()
    """Quotients have top and bottom, powers base and exponent, roots radicand and degree; the
    function `log` has argument and base."""

    text: str = ""
    """Digits of a number, name of a letter, constant (`pi`, `e`, `i`) or function."""


def number(value: int | str) -> Formula:
    """Return a number; a negative one is a minus before its digits."""
    text = str(value)
    return minus(Formula("number", (), text[1:])) if text[0] == "-" else Formula("number", (), text)


def minus(formula: Formula) -> Formula:
    """Return the negative of a formula, without two signs in a row."""
    return formula.parts[0] if formula.op == "minus" else Formula("minus", (formula,))


def join(op: Literal["sum", "product"], parts: list[Formula]) -> Formula:
    """Return a sum or product, or its only part."""
    return parts[0] if len(parts) == 1 else Formula(op, tuple(parts))


def walk(formula: Formula, path: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], Formula]]:
    """Return every part of a formula with its path from the top, in order of writing."""
    found = [(path, formula)]
    for index, part in enumerate(formula.parts):
        found += walk(part, (*path, index))
    return found


def replace_at(formula: Formula, path: tuple[int, ...], part: Formula) -> Formula:
    """Return a formula with another part at a path."""
    if not path:
        return part
    parts = list(formula.parts)
    parts[path[0]] = replace_at(parts[path[0]], path[1:], part)
    return replace(formula, parts=tuple(parts))


def letters(formula: Formula) -> frozenset[str]:
    """Return the variables of a formula."""
    return frozenset(part.text for _, part in walk(formula) if part.op == "letter")


_DROPPED = re.compile(r"\\(?:left|right)(?![A-Za-z])|(?<!\\)\\[!,;: ]|~|\$|\\displaystyle")
_SYNONYMS = re.compile(r"\\[dt]frac(?![A-Za-z])")
_GREEK = ("alpha", "beta", "theta", "phi", "lambda", "mu")
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"(?:0|[1-9]\d*)(?:\.\d+)?(?!\d)|\.\d+")
_TIMES = re.compile(r"\\cdot(?![A-Za-z])|\\times(?![A-Za-z])|\*(?!\*)")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_APPLIED = frozenset("fghpqFGHPQ")
_WORD = re.compile(r"(?<![A-Za-z\\])(?:[A-Za-z]{3,}|[A-Z]{2}|is|or|to|no|in|of|at|pi)(?![A-Za-z])")


def clean(text: str) -> str:
    """Return a text without LaTeX's spaces, sizes of brackets and dollar signs."""
    return _SYNONYMS.sub(r"\\frac", _DROPPED.sub(" ", text)).strip()


def read_formula(text: str) -> Formula | None:
    """Return the formula that a text states, or None if it is longer, deeper or anything else."""
    text = clean(text)
    if len(text) > MAX_LENGTH or not text.isascii() or _WORD.search(text):
        return None
    reader = _Reader(text)
    try:
        formula = reader.sum()
    except _Unread:
        return None
    return formula if reader.at == len(reader.text) else None


class _Unread(ValueError):
    """The text is not in the notation of this reader."""


class _Reader:
    """A recursive-descent reader over characters, because `\\frac12` has two arguments."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def _accept(self, pattern: re.Pattern[str] | str) -> str:
        """Skip spaces and take what matches; empty if nothing does."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        if isinstance(pattern, str):
            found = pattern if self.text.startswith(pattern, self.at) else ""
        else:
            match = pattern.match(self.text, self.at)
            found = match[0] if match else ""
        self.at += len(found)
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise _Unread(self.text)

    def sum(self) -> Formula:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unread(self.text)
        sign = self._accept("-") or self._accept("+")
        terms = [minus(self._product()) if sign == "-" else self._product()]
        while sign := self._accept("+") or self._accept("-"):
            terms.append(minus(self._product()) if sign == "-" else self._product())
        self.depth -= 1
        return join("sum", terms)

    def _product(self) -> Formula:
        factors = [self._power()]
        while True:
            if self._accept(_TIMES):
                factors.append(self._power())
            elif self._accept("/"):
                if len(factors) > 1:
                    raise _Unread("a product before a slash")
                factors = [Formula("quotient", (factors[0], self._power()))]
                if self._starts_factor() or self._accept(_TIMES) or self._accept("/"):
                    raise _Unread("a product after a slash")
                return factors[0]
            elif self._starts_factor():
                if factors[-1].op == "call":
                    raise _Unread("a factor after a function")
                if factors[-1].op == "number" and self.text.startswith(r"\frac", self.at):
                    raise _Unread("a mixed number or a product")
                factors.append(self._power())
            else:
                return join("product", factors)

    def _starts_factor(self) -> bool:
        self._accept("")
        rest = self.text[self.at : self.at + 1]
        if rest == "\\":
            return not _TIMES.match(self.text, self.at)
        return rest.isalpha() or rest == "("

    def _power(self) -> Formula:
        base = self._atom()
        if not self._accept("^"):
            return base
        if base.op == "call" or self._accept(r"\circ") or self._accept(r"\prime"):
            raise _Unread("a power of a function, degrees or a prime")
        exponent = self._argument()
        if self._accept("^"):
            raise _Unread("a power of a power")
        return Formula("power", (base, exponent))

    def _atom(self) -> Formula:
        if digits := self._accept(_NUMBER):
            return Formula("number", (), digits)
        if self._accept("("):
            inside = self.sum()
            self._expect(")")
            return inside
        if command := self._accept(_COMMAND):
            return self._command(command[1:])
        letter = self.text[self.at : self.at + 1]
        if not (letter.isascii() and letter.isalpha()):
            raise _Unread(self.text)
        self.at += 1
        after = self.text[self.at : self.at + 1]
        if after in ("_", "'") or (letter in _APPLIED and after == "("):
            raise _Unread("a subscript, a prime or a function")
        return Formula("constant" if letter in "ei" else "letter", (), letter)

    def _command(self, name: str) -> Formula:
        if name == "frac":
            return Formula("quotient", (self._argument(), self._argument()))
        if name == "sqrt":
            degree = number(2)
            if self._accept("["):
                degree = self.sum()
                self._expect("]")
            if degree.op != "number":
                raise _Unread("a degree that is not a number")
            return Formula("root", (self._argument(), degree))
        if name == "pi":
            return Formula("constant", (), "pi")
        if name in _GREEK:
            return Formula("letter", (), f"\\{name}")
        if name in FUNCTIONS:
            return self._call(name)
        raise _Unread(name)

    def _call(self, name: str) -> Formula:
        base = self._subscript() if name == "log" else ()
        if self._accept("^"):
            raise _Unread("a power of a function")
        if self._accept("("):
            inside = self.sum()
            self._expect(")")
        else:
            inside = self._atom()
        if self._starts_factor() or self._accept("^"):
            raise _Unread("an argument of more than one factor")
        return Formula("call", (inside, *base), name)

    def _subscript(self) -> tuple[Formula, ...]:
        self._expect("_")
        base = self._argument()
        if base.op != "number":
            raise _Unread("a base that is not a number")
        return (base,)

    def _argument(self) -> Formula:
        """Read a group in braces, one digit, one letter or one command without arguments."""
        if self._accept("{"):
            inside = self.sum()
            self._expect("}")
            return inside
        if self.text[self.at : self.at + 1].isdigit():
            self.at += 1
            return number(self.text[self.at - 1])
        if self.text.startswith("(", self.at):
            raise _Unread("a bracket as an argument")
        if command := self._accept(_COMMAND):
            return self._command(command[1:]) if command == r"\pi" else self._not_read()
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        if not (letter.isascii() and letter.isalpha()):
            raise _Unread(self.text)
        return Formula("constant" if letter in "ei" else "letter", (), letter)

    def _not_read(self) -> Formula:
        raise _Unread(self.text)
