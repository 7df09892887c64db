"""The stage that lends golds: a question that a known source has too gets that source's answer.

In: problems without gold answers, and the problems of known sources. Out: the same problems, those
with a gold that was found. Questions are the same if they agree after the normalisation of
`screens.normal`. The gold of multiple choice is its letter where the question has the same options
in the same order, and the text of that option where it has none. Not covered: rephrased questions.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from curator.core import arrow
from curator.core.model import Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.read import each_problem
from curator.screens import normalize
from datastore.engine import literal, scan
from datastore.memo import Outputs

_SHORTEST = 12
"""Characters of a normalised question below which it says too little to be the same one."""

Lent = Mapping[bytes, tuple[str, str, list[str]]]
"""Name of the source, gold and choices by id of the problem."""


def gold_index(
    context: BuildContext, found: Mapping[str, LocatedSource]
) -> dict[str, Sequence[str]]:
    """Objects with the problems of each known source that could be reached, in order."""
    return {
        name: problems_of(ingest(context, each.source, each.opened))
        for name, each in found.items()
        if each.opened
    }


def fill_gold(
    context: BuildContext, name: str, problems: Sequence[str], known: Mapping[str, Sequence[str]]
) -> Outputs:
    """Object `problems`, in upstream's order; counts `lent: SOURCE`, and `stated` golds."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        context.listener.progress(f"looking for the golds of {name}", 0, None)
        lent = _lent(context, problems, known)
        counts: Counter[str] = Counter(stated=0)
        made = arrow.to_batches(_with(context, problems, lent, counts), arrow.PROBLEMS)
        return {"problems": context.store.objects.write(made, arrow.PROBLEMS)}, dict(counts)

    inputs = [*problems, *(digest for digests in known.values() for digest in digests)]
    params = {"known": {each: len(digests) for each, digests in known.items()}}
    return context.once(
        Stage("lend", (__name__, "curator.screens.normalize")),
        params,
        inputs,
        make,
        name,
    )


def _with(
    context: BuildContext, problems: Sequence[str], lent: Lent, counts: Counter[str]
) -> Iterator[Problem]:
    for problem in each_problem(context, problems):
        counts["stated"] += bool(problem.gold)
        if not problem.gold and problem.id in lent:
            source, gold, choices = lent[problem.id]
            counts[f"lent: {source}"] += 1
            problem = replace(problem, gold=gold, choices=tuple(choices))
        yield problem


def _lent(
    context: BuildContext, problems: Sequence[str], known: Mapping[str, Sequence[str]]
) -> Lent:
    """Golds by problem: of several sources the first that has it, if it has one gold for it."""
    reached = {each: digests for each, digests in known.items() if digests}
    if not reached:
        return {}

    def paths(digests: Sequence[str]) -> str:
        return scan(context.store.objects.path(digest) for digest in digests)

    golds = " UNION ALL ".join(
        f"SELECT {place} AS place, {literal(each)} AS name, question, gold, choices "
        f"FROM {paths(digests)} WHERE gold <> ''"
        for place, (each, digests) in enumerate(reached.items())
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
        asked AS (
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
            FROM asked JOIN one USING (same)
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
