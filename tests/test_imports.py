"""Imports point down, and importing the package or asking for help is cheap."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Which parts of ours each part may import; itself always. From bottom to top.
LAYERS: dict[str, set[str]] = {
    "curator.model": set(),
    "curator.errors": set(),
    "curator.progress": set(),
    "curator.fingerprint": set(),
    "curator.tables": {"curator.model"},
    "curator.shipped": {"curator.errors"},
    "curator.documents": {"curator.errors", "curator.shipped"},
    "curator.samples": {"curator.errors"},
    "datastore": set(),
    "curator.answers": {"curator.model", "curator.errors"},
    "curator.sandbox": {"curator.model", "curator.errors"},
    "curator.sources": {"curator.model", "curator.errors", "curator.tables"},
    "curator.teacher": {"curator.model", "curator.errors", "curator.progress", "datastore"},
    "curator.rationales": {"curator.model", "curator.errors", "curator.answers"},
    "curator.checks": {
        "curator.model",
        "curator.errors",
        "curator.tables",
        "curator.answers",
        "curator.sandbox",
    },
    "curator.screens": {"curator.model", "curator.errors", "curator.tables", "datastore"},
    "curator.mixture": {
        "curator.model",
        "curator.errors",
        "curator.tables",
        "curator.screens",
        "datastore",
    },
    "curator.release": {"curator.model", "curator.errors", "curator.tables", "datastore"},
    "curator.report": {"curator.model", "curator.errors", "curator.tables", "datastore"},
    "trainers": {
        "curator.model",
        "curator.errors",
        "curator.documents",
        "curator.samples",
        "curator.answers",
        "curator.sandbox",
    },
}

# What stands above everything that joins the parts (recipe, plan, build and the like).
TOP = {
    "curator.cli",
    "curator.__main__",
    "curator.evaluating",
    "curator.reference",
    "curator.study",
}

# Where functions may import our own code, and why.
LATE = {"curator.cli": "start-up time: `curator --help` answers within 0.3 s"}

HEAVY = ("torch", "transformers", "datasets", "duckdb", "pyarrow", "polars", "sympy", "openai")


def _files() -> list[Path]:
    folders = ("curator", "datastore", "trainers")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _part(module: str) -> str:
    """The part that a module belongs to: `curator.answers.numbers` is of `curator.answers`."""
    names = module.split(".")
    return ".".join(names[:2]) if names[0] == "curator" else names[0]


def _imported(tree: ast.AST, module: str, package: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield alias.name
            case ast.ImportFrom(module=name, level=0, names=names):
                # `from curator import sandbox` imports curator.sandbox
                for alias in names:
                    yield f"{name}.{alias.name}" if name == "curator" else str(name)
            case ast.ImportFrom(module=name, level=level):
                base = module.split(".")[: None if package and level == 1 else -level + package]
                yield ".".join([*base, *([name] if name else [])])


def _ours(path: Path, tree: ast.AST) -> set[str]:
    """Modules of ours that the code of a file imports anywhere in `tree`."""
    found = _imported(tree, _module(path), path.name == "__init__.py")
    return {name for name in found if name.split(".")[0] in {"curator", "datastore", "trainers"}}


@pytest.mark.parametrize("path", _files(), ids=_module)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    part = _part(_module(path))
    for name in _ours(path, _tree(path)):
        imported = _part(name)
        if imported in {part, "curator"}:
            continue
        if part in LAYERS:
            assert imported in LAYERS[part], (
                f"{_module(path)} imports {name}, which is not below it"
            )
        elif part not in TOP:
            assert imported not in {*TOP, "trainers"}, f"{_module(path)} imports {name}"


def test_the_parts_of_the_table_do_not_depend_on_each_other_in_a_circle() -> None:
    done: set[str] = set()
    for part, below in LAYERS.items():
        assert below <= done, f"{part} may import {below - done}, which stand above it"
        done.add(part)


def test_functions_import_our_own_code_only_where_the_reason_is_listed() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    late = {
        (_part(_module(path)), name)
        for path in _files()
        for node in ast.walk(_tree(path))
        if isinstance(node, functions)
        for name in _ours(path, node)
    }
    assert {part for part, _ in late} == set(LATE), late


def _loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    run = [sys.executable, "-c", program]
    return set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    modules = _loaded_by("import curator")
    assert "curator" in modules
    assert modules.isdisjoint(HEAVY)


def test_the_probe_sees_a_heavy_module_that_is_loaded() -> None:
    assert "pyarrow" in _loaded_by("import curator.tables")


def test_asking_for_help_loads_nothing_heavy() -> None:
    ask = "import curator.cli\ntry:\n    sys.argv = ['curator', '--help']\n    curator.cli.main()\n"
    modules = _loaded_by(f"{ask}except SystemExit:\n    pass")
    assert "curator.cli" in modules
    assert modules.isdisjoint(HEAVY)
