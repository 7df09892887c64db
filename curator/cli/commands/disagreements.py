"""The command `curator disagreements`."""

from curator.cli.app import Progress, app, open_existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    VersionArgument,
    WorkersOption,
)
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line

MAX_LISTED = 40


@app.command(epilog="Example: curator disagreements mathinstruct")
def disagreements(
    version: VersionArgument,
    workers: WorkersOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List answers on which two graders contradict each other.

    Every answer of the version is graded by Curator's rules and by math-verify.
    """
    from curator.versions.disagreements import find_disagreements

    with open_existing(store, readonly=False) as opened, Progress() as progress:
        compared = find_disagreements(opened, version, workers, progress)
    if as_json:
        show_json(compared)
        return
    contradictions = compared.disagreements
    head = ("gold", "answer", "curator", "by rule", "math-verify", "rows", "example")
    rows = [
        (each.gold, each.answer, each.outcome, each.rule, each.other, each.rows, each.row[:12])
        for each in contradictions[:MAX_LISTED]
    ]
    if rows:
        print_table(head, rows, ("rows",), ("curator", "math-verify", "example"))
        print_line()
    hidden = len(contradictions) - MAX_LISTED
    more = f" ({hidden:,} more with --json)" if hidden > 0 else ""
    print_wrapped(
        f"{compared.pairs:,} different pairs of gold answer and answer: {len(contradictions):,} "
        f"contradictions{more}, {compared.undecided:,} undecided by one grader."
    )
