"""Values of expression trees: exact fractions where possible, else 50 digits; always bounded.

In: a `Node`, values for its variables. Out: `value(node)`, a `Value`. Raises `NoValue` where there
is none (division by zero, infinity, unknown function) or where it would be too large to compute.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, comb, factorial, floor, gcd, lcm

from curator.answers.compare.arithmetic import (
    MAX_BITS,
    NoValue,
    TooLarge,
    Value,
    bounded,
    from_mp,
    mp,
    numeral,
    over,
    power,
    real,
    root,
    rounded,
    times,
    to_mp,
    whole,
)
from curator.answers.parse.tree import Node

_CIRCULAR = {
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


def _call(name: str, args: list[Value]) -> Value:
    first = args[0]
    if name in _CIRCULAR and len(args) == 1:
        number = to_mp(first)
        if abs(number) > 10**6:
            raise TooLarge("too large an angle")
        return from_mp(_CIRCULAR[name](number))
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
            return root(bounded(first.re**2 + first.im**2, exact=first.exact), Value(Fraction(2)))
        case "floor", 1:
            return Value(Fraction(floor(real(first))))
        case "ceil", 1:
            return Value(Fraction(ceil(real(first))))
        case "binomial", 2:
            n, k = whole(first, 5_000), whole(args[1], 5_000)
            return Value(Fraction(comb(n, k)))
        case "gcd" | "lcm", 2:
            pair = [whole(arg, 10**1000) for arg in args]
            return bounded(Fraction((gcd if name == "gcd" else lcm)(*pair)))
        case "max" | "min", _:
            reals = [real(arg) for arg in args]
            return Value(max(reals) if name == "max" else min(reals), Fraction(0), False)
        case _:
            raise NoValue(f"unknown function {name}")


def _base(digits: str, base: Value) -> Value:
    number = whole(base, 36)
    if number < 2 or len(digits) > 500:
        raise NoValue("not a base")
    try:
        return Value(Fraction(int(digits, number)))
    except ValueError:
        raise NoValue("digits that the base does not have") from None


def value(node: Node, names: Mapping[str, Fraction] | None = None) -> Value:
    """The value of an expression, with `names` for its variables.

    Raises NoValue for everything that has none: lists, relations, 1/0, towers of powers.
    """
    try:
        return _value(node, names or {})
    except NoValue:
        raise
    except (ArithmeticError, ValueError, RecursionError, MemoryError, TypeError) as fault:
        raise NoValue(type(fault).__name__) from None


def _constant(name: str) -> Value:
    match name:
        case "pi":
            return from_mp(+mp.pi)
        case "e":
            return from_mp(+mp.e)
        case "i":
            return Value(Fraction(0), Fraction(1))
        case _:
            raise NoValue("infinite")


def _value(node: Node, names: Mapping[str, Fraction]) -> Value:
    match node.op:
        case "num":
            return Value(numeral(node.text))
        case "name":
            if node.text not in names:
                raise NoValue("a variable")
            return Value(names[node.text])
        case "const":
            return _constant(node.text)
        case "neg":
            inner = _value(node.args[0], names)
            return Value(-inner.re, -inner.im, inner.exact)
        case "+":
            total = _value(node.args[0], names)
            for arg in node.args[1:]:
                term = _value(arg, names)
                exact = total.exact and term.exact
                total = rounded(bounded(total.re + term.re, total.im + term.im, exact))
            return total
        case "*":
            total = _value(node.args[0], names)
            for arg in node.args[1:]:
                total = rounded(times(total, _value(arg, names)))
            return total
        case "/":
            return rounded(over(_value(node.args[0], names), _value(node.args[1], names)))
        case "^":
            if node.args[0] == Node("const", (), "e"):
                return _call("exp", [_value(node.args[1], names)])
            return power(_value(node.args[0], names), _value(node.args[1], names))
        case "percent":
            return over(_value(node.args[0], names), Value(Fraction(100)))
        case "deg":
            return times(_value(node.args[0], names), from_mp(mp.pi / 180))
        case "fact":
            return bounded(Fraction(factorial(whole(_value(node.args[0], names), 3_000))))
        case "base":
            return _base(node.text, _value(node.args[0], names))
        case "call" if node.args:
            return _call(node.text, [_value(arg, names) for arg in node.args])
        case _:
            raise NoValue(node.op)
