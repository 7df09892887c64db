"""The settings of a zygote; nothing else of the caller reaches it.

In: nothing. Out: Settings, which travels as JSON.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What a zygote needs to know when it starts."""

    visible: list[str]
    """Paths that are visible, read-only."""
    imports: list[str]
    """Folders of packages; all of them are visible."""
    private: str
    """The folder where programs may write, if namespaces are used."""
    namespaces: bool
    require_minimum: bool
    """Exit if the jail does not reach the minimum."""
    heavy: bool
    """Preload numpy and sympy."""
    wall_s: float
    cpu_s: float
    memory_mb: int
    output_kb: int
