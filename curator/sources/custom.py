"""Sources that a recipe describes itself: any JSON lines, JSON, Parquet or CSV file, or any dataset
of the Hub, by the names of its columns.

In: `{question: problem, gold: answer}` and where the rows are. Out: a Source like the shipped ones.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from curator.core.errors import UsageError, unknown_name
from curator.core.model import LETTERS, Problem
from curator.sources.chat_columns import asked, kind_of, responses
from curator.sources.datasets import mathqa
from curator.sources.datasets.mathinstruct import PARTS
from curator.sources.fields import (
    Unreadable,
    answer,
    letter,
    optional,
    text,
    texts,
    unlabelled,
    value,
)
from curator.sources.source import Row, Source

COLUMNS = ("question", "gold", "choices", "response", "solution", "program", "field")
"""What a column can hold; only `question` is needed."""


@dataclass(frozen=True, slots=True)
class CustomFiles:
    """Where a recipe's own source is read: `file` or `hub`."""

    file: str = ""
    """Path or glob."""
    hub: str = ""
    """Id of a Hub dataset; `datasets` resolves the files of `config` and `split`."""
    config: str = ""
    split: str = "train"
    revision: str = ""
    rows: int = 0
    """Maximum number of records, read from the start; 0 for all."""


def custom_source(
    name: str, files: CustomFiles, columns: Mapping[str, str], licence: str
) -> Source:
    """A source of a recipe's own.

    `columns` maps the names of `COLUMNS` to upstream's; empty ones count as not given. A column of
    choices holds a list of texts (in CSV a JSON list; or as MathQA writes them); their gold is a
    letter, an option's text, or a position counted from 0 (a number). A program is Python. A
    response is a text or a program, or a list of them: each becomes a record in part `CoT` or
    `PoT`. Questions and responses may be the turns of a chat, and a column inside an object is
    named `outer.inner`.
    """
    held = {kind: column for kind, column in columns.items() if column}
    for kind in held:
        if kind not in COLUMNS:
            raise UsageError(f"{name}: {unknown_name('column', kind, COLUMNS)}")
    if "question" not in held:
        raise UsageError(f"{name}: columns need a question; which column holds it?")
    if bool(files.file) == bool(files.hub):
        raise UsageError(f"{name}: give either a file or a Hub dataset, as file or hub")

    def parse(row: Row, place: str) -> Iterator[Problem]:
        yield from _problems(name, licence, held, _inside(row, held), place)

    return Source(
        name=name,
        about=f"{files.file or files.hub}, by the recipe's columns",
        licence=licence,
        parse=parse,
        folder=f"sources/{name}",
        hub=files.hub,
        revision=files.revision,
        config=files.config,
        split=files.split,
        local=files.file,
        first=files.rows,
        fields=tuple(held.values()),
        reading=json.dumps(
            {"columns": held, "licence": licence} | ({"rows": files.rows} if files.rows else {}),
            sort_keys=True,
        ),
    )


def _inside(row: Row, held: Mapping[str, str]) -> Row:
    """The row with what its objects hold under `outer.inner`, where a column is named so."""
    found = {}
    for column in held.values():
        cell: object = row
        for key in column.split(".") if column not in row else ():
            cell = cell.get(key) if isinstance(cell, Mapping) else None
        if cell is not row and cell is not None:
            found[column] = cell
    return {**row, **found} if found else row


def _problems(
    name: str, licence: str, held: Mapping[str, str], row: Row, place: str
) -> Iterator[Problem]:
    """One record, or one for each text of its response."""
    words = {kind: optional(row, column) for kind, column in held.items() if kind in _TEXTS}
    choices = _choices(row, held["choices"]) if "choices" in held else ()
    asks = held["question"]
    problem = Problem(
        source=name,
        question=text({asks: asked(value(row, asks), asks)}, asks),
        gold=_gold(row, held["gold"], choices) if "gold" in held else "",
        choices=choices,
        notation="python" if words.get("program") else "",
        # A copy of the released MathInstruct keeps the licences of its parts, whatever its label.
        licence=PARTS.get(words.get("field", ""), licence),
        place=place,
        **words,
    )
    if "response" not in held:
        yield problem
        return
    column = held["response"]
    for found in responses(value(row, column), column):
        if kind_of(found) == "PoT":
            yield replace(problem, part="PoT", program=found, notation="python")
        else:
            yield replace(problem, part="CoT", solution=found)


def _gold(row: Row, column: str, choices: tuple[str, ...]) -> str:
    if choices:
        return _option(row, column, choices)
    found = value(row, column)
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], str):
        return text({column: found[0]}, column)
    return answer(row, column)


_MATHQA = re.compile(r"""\s*(?:\[\s*["']\s*)?a \)""")
_TEXTS = ("solution", "program", "field")


def _choices(row: Row, column: str) -> tuple[str, ...]:
    found = value(row, column)
    if isinstance(found, str):
        if _MATHQA.match(found):
            return mathqa.options(found.strip())
        try:
            row = {column: json.loads(found)}
        except (ValueError, RecursionError):
            raise Unreadable(f"{column} is not a list of texts") from None
    return unlabelled(texts(row, column))


def _option(row: Row, column: str, choices: tuple[str, ...]) -> str:
    found = value(row, column)
    if isinstance(found, int) and not isinstance(found, bool):
        if not 0 <= found < len(choices):
            raise Unreadable("marked option does not exist")
        return LETTERS[found]
    words = text(row, column)
    if choices.count(words) == 1:
        return LETTERS[choices.index(words)]
    return letter(words, choices)
