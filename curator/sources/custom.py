"""Builds a source from a recipe's own description: files of any form in `readers.detect`, or a Hub
dataset, with the names of its columns.

In: `{question: problem, gold: answer}` and the location of the rows. Out: a Source.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from curator.core.errors import UsageError, to_one_line, unknown_name
from curator.core.model import LETTERS, Problem
from curator.core.thoughts import Pair, join_thought, read_trace, rewrite_marks
from curator.sources.chat_columns import kind_of, response_texts, user_turn
from curator.sources.datasets import mathqa
from curator.sources.datasets.mathinstruct import PARTS
from curator.sources.fields import (
    Unreadable,
    answer,
    choice_letter,
    join_context,
    optional,
    strip_labels,
    text,
    texts,
    value,
)
from curator.sources.source import Row, Source

COLUMNS = ("question", "gold", "choices", "response", "thought", "solution", "program", "field")
"""What a column can contain; only `question` is required."""


def parse_columns(text: str, contents: Sequence[str]) -> dict[str, str]:
    """Return the columns that an option names, such as `question=problem,gold=answer`, by content.

    Raises UsageError for a part that is not CONTENT=COLUMN, or for a content not in `contents`.
    """
    columns: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        content, equals, column = (each.strip() for each in part.partition("="))
        if not (equals and content and column):
            raise UsageError(
                f"--columns: '{to_one_line(part, 80)}' is not valid. Write CONTENT=COLUMN, such as "
                "question=problem,gold=answer."
            )
        if content not in contents:
            raise UsageError(f"--columns: {unknown_name('content', content, contents)}")
        if content in columns:
            raise UsageError(f"--columns: {content} is named twice. Name one column for it.")
        columns[content] = column
    return columns


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
    name: str,
    files: CustomFiles,
    columns: Mapping[str, str],
    licence: str,
    marks: Sequence[Pair] = (),
) -> Source:
    """Return the source that a recipe describes.

    `columns` maps the names in `COLUMNS` to upstream's; empty ones are ignored. Choices are a list
    of texts, in CSV a JSON list, or in MathQA's format; their gold answer is a letter, the text of
    a choice, or a position counted from 0 (a number). A null, blank or missing gold is no gold
    answer; a row whose choices are so is an open question. A program is Python. A response is a
    text, a program, or a list of them; each becomes a problem in part `CoT`, `PoT` or `TIR`.
    Questions and responses may be chats. A column inside an object is named `outer.inner`. `marks`
    are further marks of thoughts in solutions and responses.
    """
    column_of = {kind: column for kind, column in columns.items() if column}
    for kind in column_of:
        if kind not in COLUMNS:
            raise UsageError(f"{name}: {unknown_name('column', kind, COLUMNS)}")
    if "question" not in column_of:
        raise UsageError(f"{name}: columns need a question. Name the column that contains it.")
    if bool(files.file) == bool(files.hub):
        raise UsageError(f"{name}: expected either a file or a Hub dataset. Set file or hub.")

    return Source(
        name=name,
        about=f"{files.file or files.hub}, by the recipe's columns",
        licence=licence,
        parse=partial(_parse, name, licence, column_of, marks),  # not a closure: it can be pickled
        folder=f"sources/{name}",
        hub=files.hub,
        revision=files.revision,
        config=files.config,
        split=files.split,
        local=files.file,
        first=files.rows,
        fields=tuple(column_of.values()),
        named=tuple(column_of.values()),
        settings=json.dumps(
            {"columns": column_of, "licence": licence}
            | ({"rows": files.rows} if files.rows else {})
            | ({"thoughts": marks} if marks else {}),
            sort_keys=True,
        ),
    )


def _add_nested_columns(row: Row, column_of: Mapping[str, str]) -> Row:
    """Return the row with a key `outer.inner` for each column that is named like this."""
    nested = {}
    for column in column_of.values():
        cell: object = row
        for key in column.split(".") if column not in row else ():
            cell = cell.get(key) if isinstance(cell, Mapping) else None
        if cell is not row and cell is not None:
            nested[column] = cell
    return {**row, **nested} if nested else row


def has_column(row: Row, column: str) -> bool:
    """Return whether a row has a column, also one inside an object, whatever its cell."""
    if column in row:
        return True
    cell: object = row
    for key in column.split("."):
        if not isinstance(cell, Mapping) or key not in cell:
            return False
        cell = cell[key]
    return True


def columns_of(row: Row) -> Iterator[str]:
    """Yield the names of a row's columns, and `outer.inner` of those inside an object."""
    for name, cell in row.items():
        yield str(name)
        if isinstance(cell, Mapping):
            yield from (f"{name}.{key}" for key in cell)


def _parse(
    name: str,
    licence: str,
    column_of: Mapping[str, str],
    marks: Sequence[Pair],
    row: Row,
    place: str,
) -> Iterator[Problem]:
    """Yield the problem of a row, or one problem for each text of its response."""
    row = _add_nested_columns(row, column_of)
    values = {
        kind: optional(row, column) for kind, column in column_of.items() if kind in _TEXT_COLUMNS
    }
    thought = values.get("thought", "")
    choices = _choices(row, column_of["choices"]) if "choices" in column_of else ()
    gold = _gold(row, column_of["gold"], choices) if "gold" in column_of else ""
    if "choices" in column_of and not choices and _LETTER.fullmatch(gold):
        reason = f"is the letter of a choice, but {column_of['choices']} is empty"
        raise Unreadable(f"{column_of['gold']} {reason}")
    problem = Problem(
        source=name,
        question=_question(row, column_of),
        gold=gold,
        choices=choices,
        notation="python" if values.get("program") else "",
        gold_in="solution" if _gold_is_solution(column_of) else "",
        # In a copy of the released MathInstruct, each part keeps the licence of its source.
        licence=PARTS.get(values.get("field", ""), licence),
        place=place,
        solution=_with_thought(rewrite_marks(values.get("solution", ""), marks), thought),
        program=values.get("program", ""),
        field=values.get("field", ""),
    )
    if "response" not in column_of:
        yield problem
        return
    column = column_of["response"]
    for text_ in response_texts(value(row, column), column):
        response = rewrite_marks(text_, marks)
        kind = kind_of(response)
        if kind == "PoT":
            yield replace(problem, part=kind, program=response, notation="python")
        else:
            yield replace(problem, part=kind, solution=_with_thought(response, thought))


def _with_thought(solution: str, thought: str) -> str:
    """Return a solution with its thought; one that has a thought of its own keeps that."""
    return (
        join_thought(thought, solution) if solution and read_trace(solution) is None else solution
    )


def _question(row: Row, column_of: Mapping[str, str]) -> str:
    """Return the question with what belongs to it in other columns, which a row may lack.

    Of Alpaca's rows, that is `instruction` and then `input`; elsewhere, the text before `question`.
    """
    column = column_of["question"]
    question = text({column: user_turn(value(row, column), column)}, column)
    outer, dot, name = column.rpartition(".")
    inside = row.get(outer) if outer and column not in row else row
    if not isinstance(inside, Mapping):
        return question

    def rest(names: Sequence[str]) -> str:
        free = (key for key in inside if f"{outer}{dot}{key}" not in column_of.values())
        # Nobody named this column, so that another kind of value is no error.
        found = (key for key in free if key.lower() in names and isinstance(inside[key], str))
        return next((optional(inside, key) for key in found), "")

    if name == "instruction":
        given = rest(("input",))
        return f"{question}\n{given}" if given else question
    before = rest(CONTEXT) if name.lower() == "question" else ""
    return join_context(before, question) if before else question


def _gold_is_solution(column_of: Mapping[str, str]) -> bool:
    """Return whether the solution's own column is given as the one of the gold answer."""
    gold = column_of.get("gold")
    return gold is not None and gold in (column_of.get("solution"), column_of.get("response"))


def _gold(row: Row, column: str, choices: tuple[str, ...]) -> str:
    """Return the gold answer; empty if the row states none."""
    if _is_empty(row.get(column)):
        return ""
    cell = value(row, column)
    if choices:
        return _gold_letter(row, column, choices)
    if isinstance(cell, list) and len(cell) == 1 and isinstance(cell[0], str):
        return text({column: cell[0]}, column)
    return answer(row, column)


def _is_empty(cell: object) -> bool:
    """Return whether a cell is null, blank, or NaN, by which tables write null."""
    if isinstance(cell, list):
        return all(map(_is_empty, cell))
    blank = isinstance(cell, str) and not cell.strip()
    return cell is None or blank or (isinstance(cell, float) and math.isnan(cell))


CONTEXT = ("body", "context", "passage")
"""Columns with the text before a `question`, in lower case."""
_LETTER = re.compile(r"\s*(?:[A-J]|\([A-Ja-j]\))\s*")
_MATHQA_CHOICES = re.compile(r"""\s*(?:\[\s*["']\s*)?a \)""")
_TEXT_COLUMNS = ("thought", "solution", "program", "field")


def _choices(row: Row, column: str) -> tuple[str, ...]:
    """Return the choices; none for a row that has none, which is an open question."""
    if _is_empty(row.get(column)):
        return ()
    cell = value(row, column)
    if isinstance(cell, str):
        if _MATHQA_CHOICES.match(cell):
            return mathqa.parse_choices(cell.strip())
        try:
            row = {column: json.loads(cell)}
        except (ValueError, RecursionError):
            raise Unreadable(f"{column} is not a list of texts") from None
    return strip_labels(texts(row, column))


def _gold_letter(row: Row, column: str, choices: tuple[str, ...]) -> str:
    cell = value(row, column)
    if isinstance(cell, int) and not isinstance(cell, bool):
        if not 0 <= cell < len(choices):
            raise Unreadable("marked option does not exist")
        return LETTERS[cell]
    mark = text(row, column)
    if choices.count(mark) == 1:
        return LETTERS[choices.index(mark)]
    return choice_letter(mark, choices)
