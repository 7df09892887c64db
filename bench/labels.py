"""Compares grading with published labels of model outputs.

    python bench/labels.py --data DIR [--show] [--json FILE]

In: DIR/outputs with the published files. Out: a table of labels and outcomes per file; with --show,
every pair on which they disagree. Programs run in the sandbox.
"""

import argparse
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.answers import Grader, extract, extract_output, render_answer
from curator.core.model import Answer
from curator.sandbox import Sandbox

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
OUTCOMES = ("equal", "different", "undecided", "no answer")


@dataclass(frozen=True)
class Graded:
    """One solution with its published label and its extracted answer."""

    place: str
    gold: str
    answer: Answer | None
    right: bool
    """The published label."""
    choices: tuple[str, ...] = ()


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a file with line numbers; prompts before the records are skipped."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "question" in record or "problem" in record:
                yield number, record


def close(a: float, b: float, tolerance: float) -> bool:
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def number(text: object) -> float | None:
    try:
        return float(str(text).replace(",", ""))
    except ValueError:
        return None


def gsm8k_solutions(outputs: Path) -> Iterator[Graded]:
    """Yield sampled solutions with the labels of the paper's authors."""
    for at, row in lines(outputs / "gsm8k_model_solutions/example_model_solutions.jsonl"):
        gold = extract(row["ground_truth"])
        assert gold is not None
        for model in [name for name in row if name.startswith(("6b", "175b"))]:
            solution, right = row[model]["solution"], row[model]["is_correct"]
            yield Graded(f"{at} {model}", render_answer(gold), extract(solution), right)


def pot_gsm8k(path: Path) -> Iterator[Graded]:
    """Yield executed programs; the label is the paper's rule: within a thousandth."""
    for at, row in lines(path):
        executed = row["executed"]
        value = number(executed)
        right = value is not None and close(value, row["answer"], 1e-3)
        found = None if executed is None else extract_output(str(executed))
        yield Graded(str(at), str(row["answer"]), found, right)


def pot_aqua(path: Path) -> Iterator[Graded]:
    """Yield executed programs with choices; the label is whether the predicted letter is right."""
    for at, row in lines(path):
        choices = tuple(option.partition(")")[2].strip() for option in row["options"])
        found = extract_output(str(row["generated_prediction"]))
        yield Graded(str(at), row["answer"], found, row["prediction"] == row["answer"], choices)


def tora(path: Path) -> Iterator[Graded]:
    """Yield trajectories; the label is ToRA's rule for `pred`: within a ten-thousandth, also as a
    percentage."""
    for at, row in lines(path):
        prediction, gold = number(row["pred"][0]), float(row["gt"].replace(",", ""))
        right = prediction is not None and any(
            close(prediction, other, 1e-4) for other in (gold, gold / 100, gold * 100)
        )
        yield Graded(str(at), row["gt"], extract(row["code"][0]), right)


def pal_aqua(outputs: Path, evals: Path) -> Iterator[Graded]:
    """Run programs with choices, each cut where the model starts another question.

    Upstream labels every row correct, so the label used here is whether the value is within a
    hundredth of the number in the gold choice.
    """
    rows = list(lines(outputs / "pal/aqua_pal_outputs.jsonl"))
    tests = [row for _, row in lines(evals / "aqua_rat/test.json")]
    programs = [row["generated_answer"].partition("\nQuestion:")[0] for _, row in rows]
    with Sandbox(workers=2) as box:
        runs = box.map(programs)
        for (at, row), test, run in zip(rows, tests, runs, strict=True):
            assert row["answer"] == f"({test['correct'].lower()})", at
            choices = tuple(option[2:] for option in test["options"])
            found = extract_output(run.stdout) if run.status == "ok" else None
            option = _NUMBER.search(choices["ABCDE".index(test["correct"])].replace(",", ""))
            value = number(found.text) if found else None
            right = bool(option) and value is not None and close(value, float(option[0]), 1e-2)
            yield Graded(str(at), row["answer"], found, right, choices)


def labelled_sets(data: Path) -> Iterator[tuple[str, list[Graded]]]:
    outputs = data / "outputs"
    yield "gsm8k_model_solutions", list(gsm8k_solutions(outputs))
    for path in sorted((outputs / "pot").glob("gsm8K*.jsonl")):
        yield f"pot/{path.stem.partition('_e-1')[0]}", list(pot_gsm8k(path))
    for path in sorted((outputs / "pot").glob("aqua*.jsonl")):
        yield f"pot/{path.stem.partition('_e-1')[0]}", list(pot_aqua(path))
    yield "tora-70b-gsm8k", list(tora(outputs / "tora/tora-70b-gsm8k.jsonl"))
    yield "pal aqua", list(pal_aqua(outputs, data / "evals"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs", "evals")
    parser.add_argument("--show", action="store_true", help="Print every disagreement.")
    add_json_option(parser)
    arguments = parser.parse_args()
    figures: list[Figure] = []
    head = "".join(f"{outcome:>11}" for outcome in OUTCOMES)
    print(f"{'':26}{'label':>8}{head}")
    for name, rows in labelled_sets(arguments.data):
        counts: Counter[tuple[bool, str]] = Counter()
        disagreements = []
        pairs = [(one.gold, render_answer(one.answer), one.choices) for one in rows if one.answer]
        with Grader() as grader:
            verdicts = grader.map(pairs)
            for one in rows:
                found = next(verdicts) if one.answer else None
                outcome = found.outcome if found else "no answer"
                counts[one.right, outcome] += 1
                if one.right != (outcome == "equal"):
                    answer = render_answer(one.answer) if one.answer else ""
                    rule = found.rule if found else ""
                    disagreements.append(
                        (one.place, one.right, outcome, rule, one.gold, answer, one.choices)
                    )
        figures.append(Figure(f"{name}, disagreements", len(disagreements), "solutions"))
        for right in (True, False):
            cells = "".join(f"{counts[right, outcome]:11,}" for outcome in OUTCOMES)
            print(
                f"{name if right else '':26}{'right' if right else 'wrong':>8}{cells}", flush=True
            )
        for line in disagreements if arguments.show else ():
            print("   ", *map(repr, line))
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
