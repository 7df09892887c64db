"""What all commands share: the app, opening a store, JSON output, progress bars."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass, replace
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curator.cli import interrupt
from curator.cli.terminal import print_line, print_lines, unfiltered
from curator.core.errors import UsageError
from curator.core.escape import for_json, for_terminal
from curator.core.redaction import redact_secrets

if TYPE_CHECKING:
    from curator.core.progress import TeacherProgress
    from curator.pipeline.run_options import RunOptions
    from datastore.store import Store

app = typer.Typer(
    name="curator",
    help="Build, check, version and publish math-instruction datasets.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # plain help: at 80 columns, boxes leave little room for text
    pretty_exceptions_enable=False,
    epilog="Example: curator build quickstart",
)

_debug = False
TOKENS = 10_000
"""Number of tokens of JSON that are printed at once."""
LINE_S = 30.0
"""Seconds between two lines about a teacher where stderr is no terminal."""


def show_version(wanted: bool) -> None:
    """Print the version of Curator and exit."""
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print_line(f"curator {version('mathcurator')}")
        except PackageNotFoundError:  # run from a checkout
            print_line("curator (not installed as a package)")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version of Curator and exit.",
            callback=show_version,
            is_eager=True,
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Build, check, version and publish math-instruction datasets."""
    global _debug
    _debug = debug


def shows_tracebacks() -> bool:
    """Return whether --debug was given."""
    return _debug


def open_existing(store: Path, readonly: bool = True) -> "Store":
    """Open the store in a folder, which must be one; raises UsageError."""
    from datastore.store import Store, is_new

    if is_new(store):
        raise UsageError(
            f"No store at {store}. Create one with 'curator build', or choose another with --store."
        )
    return Store(store, readonly=readonly)


def newest_version(store: Path, name: str) -> str:
    """Return `name@number` of the newest version of a name; empty without a store or version."""
    from datastore.store import Store, is_new

    if is_new(store):
        return ""
    with Store(store, readonly=True) as opened:
        known = name in opened.versions.names()
        return opened.versions.get(name).ref if known else ""


def note_skipped_versions(store: "Store") -> None:
    """Print one line to stderr per version of the store whose manifest is not valid."""
    from curator.versions.queries import skipped_versions

    for line in skipped_versions(store):
        print_line(line, error=True)


def make_parents(*files: Path | None) -> None:
    """Make the folders of output files before the long work that writes them."""
    for file in filter(None, files):
        if file.is_dir():
            raise UsageError(f"{file} is a folder. Choose a file in it.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"Cannot create the folder {file.parent}: {error.strerror}") from None


def show_json(value: Any) -> None:
    """Print a value as JSON: dataclasses as objects, bytes as hex digits.

    Iterators are printed as arrays, item by item, so that they need not fit in memory.
    """
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    encoder = json.JSONEncoder(default=_to_json, ensure_ascii=ascii_only, indent=1)
    tokens = encoder.iterencode(value)
    while some := "".join(islice(tokens, TOKENS)):
        print_lines(for_json(some), end="")
    print_line()


class _Items(list[Any]):
    """The items of an iterator, since the encoder takes an array from a list only."""

    def __init__(self, items: Iterator[Any]) -> None:
        super().__init__(islice(items, 1))  # the encoder first asks whether the list is empty
        self._others = items

    def __iter__(self) -> Iterator[Any]:
        return chain(super().__iter__(), self._others)


def _to_json(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Iterator):
        return _Items(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return float(value)
    return str(value)


def _fit_line(state: "TeacherProgress", width: int) -> str:
    """Return the line of a teacher; the name of the work is cut if the numbers leave no room."""
    line = str(state)
    over = len(line) - width
    if over > 0:
        kept = max(len(state.what) - over - 1, 1)
        line = f"{state.what[:kept]}…{line[len(state.what) :]}"
    return line[:width]


@contextmanager
def show_progress(options: "RunOptions") -> Iterator["RunOptions"]:
    """Draw the progress of a run; yield its options with a listener that draws."""
    with Progress() as progress:
        yield replace(options, listener=progress)


class Progress:
    """A listener that draws a progress bar if stderr is a terminal, and prints notes to stderr."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._columns: Any = ()
        self._what, self._task = "", None
        self._teaching = ""
        self._printed_at = 0.0

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[count]}", markup=False),
                TimeElapsedColumn(),
            )
            self._bars = Bars(
                *columns, console=Console(file=unfiltered(sys.stderr)), transient=True
            )
            self._columns = columns
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Move the bar of `what`; it replaces the bar of the previous work."""
        interrupt.raise_if_pressed()
        if not self._bars or what == self._teaching:
            return
        self._bars.columns = self._columns
        self._teaching = ""
        if what != self._what:
            if self._task is not None:
                self._bars.remove_task(self._task)
            description = for_terminal(what)
            self._what = what
            self._task = self._bars.add_task(description, total=None, count="")
        of = f" of {total:,}" if total else ""
        count = f"{done:,}{of}" if done else ""
        self._bars.update(self._task, completed=done, total=total, count=count)

    def teacher(self, state: "TeacherProgress") -> None:
        """Show how far a teacher is: in the line of the bar, or in one every `LINE_S` seconds."""
        now = time.monotonic()
        if not self._bars:
            if state.what != self._teaching:
                self._teaching, self._printed_at = state.what, now
            elif now - self._printed_at >= LINE_S:
                self._printed_at = now
                print_line(str(state), error=True)
            return
        if state.what != self._teaching:
            from rich.progress import TextColumn

            if self._task is not None:
                self._bars.remove_task(self._task)
            self._bars.columns = (TextColumn("{task.description}", markup=False),)
            self._teaching, self._what = state.what, ""
            self._task = self._bars.add_task("", total=None, count="")
        width = self._bars.console.width - 1
        self._bars.update(self._task, description=for_terminal(_fit_line(state, width)))

    def note(self, text: str) -> None:
        """Print one line above the bar."""
        interrupt.raise_if_pressed()
        if self._bars:
            line = for_terminal(redact_secrets(text))
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print_line(text, error=True)
