"""The measured recall of the contamination screen, for cards and reports.

In: nothing. Out: the table that `bench/contamination.py --half report --items 500` prints, and the
version of the screen that it measured. Measure again when that version rises.
"""

from collections.abc import Mapping

RECALL_VERSION = 6

RECALL = (
    ("verbatim", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("case and space", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("prompt before", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("prompt after", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("embedded in a text", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("options dropped", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("options appended", "99.9%", "0.0%", "0.0%", "0.0%"),
    ("options moved", "99.9%", "0.0%", "0.0%", "0.0%"),
    ("distractor inserted", "93.6%", "0.0%", "1.2%", "4.1%"),
    ("split over two rows", "1.5%", "80.1%", "0.2%", "6.8%"),
    ("numbers changed", "0.0%", "0.1%", "99.9%", "0.0%"),
    ("reworded", "0.0%", "96.1%", "0.0%", "0.0%"),
    ("reworded, no gold", "0.0%", "90.0%", "0.0%", "0.0%"),
    ("problem understanding", "1.4%", "94.5%", "0.0%", "0.0%"),
    ("problem understanding, no gold", "0.0%", "86.3%", "1.4%", "0.0%"),
)
"""Per way to hide a question: the share that is found at each level, the strongest first."""


def find_recall(screens: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """Return `RECALL` if it was measured with the screen of a version, else nothing.

    `screens` are the versions of the screens that ran, by name.
    """
    return RECALL if screens.get("contamination") == RECALL_VERSION else ()
