"""Screen `contamination`: finds questions that repeat an evaluation question, by level of match.

In: rows and the problems objects of the evaluation sets. Out: verdicts whose reason is the level
(`same question`, `reworded`, `same template`, `shared phrase`), with both questions and what they
share. The recipe decides per level, and per evaluation set and subset, whether a row is rejected or
flagged. Not covered: translations, questions in images, and rewordings with other numbers.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from curator.core.arrow import ID, VERDICTS, make_batch, to_batches
from curator.core.model import MatchLevel, Verdict
from curator.core.section import Section, one_of
from curator.screens import normalize
from curator.screens.candidates import (
    CANDIDATES,
    POSTINGS,
    find_candidates,
    index_items,
    select_features,
    select_items,
)
from curator.screens.match import Match, Matcher
from curator.screens.question import Question, answer_otherwise, read_question
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from curator.sources import EVALS
from datastore.engine import Engine, literal, scan

NAME = "contamination"
VERSION = 3
AT_ONCE = 2_000
"""Number of problems, or of decisions about them, in memory."""
MAX_BITS = 1_000
"""Size from which a number is not written out in the evidence."""
MAX_TEXT = 1_000
"""Maximum number of characters of each question in the evidence."""

Action = Literal["reject", "flag", "keep"]
ACTIONS: tuple[Action, ...] = ("reject", "flag", "keep")
"""From strict to lenient."""


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

    against: tuple[Annotated[str, one_of("evaluation set", EVALS)], ...] = tuple(EVALS)
    """Evaluation sets to compare with. Default: all of them."""
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


@dataclass(frozen=True, slots=True)
class Member:
    """An evaluation question in one of the sets that contain it."""

    number: int
    set: str
    place: str
    problem: str
    question: Question


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
    policies = [_Policy(actions, sets or {}, own) for own in [{}, *(subsets or {}).values()]]
    path = engine.folder / f"{uuid4().hex}.parquet"
    alive = f"SELECT problem_id FROM ({rows.rows})"
    candidates = rows.keys and f"SELECT * FROM {rows.keys} WHERE id IN ({alive})"
    problems = f"SELECT * FROM ({rows.problems}) WHERE id IN ({alive})"
    _write_decisions(find_matches(engine, problems, evals, candidates), policies, path)
    yield from to_batches(_verdicts(engine, rows, path, list(subsets or {})), VERDICTS)
    path.unlink()


def find_matches(
    engine: Engine, problems: str, evals: Mapping[str, Sequence[Path]], candidates: str = ""
) -> Iterator[tuple[bytes, str, list[tuple[Member, Match]]]]:
    """Yield id, question and matches of each problem that repeats an evaluation question, by id.

    `problems` is a SELECT of (id, question, gold, choices); an id may repeat. `evals` has the
    problems objects of each evaluation set, `candidates` a SELECT of (id, item), by default of all.
    """
    engine.sql(f"CREATE OR REPLACE TABLE screen_items AS {select_items(evals)}")
    if not candidates:
        postings = pa.Table.from_batches(engine.batches(index_items(evals)), POSTINGS)
        features = engine.batches(select_features(f"({problems})"), size=AT_ONCE)
        found = find_candidates(features, postings)
        candidates = f"FROM {engine.create_view('screen_found', found, CANDIDATES)}"
    engine.sql(
        "CREATE OR REPLACE TABLE screen_candidates AS "
        f"SELECT id, list(DISTINCT item ORDER BY item) AS items FROM ({candidates}) GROUP BY id"
    )
    members = _read_items(engine)
    matcher = Matcher(of_item[0].question for of_item in members.values())
    query = f"""
        SELECT id, items, gold, choices,
            {normalize.fold("question")} AS folded, question
        FROM (
            SELECT id, any_value(question) AS question, any_value(gold) AS gold,
                any_value(choices) AS choices
            FROM ({problems}) SEMI JOIN screen_candidates USING (id) GROUP BY id
        ) JOIN screen_candidates USING (id)
        ORDER BY id
    """
    for batch in engine.batches(query, size=AT_ONCE):
        for row in batch.to_pylist():
            question = read_question(row["folded"], row["gold"], row["choices"])
            matches = _matches(matcher, question, [members[item] for item in row["items"]])
            if matches:
                yield row["id"], row["question"], matches
    engine.drop("screen_items", "screen_candidates", "screen_found")


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
     ("evidence", pa.string())]
)  # fmt: skip


def _write_decisions(
    found: Iterable[tuple[bytes, str, Sequence[tuple[Member, Match]]]],
    policies: Sequence[_Policy],
    path: Path,
) -> None:
    """Write, per problem and policy, the match that decides about its rows, if there is one."""
    with pq.ParquetWriter(path, _DECISIONS) as writer:
        decisions: list[tuple[object, ...]] = []
        for id_, question, matches in found:
            for number, policy in enumerate(policies):
                decided = _decide(matches, policy)
                if decided:
                    action, member, match = decided
                    evidence = json.dumps(_evidence(question, member, match))
                    decisions.append((id_, number, action, match.level, evidence))
            if len(decisions) >= AT_ONCE:
                writer.write_batch(make_batch(list(zip(*decisions, strict=True)), _DECISIONS))
                decisions.clear()
        if decisions:
            writer.write_batch(make_batch(list(zip(*decisions, strict=True)), _DECISIONS))


def _read_items(engine: Engine) -> dict[int, list[Member]]:
    """Return the evaluation questions by item, in their order."""
    members: defaultdict[int, list[Member]] = defaultdict(list)
    for batch in engine.batches("SELECT * FROM screen_items ORDER BY number"):
        for row in batch.to_pylist():
            same = members[row["item"]]
            gold, options = row["gold"], row["choices"]
            if same:
                question = answer_otherwise(same[0].question, gold, options)
            else:
                question = read_question(row["folded"], gold, options)
            same.append(Member(row["number"], row["name"], row["place"], row["id"].hex(), question))
    return members


def _matches(
    matcher: Matcher, question: Question, items: Sequence[Sequence[Member]]
) -> list[tuple[Member, Match]]:
    matches = []
    for members in items:
        for member in members:
            match = matcher.match(question, member.question)
            if match:
                matches.append((member, match))
    if any(match.whole_template for _, match in matches):
        # The words are those of another item, so equal numbers are a coincidence.
        return [
            (m, match)
            for m, match in matches
            if match.golds == "equal" or match.level != "reworded"
        ]
    return matches


def _decide(
    matches: Sequence[tuple[Member, Match]], policy: _Policy
) -> tuple[Action, Member, Match] | None:
    """Return the match that decides about a row, with its action; None if the row is kept."""
    decided = [(policy.action(match.level, member.set), member, match) for member, match in matches]
    decided = [each for each in decided if each[0] != "keep"]
    return min(
        decided,
        key=lambda each: (ACTIONS.index(each[0]), each[2].rank, each[1].number),
        default=None,
    )


def _evidence(question: str, member: Member, match: Match) -> dict[str, str]:
    answer = member.question.gold
    return {
        "set": member.set,
        "item": member.place,
        "problem": member.problem,
        "question": question[:MAX_TEXT],
        "evaluation question": member.question.text[:MAX_TEXT],
        "shared": " … ".join(match.shared)[:MAX_TEXT],
        "covered": f"{match.covered:.0%}",
        "numbers": ", ".join(_show(number) for number in match.numbers)[:MAX_TEXT],
        "gold answers": f"equal: {answer}" if match.golds == "equal" else match.golds,
    }


def _show(number: Fraction) -> str:
    """Return a number as text; Python refuses that to very long ones."""
    bits = max(number.numerator.bit_length(), number.denominator.bit_length())
    return str(number) if bits < MAX_BITS else f"(a number of {bits:,} bits)"


def _verdicts(engine: Engine, rows: Rows, path: Path, subsets: Sequence[str]) -> Iterator[Verdict]:
    names = ", ".join(map(literal, subsets))
    policy = f"coalesce(list_position([{names}]::VARCHAR[], subset), 0)"
    query = f"""
        SELECT alive.id AS row_id, action, reason, evidence
        FROM (SELECT id, problem_id, {policy} AS policy FROM ({rows.rows})) AS alive
        JOIN {scan([path])} AS match
            ON match.id = alive.problem_id AND match.policy = alive.policy
        ORDER BY row_id
    """
    for batch in engine.batches(query):
        for row in batch.to_pylist():
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
        select_features,
        CANDIDATES,
        prepare=index_items,
        prepared_schema=POSTINGS,
        convert=find_candidates,
    ),
    on=True,
    always_digested=True,
)
