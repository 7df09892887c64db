r"""True forms that differ in typesetting only: delimiters, spaces, commands, notation.

In: a `Gold`. Out: `FORMS`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from curator.answers.variants.formula import walk
from curator.answers.variants.notation import LATEX, PLAIN, PYTHON, Style
from curator.answers.variants.rules.rule import Gold, Rule, written
from curator.answers.variants.shapes import write_shape

_ENCLOSED = (r"${}$", r"\({}\)", r"\[{}\]", r"$${}$$")
_SHORT = re.compile(r"\\frac\{(\d)\}\{(\d)\}")
_UNICODE = {
    r"\pi": "π",
    r"\cdot": "·",
    r"\infty": "∞",
    r"\cup": "∪",
    r"\circ": "°",
    "^{2}": "²",
    "^{3}": "³",
    "-": "−",
}


def _is_formula(gold: Gold) -> bool:
    return not gold.choices and "$" not in gold.text


def _enclose(gold: Gold) -> Iterator[str]:
    if _is_formula(gold):
        yield from (form.format(gold.text) for form in _ENCLOSED)


def _box(gold: Gold) -> Iterator[str]:
    if not gold.choices:
        yield rf"\boxed{{{gold.text}}}"
        if "$" not in gold.text:
            yield rf"$\boxed{{{gold.text}}}$"


def _embolden(gold: Gold) -> Iterator[str]:
    if gold.shape is None:
        return
    if gold.shape.kind == "words":
        yield rf"\textbf{{{gold.shape.form}}}"
    elif "$" not in gold.text and "text" not in gold.text:
        yield rf"\mathbf{{{gold.text}}}"
    plain = write_shape(gold.shape, PLAIN)
    if "*" not in plain:
        yield f"**{plain}**"


def _end_sentence(gold: Gold) -> Iterator[str]:
    if not gold.choices and gold.text[-1].isalnum():
        yield f"{gold.text}."
        if _is_formula(gold):
            yield f"${gold.text}$."


def _space(gold: Gold) -> Iterator[str]:
    if _is_formula(gold) and (gold.shape is None or gold.shape.kind != "words"):
        yield rf"\!{gold.text}\,"
        if gold.shape is not None and gold.shape.kind != "quantity":
            text = write_shape(gold.shape)
            spaced = re.sub(r" ([+=-]) ", r"\\,\1\\;", text).replace(", ", r",\ ")
            if spaced != text:
                yield spaced


def _size_brackets(gold: Gold) -> Iterator[str]:
    text = gold.text
    pairs = text.count("(") + text.count("["), text.count(")") + text.count("]")
    if not _is_formula(gold) or gold.shape is None or gold.shape.kind == "words":
        return
    if pairs[0] == pairs[1] > 0 and r"\left" not in text and r"\sqrt[" not in text:
        opened = re.sub(r"([(\[])", r"\\left\1", text)
        yield re.sub(r"([)\]])", r"\\right\1", opened)


def _name_fractions(gold: Gold) -> Iterator[str]:
    if r"\frac" in gold.text:
        yield gold.text.replace(r"\frac", r"\dfrac")
        yield gold.text.replace(r"\frac", r"\tfrac")
    yield from written(gold, replace(LATEX, fraction=r"\dfrac"), r"\dfrac")


def _shorten_fractions(gold: Gold) -> Iterator[str]:
    if gold.shape is not None:
        text = write_shape(gold.shape)
        short = _SHORT.sub(r"\\frac\1\2", text)
        if short != text:
            yield short


def _in_text(gold: Gold) -> Iterator[str]:
    if gold.shape and gold.shape.kind in ("value", "words") and gold.text.isalnum():
        yield rf"\text{{{gold.text}}}"
        yield rf"\mathrm{{{gold.text}}}"


def _retype(gold: Gold) -> Iterator[str]:
    yield from written(gold, LATEX)


def _plainly(gold: Gold) -> Iterator[str]:
    yield from written(gold, PLAIN)


def _as_program(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind in ("words", "quantity", "mixed", "base"):
        return
    if not any(part.text == "e" for end in shape.parts for _, part in walk(end)):
        yield write_shape(shape, PYTHON)


def _with_times(gold: Gold) -> Iterator[str]:
    plain = list(written(gold, LATEX))
    for sign in (r"\cdot", r"\times"):
        yield from (text for text in written(gold, Style(times=sign), sign) if text not in plain)


def _in_unicode(gold: Gold) -> Iterator[str]:
    for text in written(gold, LATEX):
        if gold.shape is None or gold.shape.kind == "words":
            return
        out = text
        for command, char in _UNICODE.items():
            out = out.replace(command, char)
        out = re.sub(r"\\sqrt\{(\d+)\}", r"√\1", out.replace("^°", "°"))
        if out != text and "\\" not in out and "{" not in out:
            yield out


FORMS = (
    Rule("dollar signs", r"enclosed as a formula: `$12$`, `\(12\)`, `\[12\]`", _enclose),
    Rule("boxed", r"inside a box: `\boxed{12}`", _box),
    Rule("bold", r"in bold type: `\mathbf{12}`, `**12**`", _embolden),
    Rule("full stop", "at the end of a sentence: `12.`", _end_sentence),
    Rule("spacing", r"with LaTeX's spaces: `x\,+\;1`, `\!12\,`", _space),
    Rule("left and right", r"with sized brackets: `\left(1, 2\right)`", _size_brackets),
    Rule("fraction commands", r"`\dfrac{1}{2}`, `\tfrac{1}{2}` for `\frac{1}{2}`", _name_fractions),
    Rule("short fractions", r"`\frac12` for `\frac{1}{2}`", _shorten_fractions),
    Rule("text command", r"a number or a word as text: `\text{12}`", _in_text),
    Rule("retyped", r"typed again in plain LaTeX: `5\sqrt{2}` for `5 \sqrt2`", _retype),
    Rule("plain notation", "without LaTeX: `5*sqrt(2)/7`, `x^2`", _plainly),
    Rule("printed by a program", "as Python and sympy print it: `x**2`, `3*I`", _as_program),
    Rule("times signs", r"`2 \cdot \sqrt{3}` for `2\sqrt{3}`", _with_times),
    Rule("Unicode", "characters for commands: `2π`, `x²`, `−3`", _in_unicode),
)
