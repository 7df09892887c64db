"""What the verdicts and attempts of a version say against its gold answers, in SQL.

In: an engine and a version. Out: its tables `gold_problem`, `gold_voice` and `gold_doubt`, which
hold ids and numbers, and short texts where something speaks against a gold answer.
"""

from curator.checks.answer import CONTRADICTION, NOT_COMPARABLE
from curator.core.model import PROOFS
from curator.versions.content import content_of, objects_of
from curator.versions.golds.evidence import (
    ATTEMPTS,
    MODEL,
    PROGRAM,
    SOLUTION,
    TEACHER,
    UNLISTED,
)
from curator.versions.queries import scan_objects, solve_counts, version_rationales
from datastore.engine import Engine, literal
from datastore.store import Store
from datastore.versions import Manifest

NO_CHOICE = "no option"
"""The rule of the graders for an answer that is near no choice."""
WEIGHTS = {"program": PROGRAM, "solution": SOLUTION, "teacher": TEACHER, "model": MODEL}
_LONGEST = 60


def create_gold_tables(engine: Engine, store: Store, manifest: Manifest) -> None:
    """Create the tables.

    - `gold_problem` (id, choices, apart, ruled): the problems with a gold answer. `apart` is
      false if it was read from their own text, `ruled` true if a person has ruled on it.
    - `gold_voice` (problem_id, voice, name, other, unlisted, gold, answer): how many statements of
      a voice differ from it, equal no choice, and are equal to it; `answer` is one that differs.
    - `gold_doubt` (problem_id, doubt, against): what they say together, and whether one of them
      speaks against it.
    """
    weight = " ".join(f"WHEN {literal(name)} THEN {each!r}" for name, each in WEIGHTS.items())
    for name, query in {
        "gold_problem": _golds(store, manifest),
        "gold_voice": f"{_of_verdicts(store, manifest)} UNION ALL {_of_models(store, manifest)}",
        "gold_doubt": f"""
            SELECT problem_id, sum(
                    (CASE voice {weight} END * (other - gold) + {UNLISTED} * unlisted)
                    / (other + unlisted + gold)
                ) AS doubt, sum(other + unlisted) > 0 AS against
            FROM gold_voice GROUP BY problem_id
        """,
    }.items():
        engine.sql(f"CREATE OR REPLACE TABLE {name} AS {query}")


def problems_of(store: Store, manifest: Manifest) -> str:
    """SELECT of the problems of a version with their subset; older objects have fewer columns."""
    added = {name: f"coalesce({name}, '') AS {name}" for name in ("gold_in", "solution_as_written")}
    selects = [
        f"SELECT *, {literal(subset)} AS subset FROM {scan_objects(store, objects)}"
        for subset, objects in objects_of(manifest).problems.items()
    ]
    selects.append(f"SELECT {', '.join(f'NULL::VARCHAR AS {name}' for name in added)} WHERE false")
    every = " UNION ALL BY NAME ".join(selects)
    return f"SELECT * REPLACE ({', '.join(added.values())}) FROM ({every})"


def select_ruled(store: Store, manifest: Manifest) -> str:
    """SELECT of (id): the problems, as the errata left them, on which a person has ruled."""
    objects = objects_of(manifest)
    return " UNION ".join(
        [
            f"SELECT id FROM {scan_objects(store, objects.problems[subset])} "
            f"WHERE place IN (SELECT place FROM {scan_objects(store, ruled)})"
            for subset, ruled in objects.ruled.items()
        ]
        or ["SELECT ''::BLOB AS id WHERE false"]
    )


def _golds(store: Store, manifest: Manifest) -> str:
    return f"""
        SELECT id, bool_or(len(p.choices) > 0) AS choices, bool_and(gold_in = '') AS apart,
            id IN ({select_ruled(store, manifest)}) AS ruled
        FROM ({problems_of(store, manifest)}) p WHERE gold <> '' GROUP BY id
    """


def _of_verdicts(store: Store, manifest: Manifest) -> str:
    content, objects = content_of(manifest), objects_of(manifest)
    taught = [literal(name) for name, each in content.subsets.items() if each.taught] or ["''"]
    verdicts = " UNION ALL ".join(
        [
            f"SELECT row_id AS id, outcome, reason, evidence, {literal(subset)} AS subset "
            f"FROM {scan_objects(store, digests)} WHERE \"check\" = 'answer'"
            for subset, digests in objects.verdicts.items()
        ]
    )
    level = "(evidence::JSON ->> '$.level')"
    proofs = ", ".join(map(literal, PROOFS))
    return f"""
        SELECT problem_id, voice, '' AS name, count(*) FILTER (side = 'other') AS other,
            count(*) FILTER (side = 'unlisted') AS unlisted,
            count(*) FILTER (side = 'gold') AS gold,
            left(min(answer), {_LONGEST}) AS answer
        FROM (
            SELECT problem_id, voice, CASE
                WHEN outcome = 'failed' AND reason = {literal(CONTRADICTION)} THEN 'other'
                WHEN outcome = 'undecided' AND reason = {literal(NOT_COMPARABLE)} AND choices
                    AND voice = 'program' AND (evidence::JSON ->> '$.rule') = '{NO_CHOICE}'
                    THEN 'unlisted'
                WHEN outcome = 'passed' AND apart AND NOT (choices AND voice = 'solution')
                    AND {level} IN ({proofs}) THEN 'gold' END AS side,
                CASE WHEN outcome <> 'passed' THEN evidence::JSON ->> '$.answer' END AS answer
            FROM ({verdicts}) v JOIN (
                SELECT id, subset, problem_id, CASE WHEN subset IN ({", ".join(taught)})
                    THEN 'teacher' WHEN kind = 'CoT' THEN 'solution' ELSE 'program' END AS voice
                FROM ({version_rationales(store, manifest)})
            ) r USING (id, subset) JOIN gold_problem g ON g.id = problem_id
            WHERE NOT ruled
        ) WHERE side IS NOT NULL GROUP BY problem_id, voice
    """


def _of_models(store: Store, manifest: Manifest) -> str:
    """SELECT of the attempts of the recipe's files: a teacher's have verdicts of their own."""
    attempts = content_of(manifest).attempts.values()
    models = [literal(each.model) for each in attempts] or ["''"]
    return f"""
        SELECT problem_id, 'model' AS voice, model AS name,
            CASE WHEN successes = 0 THEN failures ELSE 0 END AS other, 0 AS unlisted,
            successes AS gold, '' AS answer
        FROM {solve_counts(store, manifest)} JOIN gold_problem g ON g.id = problem_id
        WHERE NOT ruled AND model IN ({", ".join(models)})
            AND (successes > 0 OR failures >= {ATTEMPTS:d})
    """
