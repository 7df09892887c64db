"""Functions of the library take few parameters: what belongs together is a dataclass."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

MAXIMUM = 6

# A command has one parameter per option of its command line.
COMMANDS = ROOT / "curator" / "cli" / "commands"

FILES = sorted(
    path
    for folder in ("curator", "datastore", "trainers")
    for path in (ROOT / folder).rglob("*.py")
    if COMMANDS not in path.parents
)


def long_signatures(code: str) -> Iterator[tuple[str, int]]:
    """Yield every function of more parameters than allowed, with their number."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.FunctionDef(name=name, args=args) | ast.AsyncFunctionDef(name=name, args=args):
                names = [each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
                count = len(names) - (names[:1] in (["self"], ["cls"]))
                if count > MAXIMUM:
                    yield name, count


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_takes_at_most_six_parameters(path: Path) -> None:
    assert list(long_signatures(path.read_text(encoding="utf-8"))) == []


def test_parameters_of_every_kind_are_counted() -> None:
    code = """
def six(a, b, c, /, d, *, e, f): ...
class C:
    def six(self, a, b, c, d, e, f): ...
    async def seven(self, a, b, c, /, d, *, e, f, g): ...
def outer():
    def eight(a, b, c, d, e=1, f=2, g=3, h=4): ...
"""
    assert sorted(long_signatures(code)) == [("eight", 8), ("seven", 7)]
