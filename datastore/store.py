"""The store: one folder that holds everything, opened here.

In: its path. Out: objects, memo, versions, ledgers and engines over it. Layout: `FORMAT` (the
number of the format), `objects/`, `ledgers/<kind>/`, `memo/`, `versions/<name>/`, `locks/`,
`running/` and `claims/<kind>/` (held by live processes), `tmp/` (unfinished files; those of dead
processes are removed), and `known-files` (hashes of files that have not changed; safe to delete).
"""

import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import duckdb

from datastore.claims import Claims
from datastore.engine import Engine, wrap_memory_errors
from datastore.errors import StoreError, wrap_os_errors
from datastore.files import make_folder, publish, scratch, sweep
from datastore.known_files import KnownFiles
from datastore.ledger import Ledger
from datastore.locks import is_elsewhere, lock, try_lock
from datastore.memo import Memo
from datastore.migrations import FORMAT, MIGRATIONS
from datastore.objects import Objects
from datastore.running import FOLDER as RUNNING
from datastore.text import is_storable
from datastore.versions import Versions

_QUERY_ERRORS = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
)
"""Errors of the query itself, for which checking the objects would find nothing."""

_FORMAT = re.compile(rb"mathcurator store, format ([0-9]{1,9})\n")
_FORMAT_LINE = "mathcurator store, format {}\n"


class Store:
    """The store at `root`, created if it is missing and migrated to this release's format.

    With `readonly` nothing is created, locked or swept, so that a read-only medium works, and only
    a store of an older format is migrated; the caller must not write. A folder that is not a store,
    or a store of a newer release, raises StoreError and is not changed. After a fork, the child
    must open its own Store.
    """

    def __init__(self, root: Path, readonly: bool = False) -> None:
        self.root = Path(root).absolute()
        if not is_storable(str(self.root)):  # SQL names every object by its path
            raise StoreError(f"{self.root} is not valid UTF-8. Choose another folder.")
        self.readonly = readonly
        self.note: Callable[[str], None] = lambda line: None
        """Receives one line per damaged file of a ledger that is read."""
        self._shard_engine: Engine | None = None
        self._ledgers: dict[str, Ledger] = {}
        self._claims: dict[str, Claims] = {}
        number = _read_format(self.root)
        if readonly and number < FORMAT:
            if not number:
                raise StoreError(f"There is no store at {self.root}. Run a build to create one.")
            try:
                _prepare(self.root).close()
            except OSError as error:
                raise StoreError(
                    f"{self.root} is a store of the older format {number} and cannot be updated "
                    f"({error.strerror or error}). Copy it to a folder that can be written."
                ) from error
        if not readonly:
            with wrap_os_errors("open the store", self.root):
                self._in_use = _prepare(self.root)
                sweep(self.root / "tmp")
        self.known_files = KnownFiles(self.root / "known-files", readonly)
        """The sha256 of the objects, and of the local files that were read."""
        self.objects = Objects(self.root, self.known_files)
        self.memo = Memo(self.root, self.objects)
        self.versions = Versions(self.root)

    def ledger(self, kind: str) -> Ledger:
        """Return the ledger of this kind, the same object each time."""
        if kind not in self._ledgers:
            # The note may be set later than the ledger is opened.
            self._ledgers[kind] = Ledger(self.root / "ledgers" / kind, lambda line: self.note(line))
        return self._ledgers[kind]

    def ledger_kinds(self) -> list[str]:
        """Return the kinds of ledgers that have been written."""
        folders = (self.root / "ledgers").glob("*")
        return sorted(path.name for path in folders if path.is_dir())

    def claims(self, kind: str) -> Claims:
        """Return the claims of this kind, the same object each time."""
        if kind not in self._claims:
            self._claims[kind] = Claims(self.root / "claims" / kind)
        return self._claims[kind]

    def engine(self, memory: str = "1GB", threads: int | None = None) -> Engine:
        """Return a new engine, which spills into the store, or to the system if read-only."""
        spill = Path(tempfile.gettempdir()) if self.readonly else self.root / "tmp"
        return Engine(memory, threads, spill=spill)

    def shard_engine(self) -> Engine:
        """Return an engine of one thread for queries over one shard, the same object each time."""
        if self._shard_engine is None:
            self._shard_engine = self.engine(threads=1)
        return self._shard_engine

    @contextmanager
    def guard_query(self, digests: Iterable[str]) -> Iterator[None]:
        """Check the objects that a query reads, before it and again if it fails.

        A missing or damaged object raises StoreError, and so does running out of space. Any other
        error passes.
        """
        digests = list(digests)
        self.objects.check_all(digests)
        try:
            with wrap_memory_errors():
                yield
        except _QUERY_ERRORS:
            raise
        except duckdb.Error:
            self.objects.check_all(digests)
            raise

    def exclude_writers(self) -> None:
        """Become the only process that writes the store, until `close`.

        Raises StoreError if another one has it open, or if files in `running` and `tmp` state that
        a process on another machine, which locks may not reach, works in it. Processes that open it
        later wait. Not covered: a process on another machine that locks do not reach and that opens
        the store later.
        """
        with wrap_os_errors("lock the store", self.root):
            self._in_use.close()
            alone = try_lock(self.root / "locks" / "in-use")
            self._in_use = alone or lock(self.root / "locks" / "in-use", shared=True)
        if alone is None:
            raise StoreError(
                f"{self.root} is in use by another process, such as a build. Wait for it "
                "('curator status' lists running builds) or stop it, then rerun."
            )
        for path in [*(self.root / RUNNING).glob("*"), *(self.root / "tmp").glob("*")]:
            if is_elsewhere(path):
                machine = path.name.partition("@")[2].partition(".")[0]
                raise StoreError(
                    f"{self.root} is in use by a process on the machine {machine}, or one that was "
                    f"killed there left {path.relative_to(self.root)}. Wait for it, or remove that "
                    "path if nothing runs there, then rerun."
                )

    def close(self) -> None:
        """Close the ledgers and the engine, and release the claims."""
        if self._shard_engine:
            self._shard_engine.close()
            self._shard_engine = None
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

    def __exit__(self, *error: object) -> None:
        self.close()


def is_new(root: Path) -> bool:
    """Return whether opening the folder creates a store; raises StoreError if it cannot be one.

    True if it is missing or empty, or if a process was killed while it created the store.
    """
    return not _read_format(root)


def _read_format(root: Path) -> int:
    """Return the number of the store's format, 0 for an empty folder; change nothing."""
    if not root.exists():
        return 0
    with wrap_os_errors("open the store", root):
        names = {path.name for path in root.iterdir()}
        if "FORMAT" not in names and names <= {"locks", "tmp"}:
            return 0  # empty, or killed while it was created
        data = (root / "FORMAT").read_bytes() if "FORMAT" in names else b""
    if not (match := _FORMAT.fullmatch(data)):
        if names >= {"objects", "versions"}:
            # Every migration may be repeated, so the oldest format is right for each older store.
            line = shlex.quote(_FORMAT_LINE.format(1).strip())
            raise StoreError(
                f"{root} has the folders of a store, but its file FORMAT reads {data[:60]!r}; "
                f"expected '{_FORMAT_LINE.format(FORMAT).strip()}'. If it is a store of this or an "
                f"older version of Curator, run: echo {line} > {shlex.quote(str(root / 'FORMAT'))}"
            )
        raise StoreError(f"{root} is not a store. Choose an empty or new folder.")
    if (number := int(match[1])) > FORMAT:
        raise StoreError(
            f"{root} is a store of format {number}, but this version of Curator reads formats up "
            f"to {FORMAT}. Upgrade Curator, or choose another store."
        )
    return number


def _prepare(root: Path) -> FileIO:
    """Migrate the store to this release's format; return the lock that marks it as in use."""
    if _read_format(root) < FORMAT:
        make_folder(root / "locks")
        with lock(root / "locks" / "migration"):
            _migrate(root)
    for name in ("locks", "tmp"):  # Git and object stores do not copy empty folders
        make_folder(root / name)
    in_use = lock(root / "locks" / "in-use", shared=True)
    _read_format(root)  # a newer release may have migrated it in the meantime
    return in_use


def _migrate(root: Path) -> None:
    number = _read_format(root)
    if number == FORMAT:
        return
    exclusive_lock = try_lock(root / "locks" / "in-use")
    if exclusive_lock is None:
        raise StoreError(
            f"{root} is a store of the older format {number} and is in use by other processes. "
            "Stop them, then rerun."
        )
    with exclusive_lock:
        if number == 0:
            _write_format(root, 0)
        for step in range(number + 1, FORMAT + 1):
            MIGRATIONS[step](root)
            _write_format(root, step)


def _write_format(root: Path, number: int) -> None:
    with scratch(root / "tmp") as folder:
        temporary = folder / "FORMAT"
        temporary.write_text(_FORMAT_LINE.format(number))
        publish(temporary, root / "FORMAT")
