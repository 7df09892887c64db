"""MathQA: AQuA problems with operation programs; upstream's text is lower-cased and tokenised.

One row: {"Problem": "a shopkeeper sold …", "Rationale": "\\"… answer : c .\\"", "options": "a )
24 , b ) 120 , …", "correct": "c", "annotated_formula": "power(5, 4)", "linear_formula":
"power(n1,n0)|", "category": "general"}. Some `options` are list literals ("['a ) 4', 'b ) 4 π',
…]"), some repeat the label ("a ) a ) 3"), and commas in numbers collide with those between
choices. `program` is the `linear_formula`, which refers to the question's numbers as n0, n1, …;
if it is missing, the `annotated_formula`, which contains the numbers. About 40% of the formulas
disagree with the gold answer, mostly by upstream's error. Garbled symbols (`ã —` for ×) are
restored.
"""

import re
from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, choice_letter, optional, text
from curator.sources.source import Row, Source

LICENCE = "Apache-2.0"
_LISTED = re.compile(r"""(['"])([a-e]) \) ?(.{0,500}?)\1(?=, ?['"]|\]$)""")
_LABEL = re.compile(r"[a-e] \) ")
_SYMBOLS = "×÷–—’‘“”‹›…∴−⇒⇔√π∗≈≤≥≠°²³½¼⁄∩∪⋅₹•"


def _garble(symbol: str) -> str:
    """Return a symbol as its UTF-8 bytes read in Windows-1252, lower-cased and tokenised."""
    each = (bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in symbol.encode())
    return " ".join(character.lower() for character in each)


# Longest first, so that no form matches the beginning of another.
MOJIBAKE = {_garble(symbol): symbol for symbol in sorted(_SYMBOLS, key=lambda s: -len(s.encode()))}
_GARBLED = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, MOJIBAKE))})(?!\S)")


def restore_symbols(garbled: str) -> str:
    """Replace the garbled forms of known symbols, where they are whole tokens."""
    return _GARBLED.sub(lambda match: MOJIBAKE[match[0]], garbled)


def parse_choices(cell: str) -> tuple[str, ...]:
    """Return the five choices of the `options` column, in either of its two forms."""
    if cell.startswith("["):
        listed = _LISTED.findall(cell)
        labels, plain = [each[1] for each in listed], [each[2] for each in listed]
    else:
        labels, plain = list("abcde"), []
        pieces = re.split(r"(?:^| ?, )a \) ?", cell, maxsplit=1)
        rest = pieces[1] if len(pieces) == 2 and not pieces[0].strip() else None
        for label in "bcde":
            head, mark, rest = (rest or "").partition(f" , {label} ) ")
            if not mark:
                raise Unreadable("options are not a to e")
            plain.append(head)
        plain.append(rest)
    if labels != list("abcde"):
        raise Unreadable("options are not a to e")
    return tuple(
        _LABEL.sub("", each, count=1).strip() if _LABEL.match(each) else each.strip()
        for each in plain
    )


def parse(row: Row, place: str) -> Iterator[Problem]:
    choices = parse_choices(restore_symbols(text(row, "options")))
    rationale = restore_symbols(optional(row, "Rationale"))
    if len(rationale) > 1 and rationale[0] == rationale[-1] == '"':
        rationale = rationale[1:-1].strip()
    yield Problem(
        source="mathqa",
        question=restore_symbols(text(row, "Problem")),
        gold=choice_letter(text(row, "correct"), choices),
        choices=choices,
        solution=rationale,
        program=optional(row, "linear_formula") or optional(row, "annotated_formula"),
        notation="mathqa",
        field=optional(row, "category"),
        licence=LICENCE,
        place=place,
    )


SOURCE = Source(
    name="mathqa",
    about="AQuA problems annotated with operation programs (Amini et al.)",
    licence=LICENCE,
    parse=parse,
    folder="sources/mathqa",
    hub="regisss/math_qa",
    files=("data/train-00000-of-00001.parquet",),
    split="train",
    rows=29_837,
    paper_rows=25_000,
    fields=(
        "Problem",
        "Rationale",
        "options",
        "correct",
        "annotated_formula",
        "linear_formula",
        "category",
    ),
    citation="arXiv:1905.13319",
)
