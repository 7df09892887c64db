"""Values of formulas, to be certain that a near miss is a miss. Independent of the graders.

In: formulas. Out: `exact_value`, a fraction or None; `differ(a, b)`, true only if the two are
certainly different: exact values that are not the same, or floats that are far apart at one of
`POINTS` fixed points.
"""

import cmath
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256

from curator.answers.variants.formula import Formula, letters

POINTS = 4
MIN_GAP = 1e-7
"""The smallest relative gap between two floats that counts as a difference."""
MAX_BITS = 20_000


@lru_cache(maxsize=4096)
def exact_value(formula: Formula) -> Fraction | None:
    """Return the value of a formula of numbers, or None: letters, roots, 1/0, too large a power."""
    parts = [exact_value(part) for part in formula.parts]
    if formula.op == "number":
        return Fraction(formula.text)
    if not parts or None in parts or formula.op in ("root", "call"):
        return None
    values = [part for part in parts if part is not None]
    match formula.op:
        case "minus":
            return -values[0]
        case "sum":
            return sum(values, Fraction(0))
        case "product":
            return _product(values)
        case "quotient":
            return values[0] / values[1] if values[1] else None
        case _:
            return _power(*values)


def _product(values: list[Fraction]) -> Fraction:
    total = Fraction(1)
    for value in values:
        total *= value
    return total


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or bits * abs(exponent) > MAX_BITS or not base:
        return None
    return Fraction(base**exponent.numerator)


def point(name: str, index: int) -> float:
    """Return a fixed value for a letter: positive, and negative at the last point."""
    seed = sha256(f"{name} {index}".encode()).digest()
    size = 0.3 + int.from_bytes(seed[:4], "big") / 2**31
    return -size if index == POINTS - 1 else size


def float_value(formula: Formula, names: Mapping[str, float]) -> complex:
    """Return the value as a complex float; raises ArithmeticError or ValueError without one."""
    parts = [float_value(part, names) for part in formula.parts]
    match formula.op:
        case "number":
            return complex(float(formula.text))
        case "letter":
            return complex(names[formula.text])
        case "constant":
            return {"pi": complex(cmath.pi), "e": complex(cmath.e), "i": 1j}[formula.text]
        case "minus":
            return -parts[0]
        case "sum":
            return sum(parts, 0j)
        case "product":
            total = 1 + 0j
            for part in parts:
                total *= part
            return total
        case "quotient":
            return parts[0] / parts[1]
        case "power":
            return parts[0] ** parts[1]
        case "root":
            return _root(*parts)
        case _:
            return _call(formula.text, parts)


def _root(radicand: complex, degree: complex) -> complex:
    n = round(degree.real)
    if n % 2 and not radicand.imag and radicand.real < 0:
        return -complex((-radicand.real) ** (1 / n))
    return complex(radicand ** (1 / n))


def _call(name: str, parts: list[complex]) -> complex:
    if name == "log":
        return cmath.log(parts[0]) / cmath.log(parts[1])
    if name == "ln":
        return cmath.log(parts[0])
    return complex({"sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan}[name](parts[0]))


def values(formula: Formula, names: frozenset[str]) -> list[complex | None]:
    """Return the float values at all points; None where the formula has no value."""
    found: list[complex | None] = []
    for index in range(POINTS):
        try:
            value = float_value(formula, {name: point(name, index) for name in names})
        except (ArithmeticError, ValueError):
            found.append(None)
        else:
            found.append(value if cmath.isfinite(value) else None)
    return found


def far_apart(x: complex, y: complex) -> bool:
    """Return whether two floats are certainly different."""
    return abs(x - y) > MIN_GAP * max(abs(x), abs(y), 1e-12)


def differ(a: Formula, b: Formula) -> bool:
    """Return whether two formulas are certainly different."""
    x, y = exact_value(a), exact_value(b)
    if x is not None and y is not None:
        return x != y
    names = letters(a) | letters(b)
    pairs = zip(values(a, names), values(b, names), strict=True)
    return any(p is not None and q is not None and far_apart(p, q) for p, q in pairs)
