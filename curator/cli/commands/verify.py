"""The command `curator verify`."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import Progress, app, open_existing, show_json
from curator.cli.complete import complete_versions
from curator.cli.options import DEFAULT_STORE, VERSION, JsonOption, StoreOption
from curator.cli.tables import print_wrapped
from curator.cli.terminal import print_line
from curator.core.words import counted

if TYPE_CHECKING:
    from curator.versions.verify import Damage, Verification

_LONG_DIGEST, _CUT = re.compile(r"([0-9a-f]{16})[0-9a-f]{48}"), r"\1…"
"""Full digests do not fit into 80 columns; JSON has them."""
UNKNOWN_REPAIR = "Rebuild one of these versions, or restore the files from a copy"


@app.command(epilog="Example: curator verify mathinstruct@3")
def verify(
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION]...",
            help=f"{VERSION} Default: the whole store.",
            autocompletion=complete_versions,
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="First move damaged files of ledgers into a folder 'damaged' beside them; their "
            "intact records are kept.",
        ),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Check that stored data is unchanged.

    Hashes every object and compares it with its name; manifests, ledgers and the stage cache
    are compared with their own digests. Changes nothing without --repair. Lists what is damaged
    or missing with the command that makes it again, if one is known. Exit code 1 if anything is.
    """
    from curator.versions.verify import repair_ledgers
    from curator.versions.verify import verify as verify_store

    with open_existing(store, readonly=not repair) as opened, Progress() as progress:
        for path in repair_ledgers(opened) if repair else ():
            progress.note(f"Moved {path} into {path.parent.name}/damaged.")
        result = verify_store(opened, versions or [], progress)
    if as_json:
        show_json(result)
    else:
        _print(result)
    if result.damage:
        raise typer.Exit(1)


def _print(result: "Verification") -> None:
    size = f"{result.bytes / 2**20:,.1f} MiB"
    versions = f"{result.versions:,} version{'s' * (result.versions != 1)}"
    print_wrapped(
        f"Checked {counted(result.objects, 'object')} ({size}) and {versions}: "
        f"{f'{len(result.damage):,}' if result.damage else 'nothing'} damaged or missing."
    )
    by_repair: dict[str, list[Damage]] = {}
    for damage in result.damage:
        by_repair.setdefault(damage.repair, []).append(damage)
    for repair, group in by_repair.items():
        print_line()
        for damage in group:
            print_line(f"{damage.state} {_LONG_DIGEST.sub(_CUT, damage.file)}")
            for holder in damage.holders:
                print_line(f"  {holder}")
        print_line(f"To repair: {repair or UNKNOWN_REPAIR}")
    if result.unknown_files:
        print_line()
        print_wrapped("Files among the objects that are not objects and that nothing reads:")
    for file in result.unknown_files:
        print_line(f"  {file}")
