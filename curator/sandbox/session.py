"""Sessions: the programs of one trace, run one after another with their state kept.

In: the programs of a trace. Out: one program that runs them as a notebook would, for the sandbox to
run in a fresh fork, and what each of them printed, read from its output. The value of a last
expression is printed, an error ends its block only, and the limits of the sandbox hold for the
whole session.

The record of a block is a line with a mark, which is a hash of all programs: a text cannot contain
its own hash. Not covered: a program that examines its interpreter can find the mark and write the
records of later blocks itself. It gains nothing by that: it could replace `print` as well, which a
notebook would execute, too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from curator.sandbox.execution import Execution, Status

LONGEST_OUTPUT = 2_000
"""Maximum number of characters of the output of a block; of longer ones, the middle is cut."""
SESSION_OUTPUT = 64_000
"""Maximum number of characters of the records of a session. The sandbox stops a program soon
after."""
FULL_OUTPUT = 24_000
"""Number of characters of records after which further outputs have a maximum of `SHORT_OUTPUT`, so
that many long outputs do not end a session. What a block prints never depends on later ones."""
SHORT_OUTPUT = 100
_HEAD = "# Curator session 2\n"
_DRIVER = """
def _run(programs, mark, longest, full, short):
    import ast, io, json, sys, traceback, types
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    names, real, stops = main.__dict__, sys.stdout, (SystemExit, KeyboardInterrupt)
    written = 0

    def write(number, text, error):
        nonlocal written
        most = longest if written < full else short
        if len(text) > most:
            text = text[: most // 2] + "\\n...\\n" + text[-most // 2 :]
        record = mark + json.dumps([number, text, error])
        written += len(record)
        print("\\n" + record, file=real, flush=True)

    for number, program in enumerate(programs):
        sys.stdout, error = io.StringIO(), ""
        out = sys.stdout
        try:
            tree = ast.parse(program, f"<block {number + 1}>")
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<block>", "exec", dont_inherit=True), names)
            if last is not None:
                code = compile(ast.Expression(last.value), "<block>", "eval", dont_inherit=True)
                value = eval(code, names)
                if value is not None and not program.rstrip().endswith(";"):
                    print(repr(value), file=out)
        except MemoryError:
            raise
        except BaseException as caught:
            if not isinstance(caught, stops):
                try:
                    error = "".join(traceback.format_exception_only(caught)).strip()
                except Exception:
                    error = type(caught).__name__
                error = error.split("\\n")[-1][:500] or "error"
        finally:
            sys.stdout = real
        try:
            text = out.getvalue()
        except ValueError:
            text = ""
        write(number, text, error)
"""


@dataclass(frozen=True, slots=True)
class BlockOutput:
    """What one program of a session printed."""

    text: str
    """Its output with the value of its last expression, a maximum of `LONGEST_OUTPUT`."""
    error: str
    """The last line of its error, `ZeroDivisionError: division by zero`; empty without one. It
    comes from the program's own process."""


@dataclass(frozen=True, slots=True)
class Session:
    """How the programs of a trace ended."""

    status: Status
    """How the whole session ended. If it is not `ok`, the program behind the last block of
    `blocks` ended it."""
    error: str
    blocks: tuple[BlockOutput, ...]
    """The outputs of the programs that came to their end, in order."""


def build_session(programs: Sequence[str]) -> str:
    """Return one program that runs these programs one after another."""
    limits = f"{LONGEST_OUTPUT}, {FULL_OUTPUT}, {SHORT_OUTPUT}"
    arguments = f"{json.dumps(list(programs))}, {_mark(programs)!r}, {limits}"
    return f"{_HEAD}{_DRIVER}\n_run({arguments})\n"


def is_session(program: str) -> bool:
    """Return whether a program is a session, whose whole output is to be kept."""
    return program.startswith(_HEAD)


def read_session(programs: Sequence[str], execution: Execution) -> Session:
    """Return what each program printed."""
    mark, blocks = _mark(programs), list[BlockOutput]()
    for line in execution.stdout.split("\n"):
        if not line.startswith(mark):
            continue
        block = _read_record(line.removeprefix(mark), len(blocks))
        if block and len(blocks) < len(programs):
            blocks.append(block)
    return Session(execution.status, execution.error, tuple(blocks))


def _read_record(text: str, number: int) -> BlockOutput | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match found:
        case [int(seen), str(output), str(error)] if seen == number:
            return BlockOutput(output[: LONGEST_OUTPUT + 5], error[:500])
    return None


def _mark(programs: Sequence[str]) -> str:
    framed = json.dumps(list(programs)).encode()
    return f"#{sha256(framed).hexdigest()[:32]} "
