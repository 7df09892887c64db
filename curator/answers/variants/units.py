r"""Units of gold answers: how they are written, spelled out and converted.

In: the text of a quantity in LaTeX. Out: `read_unit(text)`, amount and unit. A unit is named in the
singular (`square foot`); counted things (`teachers`) keep their word.
"""

import re
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """How a unit is written, and its size."""

    symbol: str
    plural: str
    dimension: str
    size: Fraction


_TABLE = """
length millimeter mm millimeters 1/1000 | centimeter cm centimeters 1/100 | meter m meters 1
length kilometer km kilometers 1000 | inch in inches 127/5000 | foot ft feet 381/1250
length yard yd yards 1143/1250 | mile mi miles 201168/125
time second s seconds 1 | minute min minutes 60 | hour h hours 3600 | day days days 86400
mass gram g grams 1 | kilogram kg kilograms 1000
money cent cents cents 1/100 | dollar dollars dollars 1
count unit units units 1
angle degree degrees degrees 1
percent percent percent percent 1
"""


def _load() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        dimension, _, entries = line.partition(" ")
        for entry in entries.split("|"):
            name, symbol, plural, size = entry.split()
            table[name] = Unit(symbol, plural, dimension, Fraction(size))
            if dimension in ("length", "count"):
                for power, word in ((2, "square"), (3, "cubic")):
                    sign = f"{symbol}^{power}" if dimension == "length" else f"{word} units"
                    table[f"{word} {name}"] = Unit(
                        sign, f"{word} {plural}", f"{dimension}^{power}", Fraction(size) ** power
                    )
    return table


UNITS = _load()
_SPELLINGS = {
    **{unit.plural: name for name, unit in UNITS.items()},
    **{unit.symbol: name for name, unit in UNITS.items()},
    **{name: name for name in UNITS},
    "gm": "gram",
    "sq. units": "square unit",
    "sq units": "square unit",
    "degrees": "degree",
}
_NOT_UNITS = "and or to hundred thousand million billion dozen base of th half halves more less"

_DEGREES = re.compile(r"\^\s*+(?:\{\s*+\\circ\s*+\}|\\circ)\Z")
_WORDS = re.compile(
    r"(.*(?:[\d})]|\\pi))\s*\\(?:text|mbox|mathrm|textrm)\s*\{([^{}]+)\}(?:\^(?:\{([23])\}|([23])))?\.?",
    re.S,
)
_PLAIN = re.compile(r"(-?[\d,.]*\d)\s+([A-Za-z][a-z. ]+)")
MONEY_SIGN = "＄"
"""Stands for a dollar sign that means money; plain dollar signs enclose formulas."""


def read_unit(text: str) -> tuple[str, str] | None:
    """Return the amount and the name of the unit of `20\\text{ square units}`, `7\\%`, `\\$ 5`."""
    if text.startswith(MONEY_SIGN):
        return text[1:].strip(), "dollar"
    head, _, tail = text.partition("%")
    if not tail and len(head) < len(text) and (amount := head.removesuffix("\\").rstrip()):
        return amount, "percent"
    if match := _DEGREES.search(text):
        amount = text[: match.start()]
        if amount and not {"{", "}"} & set(amount):
            return amount, "degree"
        if amount.rstrip().endswith("}"):
            return amount.rstrip(), "degree"
    match = _WORDS.fullmatch(text) or _PLAIN.fullmatch(text)
    if match is None:
        return None
    words = " ".join(match[2].split()).rstrip(".")
    power = (match[3] or match[4]) if len(match.groups()) > 2 else None
    if power:
        words = f"{words}^{power}" if words in ("cm", "mm", "m", "km", "in", "ft") else words
        name = _SPELLINGS.get(words, words)
        prefix = {"2": "square", "3": "cubic"}[power]
        name = name if "^" in words else f"{prefix} {name}"
        return (match[1].strip(), name) if name in UNITS else None
    if set(_NOT_UNITS.split()) & set(words.split()) or not words.replace(" ", "").isalpha():
        return None
    return match[1].strip(), _SPELLINGS.get(words, words)


def write_quantity(amount: str, unit: str, latex: bool = True) -> str:
    """Return an amount with its unit as datasets write it."""
    simple = re.fullmatch(r"-?[\d.]+", amount) is not None
    if unit == "dollar" and simple:
        return rf"\${amount}" if latex else f"${amount}"
    if unit == "percent":
        return rf"{amount}\%" if latex else f"{amount}%"
    if unit == "degree":
        return rf"{amount}^\circ" if latex else f"{amount} degrees"
    known = UNITS.get(unit)
    symbol = known.symbol if known else unit
    if not latex:
        return f"{amount if simple else f'({amount})'} {symbol}"
    word, _, power = symbol.partition("^")
    return rf"{amount}\text{{ {word}}}{'^' + power if power else ''}"


def spell_out(unit: str) -> str:
    """Return the plural in words."""
    return UNITS[unit].plural if unit in UNITS else unit


def same_dimension(unit: str) -> list[str]:
    """Return the other units that measure the same, in the order of the table."""
    if unit not in UNITS:
        return []
    kind = UNITS[unit].dimension
    return [name for name, other in UNITS.items() if other.dimension == kind and name != unit]
