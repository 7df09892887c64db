"""The command `curator gc`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line

if TYPE_CHECKING:
    from curator.versions.gc import Garbage


@app.command(epilog="Example: curator gc")
def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Free the space of stored data that no version needs.

    Lists the data and asks before it removes anything; without a terminal it needs --yes. That is
    the output of stages that no version holds: a build that needs it makes it again. Calls to
    teachers and executions of programs are always kept. Refuses to run beside a build.
    """
    from curator.versions.gc import find_garbage, free

    with open_existing(store, readonly=False) as opened:
        opened.exclude_writers()
        found = find_garbage(opened)
    if not as_json:
        _print(found)
    confirmed = bool(found.bytes) and (yes or _ask(found, as_json))
    freed = 0
    if confirmed:
        with open_existing(store, readonly=False) as opened:
            freed = free(opened, found)
    if as_json:
        show_json(
            {
                "objects": len(found.objects),
                "records": len(found.records),
                "bytes": found.bytes,
                "stages": {
                    name: {"objects": count, "bytes": size}
                    for name, (count, size) in found.stages.items()
                },
                "freed": freed,
            }
        )
    elif confirmed:
        print_line(f"Freed {_size(freed)}.")


def _ask(found: "Garbage", as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        print_line("Nothing was removed. To remove this, rerun with --yes.", error=True)
        return False
    return typer.confirm(f"Remove {_size(found.bytes)}?", err=True)


def _print(found: "Garbage") -> None:
    if not found.bytes:
        print_line("Versions need everything that is stored. There is nothing to remove.")
        return
    rows: list[tuple[str, int, str]] = [
        (name, count, _size(size)) for name, (count, size) in found.stages.items()
    ]
    if found.records:
        cache = sum(found.records.values())
        rows.append(("(records of the stage cache)", len(found.records), _size(cache)))
    total = len(found.objects) + len(found.records)
    print_table(
        ("no version needs", "files", "size"),
        [*rows, ("all", total, _size(found.bytes))],
        right=("files", "size"),
    )
    print_line()
    print_wrapped(
        f"{found.kept:,} {'object is' if found.kept == 1 else 'objects are'} needed and kept, and "
        "so are all calls to teachers and all executions. A build that needs a removed file makes "
        "it again."
    )


def _size(size: int) -> str:
    kib = max(size / 1024, 1)
    return f"{kib:,.0f} KiB" if kib < 1024 else f"{kib / 1024:,.1f} MiB"
