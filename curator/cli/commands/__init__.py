"""The commands of `curator`, one module each.

To add a command, write its module and add its name to `COMMANDS`.
"""

from importlib import import_module

COMMANDS = (
    "new",
    "preview",
    "plan",
    "build",
    "cancel",
    "status",
    "versions",
    "show",
    "diff",
    "why",
    "sql",
    "report",
    "reverify",
    "verify",
    "tag",
    "rm",
    "gc",
    "disagreements",
    "audit",
    "overlap",
    "golds",
    "rule",
    "export",
    "publish",
    "pull",
    "train",
    "sample",
    "score",
    "evaluate",
    "study",
    "improve",
    "replay",
    "sources",
    "sandbox",
    "schema",
)
"""Modules in this folder, in the order in which `curator --help` lists them."""


def register_commands() -> None:
    """Import all commands; each adds itself to the app."""
    for name in COMMANDS:
        import_module(f"{__name__}.{name}")
