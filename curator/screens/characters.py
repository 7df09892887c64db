"""Characters that mean ASCII ones: digits of all scripts, full-width forms, fractions, powers.

In: any text. Out: the same with digits as 0 to 9, full-width forms as ASCII, `x¹²` as `x^12`, `x₂`
as `x_2` and `½` as ` 1/2`. `normalize.fold` does in SQL what `to_ascii` does here. Not covered:
numerals without place value, such as `Ⅷ` and `⑦`; each of them counts as a word.
"""

import re
import unicodedata

ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0"
    "\u0f20\u1040\u1090\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0"
    "\ua900\ua9d0\ua9f0\uaa50\uabf0\U000104a0\U00010d30\U00010d40\U00011066\U000110f0"
    "\U00011136\U000111d0\U000112f0\U00011450\U000114d0\U00011650\U000116c0\U000116d0\U000116da"
    "\U00011730\U000118e0\U00011950\U00011bf0\U00011c50\U00011d50\U00011da0\U00011f50\U00016130"
    "\U00016a60\U00016ac0\U00016b50\U00016d70\U0001ccf0\U0001d7ce\U0001d7d8\U0001d7e2\U0001d7ec"
    "\U0001d7f6\U0001e140\U0001e2f0\U0001e4f0\U0001e5f1\U0001e950\U0001fbf0"
)
"""The zeros of Unicode 16 but the full-width one; the digits to nine follow each. A list, so that
keys do not depend on the Unicode version of Python."""
DIGITS = {chr(ord(zero) + value): str(value) for zero in ZEROS for value in range(10)}

FORMS = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F) if chr(code) != ","} | {
    "\u3000": " ",
    "٪": "%",
    "٫": ".",
    "٬": ",",
    "؟": "?",
}
"""Full-width forms, and the punctuation of numbers in Arabic script. Commas that end a clause are
left out: as ASCII, they would join the numbers of `1，200，300`."""

FRACTIONS = {
    sign: " " + unicodedata.normalize("NFKC", sign).replace("\N{FRACTION SLASH}", "/")
    for sign in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
}
POWERS, INDICES = "⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"
RAISED, LOWERED = f"([{POWERS}]+)", f"([{INDICES}]+)"

_TABLE = str.maketrans(DIGITS | FORMS | FRACTIONS)
_SMALL = str.maketrans(POWERS + INDICES, "0123456789" * 2)


def to_ascii(text: str) -> str:
    """Return a text with these characters as ASCII."""
    if text.isascii():
        return text
    text = re.sub(LOWERED, r"_\1", re.sub(RAISED, r"^\1", text.translate(_TABLE)))
    return text.translate(_SMALL)
