"""Detect the columns of a dataset by their names and their cells.

In: some of its records. Out: a Column for each of question, response, thought, gold, choices and
field that is detected, with the certainty. Columns inside an object are named `outer.inner`.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curator.core.errors import UsageError
from curator.core.escape import for_terminal
from curator.sources.chat_columns import is_chat, kind_of
from curator.sources.custom import CONTEXT
from curator.sources.fields import missing_column
from curator.sources.source import Row

SAMPLE = 500
"""Number of records in the sample."""

_CHATS = ("messages", "conversations", "conversation")
NAMES: Mapping[str, tuple[str, ...]] = {
    "question": (
        "question",
        "problem",
        "instruction",
        "query",
        "prompt",
        "input",
        "message_1",
        *_CHATS,
    ),
    "response": (
        "output_program",
        "model_prediction",
        "model_output",
        "model_response",
        "model_answer",
        "prediction",
        "response",
        "responses",
        "output",
        "outputs",
        "completion",
        "generation",
        "generations",
        "generated_solution",
        "solution",
        "rationale",
        "generated",
        "generated_answer",
        "code",
        "message_2",
        "answer",
        *_CHATS,
    ),
    "thought": ("reasoning_content",),
    "gold": (
        "expected_answer",
        "final_answer",
        "gold",
        "ground_truth",
        "reference_answer",
        "output_answer",
        "gt",
        "target",
        "answer",
        "correct",
        "label",
    ),
    "choices": ("options", "choices"),
    "field": ("source", "problem_source", "data_source", "type", "subject", "topic", "category"),
}
"""Column names of published datasets, most specific first. Case and spaces do not matter."""

_PREFERENCES = {"chosen", "rejected"}
Certainty = Literal["given", "sure", "likely", "guess"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column and its detected content."""

    content: str
    column: str
    certainty: Certainty
    """`given` by the user; `sure` if name and cells match, `likely` if some cells do not, `guess`
    if only the cells match."""
    reason: str


def detect(rows: Sequence[Row], given: Mapping[str, str]) -> list[Column]:
    """Return the columns of a dataset; the columns in `given` are not detected.

    Raises UsageError, with the names of all columns, if there is no question or no response.
    """
    columns = find_columns(rows, given)
    contents = {each.content for each in columns}
    cells = _cells(rows)
    if "response" not in contents and cells.keys() >= _PREFERENCES:
        raise UsageError(
            "This is a preference set: each question has a chosen and a rejected response. Name "
            "the one to audit with --response chosen or --response rejected."
        )
    # Questions with gold answers are a dataset without responses.
    for content in ("question",) if "gold" in contents else ("question", "response"):
        if content not in contents:
            raise UsageError(
                f"No column looks like a {content}. Name it with --{content}. {_list(cells)}"
            )
    return columns


def find_columns(rows: Sequence[Row], given: Mapping[str, str]) -> list[Column]:
    """Return the columns of any rows as `detect` does, also if question or response are missing.

    The columns of a preference set are two responses, so neither is detected as one.
    """
    cells = _cells(rows)
    detected: dict[str, Column] = {}
    for content, name in given.items():
        if name:
            _require(name, cells)
            detected[content] = Column(content, name, "given", "set by an option")
    for content in ("choices", "question", "response", "thought", "gold", "field"):
        if content in detected or (content == "response" and cells.keys() >= _PREFERENCES):
            continue
        if column := _find(content, cells, detected):
            detected[content] = column
    return [detected[content] for content in NAMES if content in detected]


def _require(column: str, cells: Mapping[str, object]) -> None:
    if column not in cells:
        raise UsageError(missing_column(column, cells))


def _list(cells: Mapping[str, object]) -> str:
    names = for_terminal(", ".join(cells)[:300])
    return f"Columns: {names or 'none, because no record could be read'}"


def _cells(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Return the cells by column, without nulls; those of objects under `outer.inner`."""
    cells: dict[str, list[Any]] = {}
    for row in rows:
        for name, cell in row.items():
            inner = cell.items() if isinstance(cell, dict) else ()
            for key, value in [(name, cell), *((f"{name}.{key}", value) for key, value in inner)]:
                if not isinstance(value, dict):
                    cells.setdefault(key, []).extend([value] if value is not None else [])
    return cells


def _find(
    content: str, cells: Mapping[str, Sequence[Any]], detected: Mapping[str, Column]
) -> Column | None:
    taken = {each.column for each in detected.values()}
    ranks = {name: rank for name in cells if (rank := _rank(content, name)) is not None}
    # A chat has question and response in one column.
    free = (name for name in ranks if name not in taken or any(map(is_chat, cells[name])))
    named = sorted(free, key=lambda name: (ranks[name], name))
    if content == "response":
        # A reference `answer` is a response only if no column is clearly one, even a short one.
        clear = [name for name in named if _rank("gold", name) is None]
        clear.sort(key=lambda name: not _are_samples(cells[name]))
        return (
            _fitting(content, clear, cells)
            or _short(content, [name for name in clear if name not in taken], cells)
            or _fitting(content, named, cells)
            or _guess(content, cells, taken)
        )
    found = _fitting(content, named, cells)
    if found or content != "question":
        return found
    return _short(content, named, cells) or _guess(content, cells, taken)


def _are_samples(cells: Sequence[Any]) -> bool:
    """Return whether each cell is a list of texts, which a reference solution is not."""
    return all(isinstance(cell, list) and not is_chat(cell) for cell in cells)


def _fitting(
    content: str, named: Sequence[str], cells: Mapping[str, Sequence[Any]]
) -> Column | None:
    """Return the first of the named columns of which at least half of the cells fit."""
    for name in named:
        share = _share(_FITS[content], cells[name])
        if name == "instruction" and "input" in cells:  # the question is both
            share = max(share, _share(_FITS[content], cells["input"]))
        if share >= 0.5:
            certainty: Certainty = "sure" if share >= 0.95 else "likely"
            return Column(content, name, certainty, f"its name and {share:.0%} of its cells fit")
    return None


def _short(content: str, named: Sequence[str], cells: Mapping[str, Sequence[Any]]) -> Column | None:
    """Return the first of the named columns that has texts, as short as they may be."""
    for name in named:
        if _share(lambda cell: any(text.strip() for text in _texts(cell)), cells[name]) >= 0.95:
            return Column(content, name, "likely", "its name fits; its cells are short")
    return None


def _guess(
    content: str, cells: Mapping[str, Sequence[Any]], taken: Collection[str]
) -> Column | None:
    for name, column in cells.items():
        if name.lower() in CONTEXT:
            continue  # it belongs to the question
        if any(_rank(other, name) is not None for other in NAMES if other != content):
            continue  # its name states another content
        if any(isinstance(cell, list) and not is_chat(cell) for cell in column):
            continue  # a list without a telling name is rather of topics than of responses
        if name not in taken and (share := _share(_FITS[content], column)) >= 0.95:
            return Column(content, name, "guess", f"{share:.0%} of its cells fit")
    return None


def _rank(content: str, name: str) -> int | None:
    """Return the rank of a name, 0 the most specific; None for an unknown name."""
    plain = re.sub(r"[\s-]+", "_", name.rsplit(".", 1)[-1].strip().lower())
    return NAMES[content].index(plain) if plain in NAMES[content] else None


def _share(fits: Any, cells: Sequence[Any]) -> float:
    return sum(map(fits, cells)) / len(cells) if cells else 0.0


def _texts(cell: object) -> Iterable[str]:
    if isinstance(cell, str):
        return (cell,)
    whole = isinstance(cell, list) and cell and all(isinstance(each, str) for each in cell)
    return cell if whole else ()  # type: ignore[return-value]


def _is_question(cell: object) -> bool:
    """Return whether a cell is a text of several words, so not an id or a path."""
    if not isinstance(cell, str):
        return is_chat(cell)
    plain = cell.strip()
    return len(plain) >= 15 and (not plain.isascii() or len(plain.split()) > 1)


def _is_response(cell: object) -> bool:
    """Return whether a cell is more than an answer: a program, several words or lines, a chat."""
    return is_chat(cell) or any(
        len(text.split()) > 8 or "\n" in text.strip() or kind_of(text) != "CoT"
        for text in _texts(cell)
    )


def _is_answer(cell: object) -> bool:
    """Return whether a cell is a number, a truth value, or a text too short for a solution."""
    if isinstance(cell, bool | int | float):
        return True
    if isinstance(cell, list):
        return len(cell) <= 8 and all(
            _is_answer(each) for each in cell if not isinstance(each, list)
        )
    return isinstance(cell, str) and 0 < len(cell.strip()) <= 200 and not _is_response(cell)


def _is_choices(cell: object) -> bool:
    if isinstance(cell, str) and re.match(r"""\s*(\[\s*["']\s*)?a \) .*b \) """, cell):
        return True
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return False
    return isinstance(cell, list) and len(cell) > 1 and len(list(_texts(cell))) == len(cell)


def _is_field(cell: object) -> bool:
    return isinstance(cell, str) and 0 < len(cell) <= 60


_FITS = {
    "question": _is_question,
    "response": _is_response,
    "thought": lambda cell: isinstance(cell, str) and bool(cell.strip()),
    "gold": _is_answer,
    "choices": _is_choices,
    "field": _is_field,
}
