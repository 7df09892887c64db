"""Measure where MathQA's marked choices, formulas and rationales disagree, and which one is wrong.

    python bench/mathqa.py --data DIR [--show]

A formula is compiled and run; what it prints is compared with the choices by the check `answer`. It
disagrees with the marked choice if it prints another one (`formula, other choice`), none
(`formula, no choice`), or a value that several choices equal. A rationale disagrees if the last
value that it derives is another choice. `mathqa_labels.json` has the labels by key of errata,
without upstream's text; docs/findings.md says how they were made. `--show` prints the rows.

Labels: `formula wrong` (the marked choice is right), `rationale wrong` (likewise), `gold wrong`
(the other side is right, whether or not it is a choice), `both wrong`, and `question unclear`. Both
are right with `rounded choice`, `other unit`, `none of these`, `same choice twice` and `not read`:
Curator does not read the choice, or takes another number of the rationale for its result.
"""

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data_option import add_data_option

from curator.checks import Candidate
from curator.core.errata import erratum_key
from curator.core.model import Problem
from curator.pipeline.checker import Checker
from curator.pipeline.golds.run import RECIPE
from curator.pipeline.open_context import open_context
from curator.pipeline.overlap import read_problems
from curator.pipeline.run_options import RunOptions
from curator.versions.golds.own_solution import read_solution
from curator.writers.annotated import write_annotated
from datastore.store import Store

LABELS = Path(__file__).with_name("mathqa_labels.json")
KINDS = {
    "contradicts the gold": "formula, other choice",
    "no option": "formula, no choice",
    "several options": "formula, several choices",
}
"""Kind of a formula's disagreement by the reason of its verdict, or else by the rule."""
WRONG = ("gold wrong", "both wrong")
RATIONALE = "rationale, other choice"


@dataclass(frozen=True)
class Disagreement:
    """One problem whose marked choice something contradicts."""

    kind: str
    key: str
    problem: Problem
    other: str
    """What the formula prints, or the letter that the rationale derives."""


def find_disagreements(problems: list[Problem], checker: Checker) -> list[Disagreement]:
    """Return the disagreements of all problems, in order."""
    ids = {number.to_bytes(16): each for number, each in enumerate(problems)}
    candidates = [
        Candidate(id_, "PoT", "", written.text, each.gold, each.choices)
        for id_, each in ids.items()
        for written in write_annotated(each, "PoT")
    ]
    found = []
    for verdict in checker.check(candidates, ("answer",)):
        kind = KINDS.get(verdict.reason) or KINDS.get(verdict.evidence.get("rule", ""))
        if verdict.outcome != "passed" and kind:
            problem = ids[verdict.row_id]
            found.append(Disagreement(kind, _key(problem), problem, verdict.evidence["answer"]))
    for problem in problems:
        derived = read_solution(problem).solution
        if derived and derived != problem.gold:
            found.append(Disagreement(RATIONALE, _key(problem), problem, derived))
    return found


def _key(problem: Problem) -> str:
    return erratum_key(problem.question, problem.gold, problem.choices)


def print_precision(found: list[Disagreement], labels: dict[str, dict[str, str]]) -> None:
    """Print by kind the problems, how many were read, and in which the gold is wrong."""
    print(f"{'kind':24} {'problems':>8} {'read':>5} {'gold wrong':>11}  labels")
    for kind, by_key in labels.items():
        keys = {each.key for each in found if each.kind == kind}
        counts = Counter(label for key, label in by_key.items() if key in keys)
        read, wrong = counts.total(), sum(counts[label] for label in WRONG)
        share = f"{wrong} ({wrong / read:.0%})" if read else "-"
        words = ", ".join(f"{label} {count}" for label, count in counts.most_common())
        print(f"{kind:24} {len(keys):8,} {read:5,} {share:>11}  {words}")
        if unknown := by_key.keys() - keys:
            print(f"{len(unknown)} labels of this kind are of no such problem: {min(unknown)}, …")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_option(parser, "sources")
    parser.add_argument("--show", action="store_true", help="Print the labelled problems.")
    arguments = parser.parse_args()
    data: Path = arguments.data
    labels: dict[str, dict[str, str]] = json.loads(LABELS.read_text(encoding="utf-8"))
    options = RunOptions(mirror=data, workers=1)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "store") as store,
        open_context(store, RECIPE, options) as context,
    ):
        read = read_problems("mathqa", folder, data)
        problems = [each for each in read if isinstance(each, Problem)]
        found = find_disagreements(problems, context.checker)
    print(f"{len(problems):,} problems\n")
    print_precision(found, labels)
    for each in found if arguments.show else ():
        if label := labels[each.kind].get(each.key):
            choices = " | ".join(each.problem.choices)
            print(f"\n{each.problem.place} {each.key} {each.kind}: {label}")
            print(f"{each.problem.question}\n{choices}  marked {each.problem.gold}")
            print(f"other {each.other}  {each.problem.program}\n{each.problem.solution}")


if __name__ == "__main__":
    main()
