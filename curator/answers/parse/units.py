"""Units, currencies and counted things after (or before) a number.

In: the words beside a number: `km/h`, `square feet`, `dollars`, `eggs`. Out: `parse_unit(text)`, a
`Unit` with dimensions and a factor, or None if the words are not a unit. Words that are not a known
unit count things (`12 eggs`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from curator.answers.parse.normalize import CURRENCY
from curator.answers.parse.tokens import word_set

# dimension name = factor | name = factor; names of one entry are synonyms
_TABLE = """
length m meter metre = 1 | km kilometer kilometre kms = 1000 | cm centimeter centimetre cms = 1/100
length mm millimeter millimetre = 1/1000 | mile mi = 201168/125 | yard yd = 1143/1250
length ft foot feet = 381/1250 | inch in inches = 127/5000
time s second sec = 1 | min minute = 60 | h hour hr = 3600 | day = 86400 | week = 604800
time ms millisecond = 1/1000
month month = 1 | year yr = 12 | decade = 120 | century centuries = 1200
mass g gram gm = 1 | kg kilogram kilo kgs = 1000 | mg milligram = 1/1000 | ton = 907184.74
mass pound lb = 453.59237 | ounce oz = 28.349523125 | tonne = 1000000
volume litre liter l ltr lt = 1 | ml milliliter millilitre = 1/1000 | gallon gal = 3.785411784
volume quart = 0.946352946 | pint = 0.473176473 | cup = 0.2365882365
money$ dollar usd buck = 1 | cent = 1/100
money£ £ gbp = 1 | pence = 1/100
money€ € euro eur = 1
money¥ yen ¥ jpy = 1
money₹ rs rupee inr ₹ = 1 | paise paisa = 1/100
angle deg degree ° = 1 | rad radian = 57.29577951308232087679815
temperature °c celsius c = 1
fahrenheit °f fahrenheit f = 1
power w watt = 1 | kw kilowatt = 1000 | mw = 1000000 | hp horsepower = 745.69987158227022
energy j joule = 1 | kj kilojoule = 1000 | kwh = 3600000
calorie cal calorie = 1 | kcal kilocalorie = 1000
electronvolt ev electronvolt = 1 | kev = 1000 | mev = 1000000
force n newton = 1 | kn kilonewton = 1000
voltage v volt = 1 | kv kilovolt = 1000 | mv millivolt = 1/1000
current ampere amp = 1 | ma milliampere = 1/1000
resistance ohm = 1 | kohm kiloohm = 1000
charge coulomb = 1
kelvin kelvin = 1
amount mol mole = 1
activity bq becquerel = 1
frequency hz hertz = 1 | khz kilohertz = 1000 | mhz megahertz = 1000000
pressure pa pascal = 1 | kpa = 1000 | atm atmosphere = 101325
percent percent pct percentage = 1
point pp = 1
"""
_SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "k": 1000,
    "lakh": 100_000,
    "lac": 100_000,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}
_OTHER_NAMES = {
    "mph": "mile/hour",
    "kmph": "km/hour",
    "kmh": "km/hour",
    "kph": "km/hour",
    "mps": "m/s",
    "fps": "ft/s",
    "rpm": "revolution/min",
    "per cent": "percent",
    "percentage point": "pp",
    "percentage points": "pp",
    "degrees celsius": "celsius",
    "degree celsius": "celsius",
    "degrees fahrenheit": "fahrenheit",
    "degree fahrenheit": "fahrenheit",
}


def _load_table() -> dict[str, tuple[str, Fraction]]:
    table = {}
    for line in _TABLE.strip().splitlines():
        dimension, _, entries = line.partition(" ")
        for entry in entries.split("|"):
            names, _, factor = entry.partition("=")
            for name in names.split():
                table[name] = (dimension, Fraction(factor.strip()))
    return table


_PREFIXES = {
    "n": ("nano", Fraction(1, 10**9)),
    "μ": ("micro", Fraction(1, 10**6)),
    "µ": ("micro", Fraction(1, 10**6)),
    "m": ("milli", Fraction(1, 1000)),
    "c": ("centi", Fraction(1, 100)),
    "k": ("kilo", Fraction(1000)),
    "M": ("mega", Fraction(10**6)),
    "G": ("giga", Fraction(10**9)),
    "T": ("tera", Fraction(10**12)),
}
_SYMBOLS = {
    "m": "meter",
    "g": "gram",
    "s": "second",
    "L": "liter",
    "l": "liter",
    "W": "watt",
    "J": "joule",
    "N": "newton",
    "V": "volt",
    "A": "ampere",
    "Hz": "hertz",
    "Pa": "pascal",
    "eV": "electronvolt",
    "ohm": "ohm",
    "mol": "mole",
}
_DERIVED: dict[str, tuple[dict[str, int], Fraction]] = {
    "force": ({"mass": 1, "length": 1, "time": -2}, Fraction(1000)),
    "energy": ({"mass": 1, "length": 2, "time": -2}, Fraction(1000)),
    "power": ({"mass": 1, "length": 2, "time": -3}, Fraction(1000)),
    "pressure": ({"mass": 1, "length": -1, "time": -2}, Fraction(1000)),
    "volume": ({"length": 3}, Fraction(1, 1000)),
}
"""Dimensions as powers of others, and the size of their base unit in grams, metres, seconds."""


def _add_prefixes(table: dict[str, tuple[str, Fraction]]) -> dict[str, str]:
    """Add `milliwatt`, `megawatt` and so on to a table; return their symbols with their names.

    Symbols that mean the same in lower case (`km`, `mm`) are left out: only the others need
    their case.
    """
    symbols = {}
    for prefix, (word, factor) in _PREFIXES.items():
        for symbol, name in _SYMBOLS.items():
            dimension, size = table[name]
            entry = dimension, factor * size
            table.setdefault(word + name, entry)
            if table.get((prefix + symbol).lower()) != entry:
                symbols[prefix + symbol] = word + name
    return symbols


_UNITS = _load_table()
_CASED = _add_prefixes(_UNITS)
"""Symbols whose case counts: `mW` is milliwatt, `MW` megawatt."""
_CAPITALS = {"A": "ampere", "K": "kelvin", "C": "coulomb"}
"""Units of one capital letter that means something else in lower case."""

_NO_UNITS = word_set(
    """above add added after ago and at base bc bce ad before below between by choose cubed
    divided doubled equals factorial fewer fold for from greater halved if increased infinity
    less log minus mod modulo more most multiplied negative no not of off or over past plus
    positive power powers raised remainder root short squared subtracted than then thrice times
    to tripled twice under up when where zero
    alpha beta gamma delta epsilon theta kappa lambda sigma omega phi psi
    sin cos tan cot csc sinh cosh tanh ln exp sqrt pi inf arcsin arccos arctan lim det
    inverse conjugate transpose transposed recurring repeating periodic rounded reciprocal
    quadrupled quadruple double triple"""
)
"""Words that change a number: what stands with one of them is no unit."""
_NOT_COUNTED = word_set(
    """tens nines couples trios octets sines cosines logs basis
    bps thou mln bln permille permil ppm ppb score scores gross grosses myriad myriads
    loss losses deficit deficits debt debts overdrawn owed withdrawal withdrawals decrease decreases
    north south east west northeast northwest southeast southwest northward southward eastward
    westward up down right upward downward forward backward upwards downwards forwards backwards
    inland late early behind ahead wrong missing always perhaps besides afterwards sometimes
    nowadays yes has was does his this means remains"""
)
"""Words that look like plural nouns but count nothing, and nouns that turn the sign."""
_COUNTED = word_set(
    """people men women children kids feet teeth mice geese fish sheep deer cattle oxen dice data
    persons folk money water milk food juice sugar flour rice sand paint gas fuel work land fruit
    total altogether left remaining each apart together long wide tall high deep thick old
    away only additional extra profit units unit times points now today daily weekly monthly
    yearly annually overall exactly yuan rmb won baht rand"""
)
"""Words beside a number that count things or add detail without a plural ending."""
_ORDINAL_PART = re.compile(
    r"(?:[a-z-]*(?:eenth|ieth|ndredth|usandth|illionth)|third|fourth|fifth|sixth|seventh|eighth|ninth"
    r"|tenth|eleventh|twelfth|quarter|half|halve)s?|[a-z]+fold"
)
_CASED_SYMBOL = re.compile(
    r"(?<![^\W\d_])(?:[nμµmckMGT](?:[mgsLlWJNVA]|Hz|Pa|eV|ohm|mol))(?![^\W\d_])"
)
_SQUARED = re.compile(r"\b(square|sq|cubic|cu)\b\.?\s*([a-z]+)")
_PART = re.compile(r"([^\s\d^*/.()-]+)\.?\s*(?:(?:\s*\^\s*)?[({]?(-?[1-4])[)}]?)?(?=[\s*.]|$)\.?")
_VOWEL = re.compile("[aeiouy]")


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts: powers of dimensions, and the factor to their base unit."""

    dimensions: tuple[tuple[str, int], ...]
    factor: Fraction
    text: str
    compound: bool = False
    """True for a quantity in several units: `3 hours 20 minutes`."""
    scale: Fraction = Fraction(1)
    """The part of the factor that comes from a number word: 10**6 in `million dollars`."""

    def alike(self, other: "Unit") -> bool:
        """Return whether two units mean the same, however they are spelled."""
        return (self.dimensions, self.factor) == (other.dimensions, other.factor)

    sure: bool = True
    """False where a word may change the number: `3 score`, `3 north`."""

    @property
    def known(self) -> bool:
        """Whether the unit is in the table; false for counted things (`eggs`), whose names vary."""
        return not any(name.startswith("#") for name, _ in self.dimensions)


def _to_singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 2 and word.endswith("s") and word[-2] != "s" else word


def _base_unit(word: str) -> tuple[str, Fraction]:
    entry = _UNITS.get(word) or _UNITS.get(_to_singular(word))
    if entry:
        return entry
    scale = _SCALES.get(word) or _SCALES.get(_to_singular(word))
    if scale:
        return "", Fraction(scale)
    # two letters are more likely a product of variables than a thing
    return ("#" + _to_singular(word) if len(word) > 2 else ""), Fraction(1)


def _is_counted(word: str) -> bool:
    """Return whether a word counts things: a plural or one of a few other nouns and adverbs."""
    if word in _COUNTED:
        return True
    plural = len(word) > 3 and word[-1] == "s" and word[-2] not in "siu"
    return plural and word not in _NOT_COUNTED and _VOWEL.search(word[:-1]) is not None


def _is_sure(top: str, rest: Sequence[str]) -> bool:
    """Return whether the words of a unit only count: `candy bars`, `dollars left`, `km/h`.

    Every word counts or is a known unit, or one of them counts and the others add detail. Of a
    rate (`step/minute`), the numerator may be any word.
    """
    words = re.findall(r"[^\W\d_]+|[£€₹¥°]", top)
    unknown = [word for word in words if _base_unit(word)[0][:1] == "#" and word != "unit"]
    if not unknown or all(map(_is_counted, unknown)):
        return True
    if any(word in _NOT_COUNTED for word in unknown):
        return False
    if len(unknown) < len(words):
        return False
    rate = any(_base_unit(part.strip())[0][:1] != "#" for part in rest)
    return rate or any(map(_is_counted, words))


def _changes_number(text: str) -> bool:
    """Return whether words state more than what is counted: `squared`, `tenths`, `below zero`."""
    words = text.replace(" ^", "^").split()
    if len(words) > 1 and all(len(word) == 1 for word in words):
        return True  # `5 m n`: variables
    if "in" in words[:-1]:
        return True  # `3 in a row`
    if words[0] == "times":  # `3 times`, but not `4 times 10`
        words = words[1:]
    return any(word in _NO_UNITS or (_ORDINAL_PART.fullmatch(word) is not None) for word in words)


@lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit | None:
    """Return the unit that the words name: `km/h`, `cubic feet`, `miles per hour`, `eggs`.

    None if they are not words beside a number: formulas, more than six words.
    """
    text = text.replace(CURRENCY, " dollar ").strip().strip(".").strip()
    text = _CASED_SYMBOL.sub(lambda m: _CASED.get(m[0], m[0]), _CAPITALS.get(text, text)).lower()
    text = _OTHER_NAMES.get(text, text)
    if (
        text.startswith(("to ", "or "))
        or not text
        or len(text) > 60
        or len(text.split()) > 6
        or "_" in text
        or _changes_number(text)
    ):
        return None
    with_powers = _SQUARED.sub(lambda m: f"{m[2]}^{'2' if m[1][0] == 's' else '3'}", text)
    spaced = " ".join(f"{with_powers} ".replace("p.h.", "/h").split())
    top, *below = re.split(r" ?/ ?| (?:per|an?|each) ", f" {spaced} ")
    dimensions: dict[str, int] = {}
    factor = scale = Fraction(1)
    for index, part in enumerate([top, *below]):
        at, part = 0, part.strip()
        if not part and (index or not below):
            return None
        while at < len(part):
            match = _PART.match(part, at)
            if match is None or not (
                match[1].isalpha() or match[1] in ("°", "£", "€", "₹", "¥", "°c", "°f")
            ):
                return None
            power = int(match[2] or 1) * (-1 if index else 1)
            name, unit_factor = _base_unit(match[1])
            if (not name and unit_factor == 1) or (
                name[:1] == "#" and match[2] and name != "#unit"
            ):
                return None
            powers, size = _DERIVED.get(name, ({name: 1}, Fraction(1)))
            factor *= (unit_factor * size) ** power
            scale *= Fraction(1) if name else unit_factor**power
            for base, exponent in powers.items():
                if base and (base != "#unit" or power != 1):
                    dimensions[base] = dimensions.get(base, 0) + exponent * power
            at = match.end()
            while at < len(part) and part[at] in " *.":
                at += 1
    nonzero = tuple(sorted((name, power) for name, power in dimensions.items() if power))
    sure = _is_sure(top, below)
    return Unit(nonzero, factor, _canonical_text(text), scale=scale, sure=sure)


_SHORT = {
    "dollar": "$",
    "dollars": "$",
    "usd": "$",
    "rupee": "Rs",
    "rupees": "Rs",
    "rs": "Rs",
    "degree": "°",
    "degrees": "°",
    "percent": "%",
    "celsius": "°C",
    "fahrenheit": "°F",
    **{"°c": "°C", "°f": "°F", "v": "V", "n": "N", "j": "J", "w": "W"},
}


def _canonical_text(text: str) -> str:
    return _SHORT.get(text, re.sub(r"\s+", " ", text))
