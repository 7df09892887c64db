"""The expression tree into which answers are parsed, and its canonical text.

In: nodes from `grammar`. Out: `Node`; `render(node)`, a text that `grammar.parse` reads as the same
tree.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """One operation with its operands.

    Operations: `num` (text: the digits as written), `name` (text: a variable), `const` (text: pi,
    e, i, inf), `neg`, `+`, `*`, `/`, `^`, `call` (text: the function), `apply` (text: an
    unknown function, `f` or `f'`), `percent`, `deg`, `fact`,
    `base` (text: digits; operand: the base), `tuple`, `list`, `set`, `items` (a bare comma list;
    text: `and`, `or` or nothing),
    `interval` (text: its brackets, `(]`), `union`, `matrix` of `row`s, `rel` (text: `=`, `<`, `<=`,
    `>`, `>=`, `!=`; `:` for ratios), `bool` (text: true, false), `pm`, `cases` of
    `row`s (a value and its condition), `series` (text: sum, prod; operands: the term, its index,
    the first and last value of the index).
    """

    op: str
    args: tuple["Node", ...] = ()
    text: str = ""


def contains(node: Node, op: str) -> bool:
    """Return whether a tree has an operation."""
    return node.op == op or any(contains(arg, op) for arg in node.args)


def count_nodes(node: Node) -> int:
    """Return the number of operations, numbers and names in a tree."""
    return 1 + sum(map(count_nodes, node.args))


def replace_node(node: Node, old: Node, new: Node) -> Node:
    """Return a tree with `new` in every place of `old`."""
    if node == old:
        return new
    return Node(node.op, tuple(replace_node(arg, old, new) for arg in node.args), node.text)


_LEVEL = {"items": 0, "rel": 1, "union": 2, "+": 3, "pm": 3, "neg": 4, "*": 5, "/": 5, "^": 7}
_BRACKETS = {"tuple": "()", "list": "[]", "set": "{}", "row": "[]"}
_POSTFIX = {"percent": "%", "deg": "°", "fact": "!"}


def _bracket(node: Node, level: int) -> str:
    text = render(node)
    own = _LEVEL.get(node.op, 9)
    return f"({text})" if own < level else text


def _render_sum(node: Node) -> str:
    out = _bracket(node.args[0], 4)
    for term in node.args[1:]:
        if term.op == "neg":
            out += f" - {_bracket(term.args[0], 5)}"
        else:
            out += f" + {_bracket(term, 4)}"
    return out


def render(node: Node) -> str:
    """Return the tree as text: `1/2`, `sqrt(2)`, `3*x^2 - 1`, `(1, 2]`, `[[1, 0], [0, 1]]`."""
    args = node.args
    match node.op:
        case "num" | "name" | "const" | "bool":
            return node.text
        case "neg":
            return f"-{_bracket(args[0], 5)}"
        case "+":
            return _render_sum(node)
        case "pm":
            return f"{_bracket(args[0], 4)} ± {_bracket(args[1], 5)}"
        case "*":
            return "*".join(_bracket(arg, 6) for arg in args)
        case "/":
            return f"{_bracket(args[0], 6)}/{_bracket(args[1], 6)}"
        case "^":
            return f"{_bracket(args[0], 8)}^{_bracket(args[1], 8)}"
        case "call" | "apply":
            return f"{node.text}({', '.join(map(render, args))})"
        case "series":
            body, index, low, high = (render(arg) for arg in args)
            return rf"\{node.text}_{{{index}={low}}}^{{{high}}} ({body})"
        case "percent" | "deg" | "fact":
            return f"{_bracket(args[0], 8)}{_POSTFIX[node.op]}"
        case "base":
            return f"{node.text}_{render(args[0])}"
        case "tuple" | "list" | "set" | "row":
            brackets = _BRACKETS[node.op]
            return f"{brackets[0]}{', '.join(map(render, args))}{brackets[1]}"
        case "items":
            ranges = node.text == "or" and all(arg.op == "rel" for arg in args)
            return (" or " if ranges else ", ").join(map(render, args))
        case "interval":
            return f"{node.text[0]}{render(args[0])}, {render(args[1])}{node.text[1]}"
        case "union":
            return " ∪ ".join(map(render, args))
        case "cases":
            rows = (f"({', '.join(map(render, row.args))})" for row in args)
            return f"Piecewise({', '.join(rows)})"
        case "matrix":
            return f"[{', '.join(map(render, args))}]"
        case _:  # rel
            space = "" if node.text == ":" else " "
            return f"{space}{node.text}{space}".join(_bracket(arg, 2) for arg in args)
