"""The program of a tool call.

In: the arguments of a call, or a call as models write it in a text, `{"name": "python",
"arguments": {"code": "print(2)"}}`. Out: the program.
"""

import json

from datastore.text import is_storable

_CODE_KEYS = ("code", "program", "input", "query", "script", "python")
"""Names of the argument that holds the program."""


def find_program(arguments: object) -> str:
    """Return the program in the arguments of a call, an object or its JSON; empty without one."""
    if isinstance(arguments, str):
        try:
            parsed = json.loads(arguments)
        except (ValueError, RecursionError):
            return arguments  # models write the program itself
        arguments = parsed if isinstance(parsed, dict) else {"code": parsed}
    if not isinstance(arguments, dict):
        return ""
    found = (arguments[key] for key in _CODE_KEYS if isinstance(arguments.get(key), str))
    return next(found, "")


def read_written_call(text: str) -> str:
    """Return the program of a call that is written in a text; empty for other texts.

    Also empty for a program with half a character (`\\ud800`), which no file could hold.
    """
    if not text.startswith("{"):
        return ""
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    arguments = call.get("arguments")
    program = find_program(arguments) if isinstance(arguments, dict) else ""
    return program if is_storable(program) else ""
