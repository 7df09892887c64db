r"""Write formulas as LaTeX, in plain notation, and as sympy prints them.

In: a `Formula` and a `Style`. Out: its text. Brackets are written wherever they could matter.
"""

import re
from dataclasses import dataclass

from curator.answers.variants.formula import Formula


@dataclass(frozen=True, slots=True)
class Style:
    """How formulas are written."""

    latex: bool = True
    """LaTeX commands; without it `sqrt(2)/2`."""

    times: str = ""
    """The sign between factors where none is needed; plain notation always has `*`."""

    power: str = "^"
    imaginary: str = "i"
    fraction: str = r"\frac"


LATEX = Style()
PLAIN = Style(latex=False)
PYTHON = Style(latex=False, power="**", imaginary="I")

_LEVEL = {"sum": 1, "minus": 1, "product": 2, "quotient": 2, "power": 3}
_TIMES = r"\cdot"
_BOUND = ("number", "letter", "constant")
_COMMAND_END = re.compile(r"\\[A-Za-z]+$")  # a letter after it needs a space


def write(formula: Formula, style: Style = LATEX) -> str:
    """Return a formula as text."""
    return _latex(formula, style) if style.latex else _plain(formula, style)


def _sum(formula: Formula, style: Style) -> str:
    out = ""
    for index, term in enumerate(formula.parts):
        inner = term.parts[0] if term.op == "minus" else term
        body = _bracket(inner, 2, style)
        sign = "-" if term.op == "minus" else "+"
        out += f" {sign} {body}" if index else (f"-{body}" if sign == "-" else body)
    return out


def _bracket(formula: Formula, level: int, style: Style) -> str:
    text = write(formula, style)
    return f"({text})" if _LEVEL.get(formula.op, 9) < level else text


def _latex(formula: Formula, style: Style) -> str:
    parts = formula.parts
    match formula.op:
        case "number" | "letter":
            return formula.text
        case "constant":
            return r"\pi" if formula.text == "pi" else formula.text
        case "minus":
            return f"-{_bracket(parts[0], 2, style)}"
        case "sum":
            return _sum(formula, style)
        case "product":
            return _latex_product(formula, style)
        case "quotient":
            return f"{style.fraction}{{{write(parts[0], style)}}}{{{write(parts[1], style)}}}"
        case "power":
            base = write(parts[0], style)
            base = base if parts[0].op in _BOUND else f"({base})"
            return f"{base}^{{{write(parts[1], style)}}}"
        case "root":
            degree = "" if parts[1].text == "2" else f"[{parts[1].text}]"
            return rf"\sqrt{degree}{{{write(parts[0], style)}}}"
        case _:
            base = f"_{{{write(parts[1], style)}}}" if len(parts) > 1 else ""
            return rf"\{formula.text}{base}({write(parts[0], style)})"


def _latex_product(formula: Formula, style: Style) -> str:
    out = ""
    before: Formula | None = None
    for factor in formula.parts:
        text = write(factor, style)
        if factor.op in ("sum", "minus", "product"):
            text = f"({text})"
        if before is None:
            out = text
        elif style.times or _needs_times(before, factor, text):
            out = f"{out} {style.times or _TIMES} {text}"
        else:
            out += f" {text}" if text[0].isalpha() and _COMMAND_END.search(out) else text
        before = factor
    return out


def _needs_times(before: Formula, factor: Formula, text: str) -> bool:
    """Return whether two factors side by side would read as something else."""
    first = factor.parts[0] if factor.op == "power" else factor
    if first.op == "number" or before.op == "call":
        return True
    if first.op == "quotient":
        return before.op in ("number", "quotient", "power")
    is_name = before.op in ("letter", "constant") and before.text not in tuple("xyztn")
    return is_name and text[0] == "("


def _plain(formula: Formula, style: Style) -> str:
    parts = formula.parts
    match formula.op:
        case "number":
            return formula.text
        case "letter":
            return formula.text.lstrip("\\")
        case "constant":
            return style.imaginary if formula.text == "i" else formula.text
        case "minus":
            return f"-{_bracket(parts[0], 2, style)}"
        case "sum":
            return _sum(formula, style)
        case "product":
            factors = [write(part, style) for part in parts]
            return "*".join(
                f"({text})" if part.op in ("sum", "minus", "product", "quotient") else text
                for part, text in zip(parts, factors, strict=True)
            )
        case "quotient":
            top = write(parts[0], style)
            top = f"({top})" if parts[0].op in ("sum", "minus", "quotient") else top
            bottom = write(parts[1], style)
            simple = parts[1].op in (*_BOUND, "root", "call")
            return f"{top}/{bottom}" if simple else f"{top}/({bottom})"
        case "power":
            base, exponent = (write(part, style) for part in parts)
            base = base if parts[0].op in _BOUND else f"({base})"
            exponent = exponent if parts[1].op in _BOUND else f"({exponent})"
            return f"{base}{style.power}{exponent}"
        case "root":
            inside = write(parts[0], style)
            if parts[1].text == "2":
                return f"sqrt({inside})"
            simple = parts[0].op in _BOUND
            return f"{inside if simple else f'({inside})'}{style.power}(1/{parts[1].text})"
        case _:
            if formula.text == "log":
                top, base = (f"log({write(part, style)})" for part in parts)
                return f"{top}/{base}"
            name = "log" if formula.text == "ln" and style == PYTHON else formula.text
            return f"{name}({write(parts[0], style)})"
