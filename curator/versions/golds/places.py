"""Name the places of a problem that several sources or files share.

In: the source and the place of each copy. Out: the places as `curator golds` prints them.
"""

from collections.abc import Sequence


def name_places(copies: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return the places of copies, given as (source, place); with their sources if these differ."""
    several = len({source for source, _ in copies}) > 1
    return tuple(f"{source} {place}" if several else place for source, place in copies)
