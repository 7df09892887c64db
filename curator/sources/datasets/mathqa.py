"""MathQA: AQuA problems with operation programs; text lower-cased and tokenised, left so.

One row: {"Problem": "a shopkeeper sold …", "Rationale": "\\"… answer : c .\\"", "options": "a )
24 , b ) 120 , …", "correct": "c", "annotated_formula": "power(5, 4)", "linear_formula":
"power(n1,n0)|", "category": "general"}. Some `options` are list literals ("['a ) 4', 'b ) 4 π',
…]"), some label twice ("a ) a ) 3"), and commas within numbers collide with those between
options. `program` is the `linear_formula`, which counts the question's numbers (n0, n1, …), or
the `annotated_formula`, where they stand inlined, if the other is missing. About 40% of the
formulas disagree with the marked option, most by upstream's error. Mojibake of signs (`ã —` for
×) is mended.
"""

import re
from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, letter, optional, text
from curator.sources.source import Row, Source

LICENCE = "Apache-2.0"
_LISTED = re.compile(r"""(['"])([a-e]) \) ?(.*?)\1(?=, ?['"]|\]$)""")
_LABEL = re.compile(r"[a-e] \) ")
_SIGNS = "×÷–—’‘“”‹›…∴−⇒⇔√π∗≈≤≥≠°²³½¼⁄∩∪⋅₹•"


def _garbled(sign: str) -> str:
    """How a sign reads after UTF-8 was taken for Windows-1252, lower-cased and tokenised."""
    each = (bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in sign.encode())
    return " ".join(character.lower() for character in each)


# Longer forms first: none may be eaten by the beginning of another.
MOJIBAKE = {_garbled(sign): sign for sign in sorted(_SIGNS, key=lambda s: -len(s.encode()))}
_GARBLED = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, MOJIBAKE))})(?!\S)")


def mended(words: str) -> str:
    """The text with garbled signs restored: only whole tokens that one known sign turns into."""
    return _GARBLED.sub(lambda found: MOJIBAKE[found[0]], words)


def options(words: str) -> tuple[str, ...]:
    """The five option texts of the `options` column, in either of its two forms."""
    if words.startswith("["):
        listed = _LISTED.findall(words)
        labels, plain = [each[1] for each in listed], [each[2] for each in listed]
    else:
        labels, plain = list("abcde"), []
        pieces = re.split(r"(?:^| ?, )a \) ?", words, maxsplit=1)
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
    choices = options(mended(text(row, "options")))
    rationale = mended(optional(row, "Rationale"))
    if len(rationale) > 1 and rationale[0] == rationale[-1] == '"':
        rationale = rationale[1:-1].strip()
    yield Problem(
        source="mathqa",
        question=mended(text(row, "Problem")),
        gold=letter(text(row, "correct"), choices),
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
