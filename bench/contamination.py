"""Measures the contamination screen: which hidden questions it finds, and what else it flags.

    python bench/contamination.py --data DIR [--half report] [--items 500] [--sets gsm8k …]
        [--show 5] [--json FILE]

In: DIR/evals with the ten evaluation sets, of which `--sets` selects some, DIR/sources with
training sets, and DIR/contamination with rewordings of GSM8K test questions and the variants of
GSM-Plus. Out: the share of hidden questions that the screen finds, by attack and reason; the
flagged rows of each training set, per 10,000, with their gold answers and without; and the verdicts
on rows that were labelled by hand.
Except for these, a run uses one half of the data: choose thresholds of a screen on `tune`, and
publish the figures of `report`.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from attacks import ATTACKS
from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.core import arrow
from curator.core.model import Problem
from curator.screens import SCREENS, Rows
from curator.screens.match import LEVELS
from curator.sources import EVALS, MAMMOTH_EVALS, SOURCES, open_source, records
from datastore.engine import Engine

TRAINING = ("gsm8k", "math", "mathqa", "lila", "aqua_rat", "theoremqa")
"""Training sets. Flagged rows are not all errors: MMLU, for one, contains questions of MATH."""
REASONS = LEVELS
ACTIONS = [level.replace(" ", "_") for level in LEVELS]
REWORDINGS = ("reworded", "problem understanding")
"""Published changes that keep the problem; measured without the row's gold answer, too."""
SHORT = 13
"""Questions of fewer words are listed again on their own."""
WORD = re.compile(r"[^\W\d_]+|[0-9]+(?:\.[0-9]+)?")
LABELS = json.loads(Path(__file__).with_name("contamination_labels.json").read_text("utf-8"))
EXPECTED = {
    "same question": ("same question",),
    "same template": ("same template",),
    "same givens": ("same template", "shared phrase"),
    "unrelated": ("shared phrase", "not flagged"),
}
"""Right levels by label. Only the same question and a rewording are rejected by default."""

Verdict = Mapping[str, Any]
Evals = Mapping[str, Sequence[Problem]]


@dataclass(frozen=True)
class Hidden:
    """An evaluation question hidden in training rows."""

    block: str
    attack: str
    rows: Sequence[Problem]
    item: Problem


def read(name: str, data: Path, training: bool = False) -> list[Problem]:
    """Return the problems of an evaluation set or of a training set."""
    source = (SOURCES if training else EVALS)[name]
    found = records(source, open_source(source, data))
    return [problem for problem in found if isinstance(problem, Problem)]


def number_of(question: str) -> int:
    """Return a hash of a question: its parity is the half, its order the order of the sample."""
    return int.from_bytes(sha256(question.encode()).digest()[:8], "big")


def in_half(question: str, half: str) -> bool:
    return ("tune", "report")[number_of(question) % 2] == half


class Screening:
    """Runs the screen of the code against the evaluation sets."""

    def __init__(self, engine: Engine, evals: Evals) -> None:
        self.engine = engine
        self.sets = {name: [self._write(problems)] for name, problems in evals.items()}

    def _write(self, problems: Sequence[Problem]) -> Path:
        path = Path(tempfile.mkdtemp(dir=self.engine.folder)) / "problems.parquet"
        batches = arrow.to_batches(problems, arrow.PROBLEMS)
        pq.write_table(pa.Table.from_batches(batches, arrow.PROBLEMS), path)
        return path

    def run(self, problems: Sequence[Problem]) -> list[Verdict | None]:
        """Return the verdict on one row for each problem, or None if it is not flagged."""
        path = self._write(problems)
        columns = {
            "id": pa.array([place.to_bytes(16, "big") for place in range(len(problems))], arrow.ID),
            "subset": ["training"] * len(problems),
            "place": [0] * len(problems),
            "problem_id": pa.array([problem.id for problem in problems], arrow.ID),
            "instruction": [problem.question for problem in problems],
            "text": [problem.gold for problem in problems],
        }
        pq.write_table(pa.table(columns), path.with_name("rows.parquet"))
        rows = Rows(
            f"SELECT * FROM read_parquet('{path.with_name('rows.parquet')}')",
            f"SELECT * FROM read_parquet('{path}')",
        )
        found: list[Verdict | None] = [None] * len(problems)
        for batch in SCREENS["contamination"].run(
            self.engine, rows, evals=self.sets, **dict.fromkeys(ACTIONS, "flag")
        ):
            for verdict in batch.to_pylist():
                evidence = json.loads(verdict["evidence"])
                found[int.from_bytes(verdict["row_id"], "big")] = verdict | {"evidence": evidence}
        return found


def reason_of(verdicts: Sequence[Verdict | None]) -> str:
    """Return the strongest reason on any of the rows of one item."""
    reasons = {verdict["reason"] for verdict in verdicts if verdict}
    return next((reason for reason in REASONS if reason in reasons), min(reasons, default=""))


def planted(evals: Evals, half: str, items: int) -> Iterator[Hidden]:
    """Yield at most `items` questions of each evaluation set, hidden by each attack."""
    chosen = []
    for problems in evals.values():
        of_half = [problem for problem in problems if in_half(problem.question, half)]
        chosen += sorted(of_half, key=lambda each: number_of(each.question))[:items]
    for name, attack in ATTACKS.items():
        for problem in chosen:
            if rows := attack(problem, Random(f"{name} {problem.question}")):
                yield Hidden("all questions", name, rows, problem)
                if len(WORD.findall(problem.question)) < SHORT:
                    yield Hidden(f"questions under {SHORT} words", name, rows, problem)


def published(data: Path, tests: Sequence[Problem], half: str) -> Iterator[Hidden]:
    """Yield the published rewordings and variants of GSM8K test questions."""
    places = {problem.place: problem for problem in tests}
    if not places:
        return
    block = "published changes of GSM8K"
    for name in ("gsm8k_rephrased", "gsm_plus"):
        path = data / "contamination" / f"{name}.jsonl"
        if not path.is_file():
            print(f"Not measured: {path} does not exist.")
            continue
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            item = places[f"test.jsonl:{record['item'] + 1}"]
            if not in_half(item.question, half):
                continue
            if name == "gsm_plus":
                question, gold = record["question"], str(record["answer"])
                attack = record["perturbation_type"].replace("integer-decimal-", "")
            else:
                text, _, gold = record["text"].partition("\nAnswer:")
                question, attack = text.removeprefix("Question:").strip(), "reworded"
                gold = gold.strip(" \n#")
            yield Hidden(block, attack, [replace(item, question=question, gold=gold)], item)
            if attack in REWORDINGS:
                row = replace(item, question=question, gold="")
                yield Hidden(block, f"{attack}, no gold", [row], item)


def measure_recall(screening: Screening, hidden: Sequence[Hidden]) -> list[Figure]:
    """Print the share of hidden questions that are found, by block, attack and reason."""
    verdicts = iter(screening.run([row for each in hidden for row in each.rows]))
    blocks: dict[str, dict[str, Counter[str]]] = {}
    for each in hidden:
        reason = reason_of([next(verdicts) for _ in each.rows])
        blocks.setdefault(each.block, {}).setdefault(each.attack, Counter())[reason] += 1
    reasons = list_reasons(count for block in blocks.values() for count in block.values())
    figures = []
    for block, counts in blocks.items():
        print_header(block, ("items", "found"), reasons)
        for attack, count in counts.items():
            total = count.total()
            shares = {"found": 1 - count[""] / total}
            shares |= {reason: count[reason] / total for reason in reasons}
            cells = "".join(f"{shares[reason]:9.1%}" for reason in reasons)
            print(f"{attack:30}{total:6,}{shares['found']:7.1%}{cells}")
            figures += [
                Figure(f"{block}, {attack}, {key}", share, "share") for key, share in shares.items()
            ]
    return figures


def list_reasons(counts: Iterable[Counter[str]]) -> list[str]:
    """Return the known reasons, then those that only a newer screen has."""
    return list(dict.fromkeys([*REASONS, *sorted({key for each in counts for key in each if key})]))


def print_header(title: str, columns: Sequence[str], reasons: Sequence[str]) -> None:
    """Print two lines: reasons of several words are wrapped."""
    firsts = "".join(f"{reason.rpartition(' ')[0]:>9}" for reason in reasons)
    print(f"\n{'':43}{firsts}".rstrip())
    words = "".join(f"{reason.rpartition(' ')[2]:>9}" for reason in reasons)
    print(f"{title:30}{columns[0]:>6}{columns[1]:>7}{words}")


def measure_training(
    screening: Screening, sets: Mapping[str, Sequence[Problem]], evals: Evals, show: int
) -> list[Figure]:
    """Print how many of 10,000 rows of each training set are flagged; show the first of them."""
    found = {name: screening.run(problems) for name, problems in sets.items()}
    counts = {name: Counter(reason_of([one]) for one in each) for name, each in found.items()}
    reasons = list_reasons(counts.values())
    print_header("flagged per 10,000 rows", ("rows", "all"), reasons)
    figures = []
    for name, count in counts.items():
        rows = max(1, count.total())
        rates = {"flagged": rows - count[""]} | {reason: count[reason] for reason in reasons}
        rates = {key: 10_000 * value / rows for key, value in rates.items()}
        cells = "".join(f"{rates[reason]:9,.0f}" for reason in reasons)
        print(f"{name:30}{count.total():6,}{rates['flagged']:7,.0f}{cells}")
        figures += [Figure(f"{name}, {key}", rate, "per 10,000") for key, rate in rates.items()]
    items = {(name, each.place): each.question for name in evals for each in evals[name]}
    for name, verdicts in found.items():
        flagged = [pair for pair in zip(sets[name], verdicts, strict=True) if pair[1]]
        for problem, verdict in flagged[:show]:
            assert verdict
            evidence = verdict["evidence"]
            key = (evidence["set"], evidence["item"])
            print(f"\n{name} {problem.place}: {verdict['reason']}, {' '.join(key)}")
            print(f"  row:  {' '.join(problem.question.split())[:400]}")
            print(f"  item: {' '.join(items.get(key, '').split())[:400]}")
    return figures


def measure_labelled(engine: Engine, screening: Screening, math: Sequence[Problem]) -> list[Figure]:
    """Print the verdicts on rows that were labelled by hand, and how many are right."""
    by_place = {problem.place: problem for problem in math}
    real = [by_place[f"train-3000.jsonl:{each['row']}"] for each in LABELS["math_train"]]
    items = [Problem("math", question, gold="5") for question in LABELS["evaluation"]]
    own = [Problem("math", each["question"], gold="5") for each in LABELS["rows"]]
    figures = []
    for name, labels, verdicts in (
        ("MATH training rows", LABELS["math_train"], screening.run(real)),
        ("written rows", LABELS["rows"], Screening(engine, {"math": items}).run(own)),
    ):
        found = [verdict["reason"] if verdict else "not flagged" for verdict in verdicts]
        pairs = Counter(zip((each["label"] for each in labels), found, strict=True))
        right = sum(n for (label, reason), n in pairs.items() if reason in EXPECTED[label])
        print(f"\n{name} labelled by hand: {right} of {len(labels)} have the right verdict")
        for (label, reason), count in sorted(pairs.items()):
            mark = "right" if reason in EXPECTED[label] else "wrong"
            print(f"    {label:20}{reason:22}{count:4}  {mark}")
        figures.append(Figure(f"{name}, right verdicts", right, f"of {len(labels)} rows"))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources", "evals")
    parser.add_argument("--half", choices=("tune", "report"), default="report", help="Which half.")
    parser.add_argument(
        "--items", type=int, default=500, help="Maximum number of questions per evaluation set."
    )
    parser.add_argument(
        "--sets", nargs="+", choices=EVALS, default=list(MAMMOTH_EVALS), help="Evaluation sets."
    )
    parser.add_argument(
        "--show", type=int, default=0, help="Number of flagged rows to print per training set."
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    data, half = arguments.data, arguments.half
    evals = {name: read(name, data) for name in arguments.sets}
    training = {name: read(name, data, training=True) for name in TRAINING}
    hidden = [
        *planted(evals, half, arguments.items),
        *published(data, evals.get("gsm8k", []), half),
    ]
    halved = {
        name: [problem for problem in problems if in_half(problem.question, half)]
        for name, problems in training.items()
    }
    halved |= {
        f"{name}, no gold": [replace(problem, gold="") for problem in problems]
        for name, problems in halved.items()
    }
    print(
        f"Half: {half}. Evaluation questions: {sum(map(len, evals.values())):,} in "
        f"{len(evals)} sets; {len({id(each.item) for each in hidden}):,} of them are hidden."
    )
    with (
        tempfile.TemporaryDirectory(prefix="contamination-") as folder,
        Engine(memory="2GB", threads=2, spill=Path(folder)) as engine,
    ):
        screening = Screening(engine, evals)
        figures = measure_recall(screening, hidden)
        figures += measure_training(screening, halved, evals, arguments.show)
        if {"math", "mmlu_math"} <= evals.keys():
            figures += measure_labelled(engine, screening, training["math"])
    print("\nNot measured: translated questions, of which there are no data.")
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
