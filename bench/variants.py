"""Grades true forms and near misses of real gold answers, and prints the outcomes by kind.

    python bench/variants.py --data DIR [--show 5] [--kind "one digit"] [--json FILE]

In: the gold answers of GSM8K, MATH, AQuA and TheoremQA in DIR. Every distinct answer gets the
variants of `curator.answers.variants`. They are graded by `compare_columns`, and by child processes
where the rules do not decide. Out: a table by kind; with `--show`, examples of wrong outcomes and
of true forms that are not found equal. Exit code 1 if a near miss is graded equal, or less than
99% of the true forms.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from answers import rows
from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.answers import Equivalence, Grader, compare_columns
from curator.answers.variants import NEAR_MISSES, TRUE_FORMS, Variant, generate_variants

Gold = tuple[str, tuple[str, ...]]
Case = tuple[Gold, Variant]
OUTCOMES = ("equal", "different", "undecided")
MIN_EQUAL = 0.99


def golds(data: Path) -> Iterator[Gold]:
    """Yield the gold answer and choices of every row."""
    for _, gold, _, choices in rows(data):
        yield gold, choices
    path = data / "sources/theoremqa/theoremqa_test.json"
    for row in json.loads(path.read_text(encoding="utf-8")):
        yield str(row["Answer"]), ()


def grade(cases: list[Case]) -> list[Equivalence]:
    pairs = [(gold, variant.text, choices) for (gold, choices), variant in cases]
    answers, texts, choices = zip(*pairs, strict=True)
    found = compare_columns(answers, texts, choices)
    with Grader() as grader:
        rest = grader.map([pair for pair, one in zip(pairs, found, strict=True) if one is None])
        return [one or next(rest) for one in found]


def print_table(title: str, kinds: list[str], counts: dict[str, Counter[str]], right: str) -> None:
    print(f"\n| {title} | pairs | equal | different | undecided | wrong |")
    print("|---|---:|---:|---:|---:|---:|")
    total: Counter[str] = Counter()
    for kind in [*kinds, "all"]:
        of_kind = total if kind == "all" else counts[kind]
        if not of_kind.total():
            continue
        total.update(of_kind if kind != "all" else {})
        cells = [f"{of_kind[outcome]:,}" for outcome in OUTCOMES]
        wrong = of_kind["different" if right == "equal" else "equal"]
        print(f"| {kind} | {of_kind.total():,} | {' | '.join(cells)} | {wrong:,} |")


def print_examples(cases: list[Case], found: list[Equivalence], show: int) -> None:
    """Print near misses that were graded equal, and true forms that were not, by kind and rule."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for ((gold, choices), variant), one in zip(cases, found, strict=True):
        if variant.expected == "equal" != one.outcome or one.outcome == "equal" != variant.expected:
            key = (variant.expected, variant.kind, one.outcome, one.rule)
            groups[key].append(f"{gold!r} {variant.text!r} {list(choices) if choices else ''}")
    for (expected, kind, outcome, rule), texts in sorted(groups.items()):
        print(f"\n{expected} expected, {outcome} found ({rule}): {kind}, {len(texts):,}")
        step = max(1, len(texts) // show)
        print("".join(f"    {text}\n" for text in texts[::step][:show]), end="")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources", "evals")
    parser.add_argument("--show", type=int, default=0, help="Examples per kind and rule.")
    parser.add_argument("--kind", help="Grade only variants of this kind.")
    add_json_option(parser)
    arguments = parser.parse_args()
    every = list(golds(arguments.data))
    distinct = list(dict.fromkeys(every))
    cases = [
        (gold, variant)
        for gold in distinct
        for variant in generate_variants(*gold)
        if arguments.kind in (None, variant.kind)
    ]
    start = time.perf_counter()
    found = grade(cases)
    seconds = time.perf_counter() - start
    counts: dict[str, dict[str, Counter[str]]] = {
        "equal": defaultdict(Counter),
        "different": defaultdict(Counter),
    }
    for (_, variant), one in zip(cases, found, strict=True):
        counts[variant.expected][variant.kind][one.outcome] += 1
    print(f"{len(every):,} gold answers, {len(distinct):,} distinct; {len(cases):,} pairs", end="")
    print(f" graded in {seconds:.0f} s")
    print_table("true form", [rule.name for rule in TRUE_FORMS], counts["equal"], "equal")
    print_table("near miss", [rule.name for rule in NEAR_MISSES], counts["different"], "different")
    if arguments.show:
        print_examples(cases, found, arguments.show)
    true_forms = sum(counts["equal"].values(), Counter[str]())
    misses = sum(counts["different"].values(), Counter[str]())
    share = true_forms["equal"] / max(1, true_forms.total())
    print(f"\nTrue forms equal: {share:.2%}. Near misses equal: {misses['equal']:,}.")
    found_figures = [
        Figure("true forms that are not found equal", 1 - share, "share"),
        Figure("near misses that are found equal", misses["equal"], "pairs"),
        Figure("time", seconds, "s"),
    ]
    write_figures(arguments.json, found_figures)
    return 0 if share >= MIN_EQUAL and not misses["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
