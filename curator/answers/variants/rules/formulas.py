r"""Variants of formulas: equal rewrites, and one small mistake.

In: a `Gold`. Out: `FORMS` and `MISSES`. They also apply to the parts of pairs, sets, intervals,
matrices, equations and quantities.
"""

from collections.abc import Callable, Iterator

from curator.answers.variants import algebra, tweaks
from curator.answers.variants.formula import Formula, join, letters, minus, number
from curator.answers.variants.notation import PYTHON, write
from curator.answers.variants.rules.rule import Gold, Rule, rewritten, write_different
from curator.answers.variants.shapes import INFINITY, MINUS_INFINITY, Shape, write_shape
from curator.answers.variants.value import values

Maker = Callable[[Gold], Iterator[str]]


def _rewriting(*rewrites: algebra.Rewrite) -> Maker:
    """Return a rule that applies each rewrite to all parts of all formulas."""

    def make(gold: Gold) -> Iterator[str]:
        for rewrite in rewrites:
            yield from rewritten(gold, algebra.everywhere(rewrite))

    return make


def _polynomial(rewrite: algebra.Rewrite) -> Maker:
    """Return a rule that rewrites formulas with letters as a whole."""

    def make(gold: Gold) -> Iterator[str]:
        if gold.shape is not None and any(map(letters, gold.shape.parts)):
            yield from rewritten(gold, rewrite)
            yield from rewritten(gold, rewrite, PYTHON)

    return make


def _equation_sides(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "equation":
        return
    left, right = shape.parts
    yield write_shape(shape.having(right, left))
    gap = join("sum", [left, minus(right)])
    expanded = algebra.expand(gap)
    yield f"{write(expanded)} = 0"
    yield f"{write(algebra.expand(Formula('product', (number(2), gap))))} = 0"
    yield write_shape(shape.having(*map(algebra.expand, shape.parts)), PYTHON)


def _tweaking(tweak: tweaks.Tweak) -> Maker:
    """Return a rule that makes one mistake in one formula of the gold answer."""

    def shapes(shape: Shape) -> Iterator[Shape]:
        for index, part in enumerate(shape.parts):
            if part not in (INFINITY, MINUS_INFINITY):
                for other in tweak(part):
                    yield shape.having(*shape.parts[:index], other, *shape.parts[index + 1 :])

    def make(gold: Gold) -> Iterator[str]:
        if gold.shape is not None and gold.shape.parts:
            kept = filter(_is_valid, shapes(gold.shape))
            yield from write_different(gold, kept)

    return make


def _is_valid(shape: Shape) -> bool:
    """Return whether a mixed number has a proper fraction, and digits exist in their base."""
    if shape.kind == "mixed":
        whole, top, bottom = shape.parts
        digits = algebra.is_whole(top) and algebra.is_whole(bottom)
        inner = whole.parts[0] if whole.op == "minus" else whole
        proper = digits and 0 < int(top.text) < int(bottom.text)
        return proper and algebra.is_whole(inner) and int(inner.text) > 0
    if shape.kind == "base":
        inner = shape.parts[0].parts[0] if shape.parts[0].op == "minus" else shape.parts[0]
        return algebra.is_whole(inner) and all(
            d < shape.form or len(shape.form) > 1 for d in inner.text
        )
    return True


def _absolute(gold: Gold) -> Iterator[str]:
    """Write the absolute value or the floor of an expression that is negative somewhere."""
    shape = gold.shape
    if shape is None or shape.kind != "value" or not letters(shape.parts[0]):
        return
    found = values(shape.parts[0], letters(shape.parts[0]))
    if any(value is not None and not value.imag and value.real < -0.01 for value in found):
        text = write(shape.parts[0])
        yield from (f"|{text}|", rf"\left|{text}\right|", rf"\lfloor {text} \rfloor")


def _relation(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "equation":
        text = write_shape(shape)
        yield from (text.replace("=", sign) for sign in ("<", r"\geq", r"\neq"))


FORMS = (
    Rule(
        "minus moved",
        r"`\frac{-1}{2}` for `-\frac{1}{2}`",
        _rewriting(algebra.move_minus_up, algebra.move_minus_down),
    ),
    Rule("sum reversed", "`1 + x` for `x + 1`", _rewriting(algebra.reverse_sum)),
    Rule(
        "product reversed",
        r"`\sqrt{3} \cdot 2` for `2\sqrt{3}`",
        _rewriting(algebra.reverse_product),
    ),
    Rule("expanded", "`x^{2} - 1` for `(x - 1)(x + 1)`", _polynomial(algebra.expand)),
    Rule("factored", "`(x - 1)(x + 1)` for `x^{2} - 1`", _polynomial(algebra.factor)),
    Rule("split fraction", r"`\frac{x}{2} + \frac{1}{2}`", _rewriting(algebra.split_quotient)),
    Rule("root as power", r"`2^{\frac{1}{2}}` for `\sqrt{2}`", _rewriting(algebra.root_to_power)),
    Rule(
        "other root",
        r"`\sqrt{50}` for `5\sqrt{2}`, `\frac{2}{3\sqrt{2}}` for `\frac{\sqrt{2}}{3}`",
        _rewriting(algebra.move_under_root, algebra.move_root_below),
    ),
    Rule("negative exponent", "`x^{-1}` for `1/x`", _rewriting(algebra.invert)),
    Rule("equation", "sides exchanged, all on one side, doubled", _equation_sides),
)

MISSES = (
    Rule("one digit", "`13` for `12`; also in fractions, pairs, ends", _tweaking(tweaks.one_digit)),
    Rule("digit lost", "`2` for `12`", _tweaking(tweaks.digit_lost)),
    Rule("digit doubled", "`122` for `12`", _tweaking(tweaks.digit_doubled)),
    Rule("digits swapped", "`21` for `12`", _tweaking(tweaks.digits_swapped)),
    Rule("off by one", "`11` for `12`", _tweaking(tweaks.off_by_one)),
    Rule("sign", "`-12` for `12`", _tweaking(tweaks.negative)),
    Rule("plus and minus", "`x - 1` for `x + 1`", _tweaking(tweaks.term_sign)),
    Rule("reciprocal", r"`\frac{3}{2}` for `\frac{2}{3}`", _tweaking(tweaks.upside_down)),
    Rule("exponent", "`x^3` for `x^2`", _tweaking(tweaks.exponent)),
    Rule("root", r"`\sqrt[3]{2}`, `2` for `\sqrt{2}`", _tweaking(tweaks.root)),
    Rule("root or square", r"`\sqrt{12}` for `12`", _tweaking(tweaks.root_or_square)),
    Rule("pi", r"`2` for `2\pi`, `2\pi` for `2`", _tweaking(tweaks.pi)),
    Rule("imaginary unit", "`1 + 2` for `1 + 2i`", _tweaking(tweaks.imaginary)),
    Rule("another letter", "`2y`, `2X` for `2x`", _tweaking(tweaks.other_letter)),
    Rule("prime", "`2x'` for `2x`", _tweaking(tweaks.prime)),
    Rule("subscript", "`2x_{1}` for `2x`", _tweaking(tweaks.subscript)),
    Rule("function", r"`\cos x`, `\sin(2x)` for `\sin x`", _tweaking(tweaks.function)),
    Rule("bracket lost", "`2x + 3` for `2(x + 3)`", _tweaking(tweaks.bracket_lost)),
    Rule("part lost", "`x` for `x + 1`", _tweaking(tweaks.part_lost)),
    Rule("power flattened", "`210`, `2*10` for `2^{10}`", _tweaking(tweaks.power_flattened)),
    Rule("root misplaced", r"`5 + \sqrt{2}` for `5\sqrt{2}`", _tweaking(tweaks.root_misplaced)),
    Rule("fraction flattened", "`3 - 4`, `3.4` for `3/4`", _tweaking(tweaks.fraction_flattened)),
    Rule("absolute value", "`|x + 1|` for `x + 1`", _absolute),
    Rule("another relation", "`y < 2x` for `y = 2x`", _relation),
)
