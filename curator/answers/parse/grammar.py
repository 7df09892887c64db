"""Parse plain notation into a tree: LaTeX, Python, sympy and ordinary notation alike.

In: text from `normalize`. Out: `parse(text)`, a `Node`; `Unreadable` if the text is not a formula,
`Ambiguous` if it is a formula with two meanings (`1/2x`). Bounded: a maximum of `MAX_TOKENS` tokens
and `MAX_DEPTH` nested operations, linear time. Never evaluates anything.
"""

import re

from curator.answers.parse import atoms
from curator.answers.parse.tokens import (
    Ambiguous,
    Token,
    Unreadable,
    remove_separators,
    tokenize,
    word_set,
)
from curator.answers.parse.tree import Node

MAX_DEPTH = 40

_CONDITIONS = ("if", "for", "when", "where", "otherwise")
_RELATIONS = {
    "=": "=",
    "==": "=",
    "≈": "=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "!=": "!=",
    ":": ":",
}
_ENDING_COMMANDS = (
    *("\\\\", r"\endmatrix", r"\endcases", r"\in", r"\pmod", r"\mod", r"\rfloor", r"\rceil"),
)
_WORDS = re.compile("[A-Za-z]+")
_JOINED = {
    "I": re.compile(r"[-+*] ?I(?![A-Za-z])|I ?\*"),
    "E": re.compile(r"\* ?E(?![A-Za-z])|E ?\*"),
}
_SYMPY_WORDS = word_set("I E oo sqrt pi exp log sin cos tan Interval FiniteSet Union")
_MINUS_SIGNS = ("-", "∓")
_CLOSING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}"}
_MATRIX = re.compile(
    r"\\(?:begin|end)\{([pbBv]?matrix|array|smallmatrix|[dr]?cases)\}(?:\{[^{}]*\})?"
)


def _rename_layout(match: re.Match[str]) -> str:
    kind = "cases" if match[1].endswith("cases") else "matrix"
    if match[1] == "vmatrix" and match[0][1] == "b":
        return r" \determinant \matrix "
    return f" \\{kind} " if match[0][1] == "b" else f" \\end{kind} "


def parse(text: str) -> Node:
    """Return the formula that the text states."""
    matrix = _MATRIX.search(text)
    if matrix:
        text = _MATRIX.sub(_rename_layout, text)
    parser = Parser(tokenize(remove_separators(text.strip())), text)
    node = parser.items()
    parser.expect("end")
    return node


class Parser:
    """A recursive-descent parser; every nested level counts against `MAX_DEPTH`."""

    def __init__(self, tokens: list[Token], text: str = "") -> None:
        self.text = text
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.bars = 0
        self.constants: dict[str, bool] = {}

    @property
    def next(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else Token("end", "", True)

    def peek(self, ahead: int = 1) -> Token:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else Token("end", "", True)

    def take(self) -> Token:
        token = self.next
        self.at += 1
        return token

    def accept(self, *texts: str) -> bool:
        """Take the next token if it is one of these operators or commands."""
        if self.next.kind in ("op", "cmd") and self.next.text in texts:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if text == "end" and self.next.kind == "end":
            return
        if not self.accept(text):
            raise Unreadable(f"{text} expected at {self.next.text!r}")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("too deeply nested")

    def items(self) -> Node:
        """Relations separated by commas, semicolons, `and` or `or`."""
        nodes = [self.relation()]
        conjunction = ""
        while (comma := self.accept(",", ";")) or self.next.text in ("and", "or"):
            if self.next.kind == "end" or self.next.text in (")", "]", "}", r"\}"):
                break  # a trailing comma: (1,)
            if self.next.text in ("and", "or"):
                found = self.take().text
                if conjunction not in ("", found) and not comma:
                    raise Ambiguous("`and` with `or`")
                conjunction = found
            nodes.append(self.relation())
        return nodes[0] if len(nodes) == 1 else Node("items", tuple(nodes), conjunction)

    def relation(self) -> Node:
        self.enter()
        parts = [self.union()]
        signs = []
        while self.next.kind == "op" and self.next.text in _RELATIONS:
            signs.append(_RELATIONS[self.take().text])
            parts.append(self.union())
        self.depth -= 1
        if not signs and (self.accept(r"\in") or self._take_in()):
            return Node("rel", (parts[0], self.union()), "in")
        if not signs:
            return parts[0]
        if len(signs) == 1 or set(signs) == {"="} or set(signs) == {":"}:
            return Node("rel", tuple(parts), signs[0])
        plain = len(signs) == 2 and not (_has_variable(parts[0]) or _has_variable(parts[2]))
        if len(set(signs)) == 1 and not plain:
            if signs[0][0] == ">":
                parts.reverse()
                signs = [signs[0].replace(">", "<")]
            return Node("rel", tuple(parts), signs[0])
        if plain and {s[0] for s in signs} in ({"<"}, {">"}):
            left, right = signs
            if left[0] == ">":
                parts.reverse()
                left, right = right, left
            brackets = ("(" if left in "<>" else "[") + (")" if right in "<>" else "]")
            inside = Node("interval", (parts[0], parts[2]), brackets)
            return Node("rel", (parts[1], inside), "in")
        raise Unreadable("mixed relations")

    def _take_in(self) -> bool:
        if self.next == Token("word", "in", True):
            self.take()
            return True
        return False

    def union(self) -> Node:
        parts = [self.sum()]
        while self.accept("∪"):
            parts.append(self.sum())
        return parts[0] if len(parts) == 1 else atoms.union(parts)

    def sum(self) -> Node:
        self.enter()
        negative = self.accept("-")
        first = self.product()
        terms = [Node("neg", (first,)) if negative else first]
        deviation: Node | None = None
        while self.next.text in ("+", "-", "±", "∓"):
            sign = self.take().text
            term = self.product()
            if sign in "±∓":
                if deviation is not None:
                    raise Unreadable("two ±")
                deviation = Node("neg", (term,)) if sign == "∓" else term
            else:
                terms.append(Node("neg", (term,)) if sign == "-" else term)
        self.depth -= 1
        whole = terms[0] if len(terms) == 1 else Node("+", tuple(terms))
        return whole if deviation is None else Node("pm", (whole, deviation))

    def product(self) -> Node:
        self.enter()
        left = self.signed()
        divided = False
        while True:
            token = self.next
            written = token.kind == "op" and token.text in ("*", "/")
            if written:
                self.take()
                right = self.signed()
                divided = token.text == "/"
            elif self.starts_factor():
                if divided and not token.gap and token.text[0] not in "\\{":
                    raise Ambiguous("a product after a division")
                right = self.power()
                divided = False
                token = Token("op", "*", True)
            else:
                break
            if not written and right.op == "tuple" and _is_points(left):
                points = left.args if left.op == "items" else (left,)
                left = Node("items", (*points, right))
            elif token.text == "*" and left.op == "*":
                left = Node("*", (*left.args, right))
            else:
                left = Node(token.text, (left, right))
        self.depth -= 1
        return left

    def is_sympy(self, letter: str) -> bool:
        """Return whether `I` or `E` is a constant here: `2*E`, `1 - I`, but not `2E`, `I`, `A*E`.

        It is if the text has no other letters and an operator before it (for `E` only `*`).
        """
        if letter not in self.constants:
            joined = _JOINED[letter].search(self.text) is not None
            joined &= len(self.text.strip(" +-()")) > 1
            self.constants[letter] = joined and not set(_WORDS.findall(self.text)) - _SYMPY_WORDS
        return self.constants[letter]

    def starts_factor(self) -> bool:
        token = self.next
        if token.kind == "num":
            return self.tokens[self.at - 1].text in (")", "}", "]")
        if token.kind == "word":
            return token.text not in ("and", "or", "in", "mod", *_CONDITIONS)
        if token.kind == "cmd":
            return token.text not in _ENDING_COMMANDS
        return token.text in ("(", "{", "[", r"\{") or (token.text == "|" and not self.bars)

    def signed(self) -> Node:
        negative = plus_minus = False
        while self.next.text in ("+", "-", "±", "∓"):
            sign = self.take().text
            negative ^= sign in _MINUS_SIGNS
            plus_minus |= sign in "±∓"
        operand = self.power()
        if plus_minus:
            operand = Node("neg", (operand,)) if negative else operand
            return Node("pm", (Node("num", (), "0"), operand))
        return Node("neg", (operand,)) if negative else operand

    def power(self) -> Node:
        self.enter()
        base = self.postfix(self.atom())
        if self.next.text in ("^", "**"):
            if self.take().text == "^" and atoms.is_product_of_letters(self.next):
                raise Ambiguous("an exponent of several letters")
            if (applied := atoms.derivative(self, base)) is not None:
                self.depth -= 1
                return applied
            exponent = self.signed()
            base = self.postfix(Node("^", (base, exponent)))
        self.depth -= 1
        return base

    def postfix(self, node: Node) -> Node:
        limit = 3
        while self.next.text in ("%", "°", "!") and self.next.kind == "op":
            if self.next.text == "%" and self.peek().kind in ("num", "word"):
                break
            operator = self.take().text
            if operator == "!" and node.op == "fact":
                raise Ambiguous("a double factorial")
            node = Node({"%": "percent", "°": "deg", "!": "fact"}[operator], (node,))
            limit -= 1
            if limit < 0:
                raise Unreadable("too many postfix operators")
        return node

    def atom(self) -> Node:
        token = self.take()
        if token.kind == "num":
            return atoms.number(self, token)
        if token.kind == "word":
            return atoms.word(self, token.text)
        if token.kind == "cmd":
            return atoms.command(self, token.text[1:])
        if token.text in _CLOSING:
            return self._bracket(token.text)
        if token.text == "|":
            self.bars += 1
            inside = self.sum()
            self.expect("|")
            self.bars -= 1
            return Node("call", (inside,), "det" if inside.op == "matrix" else "abs")
        raise Unreadable(f"{token.text!r} cannot start a value")

    def group(self) -> Node:
        """A LaTeX argument: a group in braces or one token."""
        if self.accept("{"):
            inside = self.items()
            self.expect("}")
            return inside
        return self.atom()

    def take_opening(self) -> str:
        """Take an opening bracket and return its closing bracket."""
        return _CLOSING[self.take().text]

    def parse_until(self, closing: str) -> Node:
        if self.accept(closing):
            return Node("items")
        bars, self.bars = self.bars, 0
        inside = self.items()
        self.bars = bars
        self.expect(closing)
        return inside

    def _bracket(self, opening: str) -> Node:
        closing = _CLOSING[opening]
        if self.accept(closing):
            return Node({"(": "tuple", "[": "list"}.get(opening, "set"))
        bars, self.bars = self.bars, 0
        inside = self.items()
        self.bars = bars
        trailing = self.tokens[self.at - 1].text == ","
        if opening in "([" and self.next.text in ")]" and self.next.kind == "op":
            end = self.take().text
            pair = inside.op == "items" and len(inside.args) == 2
            if end != closing or (pair and _has_infinite_end(inside)):
                if not pair:
                    raise Unreadable("brackets that do not match")
                return Node("interval", inside.args, opening + end)
        else:
            self.expect(closing)
        if opening == "[":
            node = atoms.to_collection("list", inside)
            if node.args and all(arg.op == "list" for arg in node.args):
                return Node("matrix", tuple(Node("row", arg.args) for arg in node.args))
            return node
        if opening == r"\{" or (opening == "{" and inside.op in ("items", "rel")):
            return atoms.to_collection("set", inside)
        if inside.op == "items":
            return Node("tuple", inside.args)
        return Node("tuple", (inside,)) if trailing else inside


def _has_variable(node: Node) -> bool:
    return node.op == "name" or any(map(_has_variable, node.args))


def _is_points(node: Node) -> bool:
    """Return whether a node is a point, or the points of `(1, 2)(3, 4)` read so far."""
    if node.op == "items":
        return all(arg.op == "tuple" for arg in node.args)
    return node.op == "tuple" and len(node.args) > 1


def _has_infinite_end(pair: Node) -> bool:
    ends = [arg.args[0] if arg.op == "neg" else arg for arg in pair.args]
    return any(end == Node("const", (), "inf") for end in ends)
