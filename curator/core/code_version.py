"""The version of code, computed from the code: a stage whose code changed is rerun."""

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

KINDS = ("*.py", "*.tsv")


@cache
def code_version(*modules: str) -> str:
    """Return a hash of the files of packages or modules such as `curator.sources`: Python, tables.

    Every edit changes it, even one in a comment: rerunning a cheap stage costs less than a version
    number that nobody raised. It is part of cache keys only, never of a version's digest.
    """
    digest = sha256()
    for module in modules:
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None, f"{module} is not a module with a file"
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        paths = sorted(path for folder in folders for kind in KINDS for path in folder.rglob(kind))
        for path in paths or [Path(spec.origin)]:
            text = path.read_bytes()
            digest.update(f"{module} {path.name} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest()[:16]
