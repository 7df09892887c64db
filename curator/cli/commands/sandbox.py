"""The command `curator sandbox`."""

import sys

from curator.cli.app import app, show_json
from curator.cli.options import JsonOption
from curator.cli.tables import print_table, print_wrapped
from curator.core.errors import SandboxError


@app.command(epilog="Example: curator sandbox")
def sandbox(as_json: JsonOption = False) -> None:
    """Show how programs are sandboxed on this system.

    Lists every mechanism: whether it is available and used, and what it blocks, and states
    which programs run. Exits with 1 if the system offers too few to run programs.
    """
    from curator.sandbox.probe import describe_policy, find_missing, probe

    mechanisms = probe()
    if as_json:
        show_json(mechanisms)
    else:
        rows = [
            (each.name, each.available, each.used, each.protects, each.note) for each in mechanisms
        ]
        print_table(("mechanism", "available", "used", "blocks", "note"), rows)
    if missing := find_missing(mechanisms):
        hint = (
            "To run programs anyway, on a machine without valuable data, use --unsafe-local."
            if sys.platform == "linux"
            else "Use a Linux machine, a container or a virtual machine."
        )
        raise SandboxError(
            f"This system cannot sandbox programs, so no program runs. Missing: {missing}. {hint}"
        )
    if not as_json:
        print_wrapped(describe_policy(mechanisms))
