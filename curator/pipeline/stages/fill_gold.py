"""Stage `fill_gold`: fill missing gold answers from sources that have the same question.

In: problems, some without gold, and the problems of other sources. Out: the same problems with the
golds of those sources. Two questions are the same if they are equal after `screens.normalize`. A
multiple-choice gold is a letter if the question lists the same choices in the same order, and the
text of the choice if the question lists none. Not covered: rephrased questions.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from curator.core import arrow
from curator.core.model import Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.read import read_problems
from curator.screens import normalize
from datastore.engine import literal, scan
from datastore.memo import Outputs

_SHORTEST = 12
"""Minimum number of characters of a normalised question. Shorter ones are too unspecific."""

Golds = Mapping[bytes, tuple[str, str, list[str]]]
"""Name of the source, gold and choices, by id of the problem."""


def gold_index(
    context: BuildContext, sources: Mapping[str, LocatedSource]
) -> dict[str, Sequence[str]]:
    """Return the objects with the problems of each source that could be read, in order."""
    return {
        name: problems_of(ingest(context, each.source, each.opened))
        for name, each in sources.items()
        if each.opened
    }


def fill_gold(
    context: BuildContext, name: str, problems: Sequence[str], index: Mapping[str, Sequence[str]]
) -> Outputs:
    """Write object `problems`, in upstream's order.

    `index` has the problems of each source to fill from. Counts: `stated` golds, and those filled
    as `filled: SOURCE`.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        context.listener.progress(f"filling the golds of {name}", 0, None)
        golds = _find_golds(context, problems, index)
        counts: Counter[str] = Counter(stated=0)
        batches = arrow.to_batches(_fill(context, problems, golds, counts), arrow.PROBLEMS)
        return {"problems": context.store.objects.write(batches, arrow.PROBLEMS)}, dict(counts)

    inputs = [*problems, *(digest for digests in index.values() for digest in digests)]
    params = {"sources": {each: len(digests) for each, digests in index.items()}}
    return context.once(
        Stage("fill_gold", (__name__, "curator.screens.normalize")),
        params,
        inputs,
        make,
        name,
    )


def _fill(
    context: BuildContext, problems: Sequence[str], golds: Golds, counts: Counter[str]
) -> Iterator[Problem]:
    for problem in read_problems(context, problems):
        counts["stated"] += bool(problem.gold)
        if not problem.gold and problem.id in golds:
            source, gold, choices = golds[problem.id]
            counts[f"filled: {source}"] += 1
            problem = replace(problem, gold=gold, choices=tuple(choices))
        yield problem


def _find_golds(
    context: BuildContext, problems: Sequence[str], index: Mapping[str, Sequence[str]]
) -> Golds:
    """Return golds by problem, from the first source that has exactly one gold for the question."""
    nonempty = {each: digests for each, digests in index.items() if digests}
    if not nonempty:
        return {}

    def paths(digests: Sequence[str]) -> str:
        return scan(context.store.objects.path(digest) for digest in digests)

    golds = " UNION ALL ".join(
        f"SELECT {place} AS place, {literal(each)} AS name, question, gold, choices "
        f"FROM {paths(digests)} WHERE gold <> ''"
        for place, (each, digests) in enumerate(nonempty.items())
    )
    folded = normalize.fold("question")
    options = (
        "list_transform(choices, lambda c, i: "
        f"'(' || chr((96 + i)::INTEGER) || ')' || {normalize.key(normalize.fold('c'))})"
    )
    query = f"""
        WITH stated AS (
            SELECT place, name, {normalize.key(normalize.stem(folded))} AS same, gold, choices,
                array_to_string({options}, '') AS options
            FROM ({golds})
        ),
        one AS (
            SELECT place, name, same, any_value(gold) AS gold, any_value(choices) AS choices,
                any_value(options) AS options
            FROM stated WHERE length(same) >= {_SHORTEST}
            GROUP BY place, name, same HAVING count(DISTINCT (gold, choices)) = 1
        ),
        missing AS (
            SELECT DISTINCT id, {normalize.key(normalize.stem(folded))} AS same,
                {normalize.key(folded)} AS whole
            FROM {paths(problems)} WHERE gold = ''
        )
        SELECT id, name, choices,
            CASE WHEN options <> '' AND len(choices) = 0 THEN text ELSE gold END AS gold
        FROM (
            SELECT id, place, name, options, gold,
                CASE WHEN contains(whole, options) THEN choices ELSE [] END AS choices,
                coalesce(choices[ascii(gold) - 64], '') AS text
            FROM missing JOIN one USING (same)
            WHERE contains(whole, options) OR NOT contains(whole, 'answerchoices:')
        ) WHERE options = '' OR len(choices) > 0 OR text <> ''
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1
    """
    with context.store.engine() as engine:
        return {
            row["id"]: (row["name"], row["gold"], row["choices"])
            for batch in engine.batches(query)
            for row in batch.to_pylist()
        }
