"""The measured recall of the contamination screen, for the card of a release.

In: nothing. Out: the table that `bench/contamination.py --half report --items 120` prints, and the
version of the screen that it measured. Measure again when that version rises.
"""

RECALL_VERSION = 3

RECALL = (
    ("verbatim", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("case and space", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("prompt before", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("prompt after", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("embedded in a text", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("options dropped", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("options appended", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("options moved", "100.0%", "0.0%", "0.0%", "0.0%"),
    ("distractor inserted", "93.8%", "0.0%", "1.6%", "3.5%"),
    ("split over two rows", "1.0%", "79.7%", "0.4%", "7.3%"),
    ("numbers changed", "0.0%", "0.0%", "99.9%", "0.0%"),
    ("reworded", "0.0%", "95.8%", "0.0%", "0.0%"),
    ("reworded, no gold", "0.0%", "92.1%", "0.0%", "0.0%"),
    ("problem understanding", "1.4%", "94.5%", "0.0%", "0.0%"),
    ("problem understanding, no gold", "0.0%", "87.7%", "1.4%", "0.0%"),
)
"""Per way to hide a question: the share that is found at each level, the strongest first."""
