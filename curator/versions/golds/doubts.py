"""Golds in doubt of a version: the figures of its report and of an audit.

In: an engine and a version. Out: golds by what speaks against them, the errata that were applied,
and the first suspects. Only what is stored counts: no program runs and no model is called. Texts
are read for a sample of `SAMPLE` problems, those with the smallest ids, and for the `CANDIDATES`
that most stored evidence speaks against: a report of 262,000 rows takes about a quarter longer.
Most of that is Parquet's: to read the texts of some problems, it expands those of all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from curator.answers import compare_by_rules
from curator.core.arrow import to_problems
from curator.core.errata import ERRATA, erratum_key
from curator.core.errors import to_one_line
from curator.core.model import Problem
from curator.versions.content import Content, content_of
from curator.versions.golds.evidence import NUMBER, READ, SOLUTION, STEP, STORED, UNLISTED
from curator.versions.golds.own_solution import OwnEvidence, read_solution
from curator.versions.golds.places import name_places
from curator.versions.golds.stored import create_gold_tables, problems_of
from datastore.engine import Engine
from datastore.store import Store
from datastore.versions import Manifest

SAMPLE, CANDIDATES = 500, 250
BATCH = 64
"""Number of problems that are read together: a solution may have a million characters."""
LISTED = 10
"""Number of suspects that are listed."""
LEAST = UNLISTED
"""Smallest doubt of a suspect: numbers that are not used or invented make none."""
TEXTS = "texts"
_SHOWN = 40
"""Maximum number of characters of an answer."""


@dataclass(frozen=True, slots=True)
class DoubtedGold:
    """A gold answer that may be wrong."""

    key: str
    """Key of its errata."""
    places: tuple[str, ...]
    """Where its copies that were read are; with their sources, if these differ."""
    question: str
    gold: str
    doubt: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DoubtedGolds:
    """What speaks against the gold answers of a version."""

    golds: int
    """Problems with a gold answer."""
    ruled: int
    """Those that a person has ruled on: nothing else counts for them."""
    stored: Mapping[str, int]
    """Golds by `STORED` evidence, over all problems."""
    sample: int
    """How many of the others were read for `READ` evidence."""
    texts: int
    """How many of these have a solution or a program."""
    read: Mapping[str, int]
    """Golds by `READ` evidence, in the sample."""
    outweighed: int
    """Golds with a doubt of `LEAST` or more. Solutions count for it where they were read."""
    suspects: Sequence[DoubtedGold]
    """The first of them."""
    errata: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Problems by result of a ruling, one of `ERRATA`, by subset."""

    @property
    def unsettled(self) -> int:
        """The number of golds on which nobody has ruled."""
        return self.golds - self.ruled

    def counts(self) -> Iterator[tuple[str, int]]:
        """Yield what speaks against golds, in words, and how many golds."""
        for names, counts in ((STORED, self.stored), (READ, self.read)):
            yield from ((about, counts[kind]) for kind, about in names.items() if counts.get(kind))

    def is_sampled(self, about: str) -> bool:
        """Return whether evidence was looked for in a sample only."""
        return self.unsettled > self.sample and about in READ.values()


def find_doubted_golds(engine: Engine, store: Store, manifest: Manifest) -> DoubtedGolds:
    """Return the figures of a version whose objects the engine may read."""
    create_gold_tables(engine, store, manifest)
    query = "SELECT count(*), count(*) FILTER (ruled) FROM gold_problem"
    ((golds, ruled),) = engine.sql(query).fetchall()
    engine.sql(
        "CREATE OR REPLACE TABLE gold_read AS SELECT id, bool_or(sampled) AS sampled FROM ("
        "(SELECT id, true AS sampled FROM gold_problem WHERE NOT ruled "
        f"ORDER BY id LIMIT {SAMPLE}) UNION ALL (SELECT problem_id, false FROM gold_doubt "
        f"WHERE against ORDER BY doubt DESC, problem_id LIMIT {CANDIDATES})) GROUP BY id"
    )
    counts: Counter[str] = Counter()
    doubts = [each for each in _read(engine, store, manifest, counts) if each[1].doubt >= LEAST]
    (unread,) = engine.sql(
        "SELECT count(*) FROM gold_doubt ANTI JOIN gold_read ON id = problem_id "
        f"WHERE against AND doubt >= {LEAST!r}"
    ).fetchall()[0]
    return DoubtedGolds(
        golds=golds,
        ruled=ruled,
        stored=_count_stored(engine),
        sample=min(golds - ruled, SAMPLE),
        texts=counts[TEXTS],
        read={kind: counts[kind] for kind in READ if counts[kind]},
        outweighed=len(doubts) + unread,
        suspects=_merge_copies(doubts)[:LISTED],
        errata=count_errata(content_of(manifest)),
    )


def _merge_copies(doubts: Sequence[tuple[str, DoubtedGold]]) -> list[DoubtedGold]:
    """Return each key once, the most doubtful first, with the places of all its copies.

    The gold answers are given with their sources.
    """
    copies: dict[str, list[tuple[str, DoubtedGold]]] = {}
    for each in sorted(doubts, key=lambda each: (-each[1].doubt, each[1].key, each[1].places)):
        copies.setdefault(each[1].key, []).append(each)
    return [
        replace(some[0][1], places=name_places([(name, each.places[0]) for name, each in some]))
        for some in copies.values()
    ]


def count_errata(content: Content) -> dict[str, dict[str, int]]:
    """Return the problems with a ruling by subset and result; empty for a version without any."""
    counts = {
        name: {result: each.errata.get(result, 0) for result in ERRATA}
        for name, each in content.subsets.items()
    }
    return {name: each for name, each in counts.items() if any(each.values())}


def _count_stored(engine: Engine) -> dict[str, int]:
    # Not count(DISTINCT problem_id), which keeps all ids in memory.
    query = """
        SELECT voice, count(*) FILTER (other > 0), count(*) FILTER (unlisted > 0) FROM (
            SELECT voice, max(other) AS other, max(unlisted) AS unlisted
            FROM gold_voice GROUP BY voice, problem_id
        ) GROUP BY voice
    """
    counts: Counter[str] = Counter()
    for voice, other, unlisted in engine.sql(query).fetchall():
        counts[voice] += other
        counts["unlisted"] += unlisted
    return {kind: counts[kind] for kind in STORED if counts[kind]}


def _read(
    engine: Engine, store: Store, manifest: Manifest, counts: Counter[str]
) -> Iterator[tuple[str, DoubtedGold]]:
    """Yield the problems of `gold_read` with their doubt, each with its source.

    `counts` receives `READ` evidence of the sample, and under `TEXTS` the problems with any text.
    """
    voiced: dict[bytes, list[tuple[str, ...]]] = {}
    query = "SELECT * FROM gold_voice SEMI JOIN gold_read ON id = problem_id ORDER BY voice, name"
    for id_, *values in engine.sql(query).fetchall():
        voiced.setdefault(id_, []).append(tuple(values))
    query = "SELECT problem_id, doubt FROM gold_doubt SEMI JOIN gold_read ON id = problem_id"
    doubts: dict[bytes, float] = dict(engine.sql(query).fetchall())
    query = "SELECT id FROM gold_read WHERE sampled"
    sampled = {each for (each,) in engine.sql(query).fetchall()}
    query = f"""
        SELECT p.* EXCLUDE (subset) FROM ({problems_of(store, manifest)}) p
            SEMI JOIN gold_read ON gold_read.id = p.id
        QUALIFY row_number() OVER (PARTITION BY p.id ORDER BY place) = 1
    """
    for batch in engine.batches(query, size=BATCH):
        for problem in to_problems(batch):
            others = voiced.get(problem.id, [])
            own = read_solution(problem)
            found = list(_weigh(problem, own, {str(each[0]) for each in others}))
            if problem.id in sampled:
                counts.update(kind for kind, _, _ in found if kind)
                counts[TEXTS] += bool(problem.solution or problem.program)
            doubt = doubts.get(problem.id, 0.0) + sum(weight for _, weight, _ in found)
            words = (*_say(others), *(text for _, _, text in found))
            doubted = DoubtedGold(
                erratum_key(problem.question, problem.gold, problem.choices),
                (problem.place,),
                to_one_line(problem.question, 120),
                problem.gold[:_SHOWN],
                round(doubt, 2),
                words,
            )
            yield problem.source, doubted


def _weigh(
    problem: Problem, own: OwnEvidence, voices: set[str]
) -> Iterator[tuple[str, float, str]]:
    """Yield (kind of `READ`, weight, words) of a solution; no kind if it supports the gold."""
    # A solution whose answer a check compared has its verdict.
    if own.solution and ("solution" not in voices or problem.choices):
        if problem.choices:
            outcome = "equal" if own.solution == problem.gold else "different"
        else:
            result = compare_by_rules(problem.gold, own.solution)
            outcome = result.outcome if result else "undecided"
        if outcome == "different":
            # A program that is compiled from the same solution shares its voice.
            shared = problem.gold_in == "solution" and "program" in voices
            weight = 0.0 if shared else SOLUTION
            yield "derived", weight, f"its solution ends with {own.solution[:_SHOWN]}"
        elif outcome == "equal" and problem.gold_in != "solution":
            yield "", -SOLUTION, "its solution ends with the gold"
    if own.wrong_step:
        yield "step", STEP, f"wrong {own.wrong_step}"
    if own.unused:
        yield "unused", NUMBER, f"its solution does not use {', '.join(own.unused[:4])}"
    if own.invented:
        yield "invented", NUMBER, f"its solution invents {', '.join(own.invented[:4])}"


_WORDS = {
    "program": "its program prints {}",
    "solution": "its solution states {}",
    "teacher": "the teacher states {}",
}


def _say(voiced: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield in words what `gold_voice` has about one problem."""
    for voice, name, other, unlisted, gold, answer in voiced:
        against = int(other) + int(unlisted)
        total = against + int(gold)
        if voice == "model":
            yield f"{name} fails in {other} of {total} attempts"
            continue
        share = f" ({against} of {total})" if total > 1 else ""
        shown = "the gold" if not against else (answer or "another answer")[:_SHOWN]
        none = ", none of the choices" if unlisted and not int(other) else ""
        yield _WORDS[voice].format(shown) + none + share
