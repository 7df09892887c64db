"""The version of code, read off the code: a stage whose code changed is run again."""

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path


@cache
def code_version(*modules: str) -> str:
    """A hash over the Python files of packages or modules such as `curator.sources`.

    It moves with every edit, a comment's too: to run a cheap stage once more costs less than to
    trust a number that somebody forgot to raise. It names cache entries only, never a version.
    """
    digest = sha256()
    for module in modules:
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None, f"{module} is a module of ours"
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
        for path in paths or [Path(spec.origin)]:
            text = path.read_bytes()
            digest.update(f"{module} {path.name} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest()[:16]
