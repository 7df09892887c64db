"""Prompts: Jinja templates of whole conversations with a teacher.

In: the name of a prompt and its values. Out: messages (role, text) and a digest of the file. A file
starts with a comment that states its version; each line `### system`, `### user` or `### assistant`
starts a message. Files are split at these lines before values are inserted, so that no value can
start a message. A recipe's folder may replace files; these are not trusted.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from curator.core.errors import (
    MALFORMED,
    RecipeError,
    UsageError,
    join_errors,
    to_one_line,
    unknown_name,
)
from datastore.text import is_storable

FOLDER = Path(__file__).parent / "prompts"
VALUES: Mapping[str, tuple[str, ...]] = {
    "cot": ("question", "options"),
    "pot": ("question", "options"),
    "tir": ("question", "options"),
    "tir_tools": ("question", "options"),
    "repair": ("question", "options", "program", "error"),
    "question": ("topic", "type", "examples"),
}
"""Every prompt with the values that its file must use. `options` is the line of answer choices or
empty; `examples` is a list of texts; every other value is one text."""

PURPOSES: Mapping[str, str] = {
    "cot": "ask for a worked solution in words (writer `cot`, `curator sample`)",
    "pot": "ask for a program that prints the answer (writer `pot`, `curator sample`)",
    "tir": "ask for a solution that runs programs on the way (writer `tir`)",
    "tir_tools": "the same with tool calls (writer `tir` with `sampling.tools`)",
    "repair": "show a program that failed and ask for another one (`sampling.repair`)",
    "question": "ask for a new problem (writer `self_instruct`)",
}
"""What each prompt is for."""
EXAMPLE = """{# version 2: short solutions #}
### system
You solve problems of mathematics in a few lines.
### user
{{ question }}
{% if options %}
{{ options }}
{% endif %}

End with "The answer is X".
"""
"""A file `cot.jinja`."""
SUFFIX = ".jinja"
_SUFFIXES = (SUFFIX, ".jinja2", ".j2", ".tmpl", ".template")

LONGEST_FILE = 50_000
"""Maximum bytes of a file: about 12,000 tokens, which every call costs."""
LONGEST_PROMPT = 200_000
"""Maximum characters of a rendered conversation."""
_ROLE = re.compile(r"^### *(\S+)[ \t]*$", re.M)
_ROLES = ("system", "user", "assistant")
MOST_TAGS = 200
"""Maximum number of tags `{% … %}` of a file."""
DEEPEST = 20
"""Maximum number of tags and operators inside each other."""
# The syntax that a template may use: values, texts in quotes, `if` with `==`, `!=`, `and`, `or` and
# `not`, and `for`. Jinja's sandbox protects Python's attributes, but neither time nor memory:
# `'a' * 10**9` and `'%999999999d' % 1` allocate gigabytes as soon as the file is compiled, 24 lines
# of `{% set x = x ~ x %}` do so when it is rendered, and three nested loops over a question run for
# hours. Attributes are not allowed either: `{{ question.upper }}` prints the address of a method,
# so every run would have other messages and pay for its calls again.
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)
_INVALID = (jinja2.TemplateError, SyntaxError, MemoryError, *MALFORMED)
"""Exceptions of Jinja, and of the Python code that it makes, for a template that is not valid."""

Messages = tuple[tuple[str, str], ...]
"""Role and text of each message."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    file: str
    digest: str
    parts: tuple[tuple[str, int, jinja2.Template], ...]
    """Role, line in the file, and text of each message."""


class Prompts:
    """The prompts of the package, some of them replaced by the files of a folder.

    All files are checked when they are loaded. Raises RecipeError with all errors, one per line
    with file and line number; UsageError if the folder does not exist.
    """

    def __init__(self, folder: Path | None = None) -> None:
        environment = SandboxedEnvironment(
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        errors: list[str] = []
        self._prompts: dict[str, _Prompt] = {}
        for name, path in _files(folder, errors).items():
            try:
                self._prompts[name] = _read(environment, name, path)
            except RecipeError as error:
                errors.append(str(error))
        if errors:
            raise RecipeError(join_errors(errors))

    def messages(self, name: str, /, **values: Any) -> Messages:
        """Return the conversation with the values inserted; the last message is the user's.

        Raises RecipeError if the values do not fit the file or make the conversation too long.
        """
        prompt = self._prompts[name]
        characters_left = LONGEST_PROMPT
        rendered = []
        for role, line, template in prompt.parts:
            pieces: list[str] = []
            try:
                for piece in template.generate(values):
                    characters_left -= len(piece)
                    if characters_left < 0:
                        raise RecipeError(
                            f"{prompt.file}:{line}: the conversation has more than "
                            f"{LONGEST_PROMPT:,} characters. Shorten the prompt."
                        )
                    pieces.append(piece)
            except _INVALID as error:
                raise RecipeError(f"{prompt.file}:{line}: {to_one_line(str(error))}") from None
            rendered.append((role, "".join(pieces).strip()))
        return tuple(rendered)

    def digest(self, name: str) -> str:
        """Return the SHA-256 of the file's text in hex; it changes with any character."""
        return self._prompts[name].digest


def _files(folder: Path | None, errors: list[str]) -> dict[str, Path]:
    """The file of each prompt; those of `folder` come first."""
    files = {name: FOLDER / f"{name}.jinja" for name in VALUES}
    if folder is None:
        return files
    if not folder.is_dir():
        raise UsageError(
            f"Folder {folder} does not exist. Set `prompts` to a folder with .jinja files."
        )
    own = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(SUFFIX)
        if name in VALUES and path.name != name:
            own[name] = path
            if not path.is_file():
                errors.append(f"{path.name}:1: expected a file")
        elif _is_misnamed(path):
            suffix = "" if path.name.endswith(SUFFIX) else SUFFIX
            known = [f"{each}{suffix}" for each in VALUES]
            seen = path.name if suffix else name
            errors.append(f"{path.name}:1: {unknown_name('prompt', seen, known)}")
    if not own and not errors:
        names = ", ".join(f"{name}{SUFFIX}" for name in VALUES)
        raise UsageError(f"Folder {folder} has no prompt. Name its files {names}.")
    return files | {name: path for name, path in own.items() if path.is_file()}


def _is_misnamed(path: Path) -> bool:
    """Return whether a file that is no prompt was probably meant to be one."""
    stem, suffix = path.name.partition(".")[0].lower(), path.suffix.lower()
    if path.is_dir() or not stem:
        return False
    return suffix in _SUFFIXES or bool(get_close_matches(stem, VALUES, n=1, cutoff=0.8))


def _read(environment: SandboxedEnvironment, name: str, path: Path) -> _Prompt:
    file = to_one_line(path.name)
    try:
        with path.open("rb") as opened:
            data = opened.read(LONGEST_FILE + 1)
        source = data.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise RecipeError(f"{file}:1: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{file}:1: expected UTF-8 text, saw an invalid byte at offset {error.start}"
        ) from None
    if len(data) > LONGEST_FILE:
        raise RecipeError(f"{file}:1: expected at most {LONGEST_FILE:,} bytes, saw more")
    head, *messages = _split_messages(file, source)
    if not _is_comment(head[2].strip()) or head[2].startswith("\n"):
        raise RecipeError(
            f"{file}:1: expected a comment such as {{# version 1: its purpose #}}, followed by "
            "'### system' or '### user'"
        )
    _check_roles(file, [(role, line) for role, line, _ in messages])
    if source.count("{%") > MOST_TAGS:
        raise RecipeError(f"{file}:1: expected at most {MOST_TAGS} tags {{% … %}}, saw more")
    checker = _SyntaxChecker(file, VALUES[name])
    parts = [
        (role, line, checker.compile(environment, line, text)) for role, line, text in messages
    ]
    for value in VALUES[name]:
        if value not in checker.used:
            raise RecipeError(f"{file}:1: expected {{{{ {value} }}}}, which the file does not use")
    return _Prompt(file, sha256(source.encode("utf-8")).hexdigest(), tuple(parts))


def _split_messages(file: str, source: str) -> list[tuple[str, int, str]]:
    """Return role, line of the heading and text of each message, after the text before them."""
    marks = list(_ROLE.finditer(source))
    messages = [("", 1, source[: marks[0].start() if marks else len(source)])]
    ends = [*(mark.start() for mark in marks[1:]), len(source)]
    for mark, end in zip(marks, ends, strict=False):
        line = source.count("\n", 0, mark.start()) + 1
        if mark[1] not in _ROLES:
            raise RecipeError(f"{file}:{line}: {unknown_name('role', mark[1][:40], _ROLES)}")
        messages.append((mark[1], line, source[mark.end() + 1 : end]))
    return messages


def _check_roles(file: str, roles: list[tuple[str, int]]) -> None:
    dialogue = [one for one in roles[:1] if one[0] != "system"] + roles[1:]
    for (before, _), (after, line) in pairwise([("assistant", 1), *dialogue]):
        if after == before or after == "system":
            raise RecipeError(f"{file}:{line}: expected user and assistant in turn, saw '{after}'")
    if not dialogue or dialogue[-1][0] != "user":
        raise RecipeError(f"{file}:{roles[-1][1] if roles else 1}: expected a last '### user'")


def _is_comment(text: str) -> bool:
    """Return whether a text is one comment, of one line, that mentions a version."""
    inside = text[2:-2]
    is_one = text.startswith("{#") and text.find("#}") == len(text) - 2 and "\n" not in text
    return is_one and "version" in inside


class _SyntaxChecker:
    """Compiles the messages of one file, and notes which values they use."""

    def __init__(self, file: str, values: Collection[str]) -> None:
        self.used: set[str] = set()
        self._file, self._values = file, values
        self._line, self._line_in_message = 1, 1

    def compile(self, environment: SandboxedEnvironment, line: int, text: str) -> jinja2.Template:
        """Return the template of a message; raise RecipeError for syntax that is not allowed."""
        self._line, self._line_in_message = line, 1
        try:
            self._check(environment.parse(text), frozenset(), 0)
            return environment.from_string(text)
        except RecipeError:
            raise
        except RecursionError:
            raise RecipeError(f"{self._file}:{line}: nested too deeply") from None
        except _INVALID as error:
            line += getattr(error, "lineno", None) or 0
            raise RecipeError(f"{self._file}:{line}: {to_one_line(str(error))}") from None

    def _check(self, node: nodes.Node, loop: frozenset[str], depth: int) -> None:
        """Check a node and all nodes in it; `loop` has the name that the loop around it sets."""
        self._line_in_message = node.lineno or self._line_in_message  # some nodes have none
        if not isinstance(node, _ALLOWED):
            raise self._error(f"'{type(node).__name__.lower()}' is not allowed")
        if depth > DEEPEST:
            raise self._error("nested too deeply", "")
        if isinstance(node, nodes.Const) and not _is_text(node.value):
            raise self._error(f"the value {to_one_line(repr(node.value), 60)} is not allowed")
        if isinstance(node, nodes.Operand) and node.op not in ("eq", "ne"):
            raise self._error(f"the comparison '{node.op}' is not allowed")
        if isinstance(node, nodes.Name) and node.name not in loop:
            if node.name not in self._values:
                raise self._error(unknown_name("value", node.name, self._values), "")
            self.used.add(node.name)
        if isinstance(node, nodes.For):
            self._check_loop(node, loop, depth)
            return
        for child in node.iter_child_nodes():
            self._check(child, loop, depth + 1)

    def _check_loop(self, node: nodes.For, loop: frozenset[str], depth: int) -> None:
        if loop:
            raise self._error("a loop in a loop is not allowed")
        self._check(node.iter, loop, depth + 1)
        if not (isinstance(node.target, nodes.Name) and isinstance(node.iter, nodes.Name)):
            raise self._error("a loop needs one name, `in`, and one value", "")
        if node.test or node.recursive or node.else_:
            raise self._error("a loop with `if`, `else` or `recursive` is not allowed")
        for child in node.body:
            self._check(child, frozenset({node.target.name}), depth + 1)

    def _error(
        self, problem: str, advice: str = ". Use only values, `if` and `for`."
    ) -> RecipeError:
        return RecipeError(f"{self._file}:{self._line + self._line_in_message}: {problem}{advice}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and is_storable(value)
