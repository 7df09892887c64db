"""Parse the atoms of formulas: numbers, variables, functions, LaTeX commands, Python constructors.

In: the parser, with the first token of the atom taken. Out: a `Node`. `grammar` joins the atoms.
"""

from collections.abc import Sequence

from curator.answers.parse.cursor import Cursor
from curator.answers.parse.layouts import cases, matrix, piecewise, sympy_interval
from curator.answers.parse.tokens import Ambiguous, Token, Unreadable, word_set
from curator.answers.parse.tree import Node, contains, replace_node

FUNCTIONS = word_set(
    "sqrt cbrt sin cos tan sec csc cot asin acos atan arcsin arccos arctan sinh cosh tanh exp log"
    " arcsinh arccosh arctanh asinh acosh atanh ln lg abs floor ceil ceiling factorial binomial"
    " binom gcd lcm root max min re im conjugate sign sgn"
)
_CONSTRUCTORS = word_set(  # constructors that leave the value as it is
    "list tuple Integer Float Decimal Point Point2D Point3D float64 float32 int64 int32 int float"
    " str S N ImmutableMatrix ImmutableDenseMatrix array np numpy sympy math fractions"
)
_CONSTANTS = {
    "pi": "pi",
    "Pi": "pi",
    "PI": "pi",
    "e": "e",
    "i": "i",
    "j": "j",
    "oo": "inf",
    "inf": "inf",
    "infinity": "inf",
    "Infinity": "inf",
}
_SYMPY_CONSTANTS = {"E": "e", "I": "i"}
_FUNCTION_LETTERS = frozenset("fgFG")
_OTHER_FUNCTION_LETTERS = frozenset("hHpPqQ")
_BOOLEANS = {"True": "true", "true": "true", "False": "false", "false": "false"}
_INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan"}
_GREEK = word_set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi"
    " chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega varphi vartheta varepsilon"
    " ell"
)
_GREEK_FORMS = {"varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta"}
_ENGLISH = word_set(  # short words that are not products of variables
    "if is it in as at an am be by do go he me my no of on or so to up us we all and any are"
    " but can day did few for get had has her him his how its let man may men new not now off"
    " old one our out own per put say see set she six ten the too two use was way who why yes"
    " yet you"
)


def number(p: Cursor, token: Token) -> Node:
    node = Node("num", (), token.text)
    if p.accept("_"):
        base = p.atom()
        if base.op != "num" or not token.text.isdigit():
            raise Unreadable("a base that is not a number")
        return Node("base", (base,), token.text)
    if p.next.text == r"\overline" and "." in token.text:
        p.take()
        return _repeating_decimal(token.text, p.group())
    if p.next.text in ("j", "J") and not p.next.gap:
        p.take()
        return Node("*", (node, Node("const", (), "i")))
    if not token.text.isdigit():
        if p.next.text == "(" and not p.next.gap and "." in token.text:
            raise Ambiguous("repeating digits or a product")
        return node
    part = mixed_fraction(p)
    return Node("+", (node, part)) if part else node


def _proper(top: str, bottom: str) -> bool:
    whole = top.isdigit() and bottom.isdigit()
    return whole and max(len(top), len(bottom)) < 10 and int(top) < int(bottom)


def mixed_fraction(p: Cursor) -> Node | None:
    r"""Parse the proper fraction after a whole number: `3 1/2`, `3\frac{1}{2}`."""
    if p.next.kind == "num" and p.next.gap and p.peek().text == "/":
        top, bottom = p.next.text, p.peek(2)
        if bottom.kind == "num" and _proper(top, bottom.text):
            p.at += 3
            return Node("/", (Node("num", (), top), Node("num", (), bottom.text)))
        raise Unreadable("two numbers side by side")
    if p.next.text == r"\frac":
        start = p.at
        p.take()
        over, under = p.group(), p.group()
        if over.op == under.op == "num" and over.text.isdigit() and under.text.isdigit():
            if not _proper(over.text, under.text):
                raise Ambiguous("a number before an improper fraction")
            return Node("/", (over, under))
        p.at = start
    return None


def word(p: Cursor, text: str) -> Node:
    if text in _BOOLEANS:
        return Node("bool", (), _BOOLEANS[text])
    if text in _SYMPY_CONSTANTS and p.is_sympy(text):
        return Node("const", (), _SYMPY_CONSTANTS[text])
    if text in ("And", "Or") and p.accept("("):
        inside = p.items()
        p.expect(")")
        return Node("items", inside.args, text.lower()) if inside.op == "items" else inside
    if text in ("Fraction", "Rational") and p.accept("("):
        inside = p.items()
        p.expect(")")
        if inside.op == "items" and len(inside.args) == 2:
            return Node("/", inside.args)
        return inside
    if text in ("Matrix", "matrix") and p.accept("("):
        inside = p.items()
        p.expect(")")
        return inside
    if text in ("FiniteSet", "set", "frozenset") and p.accept("("):
        inside = p.parse_until(")")
        return inside if inside.op == "set" else to_collection("set", inside)
    if text == "Piecewise" and p.accept("("):
        return piecewise(p)
    if text in ("Interval", "Interval_open", "Interval_Lopen", "Interval_Ropen"):
        return sympy_interval(p)
    if text == "Union" and p.accept("("):
        inside = p.items()
        p.expect(")")
        return union(inside.args if inside.op == "items" else (inside,))
    if text == "Eq" and p.accept("("):
        inside = p.items()
        p.expect(")")
        return Node("rel", inside.args, "=")
    if text in _CONSTRUCTORS and p.next.text == "(":
        return p.atom()
    if text in FUNCTIONS or text.lower() in ("abs", "max", "min"):
        return call(p, text if text in FUNCTIONS else text.lower())
    single = len(text) == 1 and text not in _CONSTANTS and text not in _CONSTRUCTORS
    if single or text[-1] == "'":
        applied = application(p, text)
        if applied is not None:
            return applied
        if text[-1] == "'":
            return variable(p, text)
    if text in _GREEK or "_" in text or text[-1].isdigit():
        if p.next.text == "(":
            raise Unreadable(f"unknown function {text}")
        return variable(p, text)
    if text in _CONSTANTS and text != "j":
        return Node("const", (), _CONSTANTS[text])
    return letters(p, text)


def application(p: Cursor, name: str) -> Node | None:
    """Parse `f(2)`, a function applied to arguments; None where brackets mean a product.

    `f`, `g` and derivatives are always functions. Other letters are functions where a side of a
    relation is only the letter and one number or one variable: `P(1) = 0`, but `x(x + 1) = 0`.
    """
    if p.next.text != "(" or not (_is_function(name) or _is_applied(p, name)):
        return None
    p.take()
    inside = p.parse_until(")")
    args = inside.args if inside.op == "items" else (inside,)
    if not args:
        raise Unreadable("a function without an argument")
    return Node("apply", args, name)


def derivative(p: Cursor, base: Node) -> Node | None:
    """Parse `f^{(3)}(x)` after its `f^` as f with three primes; None if the exponent is a power."""
    tokens = [p.next.text, p.peek().text, p.peek(3).text, p.peek(4).text]
    order = p.peek(2)
    if base.op != "name" or tokens != ["{", "(", ")", "}"] or order.kind not in ("num", "word"):
        return None
    if order.text not in "1234" or p.peek(5).text != "(":
        raise Ambiguous("a derivative or a power")
    p.at += 6
    inside = p.parse_until(")")
    args = inside.args if inside.op == "items" else (inside,)
    return Node("apply", args, base.text + "'" * int(order.text))


def _is_function(name: str) -> bool:
    return name[0] in _FUNCTION_LETTERS or name[-1] == "'"


def _is_applied(p: Cursor, name: str) -> bool:
    """Return whether a letter and the bracket after it are alone on one side of a relation."""
    if p.at > 1 and p.peek(-2).text not in ("=", ",", ";", "(", "[", "{", r"\{"):
        return False
    at = 2 if p.peek().text in ("-", "+") else 1
    argument, closing, after = p.peek(at), p.peek(at + 1), p.peek(at + 2)
    if closing.text != ")":
        return False
    if argument.kind == "num":
        return after.kind == "end" or after.text in ("=", ",", ";", ")", "]", "}", r"\}")
    is_name = argument.kind == "word" and argument.text != name and len(argument.text) == 1
    end = "=" if name not in _OTHER_FUNCTION_LETTERS else after.text
    return is_name and (after.kind == "end" or after.text == "=") and after.text == end


def variable(p: Cursor, text: str) -> Node:
    node = Node("name", (), text)
    return subscript(p, node) if p.next.text == "_" else node


def _is_in_prose(p: Cursor) -> bool:
    """Return whether the word just taken is next to another word or an end of the text."""
    before = p.tokens[p.at - 2] if p.at > 1 else None
    loose = p.tokens[p.at - 1].gap or before is None
    after = p.next
    left = loose and (before is None or before.kind in ("word", "num"))
    return left or (after.gap and after.kind in ("word", "num", "end"))


def is_product_of_letters(token: Token) -> bool:
    """Return whether a word is several variables: in LaTeX `x^ab` only `a` is the exponent."""
    text = token.text
    word = token.kind == "word" and 1 < len(text) < 4 and text.isalpha()
    return word and text not in FUNCTIONS and text not in _CONSTANTS and text not in _GREEK


def letters(p: Cursor, text: str) -> Node:
    if p.next.text == "(" and not p.next.gap and len(text) > 1:
        raise Unreadable(f"unknown function {text}")
    if len(text) > 3 or (text.lower() in _ENGLISH and _is_in_prose(p)):
        raise Unreadable(f"unknown word {text}")
    parts = [
        Node("const", (), _CONSTANTS[char]) if char in ("i", "e") else Node("name", (), char)
        for char in text
    ]
    if p.next.text == "_" and parts[-1].op == "name":
        parts[-1] = subscript(p, parts[-1])
    if len(parts) > 1 and p.next.text in ("^", "**"):
        last = parts.pop()
        p.take()
        parts.append(Node("^", (last, p.signed())))
    return parts[0] if len(parts) == 1 else Node("*", tuple(parts))


def subscript(p: Cursor, name: Node) -> Node:
    p.take()
    below = p.take()
    text = below.text
    if text == "{":
        text = ""
        while not p.accept("}"):
            if p.next.kind not in ("num", "word") or len(text) > 20:
                raise Unreadable("a subscript that is not a name")
            text += p.take().text
    elif below.kind not in ("num", "word"):
        raise Unreadable("a subscript that is not a name")
    while p.accept("'"):
        text += "'"
    return Node("name", (), f"{name.text}_{text}")


def command(p: Cursor, name: str) -> Node:
    if name == "frac":
        return Node("/", (p.group(), p.group()))
    if name in ("binom", "dbinom", "tbinom"):
        return Node("call", (p.group(), p.group()), "binomial")
    if name == "sqrt":
        return root(p)
    if name in FUNCTIONS:
        return call(p, name)
    if name == "pi":
        return Node("const", (), "pi")
    if name in ("sum", "prod"):
        return _series(p, name)
    if name == "emptyset":
        return Node("set")
    if name == "determinant":
        p.take()
        return Node("call", (matrix(p),), "det")
    if name == "matrix":
        return matrix(p)
    if name == "cases":
        return cases(p)
    if name in ("lfloor", "lceil"):
        inside = p.sum()
        p.expect(r"\rfloor" if name == "lfloor" else r"\rceil")
        return Node("call", (inside,), "floor" if name == "lfloor" else "ceil")
    if name in _GREEK:
        name = _GREEK_FORMS.get(name, name)
        return application(p, name) or variable(p, name)
    raise Unreadable(f"unknown command {name}")


def _series(p: Cursor, name: str) -> Node:
    r"""Parse `\sum_{k=1}^{n} k^2`; the index `i` is a name in it."""
    p.expect("_")
    start = p.group()
    p.expect("^")
    end = p.group()
    if start.op != "rel" or start.text != "=" or len(start.args) != 2:
        raise Unreadable("a sum without an index")
    index, low = start.args
    body = p.product()
    if index.op not in ("name", "const") or contains(body, "series"):
        raise Unreadable("a sum without an index")
    bound = Node("name", (), index.text)
    return Node("series", (replace_node(body, index, bound), bound, low, end), name)


def root(p: Cursor) -> Node:
    if p.accept("["):
        index = p.sum()
        p.expect("]")
        return Node("call", (p.group(), index), "root")
    return Node("call", (p.group(),), "sqrt")


def call(p: Cursor, name: str) -> Node:
    name = {"ceiling": "ceil", "binom": "binomial"}.get(name, name)
    if name.startswith("arc"):
        name = "a" + name[3:]
    if name == "factorial" and p.next.text == "(":
        return Node("fact", (p.atom(),))
    exponent = base = None
    if p.accept("_"):
        base = p.group()
    if p.accept("^", "**"):
        exponent = p.group()
        if exponent == Node("neg", (Node("num", (), "1"),)):
            if name not in _INVERSES:
                raise Ambiguous("an inverse or a reciprocal")
            name, exponent = _INVERSES[name], None
    if p.next.text in ("(", "{"):
        inside = p.parse_until(p.take_opening())
        args = inside.args if inside.op == "items" else (inside,)
    else:
        args = (bare_argument(p),)
    if name == "lg":
        name, base = "log", Node("num", (), "10") if base is None else base
    node = Node("call", args if base is None else (*args, base), name)
    return node if exponent is None else Node("^", (node, exponent))


def bare_argument(p: Cursor) -> Node:
    r"""Parse the argument of a function without brackets: `\sin 2x`, `\cos 13°`."""
    factors = [p.power()]
    while p.starts_factor() and p.next.text not in ("(", "[", "{"):
        if p.next.text.lstrip("\\") in FUNCTIONS:
            break
        factors.append(p.power())
    return factors[0] if len(factors) == 1 else Node("*", tuple(factors))


def _repeating_decimal(start: str, block: Node) -> Node:
    r"""Return `0.1\overline{6}` as a fraction."""
    whole, _, fixed = start.partition(".")
    if (
        block.op != "num"
        or not (whole + fixed + block.text).isdigit()
        or len(start) + len(block.text) > 60
    ):
        raise Unreadable("a repeating decimal without digits")
    digits = block.text
    top = int(whole + fixed + digits) - int(whole + fixed)
    bottom = (10 ** len(digits) - 1) * 10 ** len(fixed)
    return Node("/", (Node("num", (), str(top)), Node("num", (), str(bottom))))


_SETS = ("set", "interval", "union", "list", "tuple")


def union(parts: Sequence[Node]) -> Node:
    """Return a union, with the value in braces `{1}` as a set."""
    return Node("union", tuple(x if x.op in _SETS else Node("set", (x,)) for x in parts))


def to_collection(op: str, inside: Node) -> Node:
    return Node(op, inside.args if inside.op == "items" else (inside,))
