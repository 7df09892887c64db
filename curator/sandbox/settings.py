"""The settings of a zygote; nothing else of the caller reaches it.

In: nothing. Out: Settings, which travels as JSON.
"""

from dataclasses import dataclass

PROGRAM_BYTES = 1_000_000
"""Maximum size of a program, in bytes; larger ones are refused."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a zygote needs to know when it starts."""

    visible: list[str]
    """Files and folders of Python and the system that are visible, read-only. No paths here and
    below contain symbolic links."""
    hidden: list[str]
    """Folders inside visible ones whose content is not visible."""
    links: list[tuple[str, str]]
    """Symbolic links to visible paths: name and target."""
    packages: dict[str, str]
    """The packages that programs may import: name -> folder, module or zip file."""
    package_paths: list[str]
    """Where these packages and their shared libraries lie, read-only, wherever that is."""
    namespaces: bool
    without: str
    """Why namespaces are not used; empty if they are."""
    require_minimum: bool
    """Exit if the jail does not reach the minimum."""
    heavy: bool
    """Preload numpy and sympy."""
    wall_s: float
    cpu_s: float
    memory_mb: int
    output_kb: int
