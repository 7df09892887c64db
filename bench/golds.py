"""Measure how well the suspects of `curator golds` are ranked, on GSM8K test.

    python bench/golds.py --data DIR

Nine published systems of four families answered GSM8K test. Precision: the rulings of a person on
the suspects with doubt above 0 (`tests/data/errata/gsm8k_test.jsonl`), by rank. Recall: 2% of the
golds are replaced by another number, ten times with different seeds; the share of them that is
found among the first 5% of all problems. Replaced golds are compared with the models alone, as
a solution that still ends with the right answer would give them away; golds whose ruling is `wrong`
or `ambiguous` are not replaced.
"""

import argparse
import json
import random
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from curator.core.errata import Erratum, erratum_key, read_errata
from curator.core.model import Problem
from curator.pipeline.checker import Checker
from curator.pipeline.golds.model_answers import ModelAnswers, read_model_answers
from curator.pipeline.golds.run import RECIPE
from curator.pipeline.golds.suspects import Suspect, find_suspects
from curator.pipeline.open_context import open_context
from curator.pipeline.overlap import read_problems
from curator.pipeline.run_options import RunOptions
from datastore.store import Store

RULINGS = Path(__file__).parent.parent / "tests/data/errata/gsm8k_test.jsonl"
PLANTED, FIRST, SEEDS = 0.02, 0.05, 10
RANKS = (10, 25, 50, 100)


@dataclass(frozen=True)
class Precision:
    """The rulings on the first suspects."""

    first: int
    wrong: int
    ambiguous: int
    right: int
    unruled: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    data: Path = arguments.data
    files = [*sorted((data / "outputs/gsm8k_systems").iterdir())]
    files += [data / "outputs/tora/tora-70b-gsm8k.jsonl"]
    options = RunOptions(mirror=data, workers=1)
    rulings = read_errata(RULINGS)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "store") as store,
        open_context(store, RECIPE, options) as context,
    ):
        read = read_problems("evals/gsm8k", folder, data)
        problems = [each for each in read if isinstance(each, Problem)]
        models = [read_model_answers(str(file), context.checker) for file in files]
        found = find_suspects(problems, models, context.checker)
        precision = [measure_precision(found.suspects, rulings, first) for first in RANKS]
        recalls = [
            measure_recall(problems, models, context.checker, rulings, seed)
            for seed in range(SEEDS)
        ]
    print("first  wrong  ambiguous  right  without a ruling")
    for each in precision:
        print(
            f"{each.first:5}  {each.wrong:5}  {each.ambiguous:9}  {each.right:5}  {each.unruled:16}"
        )
    mean = sum(recalls) / len(recalls)
    print(
        f"Recall of planted golds in the first {FIRST:.0%}: mean {mean:.1%}, "
        f"{min(recalls):.1%} to {max(recalls):.1%} by seed."
    )
    if arguments.json:
        result = {"precision": [asdict(each) for each in precision], "recalls": recalls}
        arguments.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


def measure_precision(
    suspects: Sequence[Suspect], rulings: dict[str, Erratum], first: int
) -> Precision:
    """Return the rulings on the first suspects."""
    words = [rulings[each.key].ruling if each.key in rulings else "" for each in suspects[:first]]
    wrong, ambiguous, right = (words.count(each) for each in ("wrong", "ambiguous", "right"))
    return Precision(first, wrong, ambiguous, right, words.count(""))


def measure_recall(
    problems: Sequence[Problem],
    models: Sequence[ModelAnswers],
    checker: Checker,
    rulings: dict[str, Erratum],
    seed: int,
) -> float:
    """Return the share of planted wrong golds among the first suspects."""
    draw = random.Random(seed)
    sound = [
        place
        for place, each in enumerate(problems)
        if getattr(rulings.get(erratum_key(each.question, each.gold)), "ruling", "right") == "right"
    ]
    chosen = draw.sample(sound, round(PLANTED * len(problems)))
    changed = list(problems)
    for place in chosen:
        changed[place] = replace(problems[place], gold=plant(problems[place], draw))
    planted = {erratum_key(changed[place].question, changed[place].gold) for place in chosen}
    found = find_suspects(changed, models, checker, own_texts=False)
    first = found.suspects[: round(FIRST * len(problems))]
    return sum(each.key in planted for each in first) / len(planted)


def plant(problem: Problem, draw: random.Random) -> str:
    """Return a wrong gold answer: a result of another step, or a number near the right one."""
    gold = problem.gold.replace(",", "")
    steps = re.findall(r"=([\d.]+)>>", problem.program)
    near = [str(int(float(gold)) + delta) for delta in (-2, -1, 1, 2, 10)]
    others = [each for each in (*steps, *near) if float(each) != float(gold)]
    return draw.choice(others)


if __name__ == "__main__":
    main()
