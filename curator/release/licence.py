"""The licence that a release may state, from the licences of its rows.

In: rows by licence, as the sources state them. Out: the card's metadata, and why no single
permissive licence covers the release. Each row keeps its own licence: a collection grants nothing.
Not covered: whether the terms of a licence (attribution, share-alike) or of a teacher are met.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from curator.core.licences import FREE, RESTRICTED


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a release."""

    license: str | tuple[str, ...]
    """The Hub's name; several if all rows have permissive ones that differ; otherwise `other`."""
    license_name: str = ""
    """The name of `other`."""
    conflict: str = ""
    """Why no permissive licence covers the whole release; empty if one does."""


def licence_of(rows: Mapping[str, int]) -> Licence:
    """Return the licence of a release from its number of rows by licence.

    A licence that is neither in `FREE` nor in `RESTRICTED` counts as no grant at all.
    """
    counts = {name: count for name, count in sorted(rows.items()) if count}
    unknown = {name: count for name, count in counts.items() if name not in {**FREE, **RESTRICTED}}
    restricted = {name: count for name, count in counts.items() if name in RESTRICTED}
    if counts and not unknown and not restricted:
        names = tuple(dict.fromkeys(FREE[name] for name in counts))
        return Licence(names[0] if len(names) == 1 else names)
    reasons = []
    if restricted:
        reasons.append(f"{_format_counts(restricted)} may not be used commercially")
    if unknown:
        reasons.append(f"{_format_counts(unknown)} have no licence that is known to allow sharing")
    if not counts:
        return Licence("other", "no-rows", "There are no rows, so there is nothing to license")
    conflict = "; ".join(reasons)
    if len(counts) == 1 and restricted:
        return Licence(RESTRICTED[next(iter(counts))], conflict=conflict)
    return Licence("other", "mixed-unlicensed" if unknown else "mixed-non-commercial", conflict)


def _format_counts(rows: Mapping[str, int]) -> str:
    """Return a text such as `8 rows (CC-BY-NC-4.0)`."""
    names = ", ".join(name or "none stated" for name in rows)
    count = sum(rows.values())
    return f"{count:,} {'row' if count == 1 else 'rows'} ({names})"
