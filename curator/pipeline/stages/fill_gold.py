"""Stage `fill_gold`: take gold answers from sources that have the same question.

In: problems, some without a gold answer or with one that their solution states itself, and the
problems of other sources. Out: the same problems with the golds of those sources. Two questions are
the same if they are equal after `screens.normalize`. A multiple-choice gold is a letter if the
question lists the same choices in the same order, and the text of the choice if it lists none; a
problem with choices of its own keeps them. Not covered: rephrased questions.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from curator.answers import compare_by_rules
from curator.core import arrow
from curator.core.model import LETTERS, Problem
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.read import read_problems
from curator.screens import normalize
from curator.sources.datasets.gsm8k import ANNOTATION
from datastore.engine import literal, scan
from datastore.memo import Outputs

_SHORTEST = 12
"""Minimum number of characters of a normalised question. Shorter ones are too unspecific."""


class OtherGold(NamedTuple):
    """The gold answer of another source for one problem."""

    source: str
    gold: str
    choices: list[str]
    value: str
    """Text of the choice that the gold names; the gold itself without choices."""
    solutions: list[str]
    """Solutions from which that source read the gold."""


Golds = Mapping[bytes, OtherGold]
"""By id of the problem."""


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

    `index` has the problems of each source to fill from. Counts: `stated` golds that stayed, and
    those filled as `filled: SOURCE`.
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
        results = [compare_by_rules(other.value, choice) for choice in choices]
        same = [place for place, each in enumerate(results) if each and each.outcome == "equal"]
        if len(same) != 1:
            return None
        gold = LETTERS[same[0]]
    own = _letters(problem.solution or problem.program)
    copied = any(_letters(solution) in own for solution in other.solutions)
    return replace(problem, gold=gold, choices=choices, gold_in_solution=copied)


def _letters(text: str) -> str:
    """Return only letters and digits, which survive another layout of the same text.

    Annotations of calculators (`<<48/2=24>>`) are left out: some copies of a text lack them.
    """
    return "".join(filter(str.isalnum, ANNOTATION.sub("", text).lower()))


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
        f"SELECT {place} AS place, {literal(each)} AS name, question, gold, choices, "
        "CASE WHEN NOT gold_in_solution THEN '' WHEN notation = 'python' THEN program "
        "ELSE solution END AS solution "
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
                array_to_string({options}, '') AS options, solution
            FROM ({golds})
        ),
        one AS (
            SELECT place, name, same, any_value(gold) AS gold, any_value(choices) AS choices,
                any_value(options) AS options,
                list(DISTINCT solution) FILTER (solution <> '') AS solutions
            FROM stated WHERE length(same) >= {_SHORTEST}
            GROUP BY place, name, same HAVING count(DISTINCT (gold, choices)) = 1
        ),
        missing AS (
            SELECT DISTINCT id, {normalize.key(normalize.stem(folded))} AS same,
                {normalize.key(folded)} AS whole, len(choices) > 0 AS has_choices
            FROM {paths(problems)} WHERE gold = '' OR gold_in_solution
        )
        SELECT id, name, choices, text, coalesce(solutions, []) AS solutions,
            CASE WHEN options <> '' AND len(choices) = 0 THEN text ELSE gold END AS gold
        FROM (
            SELECT id, place, name, options, gold, has_choices, solutions,
                CASE WHEN contains(whole, options) THEN choices ELSE [] END AS choices,
                CASE WHEN options = '' THEN gold ELSE coalesce(choices[ascii(gold) - 64], '') END
                    AS text
            FROM missing JOIN one USING (same)
            WHERE contains(whole, options) OR NOT contains(whole, 'answerchoices:')
        ) WHERE text <> '' OR (len(choices) > 0 AND NOT has_choices)
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1
    """
    with context.store.engine() as engine:
        return {
            row["id"]: OtherGold(
                row["name"], row["gold"], row["choices"], row["text"], row["solutions"]
            )
            for batch in engine.batches(query)
            for row in batch.to_pylist()
        }
