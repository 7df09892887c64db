"""Stage `screen`: each screen of the recipe over the rows of all subsets.

In: the objects of all subsets. Out: a verdicts object per screen. A screen sees the rows that the
checks and the earlier screens left, so that a wrong or contaminated row never displaces a good one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from curator.core import arrow
from curator.core.errors import CuratorError
from curator.core.section import Section
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.shards import Shard, run_shards
from curator.recipe.schema import Recipe
from curator.screens import SCREENS, Screen
from curator.screens.rows import Rows
from curator.versions import queries
from curator.versions.queries import Part
from datastore.engine import Engine, scan
from datastore.memo import Outputs

KEYS_ROWS = 16_384
"""Number of rows from which another object of keys begins."""

CODE = (__name__, "curator.versions.queries", "curator.screens.rows")


def screen_all(
    context: BuildContext,
    parts: Sequence[Part],
    evals: Mapping[str, Sequence[str]],
    only: Collection[str] = SCREENS,
) -> dict[str, Outputs]:
    """Run each screen that the recipe switches on, in order; `only` limits them to some.

    `evals` has the digests of the problems objects of each evaluation set that could be read.
    Counts of a stage are `SUBSET|OUTCOME: REASON`.
    """
    done: dict[str, Outputs] = {}
    for name, parameters in context.recipe.active_screens():
        needs = _needs(context.recipe, SCREENS[name], parameters, evals)
        if needs is not None and name in only:
            done[name] = _screen(context, name, parts, _plain(parameters), needs, done)
    return done


def _needs(
    recipe: Recipe,
    screen: Screen,
    parameters: Section | None,
    evals: Mapping[str, Sequence[str]],
) -> dict[str, Any] | None:
    """What the screen needs, evaluation sets as digests; None if the build cannot provide it."""
    against = {name: evals[name] for name in getattr(parameters, "against", ()) if name in evals}
    needs: dict[str, Any] = {
        "seed": recipe.seed,
        "evals": against or None,
        "licences": recipe.mixture.licences,
    }
    if any(needs[need] is None for need in screen.needs):
        return None
    return {need: needs[need] for need in sorted(screen.needs)}


def _plain(parameters: Section | None) -> dict[str, Any]:
    """The parameters as keyword arguments; `against` reaches the screen as `evals`."""
    return parameters.model_dump(exclude={"against"}) if parameters else {}


def _screen(
    context: BuildContext,
    name: str,
    parts: Sequence[Part],
    parameters: Mapping[str, Any],
    needs: Mapping[str, Any],
    earlier: Mapping[str, Outputs],
) -> Outputs:
    evals: Mapping[str, Sequence[str]] = needs.get("evals", {})

    def make() -> tuple[dict[str, str], dict[str, int]]:
        objects = context.store.objects
        paths = {key: [objects.path(digest) for digest in evals[key]] for key in evals}
        provided = {**needs, "evals": paths} if evals else needs
        keys = make_keys(context, name, parts, parameters, provided, evals)
        context.listener.progress(f"screening {name}", 0, None)
        with context.store.guard_query(inputs), context.store.engine() as engine:
            create_tables(engine, context, parts, earlier)
            levels = queries.evidence_levels(queries.verdicts(_verdict_paths(parts)))
            rows = Rows("SELECT * FROM alive", queries.problems(parts), keys, levels)
            batches = SCREENS[name].run(engine, rows, **parameters, **provided)
            digest = objects.write(batches, arrow.VERDICTS)
            verdicts = scan([objects.path(digest)])
            counts = engine.sql(
                "SELECT subset || '|' || outcome || ': ' || reason, count(*) "
                f"FROM {verdicts} v JOIN alive ON alive.id = v.row_id GROUP BY 1 ORDER BY 1"
            ).fetchall()
        context.listener.progress(f"screening {name}", 1, 1)
        return {"verdicts": digest}, dict(counts)

    plain = {
        "parameters": dict(parameters),  # apart: a screen may have a parameter of the same name
        **needs,
        "evals": list(evals),
        "screen": name,
        "subsets": [part.subset for part in parts],
        "undecided": context.recipe.undecided,
    }
    inputs = [*input_digests(parts, earlier), *chain.from_iterable(evals.values())]
    return context.once(Stage(f"screen {name}", ("curator.screens", *CODE)), plain, inputs, make)


def _verdict_paths(parts: Sequence[Part]) -> Iterator[Path]:
    return chain.from_iterable(part.verdicts for part in parts)


def make_keys(
    context: BuildContext,
    name: str,
    parts: Sequence[Part],
    parameters: Mapping[str, Any],
    provided: Mapping[str, Any],
    evals: Mapping[str, Sequence[str]],
) -> str:
    """Compute the keys of a screen shard by shard; return a FROM item with all of them."""
    keys = SCREENS[name].keys
    if keys is None:
        return ""
    parameters = {name: parameters[name] for name in keys.parameters}
    # DuckDB's hashes may differ between its releases.
    params = {**parameters, "duckdb": duckdb.__version__}
    objects, prepared = context.store.objects, ""
    if keys.prepare:
        query = keys.prepare(**parameters, **{need: provided[need] for need in SCREENS[name].needs})
        inputs = list(chain.from_iterable(evals.values()))
        stage = Stage(f"prepare {name}", ("curator.screens",))
        schema = keys.prepared_schema

        def prepare() -> tuple[dict[str, str], dict[str, int]]:
            with context.store.guard_query(inputs), context.store.engine() as engine:
                return {"prepared": objects.write(engine.batches(query), schema)}, {}

        sizes = {"sets": [len(evals[key]) for key in evals]}  # items are numbered set by set
        made = context.once(stage, params | sizes, inputs, prepare)
        prepared = made.objects["prepared"]
    paths = dict.fromkeys(path for part in parts for path in getattr(part, keys.of))
    shards = []
    for digests in _groups(context, (path.stem for path in paths)):
        count = partial(objects.total_rows, digests)
        shards.append(Shard(count, (name, digests, prepared, params)))
    done = run_shards(context, keys_of_shards, shards, f"screening {name}")
    return scan(objects.path(outputs.objects["keys"]) for outputs in done)


def _groups(context: BuildContext, digests: Iterable[str]) -> Iterator[list[str]]:
    """Yield objects in groups: planning a query takes as long as some thousand rows."""
    group: list[str] = []
    rows = 0
    for digest in digests:
        group.append(digest)
        rows += context.store.objects.rows(digest)
        if rows >= KEYS_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def keys_of_shards(
    context: BuildContext,
    name: str,
    digests: Sequence[str],
    prepared: str,
    params: dict[str, Any],
) -> Outputs:
    """Write object `keys` of some objects of rationales or problems."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        if params["duckdb"] != duckdb.__version__:
            raise CuratorError(
                f"This process has DuckDB {duckdb.__version__}, the build {params['duckdb']}. "
                "Install the same version everywhere."
            )
        keys, objects = SCREENS[name].keys, context.store.objects
        assert keys is not None
        given = {key: value for key, value in params.items() if key != "duckdb"}
        if prepared:
            given["prepared"] = scan([objects.path(prepared)])
        query = keys.select(scan(map(objects.path, digests)), **given)
        if keys.convert is None:
            batches = context.store.shard_engine().batches(query)
        else:
            batches = keys.convert(context.store.shard_engine().batches(query, size=2_048), **given)
        return {"keys": objects.write(batches, keys.schema)}, {}

    inputs = [*digests, prepared] if prepared else list(digests)
    stage = Stage(f"keys {name}", ("curator.screens",))
    return context.once(stage, params, inputs, make, name)


def input_digests(parts: Sequence[Part], screened: Mapping[str, Outputs]) -> list[str]:
    """Digests of all objects on which the remaining rows depend."""
    paths = [path for part in parts for path in (*part.problems, *part.rationales, *part.verdicts)]
    digests = [path.stem for path in paths]
    return digests + [outputs.objects["verdicts"] for outputs in screened.values()]


def create_tables(
    engine: Engine, context: BuildContext, parts: Sequence[Part], screened: Mapping[str, Outputs]
) -> None:
    """Create table `rejected` (id) and view `alive`: the rows that nothing has rejected."""
    subsets, objects = context.recipe.subsets, context.store.objects
    verdicts = queries.ordered_verdicts(
        ((part.subset, part.verdicts, subsets[part.subset].checks) for part in parts),
        (objects.path(outputs.objects["verdicts"]) for outputs in screened.values()),
    )
    stopped = queries.stopping_verdicts(verdicts, context.recipe.undecided)
    engine.sql(f"CREATE TABLE rejected AS SELECT row_id AS id FROM ({stopped})")
    engine.sql(
        f"CREATE VIEW alive AS SELECT * FROM ({queries.rows(parts)}) ANTI JOIN rejected USING (id)"
    )
