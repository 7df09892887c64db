"""The command `curator sandbox`."""

from curator.cli.app import app, show_json
from curator.cli.options import (
    JsonOption,
)
from curator.cli.tables import table
from curator.core.errors import SandboxError


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
