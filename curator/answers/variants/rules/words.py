r"""Variants of words and of letters that name something: `\text{even}`, `\text{(B)}`, `True`.

In: a `Gold`. Out: `FORMS` and `MISSES`.
"""

from collections.abc import Iterator

from curator.answers.variants.rules.rule import Gold, Rule

_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_MONTHS = "January February March April May June July August September October November December"
_OPPOSITES = (
    ("even", "odd"),
    ("True", "False"),
    ("true", "false"),
    ("yes", "no"),
    ("Yes", "No"),
    ("east", "west"),
    ("circle", "ellipse", "parabola", "hyperbola"),
    tuple(_DAYS.split()),
    tuple(_MONTHS.split()),
    tuple("ABCDEFGH"),
)


def _in_words(gold: Gold) -> Iterator[str]:
    if gold.shape is not None and gold.shape.kind == "words":
        yield gold.shape.form
        if len(gold.shape.form) == 1:
            yield f"({gold.shape.form})"
        elif not gold.shape.form.isupper():
            yield gold.shape.form.lower()
        yield f"{gold.shape.form}."


def _other_word(gold: Gold) -> Iterator[str]:
    if gold.shape is not None and gold.shape.kind == "words":
        for row in _OPPOSITES:
            if gold.shape.form in row:
                for step in (1, -1):
                    other = row[(row.index(gold.shape.form) + step) % len(row)]
                    yield rf"\text{{{other}}}"
                    yield other if len(other) > 1 else f"({other})"


FORMS = (Rule("words", "words without LaTeX, in another case: `even`", _in_words),)

MISSES = (Rule("another word", "`odd` for `even`, `Sunday` for `Monday`", _other_word),)
