"""Pairs right and wrong attempts of real models, and prints what their lengths still tell.

    python bench/attempts.py --data DIR [--per-problem 4] [--json FILE]

In: DIR/outputs with the four labelled models of grade-school-math, Codex's two programs per GSM8K
problem and its 30 per AQuA problem. Each becomes a version through a recipe with several responses
per problem. Out: pairs of an export in the format `preference`, the AUC of shortness as a predictor
of correctness before and after matching, and for the labelled models how many attempts of the pairs
contradict their published label.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from data_option import add_data_option
from labels import lines
from results import Figure, add_json_option, write_figures

from curator import build
from curator.answers import extract, render_answer
from curator.release.attempts import PER_PROBLEM
from curator.release.export import Exported, ExportOptions, export
from datastore.store import Store

RECIPE = """\
name: tried
about: attempts of real models
screens: {{contamination: null}}
subsets:
  all:
    source:
      file: rows.jsonl
      columns: {columns}
      licence: MIT
    kind: {kind}
    writers: [verbatim]
"""
PRINT = "print(ans)"
"""The programs leave their result in a variable."""
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
LABELLED = "four models on GSM8K, texts"


def labelled(outputs: Path) -> Iterator[dict[str, Any]]:
    for _, row in lines(outputs / "gsm8k_model_solutions/example_model_solutions.jsonl"):
        gold = extract(row["ground_truth"])
        assert gold is not None
        responses = [row[model]["solution"] for model in MODELS]
        yield {"q": row["question"], "g": render_answer(gold), "r": responses}


def codex_on_gsm8k(outputs: Path) -> Iterator[dict[str, Any]]:
    """Yield the programs of a few-shot and a zero-shot prompt for each question."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((outputs / "pot").glob("gsm8K*.jsonl")):
        for _, row in lines(path):
            one = row["generated"]
            program = f"{one if isinstance(one, str) else one[0]}\n{PRINT}"
            given = {"q": row["question"], "g": f"{row['answer']:g}", "r": []}
            found.setdefault(row["question"], given)["r"].append(program)
    yield from found.values()


def codex_on_aqua(outputs: Path) -> Iterator[dict[str, Any]]:
    for _, row in lines(next((outputs / "pot").glob("aqua_sc*.jsonl"))):
        choices = [option.partition(")")[2].strip() for option in row["options"]]
        programs = [f"{each}\n{PRINT}" for each in row["generated"]]
        yield {"q": row["question"], "g": row["answer"], "c": choices, "r": programs}


SETS = {
    LABELLED: ("CoT", labelled),
    "Codex on GSM8K, two programs": ("PoT", codex_on_gsm8k),
    "Codex on AQuA, 30 programs": ("PoT", codex_on_aqua),
}


def pair(
    rows: list[dict[str, Any]], kind: str, per_problem: int, folder: Path
) -> tuple[Exported, list[dict[str, Any]]]:
    """Build a version of the rows; return its export and the pairs."""
    text = "\n".join(map(json.dumps, rows))
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    names = {"question": "q", "gold": "g", "choices": "c", "response": "r"}
    columns = json.dumps({key: name for key, name in names.items() if name in rows[0]})
    recipe = RECIPE.format(kind=kind, columns=columns)
    (folder / "tried.yaml").write_text(recipe, encoding="utf-8")
    build(folder / "tried.yaml", folder / "store")
    target = folder / "pairs.jsonl"
    with Store(folder / "store", readonly=True) as store:
        version, options = store.versions.get("tried"), ExportOptions(per_problem=per_problem)
        done = export(store, version, "preference", target, options=options)
    return done, [json.loads(line) for line in target.read_text("utf-8").splitlines()]


def count_contradictions(outputs: Path, pairs: list[dict[str, Any]]) -> int:
    """Return how many attempts of the pairs have the opposite label of the publishers."""
    labels: dict[str, bool] = {}
    for _, row in lines(outputs / "gsm8k_model_solutions/example_model_solutions.jsonl"):
        labels |= {row[m]["solution"].strip(): row[m]["is_correct"] for m in MODELS}
    sides = [(each[side][0]["content"], side) for each in pairs for side in ("chosen", "rejected")]
    return sum(labels[text.strip()] != (side == "chosen") for text, side in sides)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    parser.add_argument("--per-problem", type=int, default=PER_PROBLEM, help="Maximum of pairs.")
    add_json_option(parser)
    arguments = parser.parse_args()
    outputs, figures = arguments.data / "outputs", []
    print("| attempts | problems | right | wrong | pairs | AUC before | AUC after |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, (kind, read) in SETS.items():
        rows = list(read(outputs))
        with TemporaryDirectory() as folder:
            done, pairs = pair(rows, kind, arguments.per_problem, Path(folder))
        found, right = done.pairing, done.pairing.pairs + done.left_out.total()
        before, after = found.auc_before, found.auc_after
        print(
            f"| {name} | {len(rows):,} | {right:,} | {found.wrong:,} | {found.pairs:,} "
            f"| {before:.3f} | {after:.3f} |",
            flush=True,
        )
        figures.append(Figure(f"{name}: pairs", found.pairs, "pairs"))
        figures.append(Figure(f"{name}: AUC of shortness in pairs", after or 0.0, "AUC"))
        if name == LABELLED:
            contradicted = count_contradictions(outputs, pairs)
            figures.append(Figure("labels that pairs contradict", contradicted, "attempts"))
    print(f"\nOf {LABELLED}, {contradicted:,} attempts in pairs contradict the published label.")
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
