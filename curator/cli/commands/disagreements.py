"""The command `curator disagreements`."""

from curator.cli.app import Progress, app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    VersionArgument,
    WorkersOption,
)
from curator.cli.tables import print_wrapped, table

MOST_SHOWN = 40


@app.command(epilog="Example: curator disagreements mathinstruct")
def disagreements(
    version: VersionArgument,
    store: StoreOption = DEFAULT_STORE,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """List answers about which our rules and math-verify contradict each other, to be looked at."""
    from curator.versions.disagreements import disagreements as ask

    with existing(store, readonly=False) as opened, Progress() as progress:
        queue = ask(opened, version, workers, progress)
    if as_json:
        show_json(queue)
        return
    found = queue.disagreements
    head = ("gold", "answer", "ours", "by rule", "math-verify", "rows", "one of them")
    rows = [
        (each.gold, each.answer, each.outcome, each.rule, each.other, each.rows, each.row[:12])
        for each in found[:MOST_SHOWN]
    ]
    if rows:
        table(head, rows, ("rows",), ("ours", "math-verify", "one of them"))
        print()
    more = f" ({len(found) - MOST_SHOWN:,} more by --json)" if len(found) > MOST_SHOWN else ""
    print_wrapped(
        f"{queue.pairs:,} different pairs put to both graders: {len(found):,} contradictions"
        f"{more}, {queue.undecided:,} left open by one of them."
    )
