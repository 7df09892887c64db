r"""Variants of single numbers: other notations, and what is easily read as the same number.

In: a `Gold`. Out: `FORMS` and `MISSES`.
"""

from collections.abc import Iterator
from dataclasses import replace

from curator.answers.variants import algebra, numerals
from curator.answers.variants.formula import Formula, letters, number, walk
from curator.answers.variants.notation import PYTHON, write
from curator.answers.variants.rules.rule import Gold, Rule, exact, is_numeral, write_different
from curator.answers.variants.shapes import mixed_value, write_shape
from curator.answers.variants.value import exact_value


def _constructors(gold: Gold) -> Iterator[str]:
    """Write numbers, matrices and sets as sympy's and Python's constructors."""
    shape = gold.shape
    if shape is None:
        return
    value = exact_value(shape.parts[0]) if shape.kind == "value" and not shape.form else None
    if value is not None and value.denominator != 1:
        yield f"Rational({value.numerator}, {value.denominator})"
        yield f"Fraction({value.numerator}, {value.denominator})"
    elif value is not None:
        yield f"Integer({value.numerator})"
    if shape.kind == "matrix":
        yield f"Matrix({write_shape(shape, PYTHON)})"
    if shape.kind == "set":
        yield f"FiniteSet({', '.join(write(part, PYTHON) for part in shape.parts)})"


def _zeros(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is not None and is_numeral(gold) and (text := numerals.decimal(value)):
        yield f"{text}0" if "." in text else f"{text}.0"
        yield f"{text}00" if "." in text else f"{text}.00"
        if text.lstrip("-").startswith("0."):
            yield text.replace("0.", ".", 1)


def _grouped(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is not None and value.denominator == 1:
        for separator in (",", "{,}", r",\!", r"\,"):
            yield numerals.grouped(value.numerator, separator)


def _scientific(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    parts = numerals.scientific(value) if value is not None and is_numeral(gold) else None
    if parts:
        mantissa, exponent = parts
        yield rf"{mantissa} \times 10^{{{exponent}}}"
        yield f"{mantissa}e{exponent}"
        yield f"{mantissa}*10**{exponent}" if exponent > 0 else f"{mantissa}*10^({exponent})"


def _number_words(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is not None and value.denominator == 1:
        text = numerals.words(value.numerator)
        yield text
        yield text.capitalize()


def _decimals(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is not None and value.denominator != 1:
        text = numerals.decimal(value)
        if text:
            yield text
            yield f"{text}0"
        elif repeating := numerals.repeating(value):
            yield repeating


def _fractions(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is not None and value.denominator == 1:
        yield rf"\frac{{{2 * value.numerator}}}{{2}}"
        yield f"{3 * value.numerator}/3"
    elif value is not None:
        formula = algebra.fraction(value)
        yield write(formula)
        yield f"{value.numerator}/{value.denominator}"
        yield write(algebra.everywhere(algebra.unreduce)(formula))


def _mixed(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is None or value.denominator == 1 or abs(value) < 1:
        return
    whole, top = divmod(abs(value.numerator), value.denominator)
    sign = "-" if value < 0 else ""
    yield rf"{sign}{whole}\frac{{{top}}}{{{value.denominator}}}"
    yield f"{sign}{whole} {top}/{value.denominator}"


def _prime_factors(gold: Gold) -> Iterator[str]:
    value = exact(gold)
    if value is not None and value.denominator == 1 and value > 1:
        factors = numerals.prime_factors(value.numerator)
        powers = [f"{p}^{{{k}}}" if k > 1 else str(p) for p, k in factors]
        yield r" \cdot ".join(powers)


def _named(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None:
        return
    if shape.kind == "value" and shape.form:
        yield write_shape(replace(shape, form=""))
    elif shape.kind == "value" and not letters(shape.parts[0]):
        yield f"x = {write_shape(shape)}"
        yield f"n={gold.text}"


def _plain_value(gold: Gold) -> Formula | None:
    """Return the formula of a single value without name, unit or base."""
    shape = gold.shape
    return shape.parts[0] if shape and shape.kind == "value" and not shape.form else None


def _whole(gold: Gold) -> int | None:
    """Return a whole number above 1, which is the whole gold answer."""
    formula = _plain_value(gold)
    value = exact_value(formula) if formula and formula.op == "number" else None
    return value.numerator if value is not None and value.denominator == 1 and value > 1 else None


def _scaled(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind not in ("value", "quantity"):
        return
    value = exact_value(shape.parts[0])
    for factor in (10, 100, 1000):
        for other in (value * factor, value / factor) if value else ():
            text = numerals.decimal(other)
            formula = number(text) if text else algebra.fraction(other)
            yield from write_different(gold, iter([shape.having(formula)]))


def _half_more(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        yield from (f"{value}.5", f"{value}.1", rf"{value}\frac{{1}}{{2}}", f"{value} 1/3")


def _digits_apart(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        text = str(value)
        for at in range(1, len(text)):
            if len(text) - at != 3:  # a space before three digits can separate thousands
                yield f"{text[:at]} {text[at:]}"


def _function_of_value(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        yield from (f"f({value})", rf"\sin {value}", rf"\ln({value})", f"log({value})")
        if 2 < value <= 100:
            yield f"{value}!"


def _word_after(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        yield from (f"{value} thirds", f"{value} squared", f"{value} million", f"{value} dozen")
        yield from (
            f"half of {value}",
            f"twice {value}",
            f"{value} modulo {max(2, value // 2)}",
            f"negative {value}",
        )


def _bound(gold: Gold) -> Iterator[str]:
    formula = _plain_value(gold)
    is_real = formula is not None and all(part.text != "i" for _, part in walk(formula))
    if formula is not None and is_real and not letters(formula):
        text = write(formula)
        yield from (f"x < {text}", rf"x \geq {text}", rf"x \neq {text}", f"> {text}")


def _range(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        yield from (f"at least {value}", f"more than {value}", f"{value} or more", f"under {value}")
        yield from (f"{value} to {value + 2}", f"between {value} and {value + 2}")
        yield from (f"{value} out of {value + 2}", f"{value} of {value + 2}")


def _more_values(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        yield from (f"{value}, {value + 1}", f"{value} or {value - 1}", rf"\pm {value}")
        yield from (f"({value}, {value})", f"[0, {value})", f"{value}:{value + 1}")
        yield rf"\{{{value}, {value * 2}\}}"


def _times_letter(gold: Gold) -> Iterator[str]:
    value = _whole(gold)
    if value is not None:
        yield from (f"{value}x", f"{value}i", f"{value}e", f"{value} + x")


def _other_name(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "value" and shape.form:
        yield write_shape(replace(shape, form="w" if shape.form != "w" else "v"))


def _mixed_read_as_product(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "mixed":
        whole, top, bottom = (write(part) for part in shape.parts)
        value = mixed_value(shape)
        yield rf"{whole} \cdot \frac{{{top}}}{{{bottom}}}"
        yield rf"\frac{{{whole}{top}}}{{{bottom}}}"
        yield write(algebra.fraction(-value))


FORMS = (
    Rule("constructors", "`Rational(1, 2)`, `Matrix([[1], [2]])`", _constructors),
    Rule("zeros", "`12.0` for `12`, `.50` for `0.5`", _zeros),
    Rule("thousands separators", "`1,200`, `1{,}200` for `1200`", _grouped),
    Rule("powers of ten", r"`1.2 \times 10^{3}`, `1.2e3` for `1200`", _scientific),
    Rule("number words", "`twelve` for `12`", _number_words),
    Rule("decimals", r"`0.5` for `\frac{1}{2}`, `0.\overline{3}`", _decimals),
    Rule("fractions", r"`\frac{1}{2}`, `\frac{3}{6}` for `0.5`; `24/2`", _fractions),
    Rule("mixed numbers", r"`1\frac{1}{2}` for `\frac{3}{2}`", _mixed),
    Rule("prime factors", r"`2^{2} \cdot 3` for `12`", _prime_factors),
    Rule("named value", "`x = 12` for `12`", _named),
)

MISSES = (
    Rule("power of ten", "`120`, `1.2`, `0.12` for `12`", _scaled),
    Rule("a fraction more", r"`12.5`, `12\frac{1}{2}` for `12`", _half_more),
    Rule("digits apart", "`1 2` for `12`", _digits_apart),
    Rule("function of the value", r"`f(12)`, `\sin 12`, `12!` for `12`", _function_of_value),
    Rule("word after the number", "`12 thirds`, `12 million` for `12`", _word_after),
    Rule("bound", r"`x < 12`, `x \neq 12` for `12`", _bound),
    Rule("range", "`at least 12`, `12 to 14`, `12 out of 14` for `12`", _range),
    Rule("more values", r"`12 or 11`, `\pm 12`, `(12, 12)` for `12`", _more_values),
    Rule("letter after the number", "`12x`, `12i` for `12`", _times_letter),
    Rule("another name", "`w = 12` for `x = 12`", _other_name),
    Rule("mixed number", r"`1 \cdot \frac{1}{2}` for `1\frac{1}{2}`", _mixed_read_as_product),
)
