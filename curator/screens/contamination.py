"""Screen `contamination`: finds questions that repeat an evaluation question, by level of match.

In: rows and the problems objects of the evaluation sets. Out: verdicts whose reason is the level
(`same question`, `reworded`, `same template`, `shared phrase`), with both questions and what they
share. The recipe decides per level, and per evaluation set and subset, whether a row is rejected or
flagged. Not covered: translations, questions in images, and rewordings with other numbers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from curator.core.arrow import ID, VERDICTS, make_batch, to_batches
from curator.core.model import MatchLevel, Verdict
from curator.core.section import Section, one_of
from curator.screens.candidates import POSTINGS, index_items, select_questions
from curator.screens.match import rank_match
from curator.screens.matches import (
    AT_ONCE,
    MATCHES,
    Items,
    find_matches,
    list_matches,
    match_batches,
)
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from curator.sources import EVALS, MAMMOTH_EVALS
from datastore.engine import Engine, literal, scan

NAME = "contamination"
VERSION = 6
Action = Literal["reject", "flag", "keep"]
ACTIONS: tuple[Action, ...] = ("reject", "flag", "keep")
"""From strict to lenient."""
Row = Mapping[str, Any]
"""A row of `MATCHES`."""


class Actions(Section):
    """What to do with rows by level of match: `reject`, `flag` or `keep`."""

    same_question: Action | None = None
    """Rows that contain a whole evaluation question."""
    reworded: Action | None = None
    """Rows that ask an evaluation question in other words."""
    same_template: Action | None = None
    """Rows that ask an evaluation question with other numbers."""
    shared_phrase: Action | None = None
    """Rows that share at least 13 words in a row with an evaluation question."""


class Contamination(Section):
    """Rejects or flags rows that repeat an evaluation question. A flagged row has a verdict and
    stays; a kept one has none."""

    against: tuple[Annotated[str, one_of("evaluation set", EVALS)], ...] = MAMMOTH_EVALS
    """Evaluation sets to compare with. Default: MATH-500 and the sets of MAmmoTH's
    evaluation; the others only by name. Name every set that the model will be measured on."""
    same_question: Action = "reject"
    """Rows that contain a whole evaluation question, also between other text, without its options
    or with a sentence added."""
    reworded: Action = "reject"
    """Rows that ask an evaluation question in other words: the same numbers and, where both are
    known, the same gold answer."""
    same_template: Action = "flag"
    """Rows that ask an evaluation question in nearly the same words, but with other numbers,
    another gold answer, a negation or an opposite such as more and fewer."""
    shared_phrase: Action = "keep"
    """Rows that share at least 13 words in a row with an evaluation question."""
    sets: dict[Annotated[str, one_of("evaluation set", EVALS)], Actions] = Field(default={})
    """Actions that differ for an evaluation set."""
    subsets: dict[str, Actions] = Field(default={})
    """Actions that differ for a subset of the recipe. They precede those of `sets`."""

    @model_validator(mode="before")
    @classmethod
    def _explain_old_keys(cls, values: Any) -> Any:
        old = [key for key in ("ngram", "masked") if isinstance(values, Mapping) and key in values]
        if old:
            raise ValueError(
                f"the key '{old[0]}' no longer exists: questions are compared by level of match. "
                "Write what to do per level, such as {same_template: reject}; the levels are "
                "same_question, reworded, same_template and shared_phrase"
            )
        return values


def find_contamination(
    engine: Engine,
    rows: Rows,
    evals: Mapping[str, Sequence[Path]],
    *,
    sets: Mapping[str, Mapping[str, Action | None]] | None = None,
    subsets: Mapping[str, Mapping[str, Action | None]] | None = None,
    **actions: Action,
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id, at most one per row.

    `evals` has the problems objects of each evaluation set; `actions`, `sets` and `subsets` are the
    keys of the recipe. Of several matches of a row, the one with the strictest action counts; then
    that of the strongest level; then the one that covers most of the evaluation question.
    """
    if not evals:
        return
    keys = rows.keys
    if not keys:
        found = list_matches(find_matches(engine, rows.problems, evals))
        keys = engine.create_view(f"matches_{uuid4().hex}", found, MATCHES)
    policies = [_Policy(actions, sets or {}, own) for own in [{}, *(subsets or {}).values()]]
    path = engine.folder / f"{uuid4().hex}.parquet"
    _write_decisions(_read_matches(engine, rows, keys), policies, path)
    yield from to_batches(_verdicts(engine, rows, keys, path, list(subsets or {})), VERDICTS)
    path.unlink()


def _read_matches(engine: Engine, rows: Rows, keys: str) -> Iterator[tuple[bytes, list[Row]]]:
    """Yield each problem with its matches, each once. Shards may share a problem."""
    # Without the evidence, which is long: only that of decisions is read, by `_verdicts`.
    query = f"""
        SELECT DISTINCT id, number, "set", level, covered, score FROM {keys}
        WHERE id IN (SELECT problem_id FROM ({rows.rows})) ORDER BY id, number
    """
    found = (row for batch in engine.batches(query, size=AT_ONCE) for row in batch.to_pylist())
    for id_, matches in groupby(found, key=itemgetter("id")):
        yield id_, list(matches)


class _Policy:
    """The actions on rows of one subset."""

    def __init__(
        self,
        default: Mapping[str, Action],
        sets: Mapping[str, Mapping[str, Action | None]],
        subset: Mapping[str, Action | None],
    ) -> None:
        self._default = {**Contamination().model_dump(), **default}
        self._sets, self._subset = sets, subset

    def action(self, level: MatchLevel, name: str) -> Action:
        """Return the action on a match of this level with a question of the set `name`."""
        key = level.replace(" ", "_")
        action = self._subset.get(key) or self._sets.get(name, {}).get(key) or self._default[key]
        assert action in ACTIONS
        return action


_DECISIONS = pa.schema(
    [("id", ID), ("policy", pa.int32()), ("action", pa.string()), ("reason", pa.string()),
     ("number", pa.int64())]
)  # fmt: skip


def _write_decisions(
    found: Iterable[tuple[bytes, Sequence[Row]]], policies: Sequence[_Policy], path: Path
) -> None:
    """Write, per problem and policy, the match that decides about its rows, if there is one."""
    with pq.ParquetWriter(path, _DECISIONS) as writer:
        decisions: list[tuple[object, ...]] = []
        for id_, matches in found:
            for number, policy in enumerate(policies):
                decided = _decide(matches, policy)
                if decided:
                    action, row = decided
                    decisions.append((id_, number, action, row["level"], row["number"]))
            if len(decisions) >= AT_ONCE:
                writer.write_batch(make_batch(list(zip(*decisions, strict=True)), _DECISIONS))
                decisions.clear()
        if decisions:
            writer.write_batch(make_batch(list(zip(*decisions, strict=True)), _DECISIONS))


def _decide(matches: Sequence[Row], policy: _Policy) -> tuple[Action, Row] | None:
    """Return the match that decides about a row, with its action; None if the row is kept."""
    decided = [(policy.action(row["level"], row["set"]), row) for row in matches]
    return min(
        (each for each in decided if each[0] != "keep"),
        key=lambda each: (
            ACTIONS.index(each[0]),
            rank_match(each[1]["level"], each[1]["covered"], each[1]["score"]),
            each[1]["number"],
        ),
        default=None,
    )


def _verdicts(
    engine: Engine, rows: Rows, keys: str, path: Path, subsets: Sequence[str]
) -> Iterator[Verdict]:
    names = ", ".join(map(literal, subsets))
    policy = f"coalesce(list_position([{names}]::VARCHAR[], subset), 0)"
    query = f"""
        WITH decision AS (SELECT * FROM {scan([path])})
        SELECT alive.id AS row_id, action, reason, evidence
        FROM (SELECT id, problem_id, {policy} AS policy FROM ({rows.rows})) AS alive
        JOIN decision ON decision.id = alive.problem_id AND decision.policy = alive.policy
        JOIN {keys} AS explained
            ON explained.id = decision.id AND explained.number = decision.number
        ORDER BY row_id
    """
    last = b""
    for batch in engine.batches(query):
        for row in batch.to_pylist():
            # Shards may share a problem. An aggregate over texts would hold all of them.
            if row["row_id"] == last:
                continue
            last = row["row_id"]
            outcome: Literal["passed", "failed"] = (
                "failed" if row["action"] == "reject" else "passed"
            )
            evidence = json.loads(row["evidence"])
            yield Verdict(row["row_id"], NAME, VERSION, outcome, row["reason"], evidence)


SCREEN = Screen(
    VERSION,
    "Reject rows whose question repeats a question of an evaluation set.",
    find_contamination,
    parameters=Contamination,
    needs=frozenset({"evals"}),
    keys=Keys(
        "problems",
        select_questions,
        MATCHES,
        prepare=index_items,
        prepared_schema=POSTINGS,
        load=Items,
        convert=match_batches,
    ),
    on=True,
    always_digested=True,
)
