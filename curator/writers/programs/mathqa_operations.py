"""MathQA's operations and constants as Python expressions, with names for their results.

The table is the published vocabulary (Amini et al. 2019), including rare operations. Arguments are
`a`, `b`, `c` in upstream's order; upstream's spelling is unchanged (`reminder`, `circumface`,
`semi_circle_perimiter`).
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

from curator.writers.programs.expressions import number_literal


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    arity: int
    value: ast.expr
    """Its result over the names `a`, `b`, `c`."""
    result: str
    """Name of the result, unless the text gives a better one."""


_TABLE: Mapping[str, tuple[str, str]] = {
    # arithmetic
    "add": ("a + b", "total"),
    "subtract": ("a - b", "difference"),
    "multiply": ("a * b", "product"),
    "divide": ("a / b", "quotient"),
    "negate": ("-a", "negative"),
    "inverse": ("1 / a", "inverse"),
    "power": ("a ** b", "power"),
    "sqrt": ("math.sqrt(a)", "root"),
    "log": ("math.log2(a)", "logarithm"),
    "floor": ("math.floor(a)", "whole"),
    "round": ("round(a)", "rounded"),
    "reminder": ("a % b", "remainder"),
    "max": ("max(a, b)", "larger"),
    "min": ("min(a, b)", "smaller"),
    # counting and chance
    "gcd": ("math.gcd(round(a), round(b))", "common_divisor"),
    "lcm": ("math.lcm(round(a), round(b))", "common_multiple"),
    "factorial": ("math.factorial(round(a))", "factorial"),
    "choose": ("math.comb(round(a), round(b))", "combinations"),
    "combination": ("math.comb(round(a), round(b))", "combinations"),
    "permutation": ("math.perm(round(max(a, b)), round(min(a, b)))", "arrangements"),
    "count_interval": ("a - b + 1", "count"),
    "sum_consecutive_number": ("a * (a + 1) / 2", "total"),
    "negate_prob": ("1 - a", "probability"),
    "union_prob": ("a + b - c", "probability"),
    # percentages and prices
    "percent": ("a / 100 * b", "share"),
    "from_percent": ("a / 100", "fraction"),
    "to_percent": ("a * 100", "percentage"),
    "negate_percent": ("100 - a", "remaining_percent"),
    "gain_percent": ("100 + a", "percent_after_gain"),
    "loss_percent": ("100 - a", "percent_after_loss"),
    "p_after_gain": ("(1 + a / 100) * b", "price_after_gain"),
    "p_after_loss": ("(1 - a / 100) * b", "price_after_loss"),
    "price_after_gain": ("(1 + a / 100) * b", "price_after_gain"),
    "price_after_loss": ("(1 - a / 100) * b", "price_after_loss"),
    "original_price_before_gain": ("b * 100 / (100 + a)", "original_price"),
    "original_price_before_loss": ("b * 100 / (100 - a)", "original_price"),
    # motion and work
    "speed": ("a / b", "speed"),
    "speed_in_still_water": ("(a + b) / 2", "speed_in_still_water"),
    "stream_speed": ("(a - b) / 2", "stream_speed"),
    "speed_ratio_steel_to_stream": ("(a + b) / (a - b)", "speed_ratio"),
    "combined_work": ("1 / (1 / a + 1 / b)", "time_together"),
    "find_work": ("1 / abs(1 / a - 1 / b)", "time_alone"),
    # plane figures
    "rectangle_area": ("a * b", "area"),
    "rectangle_perimeter": ("2 * (a + b)", "perimeter"),
    "square_area": ("a ** 2", "area"),
    "square_perimeter": ("4 * a", "perimeter"),
    "square_edge_by_area": ("math.sqrt(a)", "side"),
    "square_edge_by_perimeter": ("a / 4", "side"),
    "side_by_diagonal": ("math.sqrt(a ** 2 - b ** 2)", "side"),
    "diagonal": ("math.sqrt(a ** 2 + b ** 2)", "diagonal"),
    "rhombus_area": ("a * b / 2", "area"),
    "rhombus_perimeter": ("4 * a", "perimeter"),
    "quadrilateral_area": ("a * (b + c) / 2", "area"),
    "trapezium_area": ("a * (b + c) / 2", "area"),
    "triangle_area": ("a * b / 2", "area"),
    "triangle_perimeter": ("a + b + c", "perimeter"),
    "circle_area": ("math.pi * a ** 2", "area"),
    "circumface": ("2 * math.pi * a", "circumference"),
    "circle_arc": ("a / 360 * 2 * math.pi * b", "arc"),
    "circle_sector_area": ("b / 360 * math.pi * a ** 2", "area"),
    "semi_circle_perimiter": ("math.pi * a + 2 * a", "perimeter"),
    "triangle_area_three_edges": (
        "math.sqrt((a + b + c) * (-a + b + c) * (a - b + c) * (a + b - c)) / 4",
        "area",
    ),
    # solids
    "cube_edge_by_volume": ("a ** (1 / 3)", "edge"),
    "volume_cube": ("a ** 3", "volume"),
    "volume_rectangular_prism": ("a * b * c", "volume"),
    "volume_cylinder": ("math.pi * a ** 2 * b", "volume"),
    "volume_cone": ("math.pi * a ** 2 * b / 3", "volume"),
    "volume_sphere": ("4 / 3 * math.pi * a ** 3", "volume"),
    "surface_cube": ("6 * a ** 2", "surface"),
    "surface_rectangular_prism": ("2 * (a * b + b * c + a * c)", "surface"),
    "surface_cylinder": ("2 * math.pi * a * (a + b)", "surface"),
    "surface_cone": ("math.pi * a * (a + b)", "surface"),
    "surface_sphere": ("4 * math.pi * a ** 2", "surface"),
    # angles, in radians
    "sine": ("math.sin(a)", "sine"),
    "cosine": ("math.cos(a)", "cosine"),
    "tangent": ("math.tan(a)", "tangent"),
    "degree_to_radians": ("math.radians(a)", "radians"),
    "radians_to_degree": ("math.degrees(a)", "degrees"),
}


def _operation(text: str, result: str) -> Operation:
    value = ast.parse(text, mode="eval").body
    arguments = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)} & set("abc")
    return Operation(len(arguments), value, result)


OPERATIONS: Mapping[str, Operation] = {name: _operation(*entry) for name, entry in _TABLE.items()}

_EXACT: Mapping[str, str] = {
    "pi": "math.pi",
    "deg_to_rad": "math.pi / 180",
    "0_2778": "5 / 18",
    "0_33": "1 / 3",
    "0_1667": "1 / 6",
}
"""Exact values of constants that upstream rounded or named: 0.2778 converts km/h to m/s, and the
rounded value misses the gold answer."""


def constant(text: str) -> ast.expr | None:
    """Return the value of `const_100`, `const_0_2778`, `const_pi`, …; None for other text."""
    name = text.removeprefix("const_")
    if name in _EXACT:
        return ast.parse(_EXACT[name], mode="eval").body
    plain = name.replace("_", ".")
    return number_literal(plain) if re.fullmatch(r"\d{1,15}(\.\d{1,15})?", plain) else None
