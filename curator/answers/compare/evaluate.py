"""Values of expression trees: exact fractions if possible, 50 digits otherwise; bounded.

In: a `Node` and values for its variables. Out: a `Value`. Raises `NoValue` where no value exists
(division by zero, infinity, unknown function) or where it would be too large to compute.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, comb, factorial, floor, gcd, lcm

from curator.answers.compare.arithmetic import (
    MAX_BITS,
    NoValue,
    TooLarge,
    Value,
    divide,
    from_mp,
    make_value,
    mp,
    multiply,
    parse_fraction,
    power,
    require_real,
    require_whole,
    root,
    shorten,
    to_mp,
)
from curator.answers.parse.tree import Node

_MP_FUNCTIONS = {
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "sec": mp.sec,
    "csc": mp.csc,
    "cot": mp.cot,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
}


def _apply_function(name: str, args: list[Value]) -> Value:
    first = args[0]
    if name in _MP_FUNCTIONS and len(args) == 1:
        number = to_mp(first)
        if abs(number) > 10**6:
            raise TooLarge("too large an angle")
        return from_mp(_MP_FUNCTIONS[name](number))
    match name, len(args):
        case "sqrt", 1:
            return root(first, Value(Fraction(2)))
        case "cbrt", 1:
            return root(first, Value(Fraction(3)))
        case "root", 2:
            return root(first, args[1])
        case "exp", 1:
            number = to_mp(first)
            if abs(number) > MAX_BITS // 2:
                raise TooLarge("too large")
            return from_mp(mp.exp(number))
        case "log" | "ln", 1 | 2:
            if not first.re and not first.im:
                raise NoValue("log 0")
            top = mp.log(to_mp(first))
            return from_mp(top if len(args) == 1 else top / mp.log(to_mp(args[1])))
        case "abs", 1:
            if not first.im:
                return Value(abs(first.re), Fraction(0), first.exact)
            return root(
                make_value(first.re**2 + first.im**2, exact=first.exact), Value(Fraction(2))
            )
        case "floor", 1:
            return Value(Fraction(floor(require_real(first))))
        case "ceil", 1:
            return Value(Fraction(ceil(require_real(first))))
        case "binomial", 2:
            n, k = require_whole(first, 5_000), require_whole(args[1], 5_000)
            return Value(Fraction(comb(n, k)))
        case "gcd" | "lcm", 2:
            pair = [require_whole(arg, 10**1000) for arg in args]
            return make_value(Fraction((gcd if name == "gcd" else lcm)(*pair)))
        case "max" | "min", _:
            reals = [require_real(arg) for arg in args]
            return Value(max(reals) if name == "max" else min(reals), Fraction(0), False)
        case _:
            raise NoValue(f"unknown function {name}")


def _parse_digits(digits: str, base: Value) -> Value:
    number = require_whole(base, 36)
    if number < 2 or len(digits) > 500:
        raise NoValue("not a base")
    try:
        return Value(Fraction(int(digits, number)))
    except ValueError:
        raise NoValue("digits that the base does not have") from None


def evaluate(node: Node, names: Mapping[str, Fraction] | None = None) -> Value:
    """Return the value of an expression, with `names` for its variables.

    Raises NoValue if the expression has none: lists, relations, 1/0, towers of powers.
    """
    try:
        return _evaluate(node, names or {})
    except NoValue:
        raise
    except (ArithmeticError, ValueError, RecursionError, MemoryError, TypeError) as error:
        raise NoValue(type(error).__name__) from None


def _constant_value(name: str) -> Value:
    match name:
        case "pi":
            return from_mp(+mp.pi)
        case "e":
            return from_mp(+mp.e)
        case "i":
            return Value(Fraction(0), Fraction(1))
        case _:
            raise NoValue("infinite")


def _evaluate(node: Node, names: Mapping[str, Fraction]) -> Value:
    match node.op:
        case "num":
            return Value(parse_fraction(node.text))
        case "name":
            if node.text not in names:
                raise NoValue("a variable")
            return Value(names[node.text])
        case "const":
            return _constant_value(node.text)
        case "neg":
            inner = _evaluate(node.args[0], names)
            return Value(-inner.re, -inner.im, inner.exact)
        case "+":
            total = _evaluate(node.args[0], names)
            for arg in node.args[1:]:
                term = _evaluate(arg, names)
                exact = total.exact and term.exact
                total = shorten(make_value(total.re + term.re, total.im + term.im, exact))
            return total
        case "*":
            total = _evaluate(node.args[0], names)
            for arg in node.args[1:]:
                total = shorten(multiply(total, _evaluate(arg, names)))
            return total
        case "/":
            return shorten(divide(_evaluate(node.args[0], names), _evaluate(node.args[1], names)))
        case "^":
            if node.args[0] == Node("const", (), "e"):
                return _apply_function("exp", [_evaluate(node.args[1], names)])
            return power(_evaluate(node.args[0], names), _evaluate(node.args[1], names))
        case "percent":
            return divide(_evaluate(node.args[0], names), Value(Fraction(100)))
        case "deg":
            return multiply(_evaluate(node.args[0], names), from_mp(mp.pi / 180))
        case "fact":
            return make_value(
                Fraction(factorial(require_whole(_evaluate(node.args[0], names), 3_000)))
            )
        case "base":
            return _parse_digits(node.text, _evaluate(node.args[0], names))
        case "call" if node.args:
            return _apply_function(node.text, [_evaluate(arg, names) for arg in node.args])
        case _:
            raise NoValue(node.op)
