"""Documents match the code: the reference is current, examples are valid, links resolve."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from curator.cli.app import app
from curator.cli.reference import reference
from curator.recipe.load import load_recipe, schema
from curator.release.formats import FORMATS
from tests.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_reference_is_current() -> None:
    written = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert written == reference(), "run: make docs"


def test_the_command_that_writes_the_reference_prints_it() -> None:
    command = [sys.executable, "-m", "curator.cli.reference"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert run.stdout == reference()


def test_the_reference_has_a_section_for_every_command() -> None:
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"\n### curator {name}" not in text] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_command_has_help_and_an_example_that_names_it() -> None:
    for name, command in COMMANDS.items():
        assert command.help, name
        assert (command.epilog or "").startswith(f"Example: curator {name}"), name


def test_every_option_has_help() -> None:
    undocumented = [
        f"{name} {param.name}"
        for name, command in COMMANDS.items()
        for param in command.params
        if not param.help
    ]
    assert undocumented == []


def test_every_recipe_key_has_a_description() -> None:
    full = schema()
    undocumented = [
        f"{name}.{key}"
        for name, part in {"Recipe": full, **full["$defs"]}.items()
        for key, value in part.get("properties", {}).items()
        if "description" not in value and "$ref" not in value
    ]
    assert undocumented == []


def test_the_help_of_export_names_every_format() -> None:
    (help_text,) = [p.help for p in COMMANDS["export"].params if "--format" in p.opts]
    assert [name for name in FORMATS if name not in help_text] == []


def curator_examples() -> list[tuple[Path, str]]:
    """Return every line of the shell examples in the documents that runs `curator`."""
    found = []
    for path in DOCUMENTS:
        blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", path.read_text(), re.DOTALL)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            line = line.removeprefix("$ ").split(" #")[0].strip()
            if line.startswith("curator "):
                found.append((path, line))
    return found


def test_shell_examples_use_commands_and_options_that_exist() -> None:
    examples = curator_examples()
    assert {path.name for path, _ in examples} >= {"README.md", "tutorial.md", "how-to.md"}
    for path, line in examples:
        _, name, *rest = shlex.split(line.split(" | ")[0].split(" > ")[0])
        if name == "--help":
            continue
        assert name in COMMANDS, f"{path.name}: {line}"
        assert parse_error(COMMANDS[name], rest) == "", f"{path.name}: {line}"


def parse_error(command: Any, words: list[str]) -> str:
    """Return what a command cannot parse of its arguments; their values are not checked."""
    context = command.context_class(command, info_name=command.name)
    try:
        given, left, _ = command.make_parser(context).parse_args(list(words))
    except TyperException as error:
        return error.format_message()
    missing = [
        param.name
        for param in command.params
        if param.required and not param.default and not given.get(param.name)
    ]
    return " ".join(map(str, [*left, *missing]))


@pytest.mark.parametrize(
    "line",
    ["show", "show a b", "show a --stroe x", "export a --format", "audit a --fix b --what"],
)
def test_an_invalid_shell_example_would_be_noticed(line: str) -> None:
    name, *rest = line.split()
    assert parse_error(COMMANDS[name], rest) != ""


def recipes_in_documents() -> list[tuple[str, str]]:
    return [
        (path.name, block)
        for path in DOCUMENTS
        for block in re.findall(
            r"<!-- recipe -->\n```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL
        )
    ]


def test_recipes_in_documents_are_valid(tmp_path: Path) -> None:
    found = recipes_in_documents()
    assert len(found) >= 7
    for number, (_, block) in enumerate(found):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        assert load_recipe(path).subsets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_resolve(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_licence_is_complete_and_matches_the_package() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_files_quoted_in_documents_match() -> None:
    quoted = [
        (path.name, name, block)
        for path in DOCUMENTS
        for name, block in re.findall(
            r"<!-- (\S+\.py) -->\n```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL
        )
    ]
    assert quoted, "CONTRIBUTING.md shows a source"
    for document, name, block in quoted:
        assert block == (ROOT / name).read_text(encoding="utf-8"), (
            f"{document} quotes an older {name}"
        )


def test_json_examples_in_documents_are_valid() -> None:
    for path in DOCUMENTS:
        for block in re.findall(r"```json\n(.*?)```", path.read_text(), re.DOTALL):
            json.loads(block)
