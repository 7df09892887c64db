r"""Variants of sets, lists, tuples and matrices.

In: a `Gold`. Out: `FORMS` and `MISSES`.
"""

from collections.abc import Iterator

from curator.answers.variants import tweaks
from curator.answers.variants.formula import letters, number
from curator.answers.variants.notation import PLAIN, PYTHON, write
from curator.answers.variants.rules.rule import Gold, Rule, write_different, write_miss
from curator.answers.variants.shapes import rows, write_shape
from curator.answers.variants.value import exact_value


def _reorder(gold: Gold) -> Iterator[str]:
    if gold.shape is not None and gold.shape.kind in ("set", "list"):
        yield write_shape(gold.shape.having(*gold.shape.parts[::-1]))
        yield write_shape(gold.shape.having(*gold.shape.parts[1:], gold.shape.parts[0]), PLAIN)


def _list_forms(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind not in ("set", "list"):
        return
    if len(set(shape.parts)) < len(shape.parts):
        return  # a set would lose an item
    texts = [write(part) for part in shape.parts]
    programs = ", ".join(write(part, PYTHON) for part in shape.parts)
    yield rf"\{{{', '.join(texts)}\}}"
    yield rf"\left\{{ {', '.join(texts)} \right\}}"
    yield f"{{{programs}}}"
    if shape.kind == "list":
        yield f"[{programs}]"
        yield rf"{', '.join(texts[:-1])} \text{{ and }} {texts[-1]}"
        yield f"{', '.join(texts[:-1])} or {texts[-1]}"
    if not any(map(letters, shape.parts)):
        yield f"x = {', '.join(texts)}"
        yield r" \text{ or } ".join(f"x = {text}" for text in texts)


def _tuple_forms(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "tuple" and not shape.form:
        texts = ", ".join(write(part) for part in shape.parts)
        yield rf"\left( {texts} \right)"
        if len(shape.parts) == 2 and not any(map(letters, shape.parts)):
            yield f"(x, y) = ({texts})"


def _matrix_brackets(gold: Gold) -> Iterator[str]:
    if gold.shape is not None and gold.shape.kind == "matrix":
        text = write_shape(gold.shape)
        yield text.replace("pmatrix", "bmatrix")
        body = text.removeprefix(r"\begin{pmatrix}").removesuffix(r"\end{pmatrix}")
        columns = "c" * int(gold.shape.form)
        yield rf"\left[\begin{{array}}{{{columns}}}{body}\end{{array}}\right]"


def _item_lost(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind in ("set", "list", "tuple"):
        kept = [
            shape.having(*shape.parts[:i], *shape.parts[i + 1 :]) for i in range(len(shape.parts))
        ]
        yield from write_different(
            gold, iter(kept if len(kept) > 2 or shape.kind != "tuple" else [])
        )


def _item_added(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind in ("set", "list", "tuple"):
        last = shape.parts[-1]
        added = [*tweaks.off_by_one(last), *tweaks.negative(last), number(97)]
        yield from write_different(gold, (shape.having(*shape.parts, item) for item in added))


def _item_doubled(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "tuple":
        yield write_miss(shape.having(*shape.parts, shape.parts[-1]))
        yield write_miss(shape.having(shape.parts[0], *shape.parts))


def _coordinates(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "tuple":
        swaps = []
        for at in range(len(shape.parts) - 1):
            parts = list(shape.parts)
            parts[at], parts[at + 1] = parts[at + 1], parts[at]
            swaps.append(shape.having(*parts))
        yield from write_different(gold, iter([*swaps, shape.having(*shape.parts[::-1])]))


def _tuple_or_set(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or any(map(letters, shape.parts)):
        return
    items = ", ".join(map(write, shape.parts))
    if shape.kind == "tuple" and not shape.form and len(set(map(exact_value, shape.parts))) > 1:
        yield rf"\{{{items}\}}"
    elif shape.kind == "set" and len(shape.parts) > 1:
        yield f"({items})"


def _separator(gold: Gold) -> Iterator[str]:
    """Join the digits of two numbers."""
    shape = gold.shape
    if shape is None or shape.kind not in ("list", "tuple", "set") or len(shape.parts) != 2:
        return
    if all(part.op == "number" and part.text.isdigit() for part in shape.parts):
        first, second = (part.text for part in shape.parts)
        yield from (f"{first}.{second}", f"{first}/{second}", f"{first}{second}")
        yield from (f"{first}:{second}", f"{first} - {second}", f"{first} + {second}")


def _half_open(gold: Gold) -> Iterator[str]:
    """Write a pair with brackets that only an interval has."""
    shape = gold.shape
    if shape is None or shape.kind != "tuple" or len(shape.parts) != 2 or shape.form:
        return
    low, high = map(exact_value, shape.parts)
    if low is not None and high is not None and low < high:
        items = ", ".join(map(write, shape.parts))
        yield from (
            f"({items}]",
            f"[{items})",
            f"{write(shape.parts[0])} < x \\leq {write(shape.parts[1])}",
        )


def _matrix_moved(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "matrix":
        return
    lines = rows(shape)
    moved = [shape.having(*(cell for line in lines[::-1] for cell in line))]
    if len(lines) == len(lines[0]) > 1:
        moved.append(
            shape.having(*(cell for column in zip(*lines, strict=True) for cell in column))
        )
    moved.append(shape.having(*(cell for line in lines for cell in line[::-1])))
    yield from write_different(gold, iter(moved))
    if len(lines) > 2 and len(lines[0]) > 1:
        yield write_shape(shape.having(*(cell for line in lines[:-1] for cell in line)))


FORMS = (
    Rule("order of a set", r"`2, 1` for `1, 2`", _reorder),
    Rule("list or set", r"`\{1, 2\}`, `1 and 2`, `x = 1 or x = 2` for `1, 2`", _list_forms),
    Rule("named pair", "`(x, y) = (1, 2)` for `(1, 2)`", _tuple_forms),
    Rule("matrix brackets", "`bmatrix` or `array` for `pmatrix`", _matrix_brackets),
)

MISSES = (
    Rule("item lost", "`1` for `1, 2`", _item_lost),
    Rule("item added", "`1, 2, 3` for `1, 2`", _item_added),
    Rule("coordinate doubled", "`(1, 2, 2)` for `(1, 2)`", _item_doubled),
    Rule("coordinates swapped", "`(2, 1)` for `(1, 2)`", _coordinates),
    Rule("tuple or set", r"`\{1, 2\}` for `(1, 2)`", _tuple_or_set),
    Rule("another separator", "`1.2`, `12`, `1/2` for `1, 2`", _separator),
    Rule("half-open interval", "`(1, 2]` for the point `(1, 2)`", _half_open),
    Rule("matrix moved", "rows, columns or both exchanged", _matrix_moved),
)
