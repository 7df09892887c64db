"""Generates the reference: `python -m curator.cli.reference > docs/reference.md`.

In: the commands, the schema of recipes, and the dicts of sources, writers, checks, screens, release
formats, prompts, samples and SQL views. Out: Markdown. A test compares it with `docs/reference.md`.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer

from curator.checks import CHECKS
from curator.cli.app import app
from curator.core.model import ROW_WORDS, VERDICT_WORDS
from curator.core.samples import EXAMPLE, FIELDS
from curator.recipe.load import schema as recipe_schema
from curator.release.formats import FORMATS
from curator.screens import SCREENS
from curator.sources import EVALS, SOURCES, Source
from curator.versions.views import VIEWS, VIEWS_EXAMPLE
from curator.writers import WRITERS
from curator.writers.prompt_templates import EXAMPLE as PROMPT
from curator.writers.prompt_templates import PURPOSES, SUFFIX, VALUES
from trainers.recipe import KINDS

HEAD = """# Reference

Generated from the code by `make docs`. Do not edit: changes are overwritten.
"""


def reference() -> str:
    """Return the reference of commands, recipe keys and everything that recipes can name."""
    sections = (
        HEAD,
        *_commands(),
        *_recipe_keys(),
        *_sources("Sources", SOURCES),
        *_sources("Evaluation sets", EVALS),
        *_named("Writers", "what it writes", _writers()),
        *_named("Checks", "what it requires of a row", ((k, v.about) for k, v in CHECKS.items())),
        *_named(
            "Screens",
            "what it does",
            ((k, v.about) for k, v in SCREENS.items()),
        ),
        *_named(
            "Release formats",
            "what it contains",
            ((k, f"{v.about} (`{v.suffix}`)") for k, v in FORMATS.items()),
        ),
        *_prompts(),
        *_samples(),
        *_words(),
        *_views(),
    )
    return "\n".join(sections)


def _commands() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    yield "## Commands\n"
    commands = _commands_of(group)
    yield _table(("command", "what it does"), ((f"`{n}`", c.help) for n, c in commands))
    yield "Options of `curator` itself; they precede the command:\n"
    yield _options(group.params)
    for name, command in commands:
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join([name, *(p.name.upper() for p in arguments)])
        yield f"### curator {usage}\n\n{command.help}\n"
        if command.epilog:
            yield f"{command.epilog.replace('Example: ', 'Example: `')}`\n"
        yield _options(command.params)


def _commands_of(group: Any) -> list[tuple[str, Any]]:
    return [(name, command) for name, command in group.commands.items() if not command.hidden]


def _options(params: Sequence[Any]) -> str:
    def name(param: Any) -> str:
        if param.param_type_name == "argument":
            return f"`{param.name.upper()}`"
        return ", ".join(f"`{option}`" for option in param.opts)

    def about(param: Any) -> str:
        envvar = f" Environment variable: `{param.envvar}`." if param.envvar else ""
        return f"{param.help or ''}{envvar}"

    def default(param: Any) -> str:
        return "" if param.default in (None, False, "") else f"`{param.default}`"

    documented = [param for param in params if param.name != "help"]
    if not documented:
        return "No arguments or options.\n"
    rows = ((name(param), default(param), about(param)) for param in documented)
    return _table(("argument or option", "default", "meaning"), rows)


def _recipe_keys() -> Iterator[str]:
    """Yield the keys of recipes and of training recipes."""
    yield "## Recipe keys\n"
    yield "`curator schema` prints these keys as a JSON Schema for editors.\n"
    described: set[str] = set()
    yield from _keys("Recipe", recipe_schema(), described)
    yield "## Training recipe keys\n"
    yield "Recipes of `curator train`. The key `train` selects the kind of training.\n"
    for kind in KINDS.values():
        yield from _keys(kind.__name__, kind.model_json_schema(), described)


def _keys(title: str, full: dict[str, Any], described: set[str]) -> Iterator[str]:
    """Yield one table per section of a schema that has not been described yet."""
    sections = full.get("$defs", {})
    todo = [(title, full)]
    for name, section in todo:
        if name in described:
            continue
        described.add(name)
        yield f"### {name}\n\n{section['description']}\n"
        rows = []
        for key, value in section["properties"].items():
            inner = [ref for ref in _refs(value) if "properties" in sections[ref]]
            todo += [(ref, sections[ref]) for ref in inner if (ref, sections[ref]) not in todo]
            about = value.get("description") or "".join(
                sections[ref]["description"] for ref in inner
            )
            rows.append((f"`{key}`", _kind(value), _default(value), about))
        yield _table(("key", "value", "default", "meaning"), rows)


def _refs(schema: object) -> Iterator[str]:
    """Yield the names of the sections to which a part of a JSON Schema refers."""
    match schema:
        case {"$ref": ref}:
            yield str(ref).rsplit("/", 1)[1]
        case {}:
            yield from (name for value in schema.values() for name in _refs(value))
        case [*items]:
            yield from (name for item in items for name in _refs(item))


def _kind(schema: Any) -> str:
    """Return the values that a part of a JSON Schema allows, in words."""
    match schema:
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
        case {"type": "array", "prefixItems": [item, *others]}:
            return f"list of {len(others) + 1}: {_kind(item)}"
        case {"type": "object", "patternProperties": patterns}:
            return f"name: {' or '.join(_kind(inner) for inner in patterns.values())}"
        case {"type": "object", "additionalProperties": True}:
            return "name: anything"
        case {"type": "object", "additionalProperties": inner}:
            return f"name: {_kind(inner)}"
        case {"type": "null"}:
            return "`null`"
    words: dict[str, str] = {"string": "text", "boolean": "`true` or `false`"}
    return words.get(schema["type"], str(schema["type"])) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
        "pattern": "matching",
    }
    bounds = [f"{word} `{schema[key]}`" for key, word in words.items() if key in schema]
    return f" {', '.join(bounds)}" if bounds else ""


def _default(schema: Mapping[str, Any]) -> str:
    """Return a short default as JSON. The meaning, or the section's own table, has longer ones."""
    if "default" not in schema or isinstance(schema["default"], dict):
        return ""
    text = json.dumps(schema["default"], ensure_ascii=False)
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
    yield _table(("name", "content", "location", "records", "licence", "fields"), rows)


def _writers() -> Iterator[tuple[str, str]]:
    for name, writer in WRITERS.items():
        teacher = "; needs a teacher" if writer.teacher else ""
        yield name, f"{writer.about} ({', '.join(sorted(writer.kinds))}{teacher})"


def _named(title: str, head: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"## {title}\n"
    yield _table(("name", head), ((f"`{name}`", text) for name, text in rows))


def _prompts() -> Iterator[str]:
    yield "## Prompts\n"
    yield (
        "The key `sampling.prompts` names a folder whose files replace prompts of the package. A "
        "file is called after its prompt. It starts with a comment that states its version; each "
        "line `### system`, `### user` or `### assistant` starts a message, and the last message "
        "is the user's. A file must use all values of its prompt, as `{{ question }}`; `options` "
        "is empty without choices, `examples` is a list for `{% for example in examples %}`.\n"
    )
    rows = (
        (f"`{name}{SUFFIX}`", ", ".join(f"`{value}`" for value in values), PURPOSES[name])
        for name, values in VALUES.items()
    )
    yield _table(("file", "values", "purpose"), rows)
    yield f"Example, `cot{SUFFIX}`:\n\n```jinja\n{PROMPT.rstrip()}\n```\n"


def _samples() -> Iterator[str]:
    yield "## Samples\n"
    yield (
        "`curator sample` writes this format, and `evaluate`, `score` and `train` read it: JSON "
        "Lines, one object per problem.\n"
    )
    yield _table(("key", "content"), ((f"`{key}`", about) for key, about in FIELDS.items()))
    yield f"Example, one line of a file:\n\n```json\n{EXAMPLE}\n```\n"


def _words() -> Iterator[str]:
    yield "## Verdicts\n"
    yield "Every table, SQL, the report and the audit use the same words for verdicts:\n"
    yield _table(("outcome", "meaning"), ((f"`{k}`", v) for k, v in VERDICT_WORDS.items()))
    yield "What became of a row:\n"
    yield _table(("status", "meaning"), ((k, v) for k, v in ROW_WORDS.items()))


def _views() -> Iterator[str]:
    yield from _named("SQL views", "rows and columns", VIEWS.items())
    yield (
        "Ids are texts of 32 hex digits. `DESCRIBE verdicts` lists all columns of a view. Example, "
        "the evaluation question of each contaminated row:\n"
    )
    yield f'```sh\ncurator sql "{VIEWS_EXAMPLE}"\n```\n'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
        return f"| {' | '.join(texts)} |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows), ""])


if __name__ == "__main__":
    sys.stdout.write(reference())
