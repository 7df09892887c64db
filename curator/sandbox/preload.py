"""Prepare the interpreter of a zygote: modules imported and warmed up, randomness and setup fixed.

In: the kind of the zygote, light or heavy, and the packages that programs may import. Out: a warm
interpreter. A program can import the rest of the standard library and of these packages, only
slower.
"""

import contextlib
import importlib
import os
import random
import site
import zipimport
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from typing import Any

LIGHT = (
    *("math", "cmath", "fractions", "decimal", "statistics", "itertools", "functools", "operator"),
    *("collections", "collections.abc", "heapq", "bisect", "random", "datetime", "calendar"),
    *("time", "re", "string", "json", "copy", "typing", "dataclasses", "enum", "numbers"),
    *("textwrap", "traceback", "io", "ast", "abc", "contextlib", "types", "warnings"),
)
HEAVY = ("numpy", "sympy", "mpmath")
"""A program that imports one of these, or of SLOW, runs in the heavy zygote."""
SLOW = ("scipy", "networkx", "pandas", "matplotlib")
"""These import modules of HEAVY, but are too large to preload for few programs."""
NEEDED = (
    *("gmpy2", "flint", "dateutil", "pytz", "tzdata", "six", "contourpy", "cycler", "fontTools"),
    *("kiwisolver", "packaging", "PIL", "pyparsing", "mpl_toolkits", "pylab"),
)
"""What the packages of HEAVY and SLOW import themselves, if it is installed."""

TYPICAL = b"""
import math
def total(prices, rate):
    return sum(p * rate for p in prices) if rate > 0 else 0
numbers = [1, 2.5, 7]
for index, number in enumerate(numbers):
    if number % 2 == 1 and index < 2:
        numbers[index] = round(number / 3, 2)
while numbers and numbers[0] > 10:
    numbers.pop()
answer = total(numbers, 1.5) + math.sqrt(16) ** 2 - 3 * 4 // 5
print(answer)
print(f"{answer:.2f} {int(answer)} {1 / 3}", max(numbers))
"""
"""A typical program, for warming up."""

_CALLS = """
x, y, n = symbols("x y n")
solve(x**2 - 5 * x + 6, x)
solve([x + y - 10, x - y - 2], [x, y])
solve(Eq(2 * x + 3, 7), x)
solveset(x**2 - 2, x, S.Reals)
integrate(x**2 * sin(x), x)
integrate(exp(-x), (x, 0, oo))
diff(sin(x) * exp(x), x)
simplify((x**2 - 1) / (x - 1))
simplify(sin(x)**2 + cos(x)**2)
expand((x + y)**3), factor(x**3 - 1), limit(sin(x) / x, x, 0), summation(n, (n, 1, 10))
Matrix([[1, 2], [3, 4]]).inv(), Matrix([[2, 1], [1, 2]]).eigenvals()
Rational(1, 3) + sqrt(8), N(pi, 20), binomial(10, 3), factorial(10), gcd(12, 18), isprime(97)
series(exp(x), x, 0, 4), nsolve(cos(x) - x, x, 1), factorint(360), apart(1 / (x**2 - 1))
solve(x**2 < 4, x), sqrt(x).evalf(subs={x: 2}), lambdify(x, x**2)(3), Poly(x**2 + 1, x).degree()
str(sqrt(2) / 2 + pi), latex(Rational(1, 2)), sympify("2*x + 1"), trigsimp(tan(x) * cos(x))
"""


class Packages:
    """Finds packages by name, without reading the folders that they lie in."""

    def __init__(self, places: dict[str, str]) -> None:
        """Take the folder, module or zip file of each package."""
        self._places = places

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where a package is loaded from; None for any other module."""
        place = self._places.get(name)
        if place is None:
            return None
        if os.path.isdir(place):
            start = f"{place}/__init__.py"
            if not os.path.exists(start):
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [place]
                return spec
            return spec_from_file_location(name, start, submodule_search_locations=[place])
        if place.endswith((".py", ".so")):
            return spec_from_file_location(name, place)
        return zipimport.zipimporter(place).find_spec(name)


def load_light() -> None:
    """Load the standard modules that programs use, define `exit` and `quit`, and fix the seed."""
    for name in LIGHT:
        importlib.import_module(name)
    site.setquit()
    site.sethelper()
    compile("print(sum(i for i in [1]))\n", "<warm>", "exec")
    f"{1 / 3:.2f}"
    random.seed(0)


def load_heavy() -> None:
    """Load numpy and sympy, if they are installed, and make typical calls once."""
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        names: dict[str, Any] = {}
        exec("from sympy import *", names)
        for call in _CALLS.strip().split("\n"):
            exec(call, names)
    with contextlib.suppress(ImportError):
        _warm_numpy()
    random.seed(0)


def _warm_numpy() -> None:
    numpy: Any = importlib.import_module("numpy")
    numpy.linalg.solve(numpy.array([[2.0, 1.0], [1.0, 3.0]]), numpy.array([1.0, 2.0]))
    numpy.roots([1, -3, 2])
    str(numpy.arange(3).mean())
    numpy.random.seed(0)
    original = numpy.random.default_rng

    def default_rng(seed: Any = None) -> Any:
        return original(0 if seed is None else seed)

    numpy.random.default_rng = default_rng
