"""Rewrite formulas without changing their value: expand, factor, commute, split.

In: a `Formula`. Out: an equal `Formula`, or the same object where a rewrite does not apply.
Polynomials are dictionaries from a product of letters to its coefficient.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import gcd, isqrt, lcm

from curator.answers.variants.formula import Formula, join, minus, number
from curator.answers.variants.value import exact_value

Monomial = tuple[tuple[str, int], ...]
Polynomial = dict[Monomial, Fraction]
Rewrite = Callable[[Formula], Formula]

MAX_TERMS = 30
MAX_DEGREE = 12
MAX_COEFFICIENT = 10_000


def everywhere(rewrite: Rewrite) -> Rewrite:
    """Return a rewrite of a formula and of all its parts, the innermost first."""

    def apply(formula: Formula) -> Formula:
        parts = tuple(map(apply, formula.parts))
        if parts != formula.parts:
            formula = replace(formula, parts=parts)
        return rewrite(formula)

    return apply


def fraction(value: Fraction) -> Formula:
    """Return an exact number as an integer or a quotient, with its sign in front."""
    size = abs(value)
    formula = number(size.numerator)
    if size.denominator != 1:
        formula = Formula("quotient", (formula, number(size.denominator)))
    return minus(formula) if value < 0 else formula


def is_whole(formula: Formula) -> bool:
    """Return whether a formula is digits without a decimal point."""
    return formula.op == "number" and formula.text.isdigit()


def _add(a: Polynomial, b: Polynomial) -> Polynomial:
    total = dict(a)
    for monomial, value in b.items():
        total[monomial] = total.get(monomial, Fraction(0)) + value
    return {monomial: value for monomial, value in total.items() if value}


def _multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for left, x in a.items():
        for right, y in b.items():
            powers = dict(left)
            for name, power in right:
                powers[name] = powers.get(name, 0) + power
            total = _add(total, {tuple(sorted(powers.items())): x * y})
    return total


def to_polynomial(formula: Formula) -> Polynomial | None:
    """Return a formula as a polynomial, or None if it is anything else or too large."""
    value = exact_value(formula)
    if value is not None:
        return {(): value} if value else {}
    if formula.op == "letter":
        return {((formula.text, 1),): Fraction(1)}
    if formula.op == "power" and is_whole(formula.parts[1]):
        parts = [formula.parts[0]] * int(formula.parts[1].text[:3])
    elif formula.op in ("minus", "sum", "product", "quotient"):
        parts = list(formula.parts)
    else:
        return None
    found = [to_polynomial(part) for part in parts[: MAX_DEGREE + 1]]
    if None in found or len(parts) > MAX_DEGREE:
        return None
    return _combine(formula.op, [part for part in found if part is not None])


def _combine(op: str, parts: list[Polynomial]) -> Polynomial | None:
    if op == "minus":
        return _multiply({(): Fraction(-1)}, parts[0])
    if op == "quotient":
        below = parts[1].get(())
        return _multiply(parts[0], {(): 1 / below}) if below and len(parts[1]) == 1 else None
    total = parts[0]
    for part in parts[1:]:
        total = _add(total, part) if op == "sum" else _multiply(total, part)
        if len(total) > MAX_TERMS:
            return None
    return total


def _degree(monomial: Monomial) -> int:
    return sum(power for _, power in monomial)


def from_polynomial(polynomial: Polynomial) -> Formula:
    """Return a polynomial as a sum, the highest degree first."""
    terms = []
    for monomial in sorted(polynomial, key=lambda m: (-_degree(m), m)):
        value = polynomial[monomial]
        factors = [_letter_power(name, power) for name, power in monomial]
        if abs(value) != 1 or not factors:
            factors.insert(0, fraction(abs(value)))
        term = join("product", factors)
        terms.append(minus(term) if value < 0 else term)
    return join("sum", terms) if terms else number(0)


def _letter_power(name: str, power: int) -> Formula:
    letter = Formula("letter", (), name)
    return letter if power == 1 else Formula("power", (letter, number(power)))


def expand(formula: Formula) -> Formula:
    """Multiply out products and powers of sums."""
    polynomial = to_polynomial(formula)
    return formula if polynomial is None else from_polynomial(polynomial)


def factor(formula: Formula) -> Formula:
    """Return common factors of a polynomial, and its rational roots, in front of brackets."""
    polynomial = to_polynomial(formula)
    if polynomial is None or len(polynomial) < 2 or max(map(_degree, polynomial)) < 1:
        return formula
    factors, rest = _split_content(polynomial)
    roots, rest = _split_roots(rest)
    factors += roots
    if rest != {(): Fraction(1)} or not factors:
        factors.append(from_polynomial(rest))
    return join("product", factors)


def _split_content(polynomial: Polynomial) -> tuple[list[Formula], Polynomial]:
    """Return the common number and letters, and what they leave."""
    values = list(polynomial.values())
    top = gcd(*(value.numerator for value in values))
    content = Fraction(top, lcm(*(value.denominator for value in values)))
    common = dict(next(iter(polynomial)))
    for monomial in polynomial:
        powers = dict(monomial)
        common = {n: min(p, powers.get(n, 0)) for n, p in common.items() if n in powers}
    rest = {
        tuple((n, p - common.get(n, 0)) for n, p in monomial if p > common.get(n, 0)): v / content
        for monomial, v in polynomial.items()
    }
    factors = [_letter_power(name, power) for name, power in sorted(common.items())]
    return ([fraction(content)] if content != 1 else []) + factors, rest


def _split_roots(polynomial: Polynomial) -> tuple[list[Formula], Polynomial]:
    """Divide a polynomial in one letter with whole coefficients by `qx - p` for its roots p/q."""
    names = {name for monomial in polynomial for name, _ in monomial}
    if len(names) != 1:
        return [], polynomial
    (name,) = names
    size = max(map(_degree, polynomial))
    row = [
        polynomial.get(((name, size - i),) if i < size else (), Fraction(0)) for i in range(size)
    ]
    row.append(polynomial.get((), Fraction(0)))
    found: list[Formula] = []
    while len(row) > 2 and (root := _rational_root(row)) is not None:
        found.append(_linear(name, root))
        row = _divide(row, root)
        row = [value / root.denominator for value in row]
    rest: Polynomial = {}
    for index, value in enumerate(row):
        power = len(row) - 1 - index
        rest = _add(rest, {((name, power),) if power else (): value})
    return found, rest


def _linear(name: str, root: Fraction) -> Formula:
    return from_polynomial(
        {((name, 1),): Fraction(root.denominator), (): Fraction(-root.numerator)}
        if root
        else {((name, 1),): Fraction(1)}
    )


def _divide(row: list[Fraction], root: Fraction) -> list[Fraction]:
    """Return the coefficients after division by x - root, which leaves no remainder."""
    out = [row[0]]
    for value in row[1:-1]:
        out.append(value + root * out[-1])
    return out


def _rational_root(row: list[Fraction]) -> Fraction | None:
    first, last = abs(row[0]), abs(row[-1])
    if max(first, last) > MAX_COEFFICIENT or not last or first.denominator != 1:
        return None
    for bottom in _divisors(int(first)):
        for top in _divisors(int(last)):
            for root in (Fraction(top, bottom), Fraction(-top, bottom)):
                if not _evaluate(row, root):
                    return root
    return None


def _divisors(value: int) -> list[int]:
    small = [d for d in range(1, isqrt(value) + 1) if value % d == 0]
    return sorted({*small, *(value // d for d in small)})


def _evaluate(row: list[Fraction], at: Fraction) -> Fraction:
    total = Fraction(0)
    for value in row:
        total = total * at + value
    return total


def reverse_sum(formula: Formula) -> Formula:
    """Return the terms of a sum in the opposite order."""
    return replace(formula, parts=formula.parts[::-1]) if formula.op == "sum" else formula


def reverse_product(formula: Formula) -> Formula:
    """Return the factors of a product in the opposite order."""
    return replace(formula, parts=formula.parts[::-1]) if formula.op == "product" else formula


def split_quotient(formula: Formula) -> Formula:
    """Return (a + b)/c as a/c + b/c."""
    if formula.op != "quotient" or formula.parts[0].op != "sum":
        return formula
    top, bottom = formula.parts
    terms = []
    for term in top.parts:
        inner = term.parts[0] if term.op == "minus" else term
        share = Formula("quotient", (inner, bottom))
        terms.append(minus(share) if term.op == "minus" else share)
    return join("sum", terms)


def root_to_power(formula: Formula) -> Formula:
    """Return the root of a number as a power with a fraction as exponent."""
    if formula.op != "root" or not is_whole(formula.parts[0]):
        return formula
    return Formula("power", (formula.parts[0], Formula("quotient", (number(1), formula.parts[1]))))


def move_under_root(formula: Formula) -> Formula:
    """Return 5 sqrt(2) as sqrt(50)."""
    if formula.op != "product" or len(formula.parts) != 2:
        return formula
    outside, root = formula.parts
    if not (is_whole(outside) and root.op == "root" and is_whole(root.parts[0])):
        return formula
    degree = int(root.parts[1].text)
    inside = int(outside.text) ** min(degree, 4) * int(root.parts[0].text)
    if degree > 4 or inside > 10**7:
        return formula
    return replace(root, parts=(number(inside), root.parts[1]))


def move_root_below(formula: Formula) -> Formula:
    """Return sqrt(2)/3 as 2/(3 sqrt(2))."""
    if formula.op != "quotient" or formula.parts[0].op != "root":
        return formula
    root, bottom = formula.parts
    if not (is_whole(root.parts[0]) and root.parts[1].text == "2" and is_whole(bottom)):
        return formula
    return Formula("quotient", (root.parts[0], Formula("product", (bottom, root))))


def invert(formula: Formula) -> Formula:
    """Return 1/x as x to the power of -1."""
    if formula.op != "quotient" or formula.parts[0] != number(1) or exact_value(formula):
        return formula
    bottom = formula.parts[1]
    if bottom.op == "power":
        return replace(bottom, parts=(bottom.parts[0], minus(bottom.parts[1])))
    return Formula("power", (bottom, minus(number(1))))


def unreduce(formula: Formula) -> Formula:
    """Return a fraction of whole numbers with top and bottom three times as large."""
    if formula.op != "quotient" or not all(map(is_whole, formula.parts)):
        return formula
    return replace(formula, parts=tuple(number(3 * int(part.text)) for part in formula.parts))


def move_minus_up(formula: Formula) -> Formula:
    """Return -(a/b) as (-a)/b."""
    if formula.op != "minus" or formula.parts[0].op != "quotient":
        return formula
    top, bottom = formula.parts[0].parts
    return Formula("quotient", (minus(top), bottom))


def move_minus_down(formula: Formula) -> Formula:
    """Return -(a/b) as a/(-b)."""
    if formula.op != "minus" or formula.parts[0].op != "quotient":
        return formula
    top, bottom = formula.parts[0].parts
    return Formula("quotient", (top, minus(bottom)))
