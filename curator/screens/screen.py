"""What a screen is, and what it declares: its parameters and what it needs from the build."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from curator.core.section import Section
from curator.screens.rows import Rows

Need = Literal["seed", "evals", "licences", "lists", "attempts", "tokenizer"]
"""What a build provides to a screen, as a keyword argument of that name:

    seed      int: the recipe's seed
    evals     {name: paths}: problems objects of the evaluation sets that the screen's parameter
              `against` lists, in that order; the screen does not run without them
    licences  list of str: the licences that `mixture.licences` allows; the screen does not run if
              the recipe has no such list
    lists     {key: paths}: the lists of rows that the screen's parameters name, by their key
    attempts  {"counts": paths}: an object in the layout `SOLVE_COUNTS`; empty without attempts
    tokenizer TokenizerFile: the file that the screen's parameters `tokenizer` and `revision` name
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a screen needs of each shard, so that only candidates are compared as text."""

    of: Literal["rationales", "problems"]
    """The objects that a shard's keys are computed from."""
    select: Callable[..., str]
    """(source) -> SELECT over a FROM item."""
    schema: pa.Schema
    """The columns of that SELECT, or of what `convert` makes of them."""
    parameters: tuple[str, ...] = ()
    """The screen's parameters on which keys depend. `select`, `prepare` and `convert` get them as
    keyword arguments; a change of the others computes no key again."""
    prepare: Callable[..., str] | None = None
    """(**needs) -> SELECT whose rows `load` gets as a table."""
    prepared_schema: pa.Schema | None = None
    load: Callable[[pa.Table], Any] | None = None
    """(table) -> what `convert` gets as `prepared`. It stays in memory from shard to shard."""
    convert: Callable[..., Iterator[pa.RecordBatch]] | None = None
    """(batches) -> keys: the part of the work that SQL does too slowly. With `prepare`, (batches,
    prepared)."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A check that must see all rows."""

    version: int
    """Raise it when the verdicts of the screen change."""
    about: str
    """Documentation of the recipe key, and of the screen in the reference."""
    run: Callable[..., Iterator[pa.RecordBatch]]
    """(engine, rows, **parameters, **needs) -> verdicts on rows that it rejects or reports, in the
    layout `curator.core.arrow.VERDICTS`, sorted by row id."""
    parameters: type[Section] | None = None
    """Model of the keys below the screen's own key. Without it the key is true or false."""
    needs: frozenset[Need] = frozenset()
    texts: Callable[[Rows], str] | None = None
    """SELECT of (question, text): the texts to embed if the parameter `embeddings` is set. Their
    vectors are given to `run` as `rows.vectors`."""
    keys: Keys | None = None
    """Computed by shard, and given to `run` as `rows.keys`."""
    fills_memory: bool = False
    """Whether `run` may fill an engine's memory: the processes that computed the keys end first."""
    audit_note: str = ""
    """How the screen compares rows, for the table of `curator audit`."""
    undecided: tuple[str, ...] = ()
    """Reasons of an undecided verdict; a recipe may keep rows by reason."""
    on: bool = False
    """Whether the screen runs in recipes that do not mention it."""
    has_key: bool = True
    """Whether the recipe's `screens` has a key of the screen's name. A screen without one runs
    wherever its needs are met."""
    always_digested: bool = False
    """Whether version digests cover the key even where it has its default. False for new screens,
    since the digests of existing versions must not change."""
