"""Stage `screen`: each screen of the recipe over the rows of all subsets.

In: the objects of all subsets. Out: a verdicts object per screen. A screen sees the rows that the
checks and the earlier screens left, so that a wrong or contaminated row never displaces a good one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from curator.core import arrow
from curator.core.errors import CuratorError
from curator.core.section import Section
from curator.core.tokenizer import PATHS, TokenizerFile, find_tokenizer
from curator.pipeline.context import BuildContext, NotBuilt, Stage
from curator.pipeline.estimate import CallEstimate
from curator.pipeline.requests import has_unanswered
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages.embed import CODE as EMBED_CODE
from curator.pipeline.stages.embed import embed, estimate_texts
from curator.screens import SCREENS, Screen
from curator.screens.meaning import Embeddings
from curator.screens.rows import Rows
from curator.versions import queries
from curator.versions.queries import Part
from datastore.engine import Engine, scan
from datastore.memo import Outputs
from datastore.objects import Objects

KEYS_ROWS = 16_384
"""Number of rows from which another object of keys begins."""

OBJECT_NEEDS = ("evals", "lists", "attempts")
"""Needs that are objects: a stage has their digests, a screen their paths."""

CODE = (__name__, "curator.versions.queries", "curator.screens.rows")


def screen_all(
    context: BuildContext,
    parts: Sequence[Part],
    evals: Mapping[str, Sequence[str]],
    lists: Mapping[str, str] | None = None,
    attempts: str = "",
    only: Collection[str] = SCREENS,
) -> dict[str, Outputs]:
    """Run each screen that the recipe switches on, in order; `only` limits them to some.

    `evals` has the digests of the problems objects of each evaluation set that could be read,
    `lists` those of the recipe's lists of rows, `attempts` is that of the solve counts. Counts of a
    stage are `SUBSET|OUTCOME: REASON`.
    """
    done: dict[str, Outputs] = {}
    for name, parameters in context.recipe.active_screens():
        needs = _needs(context, SCREENS[name], parameters, evals, lists, attempts)
        if needs is not None and name in only:
            done[name] = _screen(context, name, parts, _plain(parameters), needs, done)
    return done


def _needs(
    context: BuildContext,
    screen: Screen,
    parameters: Section | None,
    evals: Mapping[str, Sequence[str]],
    lists: Mapping[str, str] | None,
    attempts: str,
) -> dict[str, Any] | None:
    """What the screen needs, objects as digests; None if the build cannot provide it."""
    against = {name: evals[name] for name in getattr(parameters, "against", ()) if name in evals}
    needs: dict[str, Any] = {
        "seed": context.recipe.seed,
        "evals": against or None,
        "licences": context.recipe.mixture.licences,
        "lists": {key: [digest] for key, digest in (lists or {}).items()} or None,
        "attempts": {"counts": [attempts]} if attempts else {},
        "tokenizer": find_screen_tokenizer(context, parameters),
    }
    if any(needs[need] is None for need in screen.needs):
        return None
    return {need: needs[need] for need in sorted(screen.needs)}


def find_screen_tokenizer(
    context: BuildContext, parameters: Section | None
) -> TokenizerFile | None:
    """Return the tokenizer that the parameters of a screen name; None if they name none.

    Raises UsageError if it cannot be read. A plan downloads nothing and raises NotBuilt.
    """
    name = getattr(parameters, "tokenizer", "")
    if not name:
        return None
    if context.dry and not name.startswith(PATHS):
        raise NotBuilt("screens")
    return find_tokenizer(name, getattr(parameters, "revision", ""), context.recipe.folder)


def _plain(parameters: Section | None) -> dict[str, Any]:
    """The parameters as keyword arguments, without what reaches the screen as a need of it."""
    given = {"against", "tokenizer", "revision"}
    plain = parameters.model_dump(exclude=given) if parameters else {}
    if embeddings := getattr(parameters, "embeddings", None):
        plain["embeddings"] = {**embeddings.identity, "threshold": embeddings.threshold}
    return plain


def _screen(
    context: BuildContext,
    name: str,
    parts: Sequence[Part],
    parameters: Mapping[str, Any],
    needs: Mapping[str, Any],
    earlier: Mapping[str, Outputs],
) -> Outputs:
    evals: Mapping[str, Sequence[str]] = needs.get("evals", {})
    files: dict[str, Mapping[str, Sequence[str]]] = {
        need: needs[need] for need in OBJECT_NEEDS if need in needs
    }
    plain = {
        "parameters": dict(parameters),  # apart: a screen may have a parameter of the same name
        **{key: _storable(need) for key, need in needs.items()},
        "evals": list(evals),  # without their digests, which are inputs
        "screen": name,
        "subsets": [part.subset for part in parts],
        "undecided": context.recipe.undecided,
    }
    inputs = input_digests(parts, earlier)
    inputs += [digest for named in files.values() for each in named.values() for digest in each]
    vectors = _embed(context, name, parts, plain, earlier)
    inputs += vectors

    def make() -> tuple[dict[str, str], dict[str, int]]:
        objects = context.store.objects
        paths = {
            need: {key: [objects.path(digest) for digest in each] for key, each in named.items()}
            for need, named in files.items()
        }
        provided = {**needs, **paths}
        keys = make_keys(context, name, parts, parameters, provided, evals)
        if SCREENS[name].fills_memory and context.executor:
            context.executor.release()
        context.listener.progress(f"screening {name}", 0, None)
        with context.store.guard_query(inputs), context.store.engine() as engine:
            create_tables(engine, context, parts, earlier)
            levels = queries.evidence_levels(queries.verdicts(_verdict_paths(parts)))
            rows = Rows(
                "SELECT * FROM alive",
                queries.problems(parts),
                keys,
                f"SELECT * FROM {scan(map(objects.path, vectors))}" if vectors else "",
                levels,
            )
            batches = SCREENS[name].run(engine, rows, **parameters, **provided)
            digest = objects.write(batches, arrow.VERDICTS)
            verdicts = scan([objects.path(digest)])
            counts = engine.sql(
                "SELECT subset || '|' || outcome || ': ' || reason, count(*) "
                f"FROM {verdicts} v JOIN alive ON alive.id = v.row_id GROUP BY 1 ORDER BY 1"
            ).fetchall()
        context.listener.progress(f"screening {name}", 1, 1)
        return {"verdicts": digest}, dict(counts)

    return context.once(Stage(f"screen {name}", ("curator.screens", *CODE)), plain, inputs, make)


def embeddings_of(context: BuildContext, name: str) -> Embeddings | None:
    """Return the embedding model of a screen; None if it compares no meaning."""
    section = getattr(getattr(context.recipe.screens, name, None), "embeddings", None)
    return section if isinstance(section, Embeddings) else None


def _embed(
    context: BuildContext,
    name: str,
    parts: Sequence[Part],
    plain: Mapping[str, Any],
    earlier: Mapping[str, Outputs],
) -> list[str]:
    """Return the digest of the object with the vectors of a screen; nothing without a model."""
    settings, texts = embeddings_of(context, name), SCREENS[name].texts
    if not settings or not texts:
        return []
    inputs = input_digests(parts, earlier)

    def make() -> tuple[dict[str, str], dict[str, int]]:
        with context.store.guard_query(inputs), context.store.engine() as engine:
            create_tables(engine, context, parts, earlier)
            rows = Rows("SELECT * FROM alive", queries.problems(parts))
            engine.sql(f"CREATE TABLE embedded AS {texts(rows)}")
            return embed(context, settings, engine, "SELECT * FROM embedded", f"embedding {name}")

    params = {key: plain[key] for key in ("screen", "subsets", "undecided")}
    params |= {"embeddings": settings.identity, "duckdb": duckdb.__version__}
    code = ("curator.screens.normalize", f"curator.screens.{name}", *EMBED_CODE, *CODE)
    done = context.once(Stage(f"embed {name}", code), params, inputs, make, name, has_unanswered)
    return [done.objects["vectors"]]


def estimate_embeddings(context: BuildContext, name: str, parts: Sequence[Part]) -> CallEstimate:
    """Estimate the calls of a screen with an embedding model, before other screens reject rows."""
    settings, texts = embeddings_of(context, name), SCREENS[name].texts
    assert settings and texts, "only for screens that compare meaning"
    with context.store.engine() as engine:
        create_tables(engine, context, parts, {})
        query = f"SELECT text FROM ({texts(Rows('SELECT * FROM alive', queries.problems(parts)))})"
        batches = engine.batches(query)
        read = chain.from_iterable(batch.column(0).to_pylist() for batch in batches)
        return estimate_texts(context, settings, read)


def _storable(need: Any) -> Any:
    """What identifies a need in the key of the stage: of a tokenizer its name and its bytes."""
    return [need.name, need.sha256] if isinstance(need, TokenizerFile) else need


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
    for digests in group_objects(context, (path.stem for path in paths)):
        count = partial(objects.total_rows, digests)
        shards.append(Shard(count, (name, digests, prepared, params)))
    done = run_shards(context, keys_of_shards, shards, f"screening {name}")
    return scan(objects.path(outputs.objects["keys"]) for outputs in done)


def group_objects(context: BuildContext, digests: Iterable[str]) -> Iterator[list[str]]:
    """Yield objects in groups of `KEYS_ROWS` rows or somewhat more.

    Planning a query takes as long as some thousand rows.
    """
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
        query = keys.select(scan(map(objects.path, digests)), **given)
        if prepared:
            given["prepared"] = _load_prepared(objects, name, prepared)
        if keys.convert is None:
            batches = context.store.shard_engine().batches(query)
        else:
            batches = keys.convert(context.store.shard_engine().batches(query, size=2_048), **given)
        return {"keys": objects.write(batches, keys.schema)}, {}

    inputs = [*digests, prepared] if prepared else list(digests)
    stage = Stage(f"keys {name}", ("curator.screens",))
    return context.once(stage, params, inputs, make, name)


@lru_cache(maxsize=1)
def _load_prepared(objects: Objects, name: str, digest: str) -> Any:
    """Return what the shards of a screen share, loaded once per process."""
    keys = SCREENS[name].keys
    assert keys and keys.load
    return keys.load(pa.Table.from_batches(objects.read(digest), keys.prepared_schema))


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
