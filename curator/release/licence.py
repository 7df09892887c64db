"""Which licence a mixture may bear, from the licences of its rows.

In: rows by licence, as the sources state them. Out: the card's metadata and, in words, what stands
against one licence for the whole. Each row keeps its own licence: a collection grants nothing.
Not covered: whether the terms of a licence (attribution, share-alike) or of a teacher are met.
"""

from collections.abc import Mapping
from dataclasses import dataclass

FREE = {
    "Apache-2.0": "apache-2.0",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC0-1.0": "cc0-1.0",
    "MIT": "mit",
    "ODC-By-1.0": "odc-by",
}
"""SPDX identifiers that allow commercial use -> the Hub's names for them."""

RESTRICTED = {
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
    "CC-BY-NC-ND-4.0": "cc-by-nc-nd-4.0",
}
"""Those that do not."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What a release may say of its licence."""

    license: str | tuple[str, ...]
    """The Hub's name; several where rows differ and all of them are free; `other` else."""
    license_name: str = ""
    """What `other` is."""
    conflict: str = ""
    """Why no permissive licence stands on the whole; empty where nothing is in the way."""


def licence_of(rows: Mapping[str, int]) -> Licence:
    """The licence of a mixture with so many rows under each licence.

    What is neither in `FREE` nor in `RESTRICTED` counts as no grant at all.
    """
    held = {name: count for name, count in sorted(rows.items()) if count}
    unknown = {name: count for name, count in held.items() if name not in {**FREE, **RESTRICTED}}
    restricted = {name: count for name, count in held.items() if name in RESTRICTED}
    if held and not unknown and not restricted:
        names = tuple(dict.fromkeys(FREE[name] for name in held))
        return Licence(names[0] if len(names) == 1 else names)
    told = []
    if restricted:
        told.append(f"{_counted(restricted)} may not be used commercially")
    if unknown:
        told.append(f"{_counted(unknown)} come without a licence that is known to allow sharing")
    if not held:
        return Licence("other", "no-rows", "There are no rows, so there is nothing to license")
    conflict = "; ".join(told)
    if len(held) == 1 and restricted:
        return Licence(RESTRICTED[next(iter(held))], conflict=conflict)
    return Licence("other", "mixed-unlicensed" if unknown else "mixed-non-commercial", conflict)


def _counted(rows: Mapping[str, int]) -> str:
    """`8 rows (CC-BY-NC-4.0)`."""
    names = ", ".join(name or "none stated" for name in rows)
    count = sum(rows.values())
    return f"{count:,} {'row' if count == 1 else 'rows'} ({names})"
