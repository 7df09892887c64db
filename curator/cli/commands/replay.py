"""The command `curator replay`."""

import json
import signal
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from curator.cli.app import app
from curator.cli.options import JsonOption


@app.command(epilog="Example: curator replay --calls calls.jsonl --port 8000")
def replay(
    calls: Annotated[
        Path,
        typer.Option("--calls", help="JSON lines of recorded calls, or a store.", exists=True),
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 0,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    write: Annotated[
        Path | None,
        typer.Option("--write", help="Write the calls to this new file instead of serving them."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve recorded calls as an OpenAI-compatible endpoint, so that a recipe needs no key."""
    from curator.teacher.replay.recordings import Recordings
    from curator.teacher.replay.server import Server

    recordings = Recordings(calls)
    many = f"{len(recordings):,} call{'s' * (len(recordings) != 1)}"
    said = {"calls": len(recordings), "models": recordings.models}
    if write:
        recordings.copy(write)
        what = f"Wrote {many} to {write}"
        print(json.dumps({"file": str(write), **said}) if as_json else what)
        return
    server = Server(recordings, host, port)
    served = {"address": server.address, **said, "fingerprint": recordings.fingerprint}
    line = f"{server.address}  {many} of {', '.join(recordings.models) or 'no model'}"
    # Blocked before there are threads, which would take them from us.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        print(json.dumps(served) if as_json else line, flush=True)
        signal.sigwait(signals)
        server.shutdown()
