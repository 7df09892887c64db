"""What a build would do, before it does anything: stages to run, subsets that wait, resulting rows.

In: a recipe and a store. Out: a Plan. It asks the same stages as a build with `dry`, so that a plan
and a build cannot disagree about what is remembered.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from curator.core.errors import UsageError
from curator.core.model import Problem
from curator.pipeline import mixture
from curator.pipeline.context import BuildContext, NotBuilt, open_context
from curator.pipeline.estimate import CallEstimate, changed, estimate_calls
from curator.pipeline.freeze import part
from curator.pipeline.locate import LocatedSource, find_evals, find_sources, source_name
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.stages.draw import draw
from curator.pipeline.stages.generate import samples_per_problem
from curator.pipeline.stages.ingest import ingest, problems_of
from curator.pipeline.stages.read import each_problem
from curator.pipeline.stages.screen import screen_all
from curator.pipeline.state import SubsetInputs, SubsetState
from curator.pipeline.subset import build_order, open_files, run_subset, stage_of
from curator.recipe.schema import Recipe, Subset
from curator.sources import records
from curator.versions.content import content_of
from curator.writers import WRITERS
from datastore.memo import Outputs
from datastore.store import Store

State = Literal["done", "to do", "waits"]


@dataclass(frozen=True)
class Step:
    """Where one subset stands."""

    subset: str
    state: State
    next: str
    """The first stage that a build would run, or what the subset waits for."""
    at_most: int
    """Rows it can give to the mixture: exact when `exact`, else what is known so far."""
    exact: bool
    rows: int
    """Rows of the version that would come from it, out of `at_most`."""
    calls: CallEstimate | None = None
    """What its teacher would be asked, if it has one and its problems are at hand."""
    again: int = 0
    """Rationales of the newest version that would be written or judged again."""
    because: Sequence[str] = ()
    """What changed in the recipe since then; empty with `again` if it is upstream or the code."""


@dataclass(frozen=True)
class Plan:
    """What a build of a recipe would do."""

    recipe: str
    steps: Sequence[Step]
    whole: Sequence[str]
    """Screens and draw that a build would run."""
    missing: Sequence[str]
    """Sources and evaluation sets that cannot be reached, and why."""
    notes: Sequence[str]
    """What the mixture cannot give as asked, a line each."""


def plan(recipe: Recipe, store: Store, options: RunOptions = DEFAULTS) -> Plan:
    """What `build` would do with this store now; it runs nothing and writes nothing."""
    with open_context(store, recipe, options, dry=True) as context:
        return _plan(context)


def _plan(context: BuildContext) -> Plan:
    recipe = context.recipe
    sources, evals = find_sources(context), find_evals(context)
    reached: dict[str, SubsetState | None] = {}
    counted: dict[str, Counter[str]] = {}
    looks: dict[str, tuple[State, str, int]] = {}
    stopped: set[str] = set()
    inputs = SubsetInputs(sources, evals, open_files(recipe))
    built: dict[str, SubsetState] = {}
    for name in build_order(recipe):
        try:
            built[name] = run_subset(context, name, inputs, built)
            reached[name] = built[name]
            looks[name] = _look(built[name])
        except NotBuilt as stage:
            reached[name] = None
            stopped.add(name)
            looks[name] = ("to do", str(stage), _available(context, name, looks, sources, counted))
    looks = {name: looks[name] for name in recipe.subsets}
    reached = {name: reached[name] for name in recipe.subsets}
    drawn, whole = _whole(context, reached, evals)
    available = {
        name: drawn.counts.get(f"available|{name}", 0) if drawn else most
        for name, (state, _, most) in looks.items()
        if state != "waits"
    }
    wanted = {name: amount for name, amount in recipe.mixture.subsets.items() if name in available}
    try:
        planned = mixture.plan(available, wanted, recipe.mixture.rows)
    except UsageError as error:
        if drawn:
            raise
        planned = mixture.Plan({}, (f"As far as is known: {error}",))
    steps = [
        Step(
            name,
            state,
            then,
            available.get(name, 0),
            drawn is not None,
            planned.counts.get(name, 0),
            _calls(context, name, sources, name in stopped),
            *(_again(context, name) if name in stopped else (0, ())),
        )
        for name, (state, then, _) in looks.items()
    ]
    missing = [found.missing for found in (*sources.values(), *evals.values()) if found.missing]
    return Plan(recipe.name, steps, whole, missing, planned.notes)


def _calls(
    context: BuildContext, name: str, sources: Mapping[str, LocatedSource], runs: bool
) -> CallEstimate | None:
    """What a teacher would be asked; None if nobody is, or the problems are not at hand."""
    calls = _outlook(context, name, sources)
    # A subset that is done asks nothing, whatever its recipe would allow.
    return calls if runs or calls is None else CallEstimate(cached=calls.cached)


def _outlook(
    context: BuildContext, name: str, sources: Mapping[str, LocatedSource]
) -> CallEstimate | None:
    subset = context.recipe.subsets[name]
    if not context.teacher_session or not any(WRITERS[writer].teacher for writer in subset.writers):
        return None
    stage = stage_of(subset)
    if stage:
        return stage.estimate(context, subset) if stage.estimate else None
    found = sources[source_name(name, subset)]
    if not found.opened:
        return None
    try:
        objects = problems_of(ingest(context, found.source, found.opened), subset.part)
        return estimate_calls(context, subset, each_problem(context, objects))
    except NotBuilt:
        if not found.opened.files:
            return None
    read = records(found.source, found.opened)
    mine = (each for each in read if isinstance(each, Problem) and subset.part in ("", each.part))
    return estimate_calls(context, subset, mine)


def _again(context: BuildContext, name: str) -> tuple[int, tuple[str, ...]]:
    """Rationales of the newest version of the recipe's name that are to be made anew, and why."""
    versions, subset = context.store.versions, context.recipe.subsets[name]
    before = versions.get(context.recipe.name) if context.recipe.name in versions.names() else None
    content = content_of(before) if before else None
    counts = content.subsets.get(name) if content else None
    if not content or not counts or not counts.rationales:
        return 0, ()
    return counts.rationales, tuple(changed(context, name, subset, content))


def _available(
    context: BuildContext,
    name: str,
    looks: Mapping[str, tuple[State, str, int]],
    sources: Mapping[str, LocatedSource],
    counted: dict[str, Counter[str]],
) -> int:
    """Rows that a subset could give that is not built yet."""
    subset = context.recipe.subsets[name]
    if stage := stage_of(subset):
        rows = {name: most for name, (_, _, most) in looks.items()}
        return stage.max_rows(context, subset, rows)
    found = sources[source_name(name, subset)]
    if found.source.name not in counted:
        counted[found.source.name] = _records(found)
    return _most(context, subset, counted[found.source.name])


def _records(found: LocatedSource) -> Counter[str]:
    """Records of a source by part: read off files that are here, else what upstream publishes."""
    if not found.opened or not found.opened.files:
        return Counter({"": found.source.rows})
    seen = records(found.source, found.opened)
    return Counter(record.part for record in seen if isinstance(record, Problem))


def _most(context: BuildContext, subset: Subset, counted: Counter[str]) -> int:
    """Rows that a subset could give: one a record and writer, and sample of a teacher."""
    whole = not subset.part or "" in counted  # a source of which only the size is known
    most = counted.total() if whole else counted[subset.part]
    tries = samples_per_problem(context, subset) if context.teacher_session else 0
    return most * sum(tries if WRITERS[writer].teacher else 1 for writer in subset.writers)


def _look(progressed: SubsetState | None) -> tuple[State, str, int]:
    assert progressed is not None
    if not progressed.verdicts:
        return "waits", ", ".join(progressed.waits), 0
    return "done", ", ".join(progressed.waits), progressed.outcomes.get("passed", 0)


def _whole(
    context: BuildContext, reached: dict[str, SubsetState | None], evals: dict[str, LocatedSource]
) -> tuple[Outputs | None, list[str]]:
    """The draw if it is remembered, and the stages over the whole set that would run."""
    unread = [found for found in evals.values() if found.opened is None and not found.missing]
    if None in reached.values() or unread:
        return None, ["screens", "draw"]
    ready = {name: subset for name, subset in reached.items() if subset and subset.verdicts}
    if not ready:
        return None, []
    parts = [part(context.store, name, subset) for name, subset in ready.items()]
    try:
        against = {
            name: problems_of(ingest(context, found.source, found.opened))
            for name, found in evals.items()
            if found.opened
        }
        screened = screen_all(context, parts, against)
    except NotBuilt:
        return None, ["screens", "draw"]
    try:
        return draw(context, parts, screened), []
    except NotBuilt as stage:
        return None, [str(stage)]
