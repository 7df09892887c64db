"""Find what programs may read: Python's standard library, system libraries, and named packages.

In: this interpreter. Out: Visible. A package is visible by itself; the folder that it lies in may
hold anything and is not.
"""

import os
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob
from importlib.util import find_spec

from curator.sandbox import preload

_SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/null"),
    "/usr/share/zoneinfo",
)

_LIBRARIES = {"PIL": ("pillow.libs", "Pillow.libs"), "flint": ("python_flint.libs",)}
"""Folders of shared libraries that are not named after their package."""


@dataclass(frozen=True, slots=True)
class Visible:
    """Paths without symbolic links; see Settings for the fields."""

    visible: list[str]
    hidden: list[str]
    links: list[tuple[str, str]]
    packages: dict[str, str]
    package_paths: list[str]


def find_visible() -> Visible:
    """Return the paths that a zygote needs to see."""
    names = (*preload.HEAVY, *preload.SLOW, *preload.NEEDED)
    packages = {name: path for name in names if (path := _locate(name))}
    libraries = [path for name in packages for path in _find_libraries(name, packages[name])]
    stdlib = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    paths = [*_SYSTEM, *stdlib, f"{sys.base_prefix}/lib"]
    real = {os.path.abspath(p): os.path.realpath(p) for p in paths if os.path.exists(p)}
    visible = _outermost(real.values())
    installed = [
        *(f"{folder}/{kind}-packages" for folder in stdlib for kind in ("site", "dist")),
        *("/usr/lib/python3/dist-packages", "/usr/local/lib/python3/dist-packages"),
        *glob(f"{sys.base_prefix}/lib/python*/*-packages"),
        *glob("/usr/lib/python*/*-packages"),
    ]
    hidden = _outermost(
        path
        for path in map(os.path.realpath, installed)
        if os.path.isdir(path) and any(path.startswith(f"{each}/") for each in visible)
    )
    links = sorted((path, target) for path, target in real.items() if path != target)
    return Visible(visible, hidden, links, packages, _outermost([*packages.values(), *libraries]))


def _locate(name: str) -> str:
    """Return the folder, module or zip file of a package; empty if it is not installed.

    A home folder inside of a package would be shown with it, so programs do without the package.
    """
    spec = find_spec(name)
    if spec is None:
        return ""
    place = getattr(spec.loader, "archive", None) or spec.origin
    if spec.submodule_search_locations and not hasattr(spec.loader, "archive"):
        place = next(iter(spec.submodule_search_locations), None)
    if place is None or not os.path.exists(place):
        return ""
    home = os.path.realpath(os.path.expanduser("~"))
    place = os.path.realpath(place)
    return "" if os.path.commonpath((home, place)) == place else place


def _find_libraries(name: str, place: str) -> list[str]:
    """Return the folders of shared libraries that a wheel installs beside its package."""
    candidates = (f"{name}.libs", *_LIBRARIES.get(name, ()))
    folders = [os.path.join(os.path.dirname(place), each) for each in candidates]
    return [os.path.realpath(folder) for folder in folders if os.path.isdir(folder)]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the sorted paths without those inside of others."""
    outermost: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(f"{each}/") for each in outermost):
            outermost.append(path)
    return outermost
