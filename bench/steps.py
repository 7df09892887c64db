"""Recomputes the steps of GSM8K's and MATH's solutions and of labelled solutions and steps.

    python bench/steps.py --data DIR [--show] [--json FILE]

In: DIR/sources and DIR/evals with gsm8k and math, DIR/outputs/gsm8k_model_solutions, and
DIR/outputs/prm800k. Out: how many solutions are arithmetic, have a wrong step, cannot be read or
have no step; and how well a wrong step predicts the label "wrong" of the solution, or of the step.
With --show, every step that is wrong or cannot be read, and every labelled step on which the label
and the arithmetic disagree.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_option import add_data_option
from labels import lines
from results import Figure, add_json_option, write_figures

from curator.answers import (
    Steps,
    compare_by_rules,
    extract,
    label_steps,
    read_steps,
    render_answer,
)
from curator.core.model import Problem
from curator.sources import SOURCES, open_source, records

KINDS = (
    "arithmetic: all steps right, the last equals the gold",
    "all steps right, the last is not the gold",
    "a wrong step",
    "a step that cannot be read, none wrong",
    "steps beside an equation with unknowns",
    "only values restated (<<3=3>>)",
    "no step",
)


@dataclass(frozen=True)
class Labelled:
    """A model's solution with the label of its authors."""

    place: str
    steps: Steps
    gold: str
    right: bool


def kind_of(steps: Steps, gold: str) -> str:
    """Return which of KINDS a solution is."""
    if steps.recomputed:
        result = compare_by_rules(gold, steps.result or "")
        return KINDS[0] if result and result.outcome == "equal" else KINDS[1]
    if steps.fault:
        return KINDS[2] if steps.fault.outcome == "wrong" else KINDS[3]
    if any(step.operations for step in steps.steps):
        return KINDS[4]
    return KINDS[5] if steps.steps else KINDS[6]


def gold_of(text: str) -> str:
    gold = extract(text)
    assert gold is not None
    return render_answer(gold)


def labelled_solutions(path: Path) -> Iterator[Labelled]:
    for at, row in lines(path):
        gold = gold_of(row["ground_truth"])
        for model in [name for name in row if name.startswith(("6b", "175b"))]:
            solution = row[model]
            steps = read_steps(solution["solution"])
            yield Labelled(f"{at} {model}", steps, gold, solution["is_correct"])


def show_faults(place: str, steps: Steps) -> None:
    for step in steps.steps:
        if step.outcome != "right":
            print(f"    {place}: {step.kind}, {step.outcome}, {step}")


def print_solutions(name: str, path: Path, column: str, show: bool) -> list[Figure]:
    """Print how many reference solutions are of each kind; return the figures."""
    counts: Counter[str] = Counter()
    steps_read = 0
    seconds = 0.0
    for at, row in lines(path):
        start = time.process_time()
        steps = read_steps(row[column])
        seconds += time.process_time() - start
        steps_read += len(steps.steps)
        counts[kind_of(steps, gold_of(row[column]))] += 1
        if show:
            show_faults(f"{path.name}:{at}", steps)
    total = counts.total()
    each = 1000 * seconds / total
    print(f"{name}: {total:,} solutions, {steps_read:,} steps, {each:.2f} ms of CPU time each")
    for kind in KINDS:
        print(f"    {kind:54}{counts[kind]:7,}{counts[kind] / total:8.1%}")
    return [
        Figure(f"{name}, CPU time per solution", each, "CPU ms"),
        *(Figure(f"{name}, {kind}", counts[kind], "solutions") for kind in KINDS),
    ]


def has_fault(steps: Steps, outcome: str, kind: str = "") -> bool:
    return any(each.outcome == outcome and kind in ("", each.kind) for each in steps.steps)


def print_prediction(rows: Sequence[Labelled]) -> None:
    """Print precision and recall of the label "wrong" for each sign of it."""
    signs = {
        "a wrong step": [has_fault(row.steps, "wrong") for row in rows],
        "    annotated": [has_fault(row.steps, "wrong", "annotated") for row in rows],
        "    written": [has_fault(row.steps, "wrong", "written") for row in rows],
        "a step that cannot be read": [has_fault(row.steps, "unread") for row in rows],
        "a wrong step or one that cannot be read": [bool(row.steps.fault) for row in rows],
        "not arithmetic": [kind_of(row.steps, row.gold) != KINDS[0] for row in rows],
    }
    wrong = sum(not row.right for row in rows)
    print(f"model solutions: {len(rows):,}, labelled wrong: {wrong:,} ({wrong / len(rows):.1%})")
    print(f"    {'sign':42}{'solutions':>10}{'labelled wrong':>16}{'precision':>11}{'recall':>9}")
    for name, shown in signs.items():
        count = sum(shown)
        hits = sum(sign and not row.right for sign, row in zip(shown, rows, strict=True))
        print(f"    {name:42}{count:10,}{hits:16,}{hits / count:11.1%}{hits / wrong:9.1%}")


@dataclass(frozen=True)
class LabelledStep:
    """One step that a person labelled, after the steps before it."""

    place: str
    text: str
    label: str
    outcome: str
    """What its arithmetic says; empty without an equation between numbers."""


def labelled_steps(folder: Path) -> list[LabelledStep]:
    """Return the labelled steps of the records of PRM800K, each step once."""
    source = replace(SOURCES["prm800k"], local=str(folder / "*.json"))
    found: dict[tuple[str, ...], LabelledStep] = {}
    for problem in records(source, open_source(source, None)):
        assert isinstance(problem, Problem)
        solution = [step.text for step in problem.labelled_steps if step.chosen]
        for step in problem.labelled_steps:
            texts = (problem.question, *solution[: step.number - 1], step.text)
            if step.label and texts not in found:
                outcome = label_steps(texts)[-1]
                found[texts] = LabelledStep(problem.place, step.text, step.label, outcome)
    return list(found.values())


def print_labelled_steps(steps: Sequence[LabelledStep], show: bool) -> None:
    """Print labels against outcomes, and the precision and recall of a wrong step."""
    labels, outcomes = ("right", "neutral", "wrong"), ("right", "unread", "wrong", "")
    counts = Counter((step.outcome, step.label) for step in steps)
    print(f"PRM800K: {len(steps):,} labelled steps")
    print(f"    {'arithmetic':24}" + "".join(f"{label:>10}" for label in labels))
    for outcome in outcomes:
        row = "".join(f"{counts[outcome, label]:10,}" for label in labels)
        print(f"    {outcome or 'no equation':24}{row}")
    hits = counts["wrong", "wrong"]
    for name, total in (
        ("precision", sum(counts["wrong", label] for label in labels)),
        ("recall", sum(counts[outcome, "wrong"] for outcome in outcomes)),
    ):
        print(f"    {name} of a wrong step: {hits} of {total}")
    for step in steps if show else ():
        if {step.outcome, step.label} in ({"right", "wrong"}, {"neutral", "wrong"}):
            print(f"    {step.place}: labelled {step.label}, {step.outcome}: {step.text!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources", "evals")
    parser.add_argument("--show", action="store_true", help="Print every step that is not right.")
    add_json_option(parser)
    arguments = parser.parse_args()
    data = arguments.data
    figures: list[Figure] = []
    for name, path, column in (
        ("GSM8K train", "sources/gsm8k/train.jsonl", "answer"),
        ("GSM8K test", "evals/gsm8k/test.jsonl", "answer"),
        ("MATH train", "sources/math/train-3000.jsonl", "solution"),
        ("MATH test", "evals/math/test.jsonl", "solution"),
    ):
        figures += print_solutions(name, data / path, column, arguments.show)
    write_figures(arguments.json, figures)
    solutions = data / "outputs/gsm8k_model_solutions/example_model_solutions.jsonl"
    rows = list(labelled_solutions(solutions))
    for row in rows if arguments.show else ():
        show_faults(row.place, row.steps)
    print_prediction(rows)
    print_labelled_steps(labelled_steps(data / "outputs/prm800k"), arguments.show)
    return 0


if __name__ == "__main__":
    sys.exit(main())
