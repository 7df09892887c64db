"""Equivalence over whole columns: plain cases vectorised, the others one by one.

In: columns of golds and answers (lists, Arrow arrays or polars columns), option texts. Out: what
`quick` says of each row. Vectorised are equal texts and plain numbers, thousands separators
included; equal rows of the rest are decided once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from curator.answers.compare.decimals import DIGITS, NUMERAL_TEXT
from curator.answers.compare.rules import NOTHING, Equivalence, compare_by_rules

if TYPE_CHECKING:
    import polars as pl

_SAME = Equivalence("equal", "same text")
_EQUAL = Equivalence("equal", "number")
_DIFFERENT = Equivalence("different", "number")
_VERDICTS = (None, _SAME, _EQUAL, _DIFFERENT)


def compare_columns(
    golds: Sequence[str],
    answers: Sequence[str],
    choices: Sequence[Sequence[str]] | None = None,
    digits: int = DIGITS,
) -> list[Equivalence | None]:
    """`quick(gold, answer, choices, digits)` of every row, in order; None where it leaves it open.

    `choices` holds the option texts of each row, empty where there are none. Raises ValueError if
    the columns are not of one length.
    """
    import polars as pl  # heavy: only where columns are graded

    options = [()] * len(golds) if choices is None else [tuple(texts) for texts in choices]
    if not len(golds) == len(answers) == len(options):
        lengths = f"{len(golds)} golds, {len(answers)} answers, {len(options)} choices"
        raise ValueError(f"columns of one length are needed, not {lengths}")
    try:
        frame = pl.DataFrame(
            {
                "gold": pl.Series(golds, dtype=pl.String),
                "answer": pl.Series(answers, dtype=pl.String),
                "open": pl.Series([not texts for texts in options], dtype=pl.Boolean),
            }
        )
        codes = _codes(frame)
    except UnicodeEncodeError:  # half a character, which no column can hold
        codes = [0] * len(golds)
    found = [_VERDICTS[code] for code in codes]
    seen: dict[tuple[str, str, tuple[str, ...]], Equivalence | None] = {}
    for at, code in enumerate(codes):
        if not code:
            row = str(golds[at]), str(answers[at]), options[at]
            if row not in seen:
                seen[row] = compare_by_rules(*row, digits)
            found[at] = seen[row]
    return found


def _shown(column: "pl.Expr") -> "pl.Expr":
    """A numeral in one form, as `numerals` has it."""
    import polars as pl

    bare = column.str.strip_chars_start("+0").str.replace(r"^-0+", "-")
    short = bare.str.strip_chars_end("0").str.strip_chars_end(".")
    decimal = bare.str.contains(".", literal=True) & ~bare.str.contains("[eE]")
    trimmed = pl.when(decimal).then(short).otherwise(bare)
    return pl.when(trimmed == "-").then(pl.lit("")).otherwise(trimmed)


def _ungrouped(column: str) -> "pl.Expr":
    """A column with plain numbers without thousands separators."""
    import polars as pl

    text = pl.col(column)
    grouped = text.str.contains(r"^[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$")
    return pl.when(grouped).then(text.str.replace_all(",", "", literal=True)).otherwise(text)


def _codes(frame: "pl.DataFrame") -> list[int]:
    """For every row the index in `_VERDICTS` of what is plain to see; 0 where it is not."""
    import polars as pl

    gold, answer, x, y = (pl.col(name) for name in ("gold", "answer", "x", "y"))
    frame = frame.with_columns(x=_ungrouped("gold"), y=_ungrouped("answer"))
    numbers = [side.str.contains(rf"^(?:{NUMERAL_TEXT})$") for side in (x, y)]
    # a printable character at both ends: nothing that the row-wise rules would strip
    says = gold.str.contains(r"^[!-~](?:[\s\S]*[!-~])?$")
    nothing = gold.str.to_lowercase().is_in(sorted(NOTHING))
    frame = frame.with_columns(
        plain=pl.col("open") & numbers[0] & numbers[1],
        same=(gold == answer) & says & ~nothing,
        x_shown=_shown(x),
        y_shown=_shown(y),
        a=x.cast(pl.Float64, strict=False),
        b=y.cast(pl.Float64, strict=False),
        together=pl.concat_str([x, y]),
    )
    together, a, b = (pl.col(name) for name in ("together", "a", "b"))
    scientific = together.str.contains("[eE]")
    near = ((a - b).abs() <= 0.11) | (a.abs() >= 1e8) | (b.abs() >= 1e8)
    far = ~near & ~scientific & (together.str.len_bytes() < 60)
    whole = ~scientific & ~together.str.contains(".", literal=True)
    return (
        frame.select(
            pl.when(pl.col("plain") & (pl.col("x_shown") == pl.col("y_shown")))
            .then(2)
            .when(pl.col("plain") & (whole | far.fill_null(False)))
            .then(3)
            .when("same")
            .then(1)
            .otherwise(0)
        )
        .to_series()
        .to_list()
    )
