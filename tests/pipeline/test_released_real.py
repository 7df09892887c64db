"""The recipe `released` on rows in the released form, made from real upstream files."""

import json
import re
from pathlib import Path
from typing import Any

from curator import RunOptions, build
from curator.core.model import PROOFS
from curator.release.export import export
from datastore.store import Store

SAMPLE = 60
"""Records of each upstream file."""
FILES = {
    "gsm8k": "train.jsonl",
    "aqua_rat": "dev.json",
    "math": "train-3000.jsonl",
    "mathqa": "dev.json",
    "theoremqa": "theoremqa_test.json",
}
UPSTREAM = """\
name: upstream
about: every row that the upstream files give
subsets:
  gsm8k_cot: {source: gsm8k, kind: CoT, release_as: data/CoT/gsm_train.json}
  aqua_rat_cot: {source: aqua_rat, kind: CoT, release_as: data/CoT/aqua_rat.json}
  math_cot: {source: math, kind: CoT, release_as: data/CoT/MATH_train.json}
  gsm8k_pot:
    {source: gsm8k, kind: PoT, writers: [annotated], release_as: data/PoT/gsm_gpt4.json}
  mathqa_pot: {source: mathqa, kind: PoT, writers: [annotated], release_as: data/PoT/mathqa.json}
undecided: keep
screens: {duplicates: false, contamination: null}
"""


def make_mirror(shared: Path, folder: Path) -> Path:
    """Write the first records of the upstream files, without evaluation sets."""
    for source, name in FILES.items():
        text = (shared / "sources" / source / name).read_text("utf-8")
        target = folder / "sources" / source / name
        target.parent.mkdir(parents=True)
        if text.startswith("["):
            target.write_text(json.dumps(json.loads(text)[:SAMPLE]))
        else:
            target.write_text("\n".join(text.splitlines()[:SAMPLE]) + "\n")
    return folder


def spoil(rows: list[dict[str, Any]], part: str, step: int, change: str) -> int:
    """Change the stated answer of every nth text of a part; return how many were changed."""
    texts = [row for row in rows if row["source"] == part][::step]
    for row in texts:
        row["output"] = re.sub(r"\\boxed|\n?The answer is [^\n]*$", "", row["output"]) + change
    return len(texts)


def test_released_rows_of_real_upstreams_are_proved_or_rejected_by_their_golds(
    shared: Path, tmp_path: Path
) -> None:
    mirror = make_mirror(shared, tmp_path / "mirror")
    options = RunOptions(mirror=mirror, allow_missing=True)
    recipe = tmp_path / "upstream.yaml"
    recipe.write_text(UPSTREAM)
    upstream = build(recipe, tmp_path / "store", options=options)
    with Store(tmp_path / "store", readonly=True) as store:
        export(store, upstream, "alpaca", tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())
    wrong = spoil(rows, "data/CoT/gsm_train.json", 10, "\nThe answer is 987654321")
    silent = spoil(rows, "data/CoT/MATH_train.json", 10, "")
    two = (shared / "sources/mathinstruct/two-rows.jsonl").read_text().splitlines()
    folder = mirror / "sources/mathinstruct"
    folder.mkdir()
    lines = [*map(json.dumps, rows), *two]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")

    version = build("released", tmp_path / "store", options=options)
    subsets = version.content["subsets"]
    assert subsets["gsm_train_cot"]["reasons"]["failed: contradicts the gold"] == wrong > 3
    assert subsets["math_train_cot"]["reasons"]["undecided: states no answer"] > 3
    assert subsets["math_train_cot"]["reasons"]["undecided: states no answer"] <= silent
    assert set(subsets["gsm_gpt4_pot"]["levels"]) == {"executed"}
    assert subsets["mathqa_pot"]["levels"]["executed"] > SAMPLE / 3
    # Their last line states the marked choice, whatever the rationale itself concludes.
    assert set(subsets["aqua_rat_cot"]["levels"]) <= {"arithmetic", "same text", "form"}
    # The program of the real row of TheoremQA prints 88.14 days, the gold answer is 88.3; the
    # question of the real row of AQuA-RAT is not in the sample, so its gold answer is not known.
    assert (
        subsets["theoremqa_pot"]["rationales"]
        == subsets["theoremqa_pot"]["failed"] + (subsets["theoremqa_pot"]["undecided"])
    )
    assert subsets["aqua_rat_cot"]["reasons"]["undecided: no gold answer"] >= 1
    for name, counts in subsets.items():
        kept = sum(counts.get("levels", {}).values())
        assert kept == counts["kept"], name
        without = counts["reasons"].get("undecided: no gold answer", 0)
        proved = sum(counts.get("levels", {}).get(level, 0) for level in PROOFS)
        assert proved + without <= counts["rationales"]
