"""The words that matter beside an expression, and the letters that are no words.

In: a word of a text. Out: whether it may change a value, joins two expressions, or is a name.
"""

from curator.answers.parse.tokens import word_set
from curator.answers.parse.units import parse_unit

CHANGING = word_set(
    "half halves third thirds quarter quarters fourth fourths fifth fifths sixth eighth tenth"
    " tenths twice double triple thrice times dozen dozens hundred hundreds thousand thousands"
    " million millions billion trillion k plus minus mod choose divided multiplied squared cubed"
    " sin cos tan sec csc cot cis log ln gcd lcm gcf"
)
"""Words that may change the value of an expression in which they stand."""
JOINING = CHANGING | word_set("less more from by over into to out")
"""Words between two numbers that may join them: `2 less than 3 + 4`."""
CONNECTING = word_set(
    "so then thus therefore hence and or but is are was were which means because since if when"
    " while has have had gives get gets leaves makes becomes"
)
REMAINING = word_set("r rem remainder base binary octal hex modulo")
"""Words after a number that say how to read it: `17 / 5 = 3 remainder 2`, `101 base 2`."""
_CAPITALS = word_set("AM PM USD KB MB GB TB")
_UNIT_LETTERS = frozenset("aAIgmhslLkKcC")


def is_variable(word: str) -> bool:
    """Return whether a word as written is a letter that is no usual unit."""
    return len(word) == 1 and word.isalpha() and word not in _UNIT_LETTERS


def is_product(word: str) -> bool:
    """Return whether a word that follows a number without a blank is letters: `4ac`, not `5km`."""
    unit = parse_unit(word) if 1 < len(word) < 4 and word.isalpha() else None
    known = (unit is not None and unit.known) or word.upper() in _CAPITALS
    return 1 < len(word) < 4 and word.isalpha() and not known


def is_name(word: str) -> bool:
    """Return whether a word beside an operator is a letter or a name: `AC`, `a`."""
    return len(word) < 4 and (word.isupper() or word == "a") and word not in _CAPITALS
