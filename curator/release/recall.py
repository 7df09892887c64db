"""The measured recall of the contamination screen, for the card of a release.

In: nothing. Out: the table that `bench/contamination.py --half report` prints, and the version of
the screen that it measured. Measure again when that version rises.
"""

RECALL_VERSION = 2

RECALL = (("verbatim", "100.0%", "0.0%", "0.0%", "0.0%"),)
"""Per way to hide a question: the share that is found at each level, the strongest first."""
