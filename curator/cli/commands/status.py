"""The command `curator status`."""

from curator.cli.app import app, note_skipped_versions, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line


@app.command(epilog="Example: curator status")
def status(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the content of the store and running builds."""
    from curator.versions.status import status as read_status

    with open_existing(store) as opened:
        note_skipped_versions(opened)
        report = read_status(opened)
    if as_json:
        show_json(report)
        return
    print_line(f"{report.folder}, format {report.format}, {report.bytes / 2**20:,.1f} MiB")
    print_line()
    print_table(("ledger", "records"), report.ledgers.items(), right=("records",))
    print_line()
    print_table(("version", "rows"), report.versions.items(), right=("rows",))
    print_line()
    for line in report.runs:
        print_wrapped(line)
    for line in report.building or [] if report.runs else ["No build is running."]:
        print_line(line)
