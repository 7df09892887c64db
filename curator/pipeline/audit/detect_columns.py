"""Which column of an unknown dataset holds what, by its name and by what is in it.

In: some of its records. Out: Column for each of question, response, gold, choices and field that
was found, with how sure that is. Columns inside an object are called `outer.inner`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curator.core.errors import UsageError
from curator.sources.chat_columns import is_chat, kind_of
from curator.sources.source import Row

SAMPLE = 500
"""Records that are looked at."""

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
        "response",
        "output",
        "completion",
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
    ),
    "choices": ("options", "choices"),
    "field": ("source", "problem_source", "data_source", "type", "subject", "topic", "category"),
}
"""What published datasets call their columns, the surest first; case and spaces do not matter."""

Sure = Literal["given", "sure", "likely", "guess"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column and what it was taken for."""

    holds: str
    column: str
    sure: Sure
    """By whom it was `given`; `sure` if name and cells agree, `likely` if not all cells do, `guess`
    if nothing but its cells speak for it."""
    why: str


def detect(rows: Sequence[Row], given: Mapping[str, str]) -> list[Column]:
    """The columns of a dataset; those `given` by the user are not looked for.

    Raises UsageError if no question or no response is found, naming the columns that there are.
    """
    cells = _cells(rows)
    found: dict[str, Column] = {}
    for holds in ("choices", "question", "response", "gold", "field"):
        if given.get(holds):
            _known(given[holds], cells)
            found[holds] = Column(holds, given[holds], "given", "named by you")
        elif column := _find(holds, cells, found):
            found[holds] = column
    for holds in ("question", "response"):
        if holds not in found:
            raise UsageError(
                f"No column looks like a {holds}; name it by --{holds}. {_listed(cells)}"
            )
    return [found[holds] for holds in NAMES if holds in found]


def _known(column: str, cells: Mapping[str, object]) -> None:
    if column not in cells:
        raise UsageError(f"No column named '{column}'. {_listed(cells)}")


def _listed(cells: Mapping[str, object]) -> str:
    return f"Columns: {printable(', '.join(cells)[:300]) or 'none; no record could be read'}"


def printable(words: str) -> str:
    """Words of a file as an error may show them: without signs that would drive a terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in words)


def _cells(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Cells by column, those of objects under `outer.inner`; nulls are left out."""
    cells: dict[str, list[Any]] = {}
    for row in rows:
        for name, cell in row.items():
            inner = cell.items() if isinstance(cell, dict) else ()
            for key, value in [(name, cell), *((f"{name}.{key}", value) for key, value in inner)]:
                if not isinstance(value, dict):
                    cells.setdefault(key, []).extend([value] if value is not None else [])
    return cells


def _find(
    holds: str, cells: Mapping[str, Sequence[Any]], found: Mapping[str, Column]
) -> Column | None:
    taken = {each.column for each in found.values()}
    fits = _FITS[holds]
    named = sorted((place, name) for name in cells if (place := _place(holds, name)) is not None)
    for _, name in named:
        chat = any(map(is_chat, cells[name]))
        # Question and reply of a chat are in one column.
        if name in taken and not (chat and holds == "response"):
            continue
        share = _share(fits, cells[name])
        if share >= 0.5:
            sure: Sure = "sure" if share >= 0.95 else "likely"
            return Column(holds, name, sure, f"by its name and {share:.0%} of its cells")
    if holds == "response":
        for _, name in named:  # all of them short: still what its name says, save for `answer`
            if name not in taken and _place("gold", name) is None:
                share = _share(lambda cell: bool(_texts(cell)), cells[name])
                if share >= 0.95:
                    return Column(holds, name, "likely", "by its name; its cells are short")
    if holds in ("question", "response"):
        for name, held in cells.items():
            if name not in taken and held and (share := _share(fits, held)) >= 0.95:
                return Column(holds, name, "guess", f"by {share:.0%} of its cells")
    return None


def _place(holds: str, name: str) -> int | None:
    """How sure a name is, 0 the surest; None if it says nothing."""
    plain = re.sub(r"[\s-]+", "_", name.rsplit(".", 1)[-1].strip().lower())
    return NAMES[holds].index(plain) if plain in NAMES[holds] else None


def _share(fits: Any, cells: Sequence[Any]) -> float:
    return sum(map(fits, cells)) / len(cells) if cells else 0.0


def _texts(cell: object) -> Iterable[str]:
    if isinstance(cell, str):
        return (cell,)
    whole = isinstance(cell, list) and cell and all(isinstance(each, str) for each in cell)
    return cell if whole else ()  # type: ignore[return-value]


def _asks(cell: object) -> bool:
    return is_chat(cell) or (isinstance(cell, str) and len(cell.strip()) >= 15)


def _responds(cell: object) -> bool:
    """More than an answer: a program, several words or lines; or the turns of a chat."""
    return is_chat(cell) or any(
        len(text.split()) > 8 or "\n" in text.strip() or kind_of(text) == "PoT"
        for text in _texts(cell)
    )


def _answers(cell: object) -> bool:
    """A number, a truth value, or a text too short to be a solution."""
    if isinstance(cell, bool | int | float):
        return True
    if isinstance(cell, list):
        return len(cell) <= 8 and all(_answers(each) for each in cell if not isinstance(each, list))
    return isinstance(cell, str) and 0 < len(cell.strip()) <= 200 and not _responds(cell)


def _options(cell: object) -> bool:
    if isinstance(cell, str) and re.match(r"""\s*(\[\s*["']\s*)?a \) .*b \) """, cell):
        return True
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return False
    return isinstance(cell, list) and len(cell) > 1 and len(list(_texts(cell))) == len(cell)


def _field(cell: object) -> bool:
    return isinstance(cell, str) and 0 < len(cell) <= 60


_FITS = {
    "question": _asks,
    "response": _responds,
    "gold": _answers,
    "choices": _options,
    "field": _field,
}
