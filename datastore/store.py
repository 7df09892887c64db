"""The store: one folder that holds everything, opened here.

In: its path. Out: objects, memo, versions, ledgers and engines over it. Layout:
`FORMAT` (the format's number), `objects/`, `ledgers/<kind>/`, `memo/`, `versions/<name>/`, `locks/`
and `claims/<kind>/` (held by living processes), `tmp/` (unfinished files; those of the dead go).
"""

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import duckdb

from datastore.claims import Claims
from datastore.engine import Engine, wrap_memory_errors
from datastore.errors import StoreError, wrap_os_errors
from datastore.files import make_folder, publish, scratch, sweep
from datastore.ledger import Ledger
from datastore.locks import claim, wait_for
from datastore.memo import Memo
from datastore.migrations import FORMAT, MIGRATIONS
from datastore.objects import Objects
from datastore.versions import Versions

_ASKED_WRONGLY = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
)
"""Errors that lie in the query: looking through the objects would find nothing."""

_FORMAT = re.compile(r"mathcurator store, format (\d+)\n")


class Store:
    """The store at `root`, made if it is missing and brought to this release's format.

    With `readonly` nothing is made, locked, migrated or swept, so that it works on a read-only
    medium; writing is then the caller's mistake. A folder that is no store, or a store of a newer
    release, raises StoreError and is not touched. After a fork, a child opens a Store of its own.
    """

    def __init__(self, root: Path, readonly: bool = False) -> None:
        self.root = Path(root).absolute()
        self.readonly = readonly
        self._ledgers: dict[str, Ledger] = {}
        self._claims: dict[str, Claims] = {}
        number = _format(self.root)
        if readonly and number < FORMAT:
            seen = f"a store of the older format {number}" if number else "no store"
            raise StoreError(f"{self.root} holds {seen}: open it for writing once (run a build).")
        if not readonly:
            with wrap_os_errors("open a store", self.root):
                self._in_use = _prepare(self.root)
                sweep(self.root / "tmp")
        self.objects = Objects(self.root)
        self.memo = Memo(self.root)
        self.versions = Versions(self.root)

    def ledger(self, kind: str) -> Ledger:
        """The ledger of that kind; the same one each time."""
        if kind not in self._ledgers:
            self._ledgers[kind] = Ledger(self.root / "ledgers" / kind)
        return self._ledgers[kind]

    def claims(self, kind: str) -> Claims:
        """What living processes are at work on, of that kind; the same object each time."""
        if kind not in self._claims:
            self._claims[kind] = Claims(self.root / "claims" / kind)
        return self._claims[kind]

    def engine(self, memory: str = "1GB", threads: int | None = None) -> Engine:
        """A new engine; it spills into the store, or into the system's folder if read-only."""
        spill = Path(tempfile.gettempdir()) if self.readonly else self.root / "tmp"
        return Engine(memory, threads, spill=spill)

    @contextmanager
    def reading(self, digests: Iterable[str]) -> Iterator[None]:
        """Around queries over these objects: says which one is missing or damaged if they fail.

        No room to spill is a StoreError, too; an error that lies in none of the objects passes.
        """
        try:
            with wrap_memory_errors():
                yield
        except _ASKED_WRONGLY:
            raise
        except duckdb.Error:
            for digest in dict.fromkeys(digests):
                self.objects.check(digest)
            raise

    def close(self) -> None:
        """Closes the ledgers and frees the claims."""
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()
        for claims in self._claims.values():
            claims.close()
        self._claims.clear()
        if not self.readonly:
            self._in_use.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _format(root: Path) -> int:
    """The number of the store's format; 0 where there is nothing yet. Touches nothing."""
    if not root.exists():
        return 0
    try:
        with wrap_os_errors("open a store", root):
            names = {path.name for path in root.iterdir()}
            if "FORMAT" not in names and names <= {"locks", "tmp"}:
                return 0  # empty, or killed at its very beginning
            text = (root / "FORMAT").read_text("utf-8") if "FORMAT" in names else ""
    except UnicodeDecodeError:
        text = ""
    if not (found := _FORMAT.fullmatch(text)):
        raise StoreError(
            f"{root} holds something else than a store: choose an empty or new folder."
        )
    if (number := int(found[1])) > FORMAT:
        raise StoreError(
            f"{root} is a store of format {number}, made by a newer release; "
            f"this one knows formats up to {FORMAT}: upgrade it, or choose another store."
        )
    return number


def _prepare(root: Path) -> FileIO:
    """Brings the store to this release's format; the lock says that the store is in use."""
    if _format(root) < FORMAT:
        make_folder(root / "locks")
        with wait_for(root / "locks" / "migration"):
            _migrate(root)
    for name in ("locks", "tmp"):  # Git and object stores copy no empty folder
        make_folder(root / name)
    in_use = wait_for(root / "locks" / "in-use", shared=True)
    _format(root)  # a newer release may have migrated it while we waited
    return in_use


def _migrate(root: Path) -> None:
    number = _format(root)
    if number == FORMAT:
        return
    alone = claim(root / "locks" / "in-use")
    if alone is None:
        raise StoreError(
            f"{root} is a store of the older format {number} and other processes use it: "
            "stop them, then run the same again."
        )
    with alone:
        if number == 0:
            _mark(root, 0)
        for step in range(number + 1, FORMAT + 1):
            MIGRATIONS[step](root)
            _mark(root, step)


def _mark(root: Path, number: int) -> None:
    with scratch(root / "tmp") as folder:
        temporary = folder / "FORMAT"
        temporary.write_text(f"mathcurator store, format {number}\n")
        publish(temporary, root / "FORMAT")
