"""The reference, written from the code: `python -m curator.cli.reference > docs/reference.md`.

In: the command line, the schema of recipes and the visible dicts of every part. Out: Markdown.
A test compares it with `docs/reference.md`.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import typer

from curator.checks import CHECKS
from curator.cli.app import app
from curator.recipe.load import schema
from curator.release.formats import FORMATS
from curator.screens import SCREENS
from curator.sources import EVALS, SOURCES, Source
from curator.writers import WRITERS
from trainers.recipe import KINDS

HEAD = """# Reference

Written from the code by `python -m curator.cli.reference`; a change here is lost.
"""


def reference() -> str:
    """All that a user can name, from commands and recipe keys to release formats."""
    sections = (
        HEAD,
        *_commands(),
        *_recipe_keys(),
        *_sources("Sources", SOURCES),
        *_sources("Evaluation sets", EVALS),
        *_named("Writers", "what a rationale is written by", _writers()),
        *_named("Checks", "what judges one row", ((k, v.about) for k, v in CHECKS.items())),
        *_named(
            "Screens",
            "what judges a row among all others",
            ((k, _first_line(sys.modules[v.run.__module__])) for k, v in SCREENS.items()),
        ),
        *_named(
            "Release formats",
            "what `curator export --format` writes",
            ((k, f"{v.about} (`{v.suffix}`)") for k, v in FORMATS.items()),
        ),
    )
    return "\n".join(sections)


def _commands() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    yield "## Commands\n"
    yield _table(("command", "what it does"), ((f"`{n}`", c.help) for n, c in _shown(group)))
    yield "Options of `curator` itself, before the command:\n"
    yield _options(group.params)
    for name, command in _shown(group):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join([name, *(p.name.upper() for p in arguments)])
        yield f"### curator {usage}\n\n{command.help}\n"
        if command.epilog:
            yield f"{command.epilog.replace('Example: ', 'Example: `')}`\n"
        yield _options(command.params)


def _shown(group: Any) -> list[tuple[str, Any]]:
    return [(name, command) for name, command in group.commands.items() if not command.hidden]


def _options(params: Sequence[Any]) -> str:
    def name(param: Any) -> str:
        if param.param_type_name == "argument":
            return f"`{param.name.upper()}`"
        return ", ".join(f"`{option}`" for option in param.opts)

    def about(param: Any) -> str:
        envvar = f" Or the variable `{param.envvar}`." if param.envvar else ""
        return f"{param.help or ''}{envvar}"

    def default(param: Any) -> str:
        return "" if param.default in (None, False, "") else f"`{param.default}`"

    shown = [param for param in params if param.name != "help"]
    if not shown:
        return "It takes nothing.\n"
    rows = ((name(param), default(param), about(param)) for param in shown)
    return _table(("argument or option", "default", "meaning"), rows)


def _recipe_keys() -> Iterator[str]:
    """The keys of recipes of versions and of training."""
    yield "## Recipe keys\n"
    yield "`curator schema` prints the same as JSON Schema, for editors.\n"
    yield from _keys("Recipe", schema())
    yield "## Training recipe keys\n"
    yield "What `curator train` takes; the key `train` says which of them it is.\n"
    for kind in KINDS.values():
        yield from _keys(kind.__name__, kind.model_json_schema())


def _keys(title: str, full: dict[str, Any]) -> Iterator[str]:
    """One table for each part of a schema."""
    parts = full.get("$defs", {})
    todo = [(title, full)]
    for name, part in todo:
        yield f"### {name}\n\n{part['description']}\n"
        rows = []
        for key, of in part["properties"].items():
            inner = [ref for ref in _refs(of) if "properties" in parts[ref]]
            todo += [(ref, parts[ref]) for ref in inner if (ref, parts[ref]) not in todo]
            about = of.get("description") or "".join(parts[ref]["description"] for ref in inner)
            rows.append((f"`{key}`", _kind(of), _default(of), about))
        yield _table(("key", "value", "default", "meaning"), rows)


def _refs(of: object) -> Iterator[str]:
    """Names of the parts that a piece of a JSON Schema refers to."""
    match of:
        case {"$ref": ref}:
            yield str(ref).rsplit("/", 1)[1]
        case {}:
            yield from (name for value in of.values() for name in _refs(value))
        case [*items]:
            yield from (name for item in items for name in _refs(item))


def _kind(of: Any) -> str:
    """The values that a part of a JSON Schema allows, in words."""
    match of:
        case {"$ref": ref}:
            name = str(ref).rsplit("/", 1)[1]
            return f"[{name}](#{name.lower()})"
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"anyOf": kinds} | {"oneOf": kinds}:
            return " or ".join(dict.fromkeys(_kind(kind) for kind in kinds))
        case {"type": "array", "items": item}:
            return f"list of {_kind(item)}"
        case {"type": "object", "patternProperties": patterns}:
            return f"name: {' or '.join(_kind(inner) for inner in patterns.values())}"
        case {"type": "object", "additionalProperties": True}:
            return "name: anything"
        case {"type": "object", "additionalProperties": inner}:
            return f"name: {_kind(inner)}"
        case {"type": "null"}:
            return "`null`"
    words: dict[str, str] = {"string": "text", "integer": "whole number", "boolean": "yes or no"}
    return words.get(of["type"], str(of["type"])) + _bounds(of)


def _bounds(of: Mapping[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "pattern": "like"}
    found = [f"{word} `{of[key]}`" for key, word in words.items() if key in of]
    return f" {', '.join(found)}" if found else ""


def _default(of: Mapping[str, Any]) -> str:
    """Short defaults as JSON; what is longer is told by the meaning, or by the part's own table."""
    if "default" not in of or isinstance(of["default"], dict):
        return ""
    text = json.dumps(of["default"], ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else ""


def _sources(title: str, sources: Mapping[str, Source]) -> Iterator[str]:
    yield f"## {title}\n"
    rows = (
        (
            f"`{name}`",
            source.about,
            source.hub or source.github,
            f"{source.rows:,}" if source.rows else "",
            source.licence,
            ", ".join(f"`{field}`" for field in source.fields),
        )
        for name, source in sources.items()
    )
    yield _table(("name", "what it is", "where", "records", "licence", "fields"), rows)


def _writers() -> Iterator[tuple[str, str]]:
    for name, writer in WRITERS.items():
        teacher = "; needs a teacher" if writer.teacher else ""
        yield name, f"{writer.about} ({', '.join(sorted(writer.kinds))}{teacher})"


def _named(title: str, about: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"## {title}\n"
    yield _table(("name", about), ((f"`{name}`", text) for name, text in rows))


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").split("\n")[0]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
        return f"| {' | '.join(texts)} |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows), ""])


if __name__ == "__main__":
    print(reference(), end="")
