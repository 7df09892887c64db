"""Finish a build: screen and draw all subsets together, then save the version.

In: the state of each subset and the inputs that were read. Out: content and objects of a manifest,
and the manifest.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curator import answers
from curator.checks import CHECKS
from curator.core.errors import SourceError, UsageError
from curator.core.model import EVIDENCE_LEVELS
from curator.pipeline.context import BuildContext
from curator.pipeline.lists import note_unmatched
from curator.pipeline.stages.count_attempts import CountedAttempts, count_attempts
from curator.pipeline.stages.draw import ROWS_SHA256, draw
from curator.pipeline.stages.screen import screen_all
from curator.pipeline.state import CALL_COUNTS, ERRATA, BuildInputs, Result, SubsetState
from curator.screens import SCREENS
from curator.versions.content import (
    AttemptsContent,
    Calls,
    CodeVersions,
    Content,
    Objects,
    RecipeContent,
    RowsContent,
    SubsetContent,
    Teacher,
)
from curator.versions.queries import Part
from curator.versions.views import FILE, update_views
from datastore.memo import Outputs
from datastore.store import Store
from datastore.text import is_storable, make_storable
from datastore.versions import Manifest


def screen_and_freeze(
    context: BuildContext, subsets: Mapping[str, SubsetState], read: BuildInputs
) -> Result:
    """Screen and draw all subsets that were built; return the content of the version."""
    recipe = context.recipe
    ready = {name: subset for name, subset in subsets.items() if subset.verdicts}
    if not ready:
        name, first = next(iter(subsets.items()))
        waits = ", ".join(first.waits)
        raise SourceError(
            f"{recipe.name}: every subset waits for a source or a teacher; {name} waits for {waits}"
        )
    parts = [part(context.store, name, subset) for name, subset in ready.items()]
    note_unmatched(context, parts, read.lists)
    counted = count_attempts(context, ready, read.attempts)
    screened = screen_all(context, parts, read.eval_problems, read.lists, counted.counts)
    drawn = draw(context, parts, screened)
    described: dict[str, Any] = {"lists": dict(read.list_files)} if read.lists else {}
    described |= {"attempts": _describe_attempts(read, counted)} if read.attempts else {}
    content = Content(
        recipe=RecipeContent.model_validate(recipe.canonical()),
        sources=dict(read.sources),
        evals=dict(read.evals),
        code=_code_versions(context, subsets.values(), screened),
        teacher=_teacher(context, subsets.values()),
        # The order of subsets decides which of two duplicates stays.
        order=list(recipe.subsets),
        subsets={name: _counts(name, subset, screened, drawn) for name, subset in subsets.items()},
        rows=RowsContent(
            count=sum(_counts_below(drawn, "kept").values()),
            sha256=f"{drawn.counts[ROWS_SHA256]:064x}",
        ),
        **described,
    )
    optional: dict[str, Any] = {"lists": dict(read.lists)} if read.lists else {}
    optional |= _attempts_objects(ready, read, counted) if counted.counts else {}
    ruled = {name: list(subset.ruled) for name, subset in ready.items() if subset.ruled}
    optional |= {"ruled": ruled} if ruled else {}
    objects = Objects(
        problems={name: list(subset.problems) for name, subset in ready.items()},
        quarantine={name: each.quarantine for name, each in subsets.items() if each.quarantine},
        agreements={name: each.agreements for name, each in ready.items() if each.agreements},
        replies={name: each.replies for name, each in subsets.items() if each.replies},
        rationales={name: list(subset.rationales) for name, subset in ready.items()},
        verdicts={name: list(subset.verdicts) for name, subset in ready.items()},
        screens={name: outputs.objects["verdicts"] for name, outputs in screened.items()},
        evals={name: list(digests) for name, digests in read.eval_problems.items()},
        rows=drawn.objects["rows"],
        origins=dict(read.origins),
        **optional,
    )
    return Result(content, objects)


def _describe_attempts(read: BuildInputs, counted: CountedAttempts) -> dict[str, AttemptsContent]:
    return {
        name: AttemptsContent(
            model=each.model, sha256=each.sha256, counts=dict(counted.by_file[name])
        )
        for name, each in read.attempts.items()
    }


def _attempts_objects(
    subsets: Mapping[str, SubsetState], read: BuildInputs, counted: CountedAttempts
) -> dict[str, Any]:
    """Return the objects of attempts, as far as the version has any."""
    return {
        "solve_counts": counted.counts,
        "attempts": {name: each.attempts for name, each in subsets.items() if each.attempts},
        "solutions": {name: each.solutions for name, each in read.attempts.items()},
        "unused": dict(counted.unused),
    }


def _teacher(context: BuildContext, subsets: Iterable[SubsetState]) -> Teacher | None:
    """Return the model that wrote replies; None if no subset has any."""
    settings = context.recipe.teacher
    if not settings or not any(subset.replies for subset in subsets):
        return None
    return Teacher(
        family=settings.family,
        model=settings.model,
        parameters=settings.parameters,
        replay=any(subset.counts.get("replayed") for subset in subsets),
    )


def part(store: Store, name: str, subset: SubsetState) -> Part:
    """Return the paths of the objects of a subset that was built."""
    return Part(
        subset=name,
        kind=subset.subset.kind,
        problems=tuple(map(store.objects.path, subset.problems)),
        rationales=tuple(map(store.objects.path, subset.rationales)),
        verdicts=tuple(map(store.objects.path, subset.verdicts)),
    )


def _code_versions(
    context: BuildContext, subsets: Iterable[SubsetState], screens: Iterable[str]
) -> CodeVersions:
    """Return the versions of the code; of a check, the highest one among its verdicts."""
    checks = {name for subset in context.recipe.subsets.values() for name in subset.checks}
    marks = [key.split(" version ") for subset in subsets for key in subset.outcomes]
    others = [(mark[0], int(mark[1])) for mark in marks if len(mark) == 2]
    return CodeVersions(
        answers=answers.VERSION,
        sandbox=context.checker.sandbox_version,
        checks={
            name: max(
                [CHECKS[name].version, *(version for check, version in others if check == name)]
            )
            for name in sorted(checks)
        },
        screens={name: SCREENS[name].version for name in screens},
    )


def _counts(
    name: str, subset: SubsetState, screened: Mapping[str, Outputs], drawn: Outputs
) -> SubsetContent:
    """Count the rows of one subset by what stopped them."""
    by_reason = {key: count for key, count in subset.outcomes.items() if ":" in key}
    reported = {key: count for key, count in by_reason.items() if key.startswith("passed: ")}
    rejected = {key: count for key, count in by_reason.items() if key not in reported}
    for outputs in screened.values():
        for key, count in _counts_below(outputs, name).items():
            outcome, _, reason = key.partition(": ")
            (reported if outcome == "passed" else rejected)[f"{outcome}: {reason}"] = count
    calls = {key: subset.counts[key] for key in CALL_COUNTS if key in subset.counts}
    unread = {key: count for key, count in subset.counts.items() if key.startswith("unread: ")}
    invented = {key: count for key, count in subset.counts.items() if key.startswith("invented: ")}
    # A subset without a teacher has neither `invented` nor `taught`.
    optional: dict[str, Any] = {"invented": dict(sorted(invented.items()))} if invented else {}
    by_level = {level: _counts_below(drawn, level).get(name, 0) for level in EVIDENCE_LEVELS}
    if any(by_level.values()):
        optional["levels"] = {level: count for level, count in by_level.items() if count}
    errata = {key: count for key, count in subset.counts.items() if key.startswith(ERRATA)}
    if errata:  # a recipe without errata has no such counts
        optional["errata"] = {key.removeprefix(ERRATA): count for key, count in errata.items()}
    if calls:
        optional["taught"] = Calls.model_validate(
            calls | unread | {"prompts": dict(subset.prompts)}
        )
    return SubsetContent(
        kind=subset.subset.kind,
        licence=subset.licence,
        waits_for=list(subset.waits),
        records=subset.counts.get("records", 0),
        quarantined=subset.counts.get("quarantined", 0),
        problems=subset.counts.get("problems", 0),
        without_rationale=subset.counts.get("without", 0),
        rationales=subset.counts.get("rationales", 0),
        passed=subset.outcomes.get("passed", 0),
        failed=subset.outcomes.get("failed", 0),
        undecided=subset.outcomes.get("undecided", 0),
        reasons=dict(sorted(rejected.items())),
        reported=dict(sorted(reported.items())),
        available=_counts_below(drawn, "available").get(name, 0),
        kept=_counts_below(drawn, "kept").get(name, 0),
        **optional,
    )


def _counts_below(outputs: Outputs, prefix: str) -> dict[str, int]:
    """Return the counts whose key starts with `prefix|`, without that prefix."""
    start = f"{prefix}|"
    return {
        key.removeprefix(start): count
        for key, count in outputs.counts.items()
        if key.startswith(start)
    }


def check_has_rows(name: str, result: Result) -> None:
    """Raise UsageError with what stopped the rows of each subset if a version would have none."""
    if result.content.rows.count:
        return
    reasons = []
    for subset, counts in result.content.subsets.items():
        stopped = [f"{count:,} {key.replace(': ', ', ')}" for key, count in counts.reasons.items()]
        if counts.available:
            stopped.append(f"{counts.available:,} not drawn by the mixture")
        if counts.waits_for:
            stopped.append(f"waits for {', '.join(counts.waits_for)}")
        unread = counts.taught.unread if counts.taught else {}
        whys = ", ".join(f"{count:,} × {reason}" for reason, count in unread.items())
        if not counts.rationales and not counts.waits_for:
            stopped.append("no rationale was written" + (f" ({whys})" if whys else ""))
        elif whys:
            stopped.append(f"other replies have no rationale ({whys})")
        reasons.append(f"{subset}: {', '.join(stopped)}")
    raise UsageError(f"{name} would have no rows, so no version was made. {'; '.join(reasons)}.")


def freeze(context: BuildContext, result: Result, message: str, command: Sequence[str]) -> Manifest:
    """Save the next version of the recipe's name; return the newest one if nothing changed.

    `command` are the arguments of `curator` that repeat the build. Raises StoreError if one of the
    version's objects is missing or damaged.
    """
    store, name = context.store, context.recipe.name
    # Paths may have bytes that are not UTF-8. A command with another path would be wrong.
    origins = {name: make_storable(origin) for name, origin in result.objects.origins.items()}
    repeat = list(command) if all(map(is_storable, command)) else []
    objects = result.objects.model_copy(update={"command": repeat, "origins": origins})
    store.objects.check_all(digest for digest, _ in objects.roles())
    parent = store.versions.get(name).ref if name in store.versions.names() else None
    message = make_storable(message)
    manifest = store.versions.create(name, result.content.plain(), parent, message, objects.plain())
    if manifest.ref != parent or not _has_views(store, manifest.ref):
        update_views(store, f"{manifest.ref} was created", context.listener.note)
    return manifest


def _has_views(store: Store, ref: str) -> bool:
    """Return whether the views were written after a version; not if its build was killed then."""
    try:
        written = (store.root / FILE).stat().st_mtime_ns
        return written >= store.versions.path(ref).stat().st_mtime_ns
    except OSError:
        return False
