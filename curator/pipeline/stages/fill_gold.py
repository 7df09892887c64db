"""Stage `fill_gold`: take gold answers from sources that have the same question.

In: problems, some without a gold answer or with one that their solution states itself, and the
problems of other sources. Out: the same problems with the golds of those sources. Two questions are
the same if they are equal after `screens.normalize`. A multiple-choice gold is a letter if the
question lists the same choices in the same order, and the text of the choice if it lists none; a
problem with choices of its own keeps them. Not covered: rephrased questions.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import pyarrow as pa

from curator.answers import compare_by_rules
from curator.core.model import LETTERS, GoldPlace, Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.read import read_problems, write_problems
from curator.screens import normalize
from curator.sources.datasets.gsm8k import ANNOTATION
from datastore.engine import literal, scan
from datastore.memo import Outputs

_RUN = 8
"""Words of a run by which a changed copy of a text is found."""
_SHORTEST = 12
"""Minimum number of characters of a normalised question. Shorter ones are too unspecific."""


_QUESTION = normalize.key(normalize.stem(normalize.fold("question")))
_GOLDS = pa.schema(
    [
        ("place", pa.int32()),
        ("name", pa.string()),
        ("same", pa.string()),
        ("gold", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("options", pa.string()),
        ("texts", pa.list_(pa.string())),
    ]
)
"""A gold answer of another source: `same` is its normalised question, `options` its choices as one
normalised text, `texts` the solutions and programs that come with it."""
_NO_GOLDS = (
    "SELECT 0 AS place, '' AS name, '' AS question, '' AS gold, []::VARCHAR[] AS choices, "
    "[]::VARCHAR[] AS texts WHERE false"
)


class OtherGold(NamedTuple):
    """The gold answer of another source for one problem."""

    source: str
    gold: str
    choices: list[str]
    value: str
    """Text of the choice that the gold names; the gold itself without choices."""
    texts: list[str]
    """Solutions and programs of that source."""


Golds = Mapping[bytes, OtherGold]
"""By id of the problem."""


_CODE = (__name__, "curator.screens.normalize", "curator.screens.characters")


def gold_index(context: BuildContext, sources: Mapping[str, LocatedSource]) -> str:
    """Return the object with the gold answers of the sources that could be read, by question.

    A question has a row per source that has exactly one gold answer for it, with the source's
    position in `sources`.
    """
    objects = {
        name: problems_of(ingest(context, each.source, each.opened))
        for name, each in sources.items()
        if each.opened
    }
    digests = list(chain.from_iterable(objects.values()))

    def make() -> tuple[dict[str, str], dict[str, int]]:
        query = _golds_sql(context, {name: each for name, each in objects.items() if each})
        with context.store.guard_query(digests), context.store.engine() as engine:
            batches = (batch.cast(_GOLDS) for batch in engine.batches(query))
            return {"golds": context.store.objects.write(batches, _GOLDS)}, {}

    params = {"sources": {name: len(each) for name, each in objects.items()}}
    return context.once(Stage("gold_index", _CODE), params, digests, make).objects["golds"]


def fill_shard(context: BuildContext, name: str, problems: str, golds: str) -> Outputs:
    """Write object `problems`, in upstream's order, with the golds of the object `golds`.

    Counts: `stated` golds that stayed, and those filled as `filled: SOURCE`.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        found = _find_golds(context, problems, golds)
        counts: Counter[str] = Counter(stated=0)
        filled = _fill(context, problems, found, counts)
        return {"problems": write_problems(context, filled)}, dict(counts)

    return context.once(Stage("fill_gold", _CODE), {}, [problems, golds], make, name)


def _fill(
    context: BuildContext, problems: str, golds: Golds, counts: Counter[str]
) -> Iterator[Problem]:
    for problem in read_problems(context, [problems]):
        other = golds.get(problem.id)
        filled = _with_gold(problem, other) if other else None
        counts[f"filled: {other.source}" if other and filled else "stated"] += bool(
            filled or problem.gold
        )
        yield filled or problem


def _with_gold(problem: Problem, other: OtherGold) -> Problem | None:
    """Return the problem with the gold answer of another source; None if its choices lack it."""
    gold, choices = other.gold, tuple(other.choices)
    if problem.choices:
        choices = problem.choices
        plain = [" ".join(choice.split()) for choice in (other.value, *choices)]
        same = [place for place, each in enumerate(plain[1:]) if each == plain[0]]
        if len(same) != 1:
            results = [compare_by_rules(other.value, choice) for choice in choices]
            same = [place for place, each in enumerate(results) if each and each.outcome == "equal"]
        if len(same) != 1:
            return None
        gold = LETTERS[same[0]]
    return replace(problem, gold=gold, choices=choices, gold_in=_find_copy(problem, other.texts))


def _find_copy(problem: Problem, texts: Sequence[str]) -> GoldPlace:
    """Return which text of a problem is a copy of one that comes with the gold answer.

    Such a text states the gold answer of its original, even if its last line was added later.
    """
    if any(_is_copy(problem.solution, text) for text in texts):
        return "solution"
    return "program" if any(_is_copy(problem.program, text) for text in texts) else ""


def _is_copy(text: str, original: str) -> bool:
    """Return whether a text contains another one, or at least half of its runs of eight words.

    Layout and annotations of calculators (`<<48/2=24>>`), which some copies lack, do not count.
    """
    words, expected = _words(text), _words(original)
    if not expected:
        return False
    if "".join(expected) in "".join(words):
        return True
    runs = {tuple(expected[at : at + _RUN]) for at in range(len(expected) - _RUN + 1)}
    shared = runs & {tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)}
    return 2 * len(shared) >= len(runs) > 0


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", ANNOTATION.sub("", text).lower())


def _golds_sql(context: BuildContext, index: Mapping[str, Sequence[str]]) -> str:
    """SELECT in the layout `_GOLDS`; `index` has the problems of each source."""
    path = context.store.objects.path
    golds = " UNION ALL ".join(
        f"SELECT {place} AS place, {literal(each)} AS name, question, gold, choices, "
        "[solution, CASE WHEN notation = 'python' THEN program ELSE '' END] AS texts "
        f"FROM {scan(map(path, digests))} WHERE gold <> ''"
        for place, (each, digests) in enumerate(index.items())
    )
    options = (
        "list_transform(choices, lambda c, i: "
        f"'(' || chr((96 + i)::INTEGER) || ')' || {normalize.key(normalize.fold('c'))})"
    )
    return f"""
        WITH stated AS (
            SELECT place, name, {_QUESTION} AS same, gold, choices,
                array_to_string({options}, '') AS options, texts
            FROM ({golds or _NO_GOLDS})
        )
        SELECT place, name, same, any_value(gold) AS gold, any_value(choices) AS choices,
            any_value(options) AS options, list_distinct(flatten(list(texts))) AS texts
        FROM stated WHERE length(same) >= {_SHORTEST}
        GROUP BY place, name, same HAVING count(DISTINCT (gold, choices)) = 1
        ORDER BY same, place
    """


def _find_golds(context: BuildContext, problems: str, golds: str) -> Golds:
    """Return golds by problem, from the first source that has exactly one gold for the question."""
    path = context.store.objects.path
    query = f"""
        WITH missing AS (
            SELECT DISTINCT id, {_QUESTION} AS same,
                {normalize.key(normalize.fold("question"))} AS whole,
                len(choices) > 0 AS has_choices
            FROM {scan([path(problems)])} WHERE gold = '' OR gold_in <> ''
        )
        SELECT id, name, choices, text, texts,
            CASE WHEN options <> '' AND len(choices) = 0 THEN text ELSE gold END AS gold
        FROM (
            SELECT id, place, name, options, gold, has_choices, texts,
                CASE WHEN contains(whole, options) THEN choices ELSE [] END AS choices,
                CASE WHEN options = '' THEN gold ELSE coalesce(choices[ascii(gold) - 64], '') END
                    AS text
            FROM missing JOIN {scan([path(golds)])} USING (same)
            WHERE contains(whole, options) OR NOT contains(whole, 'answerchoices:')
        ) WHERE text <> '' OR (len(choices) > 0 AND NOT has_choices)
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1
    """
    return {
        row["id"]: OtherGold(row["name"], row["gold"], row["choices"], row["text"], row["texts"])
        for batch in context.store.shard_engine().batches(query)
        for row in batch.to_pylist()
    }
