"""Values of expression trees: exact fractions if possible, 50 digits otherwise; bounded.

In: a `Node` and values for its variables. Out: a `Value`. Raises `NoValue` where no value exists
(division by zero, infinity, unknown function) or where it would be too large to compute.
"""

from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256
from math import ceil, comb, factorial, floor, gcd, lcm

from curator.answers.compare.arithmetic import (
    MAX_BITS,
    NotReal,
    NoValue,
    TooLarge,
    Value,
    add,
    divide,
    from_mp,
    make_value,
    mp,
    multiply,
    parse_fraction,
    power,
    real_power,
    require_real,
    require_whole,
    root,
    shorten,
    to_mp,
)
from curator.answers.parse.tree import Node, count_nodes

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
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
}


def _require_real_domain(name: str, args: list[Value]) -> None:
    """Raise NotReal for arguments outside of the domain of a real function."""
    first = args[0]
    even = name == "sqrt" or (name == "root" and args[1].re % 2 == 0)
    outside = (
        (even and first.re < 0)
        or (name in ("log", "ln") and first.re <= 0)
        or (name in ("asin", "acos") and abs(first.re) > 1)
        or (name == "acosh" and first.re < 1)
        or (name == "atanh" and abs(first.re) >= 1)
    )
    if outside or any(arg.im for arg in args):
        raise NotReal(f"{name} outside of its domain")


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
        case "sign" | "sgn", 1:
            number = require_real(first)
            return Value(Fraction((number > 0) - (number < 0)))
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


def evaluate(node: Node, names: Mapping[str, Fraction] | None = None, real: bool = False) -> Value:
    """Return the value of an expression, with `names` for its variables.

    An unknown function has a fixed, arbitrary value for each argument. With `real`, the functions
    are those of real numbers: (-8)^(1/3) is -2, and log(-1) has no value. Raises NoValue if the
    expression has none: lists, relations, 1/0, towers of powers.
    """
    try:
        return _evaluate(node, names or {}, real)
    except NoValue:
        raise
    except (ArithmeticError, ValueError, RecursionError, MemoryError, TypeError) as error:
        raise NoValue(type(error).__name__) from None


def has_no_value(node: Node) -> bool:
    """Return whether a part of an expression divides by zero or is the logarithm of zero."""
    divisor = None
    match node.op, node.args:
        case "/", (_, below):
            divisor = below
        case "call", (of, *_) if node.text in ("log", "ln"):
            divisor = of
    return (divisor is not None and _is_zero(divisor)) or any(map(has_no_value, node.args))


def _is_zero(node: Node) -> bool:
    try:
        value = evaluate(node)
    except NoValue:
        return False
    return value.exact and not value.re and not value.im


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


def _unknown_function(name: str, args: list[Value], names: Mapping[str, Fraction]) -> Value:
    """Return an arbitrary positive value that depends on the function and its arguments.

    `names` may have a value for `f(`, which stands for another function of that name.
    """
    places = 10**40
    rounded = [round(part * places) for arg in args for part in (arg.re, arg.im)]
    seed = sha256(f"{name}:{names.get(f'{name}(')}:{rounded}".encode()).digest()
    return Value(
        Fraction(int.from_bytes(seed[:3], "big") + 1, int.from_bytes(seed[3:5], "big") + 1)
    )


_MAX_STEPS = 2_000
"""Maximum number of operations of a sum: its terms times the size of one."""


def _sum_series(node: Node, names: Mapping[str, Fraction], real: bool) -> Value:
    body, index, first, last = node.args
    low, high = (_evaluate(end, names, real).re for end in (first, last))
    steps = (high - low + 1) * count_nodes(body)
    if low.denominator != 1 or high.denominator != 1 or not 0 <= steps <= _MAX_STEPS:
        raise NoValue("a sum without whole limits, or with too many terms")
    combine, total = (add, Fraction(0)) if node.text == "sum" else (multiply, Fraction(1))
    result = Value(total)
    for number in range(int(low), int(high) + 1):
        term = _evaluate(body, {**names, index.text: Fraction(number)}, real)
        result = shorten(combine(result, term))
    return result


def _determinant(rows: list[list[Value]]) -> Value:
    """Return the determinant of a square matrix by elimination."""
    size = len(rows)
    if size > 8 or any(len(row) != size for row in rows):
        raise NoValue("a determinant of no small square matrix")
    result = Value(Fraction(1))
    for step in range(size):
        pivot = next((i for i in range(step, size) if rows[i][step].re or rows[i][step].im), None)
        if pivot is None:
            return Value(Fraction(0))
        if pivot != step:
            rows[step], rows[pivot] = rows[pivot], rows[step]
            result = multiply(result, Value(Fraction(-1)))
        result = multiply(result, rows[step][step])
        for i in range(step + 1, size):
            factor = multiply(divide(rows[i][step], rows[step][step]), Value(Fraction(-1)))
            rows[i] = [
                add(x, multiply(factor, y)) for x, y in zip(rows[i], rows[step], strict=True)
            ]
    return result


def _evaluate(node: Node, names: Mapping[str, Fraction], real: bool) -> Value:
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
            inner = _evaluate(node.args[0], names, real)
            return Value(-inner.re, -inner.im, inner.exact)
        case "+":
            total = _evaluate(node.args[0], names, real)
            for arg in node.args[1:]:
                total = shorten(add(total, _evaluate(arg, names, real)))
            return total
        case "*":
            total = _evaluate(node.args[0], names, real)
            for arg in node.args[1:]:
                total = shorten(multiply(total, _evaluate(arg, names, real)))
            return total
        case "/":
            return shorten(
                divide(_evaluate(node.args[0], names, real), _evaluate(node.args[1], names, real))
            )
        case "^":
            if node.args[0] == Node("const", (), "e"):
                return _apply_function("exp", [_evaluate(node.args[1], names, real)])
            raise_to = real_power if real else power
            return raise_to(
                _evaluate(node.args[0], names, real), _evaluate(node.args[1], names, real)
            )
        case "percent":
            return divide(_evaluate(node.args[0], names, real), Value(Fraction(100)))
        case "deg":
            return multiply(_evaluate(node.args[0], names, real), from_mp(mp.pi / 180))
        case "fact":
            return make_value(
                Fraction(factorial(require_whole(_evaluate(node.args[0], names, real), 3_000)))
            )
        case "base":
            return _parse_digits(node.text, _evaluate(node.args[0], names, real))
        case "series":
            return _sum_series(node, names, real)
        case "apply":
            return _unknown_function(
                node.text, [_evaluate(arg, names, real) for arg in node.args], names
            )
        case "call" if node.text == "det" and node.args[0].op == "matrix":
            rows = node.args[0].args
            return _determinant([[_evaluate(x, names, real) for x in row.args] for row in rows])
        case "call" if node.args:
            args = [_evaluate(arg, names, real) for arg in node.args]
            if real:
                _require_real_domain(node.text, args)
            return _apply_function(node.text, args)
        case _:
            raise NoValue(node.op)
