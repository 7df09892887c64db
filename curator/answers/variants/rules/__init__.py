"""The rules that make true forms and near misses, one module per kind of gold answer.

In: a `Gold`. Out: `TRUE_FORMS` and `NEAR_MISSES`, all rules in the order in which they are applied.
"""

from curator.answers.variants.rules import (
    formulas,
    intervals,
    items,
    numbers,
    options,
    quantities,
    typesetting,
    words,
)

TRUE_FORMS = (
    *typesetting.FORMS,
    *words.FORMS,
    *numbers.FORMS,
    *formulas.FORMS,
    *items.FORMS,
    *intervals.FORMS,
    *quantities.FORMS,
    *options.FORMS,
)
"""Rules for answers that are equal to the gold answer.

Besides mathematics they follow conventions of the field: a unit may be left out, `x = 3`
states 3, and a bare list (`1, 2`) is a set.
"""

NEAR_MISSES = (
    *formulas.MISSES,
    *numbers.MISSES,
    *items.MISSES,
    *intervals.MISSES,
    *quantities.MISSES,
    *words.MISSES,
    *options.MISSES,
)
"""Rules for answers that differ from the gold answer.

Where a change may leave the value as it is (a sign of 0, a swap of equal coordinates), values are
compared, and the miss is left out unless it is certainly different.
"""
