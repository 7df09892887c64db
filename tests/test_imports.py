"""Imports go down the layers only; importing the package and printing help load little."""

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import ROOT

# The other parts that each part may import. A part is on a higher level than all it imports; a part
# that is not listed is an error.
CORE = {"curator.core"}
LAYERS: dict[str, set[str]] = {
    # level 1
    "datastore": set(),
    # level 2
    "curator.core": {"datastore"},
    # level 3
    "curator.sources": {*CORE, "datastore"},
    "curator.answers": CORE,
    "curator.sandbox": CORE,
    "curator.teacher": {*CORE, "datastore"},
    # level 4
    "curator.rewards": {*CORE, "datastore", "curator.answers"},
    "curator.screens": {*CORE, "datastore", "curator.sources", "curator.teacher"},
    "curator.writers": {*CORE, "datastore", "curator.answers"},
    "curator.checks": {*CORE, "curator.answers", "curator.sandbox"},
    # level 5
    "curator.versions": {
        *CORE,
        "datastore",
        "curator.sources",
        "curator.answers",
        "curator.teacher",
        "curator.checks",
    },
    "curator.recipe": {
        *CORE,
        "datastore",
        "curator.answers",
        "curator.sources",
        "curator.teacher",
        "curator.screens",
        "curator.writers",
        "curator.checks",
    },
    # level 6
    "curator.pipeline": {
        *CORE,
        "datastore",
        "curator.sources",
        "curator.answers",
        "curator.sandbox",
        "curator.teacher",
        "curator.screens",
        "curator.writers",
        "curator.checks",
        "curator.versions",
        "curator.recipe",
    },
    "curator.release": {
        *CORE,
        "datastore",
        "curator.sources",
        "curator.answers",
        "curator.writers",
        "curator.rewards",
        "curator.checks",
        "curator.versions",
        "curator.recipe",
    },
    "trainers": {
        *CORE,
        "datastore",
        "curator.sources",
        "curator.answers",
        "curator.rewards",
        "curator.sandbox",
        "curator.screens",
        "curator.checks",
        "curator.recipe",
    },
    # level 7: build and load, which are imported when they are first used
    "curator": {"curator.pipeline", "curator.versions"},
    # level 7, too: the only part that may import the trainers
    "curator.cli": {
        *CORE,
        "datastore",
        "curator.sources",
        "curator.sandbox",
        "curator.teacher",
        "curator.screens",
        "curator.writers",
        "curator.checks",
        "curator.versions",
        "curator.recipe",
        "curator.pipeline",
        "curator.rewards",
        "curator.release",
        "trainers",
    },
    # level 8
    "curator.__main__": {"curator.cli"},
}

# Where functions may import our own code, and why.
LATE = {"curator.cli": "start-up time: `curator --help` loads nothing heavy"}

MAX_LEVELS = 8

HEAVY = ("torch", "transformers", "datasets", "duckdb", "pyarrow", "polars", "sympy", "openai")


def _files() -> list[Path]:
    """Return the modules of every package that is installed, as pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]
    folders = {name.split(".")[0] for name in packages}
    assert folders >= {path.parent.name for path in ROOT.glob("*/__init__.py")}, "not listed"
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in _files()}


def _tree(module: str) -> ast.AST:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def _part(module: str) -> str:
    """Return the part of a module: `curator.answers` for `curator.answers.compare.sets`."""
    names = module.split(".")
    return ".".join(names[:2]) if names[0] == "curator" else names[0]


def _imported(tree: ast.AST) -> set[str]:
    """Return our modules that `tree` imports anywhere, for type checking too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=str(name), level=0, names=names):
                # `from curator import sandbox` imports curator.sandbox
                longer = {f"{name}.{alias.name}" for alias in names}
                found.update(longer & MODULES.keys())
                if longer - MODULES.keys():
                    found.add(name)
            case ast.ImportFrom():
                raise AssertionError("a relative import: use the full path")
    ours = {module.split(".")[0] for module in MODULES}
    return {name for name in found if name.split(".")[0] in ours}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_parts_below_its_own(module: str) -> None:
    part = _part(module)
    assert part in LAYERS, f"{part} is not in LAYERS: add it with the parts that it may import"
    for name in _imported(_tree(module)):
        assert name in MODULES, f"{module} imports {name}, which does not exist"
        assert _part(name) in {part, *LAYERS[part]}, f"{module} imports {name}: not below it"


def test_every_part_and_import_of_the_table_exists() -> None:
    assert {_part(module) for module in MODULES} == LAYERS.keys()
    used = {(_part(m), _part(name)) for m in MODULES for name in _imported(_tree(m))}
    assert {(part, below) for part, all_ in LAYERS.items() for below in all_} <= used


def test_parts_are_on_at_most_eight_levels_without_a_cycle() -> None:
    level: dict[str, int] = {}
    for part, below in LAYERS.items():
        assert below <= level.keys(), f"{part} may import {below - level.keys()}, which is above it"
        level[part] = 1 + max((level[each] for each in below), default=0)
    assert max(level.values()) <= MAX_LEVELS


def test_modules_do_not_import_each_other_in_a_cycle() -> None:
    imports = {module: sorted(_imported(_tree(module)) - {module}) for module in MODULES}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the cycle


def test_modules_are_imported_by_name_only_where_the_reason_is_listed() -> None:
    reasons = {
        "curator": "loads build and load when they are first used",
        "curator.cli.commands": "loads the commands in the order of the help",
        "curator.sandbox.preload": "loads what programs import, before they run",
    }
    users = {name for name, path in MODULES.items() if "import_module(" in path.read_text("utf-8")}
    assert users == reasons.keys()


def test_the_package_has_at_most_fourteen_entries() -> None:
    entries = {path.name for path in (ROOT / "curator").iterdir()} - {"__pycache__"}
    assert len(entries - {"__init__.py", "__main__.py", "py.typed"}) <= 14


def test_functions_import_our_own_code_only_where_the_reason_is_listed() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    late = {
        (_part(module), name)
        for module in MODULES
        for node in ast.walk(_tree(module))
        if isinstance(node, functions)
        for name in _imported(node)
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


def test_a_heavy_module_that_is_loaded_would_be_noticed() -> None:
    assert "pyarrow" in _loaded_by("import curator.core.arrow")


def test_printing_help_loads_nothing_heavy() -> None:
    program = (
        "import curator.cli\ntry:\n    sys.argv = ['curator', '--help']\n    curator.cli.main()\n"
    )
    modules = _loaded_by(f"{program}except SystemExit:\n    pass")
    assert "curator.cli" in modules
    assert modules.isdisjoint(HEAVY)


def test_importing_the_stages_reads_no_source_and_compiles_no_answer_phrases() -> None:
    """Both took a third of the time of a build that finds nothing to do."""
    code = """
import inspect
def fail(*_: object) -> None:
    raise AssertionError("source code was read")
inspect.findsource = inspect.getsource = fail
import curator.pipeline.build
from curator.answers.extract import languages
assert languages._compile.cache_info().currsize == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True)
