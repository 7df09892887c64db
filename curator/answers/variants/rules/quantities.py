r"""Variants of quantities and of numbers with a base: units spelled out, converted, exchanged.

In: a `Gold`. Out: `FORMS` and `MISSES`.
"""

import re
from collections.abc import Iterator

from curator.answers.variants import algebra, numerals
from curator.answers.variants.formula import number
from curator.answers.variants.notation import write
from curator.answers.variants.rules.rule import Gold, Rule, exact, is_numeral
from curator.answers.variants.shapes import Shape, write_shape
from curator.answers.variants.units import UNITS, same_dimension, spell_out, write_quantity
from curator.answers.variants.value import exact_value


def _percent(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None:
        return
    if shape.kind == "quantity" and shape.form == "percent":
        value = exact_value(shape.parts[0])
        if value is not None and value < 100:
            yield numerals.decimal(value / 100)
            yield write(algebra.fraction(value / 100))
    value = exact(gold)
    if value is not None and is_numeral(gold) and 0 < value < 1:
        text = numerals.decimal(value * 100)
        yield rf"{text}\%" if text else ""


def _spelled(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "quantity" or shape.form not in UNITS:
        return
    amount = write(shape.parts[0])
    plain = re.fullmatch(r"-?[\d.]+", amount)
    yield rf"{amount} \text{{ {spell_out(shape.form)}}}"
    if plain:
        yield f"{amount} {spell_out(shape.form)}"
        symbol = UNITS[shape.form].symbol
        yield f"{amount} {symbol}" if shape.form != "degree" else f"{amount}°"


def _left_out(gold: Gold) -> Iterator[str]:
    if gold.shape is not None and gold.shape.kind == "quantity":
        yield write(gold.shape.parts[0])


def _converted(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "quantity":
        return
    value = exact_value(shape.parts[0])
    for unit in same_dimension(shape.form) if value is not None else ():
        factor = UNITS[shape.form].size / UNITS[unit].size
        amount = numerals.decimal(value * factor) if value is not None else ""
        if amount and len(amount) < 10 and (factor.numerator == 1 or factor.denominator == 1):
            yield write_shape(Shape("quantity", (number(amount),), unit))


def _base_forms(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "base":
        digits = write(shape.parts[0])
        yield f"{digits}_{shape.form}"
        yield rf"{digits}_{{\text{{{numerals.words(int(shape.form))}}}}}"
        yield f"{digits} base {shape.form}"
        yield rf"{digits}_{{{shape.form}}}".replace("_", r"\,_")


def _unit(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "quantity" or not exact_value(shape.parts[0]):
        return
    amount = write(shape.parts[0])
    others = same_dimension(shape.form)[:3]
    if shape.form == "degree":
        yield rf"{amount}\text{{ radians}}"
    if shape.form in ("centimeter", "meter", "foot", "inch", "mile", "kilometer"):
        others += [f"square {shape.form}", f"cubic {shape.form}"]
        yield rf"{amount}\text{{ {UNITS[shape.form].symbol}/s}}"
    if shape.form.startswith("square "):
        base = shape.form.removeprefix("square ")
        others += [base, f"cubic {base}"]
    if shape.form in UNITS and UNITS[shape.form].dimension != "money":
        others.append("dollar")
    for other in others:
        yield write_quantity(amount, other)


def _base(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "base":
        return
    digits = write(shape.parts[0])
    for other in (int(shape.form) - 1, int(shape.form) + 1, 10):
        text = digits.lstrip("-")
        valid = 2 <= other <= 10 and all(int(digit) < other for digit in text)
        if valid and len(text) > 1 and str(other) != shape.form:
            yield f"{digits}_{{{other}}}"


FORMS = (
    Rule("percent", r"`0.07` for `7\%`, `50\%` for `0.5`", _percent),
    Rule("unit spelled out", "`3 centimeters`, `7 percent`", _spelled),
    Rule("unit left out", r"`3` for `3\text{ cm}`", _left_out),
    Rule("unit converted", r"`300\text{ cm}` for `3\text{ m}`", _converted),
    Rule("base written out", "`12 base 5` for `12_5`", _base_forms),
)

MISSES = (
    Rule("another unit", r"`3\text{ m}` for `3\text{ cm}`", _unit),
    Rule("another base", "`12_4` for `12_3`", _base),
)
