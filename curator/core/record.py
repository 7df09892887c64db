"""The decorator of dataclasses that are made once per row: `@record(frozen=True, slots=True)`.

For type checkers it is `dataclasses.dataclass`, so that an assignment to a field is an error there.
When the program runs, the class is not frozen: Python makes frozen objects three times slower. The
objects have a hash, so no code may change them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen, slots):
        """Return the decorator; a `frozen` class has a hash, as that of a frozen dataclass."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["record"]
