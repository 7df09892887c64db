"""The last two stages of a build, which see the whole set: screens, then the draw of the mixture.

In: the objects of all subsets. Out: verdicts of each screen, and the sorted rows of the version.
Each screen sees the rows that the checks and the screens before it left, so that a wrong or
contaminated row never displaces a good one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from curator.core import arrow
from curator.pipeline.context import BuildContext
from curator.screens import SCREENS
from curator.screens.rows import Rows
from curator.versions import queries
from curator.versions.queries import Part
from datastore.engine import Engine, scan
from datastore.memo import Outputs

CODE = (__name__, "curator.versions.queries", "curator.screens.rows")


def screen_all(
    context: BuildContext, parts: Sequence[Part], evals: Mapping[str, Sequence[str]]
) -> dict[str, Outputs]:
    """Verdicts of each screen of the recipe, in order; counts are `SUBSET|OUTCOME: REASON`."""
    asked = context.recipe.screens
    params: dict[str, dict[str, Any]] = {}
    if context.recipe.mixture.licences is not None:
        params["licence"] = {"allowed": list(context.recipe.mixture.licences)}
    if asked.duplicates:
        params["duplicates"] = {}
    if asked.contamination and evals:
        contamination = asked.contamination.model_dump(exclude={"against"})
        paths = {
            name: [context.store.objects.path(digest) for digest in digests]
            for name, digests in evals.items()
        }
        params["contamination"] = {**contamination, "against": paths}
    if asked.cap:
        params["cap"] = {**asked.cap.model_dump(), "seed": context.recipe.seed}
    done: dict[str, Outputs] = {}
    for name, given in params.items():
        done[name] = _screen(context, name, parts, given, done)
    return done


def _screen(
    context: BuildContext,
    name: str,
    parts: Sequence[Part],
    params: Mapping[str, Any],
    earlier: Mapping[str, Outputs],
) -> Outputs:
    def make() -> tuple[dict[str, str], dict[str, int]]:
        context.listener.progress(f"screening {name}", 0, None)
        with context.store.reading(inputs), context.store.engine() as engine:
            _tables(engine, context, parts, earlier)
            rows = Rows("SELECT * FROM alive", queries.problems(parts))
            found = SCREENS[name].run(engine, rows, **params)
            digest = context.store.objects.write(found, arrow.VERDICTS)
            verdicts = scan([context.store.objects.path(digest)])
            counts = engine.sql(
                "SELECT subset || '|' || outcome || ': ' || reason, count(*) "
                f"FROM {verdicts} v JOIN alive ON alive.id = v.row_id GROUP BY 1 ORDER BY 1"
            ).fetchall()
        context.listener.progress(f"screening {name}", 1, 1)
        return {"verdicts": digest}, dict(counts)

    plain = {key: value for key, value in params.items() if key != "against"}
    against = params.get("against", {})
    plain |= {"screen": name, "subsets": [part.subset for part in parts]}
    plain |= {"evals": list(against), "undecided": context.recipe.undecided}
    evaluation = (path.stem for paths in against.values() for path in paths)
    inputs = [*_inputs(parts, earlier), *evaluation]
    return context.once(f"screen {name}", ("curator.screens", *CODE), plain, inputs, make)


def _inputs(parts: Sequence[Part], screened: Mapping[str, Outputs]) -> list[str]:
    """Digests of everything that the rows alive depend on."""
    paths = [path for part in parts for path in (*part.problems, part.rationales, part.verdicts)]
    digests = [path.stem for path in paths]
    return digests + [outputs.objects["verdicts"] for outputs in screened.values()]


def _tables(
    engine: Engine, context: BuildContext, parts: Sequence[Part], screened: Mapping[str, Outputs]
) -> None:
    """Table `rejected` (id) and view `alive`: the rows that no check and no screen has rejected."""
    judged = queries.verdicts(part.verdicts for part in parts)
    out = "('failed')" if context.recipe.undecided == "keep" else "('failed', 'undecided')"
    rejected = f"SELECT row_id AS id FROM ({judged}) WHERE outcome IN {out}"
    if screened:
        objects = [
            context.store.objects.path(outputs.objects["verdicts"]) for outputs in screened.values()
        ]
        rejected += (
            f" UNION SELECT row_id FROM ({queries.verdicts(objects)}) WHERE outcome = 'failed'"
        )
    engine.sql(f"CREATE TABLE rejected AS SELECT DISTINCT id FROM ({rejected})")
    engine.sql(
        f"CREATE VIEW alive AS SELECT * FROM ({queries.rows(parts)}) ANTI JOIN rejected USING (id)"
    )
