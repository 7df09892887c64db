"""Copies of rationales in different shards are numbered as in one list of them all."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.core import arrow
from curator.core.model import Problem, Rationale, Verdict
from curator.pipeline.context import BuildContext
from curator.pipeline.open_context import open_context
from curator.pipeline.run_options import RunOptions
from curator.pipeline.stages.copies import number_all
from curator.pipeline.stages.write import CopyNumbers
from curator.recipe.load import load_recipe
from datastore.store import Store

RECIPE = """\
name: small
about: one subset
subsets:
  cot: {source: gsm8k, kind: CoT}
screens: {contamination: null}
"""
PROBLEMS = [Problem("x", f"question {n}", "1", place=f"f:{n}") for n in range(3)]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildContext]:
    """A context in a folder whose name is a pattern and has a quotation mark."""
    folder = tmp_path_factory.mktemp("it's [a-z] * ?")
    (folder / "small.yaml").write_text(RECIPE)
    recipe = load_recipe(folder / "small.yaml")
    with (
        Store(folder / "store") as store,
        open_context(store, recipe, RunOptions(workers=1)) as opened,
    ):
        yield opened


# (problem, text) of each rationale. Few of both, so that most of them are copies.
SHARDS = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"])), max_size=6),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25)
@given(shards=SHARDS | SHARDS.map(lambda each: [*each, *each]))
def test_copies_are_numbered_as_in_one_list_of_all_rationales(
    context: BuildContext, shards: list[list[tuple[int, str]]]
) -> None:
    objects = context.store.objects
    problems, pairs, all_rationales, sizes = [], [], [], []
    for number, shard in enumerate(shards):
        records = [PROBLEMS[problem] for problem, _ in shard]
        rationales = [
            Rationale(PROBLEMS[problem].id, "w", "CoT", "instruction", text)
            for problem, text in shard
        ]
        numbered = list(CopyNumbers().number(rationales))
        verdicts = [
            Verdict(each.id, check, 1, "passed", f"{number}.{place}")
            for place, each in enumerate(numbered)
            for check in ("one", "two")
        ]
        problems.append(objects.write(arrow.to_batches(records, arrow.PROBLEMS), arrow.PROBLEMS))
        pairs.append(
            (
                objects.write(arrow.to_batches(numbered, arrow.RATIONALES), arrow.RATIONALES),
                objects.write(arrow.to_batches(verdicts, arrow.VERDICTS), arrow.VERDICTS),
            )
        )
        all_rationales += rationales
        sizes.append(len(shard))
    expected = list(CopyNumbers().number(all_rationales))
    subsets = dict.fromkeys(("cot", "the same again"), (problems, pairs))
    numbered_all = number_all(context, subsets)
    assert numbered_all["the same again"] == numbered_all["cot"], "each subset is numbered alone"
    done, count = numbered_all["cot"]
    assert count == len({problem for shard in shards for problem, _ in shard})
    assert [objects.rows(rationales) for rationales, _ in done] == sizes
    rows = [row for rationales, _ in done for row in read(context, rationales)]
    assert [(row["id"], row["copy"], row["text"]) for row in rows] == [
        (each.id, each.copy, each.text) for each in expected
    ]
    assert [row["row_id"] for _, verdicts in done for row in read(context, verdicts)] == [
        each.id for each in expected for _ in ("one", "two")
    ]
    assert [row["reason"] for _, verdicts in done for row in read(context, verdicts)] == [
        row["reason"] for _, verdicts in pairs for row in read(context, verdicts)
    ]


def read(context: BuildContext, digest: str) -> list[dict[str, object]]:
    return pa.Table.from_batches(
        context.store.objects.read(digest), pq.read_schema(context.store.objects.path(digest))
    ).to_pylist()


def test_many_shards_need_little_memory(
    context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last rationale of each shard is the first of the next one."""
    open_engine = context.store.engine
    monkeypatch.setattr(context.store, "engine", lambda: open_engine("50MB", threads=1))
    objects, pairs = context.store.objects, []
    problems = objects.write(arrow.to_batches(PROBLEMS, arrow.PROBLEMS), arrow.PROBLEMS)
    verdicts = objects.write([], arrow.VERDICTS)
    for start in range(0, 160_000, 4_000):
        rationales = [
            Rationale(PROBLEMS[0].id, "w", "CoT", "instruction", str(start + each))
            for each in range(4_001)
        ]
        batches = arrow.to_batches(rationales, arrow.RATIONALES)
        pairs.append((objects.write(batches, arrow.RATIONALES), verdicts))
    done, _ = number_all(context, {"cot": ([problems], pairs)})["cot"]
    assert [one != other for one, other in zip(done, pairs, strict=True)] == [False] + [True] * 39
