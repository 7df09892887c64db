"""The stages of a build, each remembered by its inputs: ingest, write, verify, screen, draw.

In: a recipe, a store and where upstream files are. Out: immutable objects and their counts. A stage
runs when nothing like it is remembered; with `dry` it raises NotBuilt instead, which is how a plan
knows what a build would do.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curator import tables
from curator.checks import CHECKS
from curator.errors import SourceError
from curator.fingerprint import code_version
from curator.model import Kind, Problem, Quarantined, Rationale, Verdict
from curator.progress import Listener, counted
from curator.rationales import WRITERS
from curator.recipe import Recipe
from curator.sections import Subset
from curator.sources import Opened, Source, records
from curator.verify import Claim, Verifier
from datastore.memo import Outputs
from datastore.store import Store

if TYPE_CHECKING:
    from curator.teaching import Teaching

PROBLEMS = "problems:"
MOST_QUARANTINED = 100_000
"""Records of one source that are kept aside; a source with more of them is not this source."""


class NotBuilt(Exception):
    """A stage that a plan would have to run."""


@dataclass
class Workshop:
    """What the stages of one build share."""

    store: Store
    recipe: Recipe
    listener: Listener
    verifier: Verifier
    limit: int | None = None
    """Problems a source at most; None for all."""
    dry: bool = False
    teaching: "Teaching | None" = None
    """The recipe's teacher, if it has one."""

    def once(
        self,
        stage: str,
        code: tuple[str, ...],
        params: dict[str, Any],
        inputs: Sequence[str],
        make: Callable[[], tuple[dict[str, str], dict[str, int]]],
        about: str = "",
        again: Callable[[Outputs], bool] = lambda known: False,
    ) -> Outputs:
        """The outputs of a stage, made if they are not remembered.

        `about` tells people of which source or subset it is, should they have to wait; `again` says
        of what is remembered whether it is to be made anew all the same.
        """
        version = code_version(*code, "curator.stages", "curator.model", "curator.tables")
        if self.dry:
            known = self.store.memo.get(stage, version, params, inputs)
            if known and not again(known):
                return known
            raise NotBuilt(stage)

        def waiting(owner: str) -> None:
            self.listener.note(f"{about or self.recipe.name}: {owner}; waiting for it")

        return self.store.memo.once(stage, version, params, inputs, make, waiting, again)


def ingest(shop: Workshop, source: Source, opened: Opened) -> Outputs:
    """Objects `problems:PART` (a row an upstream record) and `quarantine`; counts of both.

    Raises SourceError if more records are quarantined than the recipe allows.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        aside: list[Quarantined] = []
        seen = 0

        def good() -> Iterator[Problem]:
            nonlocal seen
            for record in _first(records(source, opened), shop.limit):
                if isinstance(record, Quarantined):
                    aside.append(record)
                    if len(aside) > MOST_QUARANTINED:
                        raise SourceError(_too_many(source, aside, seen))
                else:
                    seen += 1
                    yield record

        what = f"reading {source.name}"
        problems = counted(good(), shop.listener, what, source.rows or None)
        batches = tables.batches(problems, tables.PROBLEMS)
        parts = shop.store.objects.write_parts(batches, tables.PROBLEMS, "part")
        objects = {PROBLEMS + part: digest for part, digest in parts.items()}
        objects["quarantine"] = shop.store.objects.write(
            tables.batches(aside, tables.QUARANTINE), tables.QUARANTINE
        )
        return objects, {"records": seen, "quarantined": len(aside)}

    params: dict[str, Any] = {"source": source.name, "limit": shop.limit}
    outputs = shop.once("ingest", ("curator.sources",), params, [opened.digest], make, source.name)
    bad, good = outputs.counts["quarantined"], outputs.counts["records"]
    if bad > shop.recipe.limits.quarantine * (bad + good):
        kept = shop.store.objects.read(outputs.objects["quarantine"])
        aside = [Quarantined(**row) for batch in kept for row in batch.to_pylist()]
        raise SourceError(_too_many(source, aside, good))
    return outputs


def problems_of(ingested: Outputs, part: str = "") -> tuple[str, ...]:
    """Objects with the problems of a source or of one of its parts, if it has such a part."""
    return tuple(
        digest
        for name, digest in ingested.objects.items()
        if name.startswith(PROBLEMS) and part in ("", name.removeprefix(PROBLEMS))
    )


def _first(
    found: Iterator[Problem | Quarantined], limit: int | None
) -> Iterator[Problem | Quarantined]:
    """At most `limit` records of each part; a source without parts is not read further."""
    seen: Counter[str] = Counter()
    for record in found:
        part = record.part if isinstance(record, Problem) else ""
        seen[part] += 1
        if limit is None or seen[part] <= limit:
            yield record
        elif not part:
            return


def _too_many(source: Source, aside: list[Quarantined], good: int) -> str:
    reason, count = Counter(record.reason for record in aside).most_common(1)[0]
    return (
        f"{source.name}: {len(aside):,} of {len(aside) + good:,} records do not parse, mostly "
        f"'{reason}' ({count:,}, first at {aside[0].place}); mend the file or raise "
        f"limits.quarantine in the recipe"
    )


def write(shop: Workshop, name: str, subset: Subset, problems: Sequence[str]) -> Outputs:
    """Object `rationales` of a subset, in upstream's order; counts of problems and rationales."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts = {"problems": 0, "without": 0, "rationales": 0}
        made = numbered(_rationales(shop, subset, problems, counts))
        what = f"writing {name}"
        batches = tables.batches(counted(made, shop.listener, what), tables.RATIONALES)
        return {"rationales": shop.store.objects.write(batches, tables.RATIONALES)}, counts

    writers = [name for name in subset.writers if not WRITERS[name].teacher]
    params = {"kind": subset.kind, "writers": writers}
    return shop.once(
        "write", ("curator.rationales", "curator.answers"), params, problems, make, name
    )


def _rationales(
    shop: Workshop, subset: Subset, problems: Sequence[str], counts: dict[str, int]
) -> Iterator[Rationale]:
    writers = [WRITERS[name] for name in subset.writers if not WRITERS[name].teacher]
    asked: set[bytes] = set()
    for problem in each_problem(shop, problems):
        asked.add(problem.id)
        before = counts["rationales"]
        for writer in writers:
            assert writer.write is not None, "only writers that need a teacher have none"
            for rationale in writer.write(problem, subset.kind):
                counts["rationales"] += 1
                yield rationale
        counts["without"] += counts["rationales"] == before
    counts["problems"] = len(asked)


def numbered(rationales: Iterable[Rationale]) -> Iterator[Rationale]:
    """The same rationales, identical ones told apart by their number."""
    seen: set[bytes] = set()
    copies: Counter[bytes] = Counter()
    for rationale in rationales:
        if rationale.id in seen:
            copies[rationale.id] += 1
            rationale = replace(rationale, copy=copies[rationale.id])
        else:
            seen.add(rationale.id)
        yield rationale


def each_problem(shop: Workshop, digests: Sequence[str]) -> Iterator[Problem]:
    """The records of problem objects, in upstream's order."""
    for digest in digests:
        for batch in shop.store.objects.read(digest):
            yield from tables.problems(batch)


def verify(
    shop: Workshop,
    name: str,
    subset: Subset,
    problems: Sequence[str],
    rationales: str,
    agreements: str = "",
) -> Outputs:
    """Object `verdicts`: what each check found about each rationale; counts of outcomes.

    `agreements` is an object of verdicts that name problems: how their golds were agreed on.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts: Counter[str] = Counter()
        claims = counted(
            _claims(shop, subset.kind, problems, rationales, agreements),
            shop.listener,
            f"verifying {name}",
            shop.store.objects.rows(rationales),
        )
        verdicts = shop.verifier.judge(claims, subset.checks)
        batches = tables.batches(_tallied(verdicts, counts), tables.VERDICTS)
        return {"verdicts": shop.store.objects.write(batches, tables.VERDICTS)}, dict(counts)

    params = verify_params(shop, subset)
    code = ("curator.checks", "curator.answers", "curator.sandbox", "curator.verify")
    inputs = [*problems, rationales, *([agreements] if agreements else [])]
    return shop.once("verify", code, params, inputs, make, name)


def verify_params(shop: Workshop, subset: Subset) -> dict[str, Any]:
    """What verdicts depend on, apart from what is judged."""
    limits = shop.recipe.limits.model_dump(exclude={"quarantine"})
    checks = {name: CHECKS[name].version for name in subset.checks}
    return {"checks": checks, "limits": limits, "executor": shop.verifier.executor}


def _claims(
    shop: Workshop, kind: Kind, problems: Sequence[str], rationales: str, agreements: str
) -> Iterator[Claim]:
    """Rationales with the gold of their problems: both are in upstream's order."""
    agreed = {
        row["row_id"]: Verdict(**row | {"evidence": json.loads(row["evidence"])})
        for batch in (shop.store.objects.read(agreements) if agreements else ())
        for row in batch.to_pylist()
    }
    golds = columns(shop, problems, ["id", "gold", "choices"])
    id_, gold, choices = b"", "", ()
    for row_id, problem_id, instruction, text in columns(
        shop, [rationales], ["id", "problem_id", "instruction", "text"]
    ):
        while id_ != problem_id:
            id_, gold, choices = next(golds)
        agreement = agreed.get(problem_id)
        yield Claim(row_id, kind, instruction, text, gold, tuple(choices), agreement)


def columns(shop: Workshop, digests: Sequence[str], names: list[str]) -> Iterator[tuple[Any, ...]]:
    """Rows of some columns of objects, one object after the other."""
    for digest in digests:
        for batch in shop.store.objects.read(digest, names):
            yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def _tallied(verdicts: Iterable[Verdict], counts: Counter[str]) -> Iterator[Verdict]:
    """The same verdicts; `counts` gets rows by outcome and first reason: `failed: wrong answer`."""
    row, outcome, reason = b"", "passed", ""

    def close() -> None:
        if row:
            counts[outcome] += 1
            if reason:
                counts[f"{outcome}: {reason}"] += 1

    for verdict in verdicts:
        if verdict.row_id != row:
            close()
            row, outcome, reason = verdict.row_id, "passed", ""
        worse = {"passed": 0, "undecided": 1, "failed": 2}
        if worse[verdict.outcome] > worse[outcome]:
            outcome, reason = verdict.outcome, verdict.reason
        yield verdict
    close()
