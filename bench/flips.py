"""Flips one byte in each of 300 places of a store and runs every reading on it.

    python bench/flips.py [--flips 300] [--seed 1] [--folder DIR] [--json FILE]

In: the store of `quickstart`, with executions compacted into a part. Out: a table by kind of file
and reading: noticed (an error that names the file, or a note on the page), unnamed (another error),
harmless (the same bytes as before, or the same version), or WRONG (other bytes with success). The
last column builds without the stage cache, so that ledgers are read; flips in other files are not
tried there. Exit code 1 if anything was wrong.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from results import Figure, add_json_option, write_figures

from curator import build, load
from curator.core.errors import CuratorError
from curator.core.progress import SilentListener
from curator.release.export import export
from curator.release.folder import write_folder
from curator.versions.report.write import write_report
from curator.versions.verify import verify
from curator.versions.views import run_query
from datastore.errors import StoreError
from datastore.store import Store
from datastore.versions import Manifest

VERSION = "quickstart@1"
QUERY = "SELECT count(*), sum(length(text)), min(id) FROM rationales"
Read = Callable[[Path, Path], object]


def reading(read: Callable[[Store, Manifest, Path], object]) -> Read:
    """Return a function of a store's folder and an output path that gives all bytes it wrote."""

    def run(root: Path, out: Path) -> object:
        with Store(root, readonly=True) as store:
            result = read(store, store.versions.get(VERSION), out)
        files = sorted(path for path in (out, *out.rglob("*")) if path.is_file())
        return result if not files else [path.read_bytes() for path in files]

    return run


def find_damage(store: Store, manifest: Manifest, out: Path) -> object:
    """Raise StoreError if `curator verify` would exit with 1."""
    if damage := verify(store, [], SilentListener()).damage:
        raise StoreError(damage[0].file)
    return ()


def report(store: Store, manifest: Manifest, out: Path) -> None:
    """Write a report; raise StoreError if its page says that the store has damaged records."""
    write_report(store, manifest, out)
    if "The store has damaged records of calls" in out.read_text("utf-8"):
        raise StoreError("the page states it")


def build_without_cache(root: Path, out: Path) -> object:
    """Build from the ledgers and the sources alone."""
    shutil.rmtree(root / "memo")
    return identity(build("quickstart", root))


def identity(manifest: Manifest) -> object:
    """Return what is the same if a build made the same version."""
    return manifest.ref, manifest.digest, manifest.objects


READINGS: dict[str, Read] = {
    "alpaca": reading(lambda store, made, out: export(store, made, "alpaca", out) and None),
    "parquet": reading(lambda store, made, out: export(store, made, "parquet", out) and None),
    "hub": reading(lambda store, made, out: write_folder(store, made, out) and None),
    "load": lambda root, out: load(VERSION, root).to_pylist(),
    "report": reading(report),
    "sql": reading(lambda store, made, out: run_query(store, QUERY)),
    "verify": reading(find_damage),
    "build": lambda root, out: identity(build("quickstart", root)),
    "no cache": build_without_cache,
}


def kind_of(path: Path) -> str:
    """Return the kind of a file by its path relative to the store."""
    if path.parts[0] == "ledgers":
        return "ledger part" if path.suffix == ".parquet" else "ledger journal"
    names = {"objects": "object", "memo": "stage cache", "versions": "manifest"}
    return names.get(path.parts[0], path.parts[0])


def run(read: Read, root: Path, out: Path) -> tuple[str, object]:
    """Return `noticed` or `unnamed` and the error, or `""` and the result."""
    try:
        return "", read(root, out)
    except (StoreError, CuratorError) as error:
        return "noticed", str(error)
    except Exception as error:  # whatever a changed byte leads to
        return "unnamed", repr(error)


def files_of(root: Path) -> list[Path]:
    """Return the files of a store, without those that only live processes use."""
    passing = ("locks", "tmp", "claims")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return [path for path in files if path.relative_to(root).parts[0] not in passing]


def places(
    whole: Mapping[Path, bytes], flips: int, chosen: random.Random
) -> list[tuple[Path, int, int]]:
    """Return files with a place and the bits to flip: two thirds in objects, the rest evenly."""
    by_kind: dict[str, list[Path]] = {}
    for path in (path for path, data in whole.items() if data):
        by_kind.setdefault(kind_of(path), []).append(path)
    objects, others = by_kind.pop("object"), sorted(by_kind)
    files = [objects[n % len(objects)] for n in range(flips * 2 // 3)]
    for n in range(flips - len(files)):
        group = by_kind[others[n % len(others)]]
        files.append(group[n // len(others) % len(group)])
    return [(path, chosen.randrange(len(whole[path])), 1 << chosen.randrange(8)) for path in files]


def bench(folder: Path, flips: int, chosen: random.Random) -> int:
    """Flip and read; print the table and each wrong result. Return the number of wrong results."""
    root, out = folder / "store", folder / "out"
    build("quickstart", root)
    with Store(root) as store:
        store.ledger("executions").compact()
    whole = {path.relative_to(root): path.read_bytes() for path in files_of(root)}
    expected: dict[str, object] = {}
    for name, read in READINGS.items():
        expected[name] = run(read, root, out)
        restore(root, out, whole)
    outcomes: Counter[tuple[str, str, str]] = Counter()
    wrong = []
    for path, place, mask in places(whole, flips, chosen):
        kind, data = kind_of(path), bytearray(whole[path])
        data[place] ^= mask
        for name, read in READINGS.items():
            if name == "no cache" and not kind.startswith("ledger"):
                continue
            (root / path).write_bytes(data)
            outcome, result = run(read, root, out)
            if not outcome:
                outcome = "harmless" if ("", result) == expected[name] else "WRONG"
            outcomes[kind, name, outcome] += 1
            if outcome == "WRONG":
                wrong.append(f"{name}: byte {place} of {path}, bits {mask:#x}")
            restore(root, out, whole)
    table(outcomes)
    print("\n".join(["", *wrong] if wrong else ["", "Nothing wrong left the store."]))
    return len(wrong)


def restore(root: Path, out: Path, whole: Mapping[Path, bytes]) -> None:
    """Remove what a reading wrote, and give every file of the store its first content."""
    shutil.rmtree(out, ignore_errors=True)
    out.unlink(missing_ok=True)
    for path in files_of(root):
        if path.relative_to(root) not in whole:
            path.unlink()
    for name, data in whole.items():
        path = root / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def table(outcomes: Counter[tuple[str, str, str]]) -> None:
    """Print the number of flips by kind, outcome and reading."""
    print(f"{'':28}" + "".join(f"{name:>9}" for name in READINGS))
    for kind, outcome in sorted({(kind, outcome) for kind, _, outcome in outcomes}):
        counts = "".join(f"{outcomes[kind, name, outcome] or '·':>9}" for name in READINGS)
        print(f"{kind:18}{outcome:10}{counts}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flips", type=int, default=300, help="Number of places.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of the places.")
    parser.add_argument("--folder", type=Path, help="Working folder. Default: a temporary folder.")
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="flips-") as folder:
        wrong = bench(Path(folder), arguments.flips, random.Random(arguments.seed))
    write_figures(arguments.json, [Figure("wrong results", wrong, "results")])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
