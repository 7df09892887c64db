"""Plan a build: the stages it would run, the subsets that wait, the rows that would result.

In: a recipe and a store. Out: a `Plan`. It goes through the same stages as a build with `dry`, so
plan and build agree about what is cached.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from curator.core.errors import UsageError
from curator.core.model import Problem
from curator.pipeline import mixture
from curator.pipeline.attempts import open_attempts, read_attempts
from curator.pipeline.context import BuildContext, Mode, NotBuilt
from curator.pipeline.estimate import CallEstimate, estimate_calls, find_changes
from curator.pipeline.freeze import part
from curator.pipeline.lists import ListFile, open_lists, store_lists
from curator.pipeline.locate import LocatedSource, find_evals, find_sources, source_name
from curator.pipeline.open_context import open_context
from curator.pipeline.requests import missing_teachers, samples_per_problem
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.source_size import SourceSize, measure_source
from curator.pipeline.stages.count_attempts import count_attempts
from curator.pipeline.stages.draw import draw
from curator.pipeline.stages.ingest import find_eval_problems, ingest, problems_of
from curator.pipeline.stages.read import read_problems
from curator.pipeline.stages.screen import embeddings_of, estimate_embeddings, screen_all
from curator.pipeline.state import SubsetInputs, SubsetState
from curator.pipeline.subset import build_order, missing_problem, open_files, run_subsets, stage_of
from curator.recipe.schema import Recipe, SubsetSource
from curator.sources import records
from curator.teacher.endpoint import describe_teacher
from curator.versions.content import content_of
from curator.writers import WRITERS
from datastore.memo import Outputs
from datastore.store import Store

State = Literal["done", "to do", "waits"]


@dataclass(frozen=True)
class Step:
    """What a build would do for one subset."""

    subset: str
    state: State
    next: str
    """The first stage that would run, or what the subset waits for."""
    at_most: int
    """Maximum number of rows for the mixture; the exact number if `exact`."""
    exact: bool
    known: bool
    """Whether the size of the source is known; otherwise `at_most` is 0."""
    rows: int
    """Number of these rows that the version would take."""
    calls: CallEstimate | None = None
    """The teacher's calls; None without a teacher, or if the problems are not on this machine."""
    again: int = 0
    """Rationales of the newest version that would be written or checked again."""
    because: Sequence[str] = ()
    """Keys of the recipe that changed since then. Empty with `again` if upstream or the code
    changed."""


@dataclass(frozen=True)
class Plan:
    """What a build of a recipe would do."""

    recipe: str
    steps: Sequence[Step]
    whole: Sequence[str]
    """Stages over all subsets that would run: screens and draw."""
    missing: Sequence[str]
    """One line for each source and evaluation set that cannot be read."""
    notes: Sequence[str]
    """One line for each amount of the mixture that is larger than what is available."""
    teacher: str = ""
    """One line: where the teacher's requests and its key go; empty without a teacher."""
    embeddings: Mapping[str, CallEstimate] = field(default_factory=dict)
    """The texts that each screen would embed, before other screens reject rows; one text is one
    call. Only a maximum if not all subsets are built."""
    models: Sequence[str] = ()
    """One line per embedding model: where the texts and the key go."""


@dataclass(frozen=True)
class _Status:
    """How far a subset is built."""

    state: State
    next: str
    max_rows: int | None
    """None if the size of the source is not known."""


def plan(recipe: Recipe, store: Store, options: RunOptions = DEFAULTS) -> Plan:
    """Return what `build` would do with this store now; run and write nothing."""
    with open_context(store, recipe, options, Mode(dry=True)) as context:
        return _plan(context)


def _plan(context: BuildContext) -> Plan:
    recipe = context.recipe
    sources, evals = find_sources(context), find_evals(context)
    inputs, lists = SubsetInputs(sources, evals, open_files(recipe)), open_lists(recipe)
    attempts = open_attempts(recipe)
    built: dict[str, SubsetState] = {}
    statuses: dict[str, _Status] = {}
    sizes: dict[str, SourceSize] = {}
    for name in chain.from_iterable(build_order(recipe)):
        try:
            built |= run_subsets(context, [name], inputs, built)
            statuses[name] = _built_status(built[name])
        except NotBuilt as stage:
            statuses[name] = _next_status(context, name, str(stage), statuses, sources, sizes)
    statuses = {name: statuses[name] for name in recipe.subsets}
    drawn, stages = _plan_draw(context, built, evals, (lists, attempts))
    available = {
        name: drawn.counts.get(f"available|{name}", 0) if drawn else status.max_rows or 0
        for name, status in statuses.items()
        if status.state != "waits"
    }
    amounts = {name: amount for name, amount in recipe.mixture.subsets.items() if name in available}
    try:
        planned = mixture.plan(available, amounts, recipe.mixture.rows, mixture.shares(recipe))
    except UsageError as error:
        if drawn:
            raise
        planned = mixture.Plan({}, (f"With the rows available so far: {error}",))
    steps = [
        Step(
            name,
            status.state,
            status.next,
            available.get(name, 0),
            drawn is not None,
            status.max_rows is not None,
            planned.counts.get(name, 0),
            _estimate_calls(context, name, sources, name not in built),
            *(_find_reruns(context, name) if name not in built else (0, ())),
        )
        for name, status in statuses.items()
    ]
    missing = [each.missing for each in (*sources.values(), *evals.values()) if each.missing]
    missing += [size.error for size in sizes.values() if size.error]
    teacher = describe_teacher(recipe.teacher) if recipe.teacher else ""
    whole = built if len(built) == len(recipe.subsets) else None
    embeddings, models = _plan_embeddings(context, whole, sum(available.values()), bool(stages))
    return Plan(recipe.name, steps, stages, missing, planned.notes, teacher, embeddings, models)


def _plan_embeddings(
    context: BuildContext, built: Mapping[str, SubsetState] | None, most: int, would_run: bool
) -> tuple[dict[str, CallEstimate], list[str]]:
    """Return the texts to embed per screen, and where they go.

    `built` has all subsets, or is None; `most` is the maximum number of rows then.
    """
    estimates: dict[str, CallEstimate] = {}
    models: dict[str, None] = {}
    for name, _ in context.recipe.active_screens():
        settings = embeddings_of(context, name)
        if not settings:
            continue
        models[describe_teacher(settings.as_teacher())] = None
        ready = {key: state for key, state in (built or {}).items() if state.verdicts}
        if not would_run:
            estimates[name] = CallEstimate()
        elif built is None or not ready:
            estimates[name] = CallEstimate(most=most)
        else:
            parts = [part(context.store, key, state) for key, state in ready.items()]
            estimates[name] = estimate_embeddings(context, name, parts)
    return estimates, list(models)


def _built_status(subset: SubsetState) -> _Status:
    if not subset.verdicts:
        return _Status("waits", ", ".join(subset.waits), 0)
    return _Status("done", ", ".join(subset.waits), subset.outcomes.get("passed", 0))


def _estimate_calls(
    context: BuildContext, name: str, sources: Mapping[str, LocatedSource], would_run: bool
) -> CallEstimate | None:
    """Estimate the teacher's calls; None without a teacher or without the problems at hand."""
    calls = _estimate_all_calls(context, name, sources)
    # A subset that is done makes no calls, even if its recipe would allow more.
    return calls if would_run or calls is None else CallEstimate(cached=calls.cached)


def _estimate_all_calls(
    context: BuildContext, name: str, sources: Mapping[str, LocatedSource]
) -> CallEstimate | None:
    subset = context.recipe.subsets[name]
    if not context.teacher_session or not any(WRITERS[writer].teacher for writer in subset.writers):
        return None
    stage = stage_of(subset)
    if stage:
        return stage.estimate(context, subset) if stage.estimate else None
    located = sources[source_name(name, subset)]
    if not located.opened:
        return None
    try:
        objects = problems_of(ingest(context, located.source, located.opened), subset.part)
        return estimate_calls(context, subset, read_problems(context, objects))
    except NotBuilt:
        if not located.opened.files:
            return None
    problems = (
        record
        for record in records(located.source, located.opened)
        if isinstance(record, Problem) and subset.part in ("", record.part)
    )
    return estimate_calls(context, subset, problems)


def _find_reruns(context: BuildContext, name: str) -> tuple[int, tuple[str, ...]]:
    """Return how many rationales of the newest version would be made again, and the changes."""
    versions, subset = context.store.versions, context.recipe.subsets[name]
    before = versions.get(context.recipe.name) if context.recipe.name in versions.names() else None
    content = content_of(before) if before else None
    counts = content.subsets.get(name) if content else None
    if not content or not counts or not counts.rationales:
        return 0, ()
    return counts.rationales, tuple(find_changes(context, name, subset, content))


def _next_status(
    context: BuildContext,
    name: str,
    stage: str,
    statuses: Mapping[str, _Status],
    sources: Mapping[str, LocatedSource],
    sizes: dict[str, SourceSize],
) -> _Status:
    """Return the status of a subset whose next stage has not run: it may wait after it.

    `sizes` caches the sizes of sources.
    """
    subset = context.recipe.subsets[name]
    if own := stage_of(subset):
        base = subset.source.subset if isinstance(subset.source, SubsetSource) else ""
        if base and statuses[base].state == "waits":
            return _Status("waits", f"subset {base}", 0)
        if base and statuses[base].max_rows is None:
            return _Status("to do", stage, None)
        allowed = context.recipe.mixture.licences
        if allowed is not None and not {getattr(subset.source, "licence", "")} <= {"", *allowed}:
            return _Status("to do", stage, 0)
        rows = {each: status.max_rows or 0 for each, status in statuses.items()}
        return _Status("to do", stage, own.max_rows(context, subset, rows))
    located = sources[source_name(name, subset)]
    key = located.source.name + located.source.settings
    if key not in sizes:
        sizes[key] = measure_source(context, located)
    size = sizes[key]
    problems, allowed_problems = size.of(subset.part)
    waits = missing_teachers(context, subset)
    if problems == 0:
        waits = (missing_problem(subset, located.source.name), *waits)
    if problems == 0 or len(waits) == len(subset.writers):
        return _Status("waits", ", ".join(waits), 0)
    samples = samples_per_problem(context, subset) if context.teacher_session else 0
    per_problem = sum(samples if WRITERS[writer].teacher else 1 for writer in subset.writers)
    then = f"{stage}; then waits for {', '.join(waits)}" if waits else stage
    most = None if allowed_problems is None else allowed_problems * per_problem
    return _Status("to do", then, most)


def _plan_draw(
    context: BuildContext,
    built: Mapping[str, SubsetState],
    evals: Mapping[str, LocatedSource],
    files: tuple[Mapping[str, ListFile], Mapping[str, str]],
) -> tuple[Outputs | None, list[str]]:
    """Return the draw if it is cached, and the stages over all subsets that would run.

    `files` are the recipe's lists of rows, and the sha256 of its files of attempts.
    """
    lists, attempts = files
    not_fetched = [each for each in evals.values() if each.opened is None and not each.missing]
    if not_fetched or len(built) < len(context.recipe.subsets):
        return None, ["screens", "draw"]
    ready = {name: built[name] for name in context.recipe.subsets if built[name].verdicts}
    if not ready:
        return None, []
    parts = [part(context.store, name, subset) for name, subset in ready.items()]
    try:
        listed = store_lists(context, lists)
        counted = count_attempts(context, ready, read_attempts(context, attempts))
        eval_problems = find_eval_problems(context, evals)
        screened = screen_all(context, parts, eval_problems, listed, counted.counts)
    except NotBuilt:
        return None, ["screens", "draw"]
    try:
        return draw(context, parts, screened), []
    except NotBuilt as stage:
        return None, [str(stage)]
