"""Whether two expressions have the same value, with variables or without.

In: two trees that are no lists or relations (or two equations). Out: an outcome with its rule, None
where they have no value here. Without variables: by exact value, by 30 of 50 digits, or by the
decimal rule of `numerals`. With variables: by their values at `POINTS` fixed points, half of them
positive.
"""

from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256

from curator.answers.compare.arithmetic import NoValue, TooLarge, Value
from curator.answers.compare.decimals import NOISE, PRINTED_DIGITS, Outcome, Stated, agree, stated
from curator.answers.compare.evaluate import value
from curator.answers.parse.tree import Node

Result = tuple[Outcome, str]

POINTS = 6
_CLOSE = Fraction(1, 10**30)
_FAR = Fraction(1, 10**20)
_TINY = Fraction(1, 10**30)


def precise(node: Node) -> Stated | None:
    """The stated precision of a number as written, with its sign or percent sign; else None."""
    if node.op == "num":
        return stated(node.text)
    if node.op == "neg":
        inner = precise(node.args[0])
        return inner.times(Fraction(-1)) if inner else None
    if node.op == "percent":
        inner = precise(node.args[0])
        if inner and not inner.place and node.args[0].text.isdigit():
            # 33% is a decimal of two digits, as 0.33 is
            digits = len(node.args[0].text.lstrip("0"))
            inner = Stated(inner.number, digits, Fraction(1), exact=False)
        return inner.times(Fraction(1, 100)) if inner else None
    if node.op == "*" and len(node.args) == 2 and node.args[1].op == "^":
        digits_of, (base, raised) = node.args[0], node.args[1].args
        down = raised.op == "neg"
        size = raised.args[0] if down else raised
        plain = digits_of.op == size.op == "num" and "e" not in digits_of.text.lower()
        if plain and base.text == "10" and size.text.isdigit() and len(size.text) < 6:
            return stated(f"{digits_of.text}e{'-' if down else ''}{size.text}")
    return None


def names(node: Node) -> frozenset[str]:
    """The variables of an expression."""
    if node.op == "name":
        return frozenset((node.text,))
    return frozenset().union(*map(names, node.args)) if node.args else frozenset()


def same_values(a: Value, b: Value, noisy: bool = False) -> Result:
    """Two values: exact ones by identity, rounded ones by 30 of their 50 digits.

    `noisy` says that floats were printed among them: then 9 digits are enough.
    """
    gap = abs(a.re - b.re) + abs(a.im - b.im)
    if (a.exact and b.exact and not noisy) or not gap:
        return ("different" if gap else "equal"), "value"
    size = max(abs(a.re) + abs(a.im), abs(b.re) + abs(b.im))
    if size < _TINY:
        return "undecided", "too small"
    if gap <= _CLOSE * size:
        return "equal", "value"
    if noisy and gap <= NOISE * size:
        return "equal", "float noise"
    return ("different", "value") if gap > _FAR * size else ("undecided", "too close")


def infinite(node: Node) -> bool:
    """Whether it is infinity or minus infinity."""
    return node.text == "inf" or (node.op == "neg" and node.args[0].text == "inf")


def scalars(a: Node, b: Node, ratio: Fraction = Fraction(1)) -> Result | None:
    """Two expressions without variables; `ratio` is the size of a's unit in units of b."""
    if infinite(a) or infinite(b):
        return "different", "infinity"
    try:
        x, y = precise(a), precise(b)
        if x is not None and y is not None:
            return agree(x.times(ratio), y, ratio != 1)
        u, v = value(a), value(b)
    except TooLarge:
        return "undecided", "too large"
    except NoValue:
        return None
    u = Value(u.re * ratio, u.im * ratio, u.exact)
    found = same_values(u, v, printed(a) or printed(b))
    if found[0] != "equal" and not (x is None and y is None) and not (u.im or v.im):
        rounded = agree(x.times(ratio) if x else Stated(u.re), y or Stated(v.re), ratio != 1)
        # what is no decimal has its value to 50 digits: only a decimal can be a rounding of it
        found = rounded if (x and x.place) or (y and y.place) else found
    return ("undecided", "two readings") if found[0] == "different" and _loose(a, b) else found


_CIRCULAR = frozenset(("sin", "cos", "tan", "sec", "csc", "cot"))


def _loose(*nodes: Node) -> bool:
    """Whether a logarithm has no base (10 or e), or an angle in digits no unit (`cos 60`)."""
    for node in nodes:
        if node.op == "call" and len(node.args) == 1:
            if node.text == "log":
                return True
            if node.text in _CIRCULAR and node.args[0].op == "num":
                return True
        if _loose(*node.args):
            return True
    return False


def _point(name: str, index: int) -> Fraction:
    """A fixed rational point for a variable: the first half of them positive."""
    seed = sha256(f"{name}:{index}".encode()).digest()
    number = Fraction(int.from_bytes(seed[:2], "big") % 997 + 2, seed[2] % 89 + 7)
    return number if index * 2 < POINTS else -number


def _probe(
    variables: frozenset[str], test: Callable[[dict[str, Fraction]], Outcome]
) -> Result | None:
    """What a test says at all points: equal if at all, different if at a positive one."""
    seen: list[tuple[bool, Outcome]] = []
    for index in range(POINTS):
        point = {name: _point(name, index) for name in variables}
        try:
            seen.append((index * 2 < POINTS, test(point)))
        except NoValue:
            continue
    if not seen:
        return None
    if any(outcome == "different" for positive, outcome in seen if positive):
        return "different", "points"
    if any(outcome != "equal" for _, outcome in seen) or len(seen) * 2 < POINTS:
        return "undecided", "points"
    return "equal", "points"


def printed(node: Node) -> bool:
    """Whether a formula holds a float as programs print it: `0.541666666666667*x`."""
    if node.op == "num":
        return "." in node.text and len(node.text.lstrip("0.")) >= PRINTED_DIGITS
    return any(map(printed, node.args))


def _decimal(node: Node) -> bool:
    if node.op == "num":
        return not node.text.isdigit()
    return any(map(_decimal, node.args))


def expressions(a: Node, b: Node) -> Result | None:
    """Two expressions, at least one of them with variables."""
    variables = names(a) | names(b)
    if len(variables) > 12:
        return None
    noisy = printed(a) or printed(b)

    def test(point: dict[str, Fraction]) -> Outcome:
        return same_values(value(a, point), value(b, point), noisy)[0]

    found = _probe(variables, test)
    if found is None or found[0] != "different":
        return found
    if names(a) != names(b):
        return "undecided", "other variables"
    return ("undecided", "decimals in a formula") if _decimal(a) or _decimal(b) else found


def _difference(relation: Node, point: dict[str, Fraction]) -> Value:
    left, right = relation.args
    return value(Node("+", (left, Node("neg", (right,)))), point)


def equations(a: Node, b: Node) -> Result | None:
    variables = names(a) | names(b)
    if len(a.args) != 2 or len(b.args) != 2 or not variables or len(variables) > 12:
        return None
    first = {name: _point(name, POINTS + 1) for name in variables}

    def test(point: dict[str, Fraction]) -> Outcome:
        p, q, r, s = (_difference(relation, at) for at in (point, first) for relation in (a, b))
        left = Value(p.re * s.re - p.im * s.im, p.re * s.im + p.im * s.re, p.exact and s.exact)
        right = Value(q.re * r.re - q.im * r.im, q.re * r.im + q.im * r.re, q.exact and r.exact)
        if not (q.re or q.im) or not (r.re or r.im):
            raise NoValue("an equation that holds at a point by chance or always")
        return same_values(left, right)[0]

    found = _probe(variables, test)
    if found is None or found[0] != "different":
        return found
    return ("undecided", "other equation") if names(a) != names(b) else found
