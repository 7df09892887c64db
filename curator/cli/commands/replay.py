"""The command `curator replay`."""

import json
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from curator.cli.app import app
from curator.cli.options import JsonOption, refuse_without_effect
from curator.cli.terminal import print_line


@app.command(epilog="Example: curator replay --calls calls.jsonl --port 8000")
def replay(
    context: typer.Context,
    calls: Annotated[
        Path,
        typer.Option(
            "--calls",
            metavar="PATH",
            help="Recorded calls: a file of JSON Lines, or a store.",
            exists=True,
        ),
    ],
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 picks a free one."),
    ] = 0,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FILE", help="Write the calls to a new file; do not serve them."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve recorded calls as an OpenAI-compatible endpoint.

    A recipe whose teacher is this endpoint needs no key and no network.
    """
    from curator.teacher.replay.recordings import Recordings
    from curator.teacher.replay.server import Server

    if write:
        refuse_without_effect(context, ["port", "host"], "with --write, which serves no calls")
    recordings = Recordings(calls)
    count = f"{len(recordings):,} call{'s' * (len(recordings) != 1)}"
    summary = {"calls": len(recordings), "models": recordings.models}
    if write:
        recordings.copy(write)
        line = f"Wrote {count} to {write}"
        print_line(json.dumps({"file": str(write), **summary}) if as_json else line)
        return
    server = Server(recordings, host, port)
    served = {"address": server.address, **summary, "fingerprint": recordings.fingerprint}
    line = f"{server.address}  {count} of {', '.join(recordings.models) or 'no model'}"
    # Block the signals before any thread starts: a thread would receive them instead.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        print_line(json.dumps(served) if as_json else line)
        sys.stdout.flush()
        signal.sigwait(signals)
        server.shutdown()
