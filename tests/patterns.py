"""Collects every regular expression in the code, so that none escapes the test of its time.

Out: `collect()`, the patterns with their place and how they are called, and the places whose
pattern could not be resolved.
"""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("curator", "datastore", "trainers")
CALLS = ("compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn")
OTHER_USES = ("escape", "Match", "Pattern", "error", "RegexFlag", "I", "M", "S", "X", "A")
FLAGS_AT = {"split": 3, "sub": 4, "subn": 4}
"""Position of the flags among the arguments of a call; otherwise the third (`compile`: second)."""
ANCHORED = frozenset({"match", "fullmatch"})
METHODS = frozenset(CALLS) - {"compile"}


@dataclass(frozen=True)
class Found:
    """One regular expression in the code."""

    place: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    """Names of the methods with which it reads a text."""

    @property
    def calls(self) -> frozenset[str]:
        """The distinct ways to run it: `search` stands for all that try every place of a text."""
        return frozenset(name if name in ANCHORED else "search" for name in self.methods)


def collect() -> tuple[list[Found], list[str]]:
    """Return every pattern of the code, and the places of those that could not be resolved."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in _files()}
    public = _methods_by_name(trees.values())
    found: list[Found] = []
    unresolved: list[str] = []
    for path, tree in trees.items():
        own = _methods_by_name([tree])
        place = path.relative_to(ROOT).as_posix()
        if "re." not in path.read_text("utf-8"):
            continue
        module = importlib.import_module(
            place.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        )
        for node, names in _uses(tree):
            where = f"{place}:{node.lineno}"
            patterns = list(_patterns_of(node, names, module))
            if not patterns:
                unresolved.append(where)
            for pattern, called in patterns:
                used = called or frozenset().union(
                    *((own if name.startswith("_") else public)[name] for name in names)
                )
                found.append(Found(where, pattern, used or METHODS))
    return found, unresolved


def _files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def _methods_by_name(trees: Iterable[ast.Module]) -> dict[str, frozenset[str]]:
    """Return the methods called on each name; all of them where a name is used in another way."""
    methods: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for tree in trees:
        owners = {
            id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }
        for node in ast.walk(tree):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            if isinstance(name, str) and isinstance(getattr(node, "ctx", None), ast.Load):
                method = owners.get(id(node))
                methods[name] |= {method} & METHODS if method else METHODS
    return methods


def _uses(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Yield each use of `re` that takes a pattern, and the module's names that hold its result.

    A function that compiles patterns counts for the names that are assigned from it.
    """
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            names = [
                name
                for other in tree.body
                if isinstance(other, ast.Assign | ast.AnnAssign)
                and any(getattr(node, "id", "") == statement.name for node in ast.walk(other))
                for name in _targets(other)
            ]
        else:
            names = _targets(statement)
        for node in ast.walk(statement):
            match node:
                case ast.Attribute(value=ast.Name(id="re"), attr=attr) if attr not in OTHER_USES:
                    yield _call_of(statement, node) or node, tuple(names)
                case ast.ImportFrom(module="re") | ast.ImportFrom(module="regex"):
                    yield node, ()
                case ast.Import(names=imported):
                    if any(a.name == "regex" or (a.name == "re" and a.asname) for a in imported):
                        yield node, ()


def _targets(statement: ast.stmt) -> list[str]:
    """Return the names that a statement assigns."""
    targets = [*getattr(statement, "targets", ()), getattr(statement, "target", None)]
    nodes = [node for target in filter(None, targets) for node in ast.walk(target)]
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def _call_of(statement: ast.stmt, function: ast.Attribute) -> ast.Call | None:
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and node.func is function:
            return node
    return None


def _patterns_of(
    node: ast.AST, names: tuple[str, ...], module: ModuleType
) -> Iterator[tuple[re.Pattern[str], frozenset[str]]]:
    """Yield the patterns of a use of `re`, and the method if it is called at once."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        kind = node.func.attr
        try:
            text = _value(node.args[0], module)
            flags = [k.value for k in node.keywords if k.arg == "flags"]
            flags += node.args[FLAGS_AT.get(kind, 1 if kind == "compile" else 2) :]
            pattern = re.compile(text, _value(flags[0], module) if flags else 0)
        except NameError:
            pass
        else:
            yield pattern, frozenset() if kind == "compile" else frozenset({kind})
            return
    for name in names:
        yield from ((each, frozenset()) for each in _inside(getattr(module, name, None)))


def _value(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), "pattern", "eval"), vars(module))


def _inside(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _inside(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _inside(each)
