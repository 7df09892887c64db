"""Commands about judgement: reverify, disagreements, sandbox."""

from curator.cli.app import Progress, app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MessageOption,
    StoreOption,
    UnsafeOption,
    VersionArgument,
    WorkersOption,
)
from curator.cli.reading import show_manifest
from curator.cli.tables import say, table
from curator.errors import SandboxError


@app.command(epilog="Example: curator reverify mathinstruct")
def reverify(
    version: VersionArgument,
    store: StoreOption = DEFAULT_STORE,
    message: MessageOption = "",
    workers: WorkersOption = None,
    unsafe_local: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a version's rationales again by today's graders; no source is read, nothing re-run."""
    from curator.reverify import reverify as again

    with Progress() as progress:
        manifest = again(
            version,
            store,
            workers=workers,
            message=message,
            listener=progress,
            unsafe_local=unsafe_local,
        )
    show_manifest(manifest, as_json)


MOST_SHOWN = 40


@app.command(epilog="Example: curator disagreements mathinstruct")
def disagreements(
    version: VersionArgument,
    store: StoreOption = DEFAULT_STORE,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """List answers about which our rules and math-verify contradict each other, to be looked at."""
    from curator.disagreements import disagreements as ask

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
    say(
        f"{queue.pairs:,} different pairs put to both graders: {len(found):,} contradictions"
        f"{more}, {queue.undecided:,} left open by one of them."
    )


@app.command(epilog="Example: curator sandbox")
def sandbox(as_json: JsonOption = False) -> None:
    """Say what this system offers to jail programs, what is used, and what each protects from."""
    from curator.sandbox.probe import enough, probe

    found = probe()
    if as_json:
        show_json(found)
    else:
        rows = [(each.name, each.available, each.used, each.protects, each.note) for each in found]
        table(("mechanism", "available", "used", "protects from", "note"), rows)
    if missing := enough(found):
        raise SandboxError(f"Programs are not run here: {missing}; --unsafe-local runs them anyway")
