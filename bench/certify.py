"""Certifies reward functions on real golds, and prints what each of them misjudges.

    python bench/certify.py --data DIR [--graders curator,math-verify,trl] [--golds 300]
        [--show 3] [--json FILE]

In: the gold answers of GSM8K, MATH and AQuA in DIR. Out: a table of error rates by grader and kind
of answer, the golds that an export would leave out by reason, and with `--show` examples of the
misjudged forms by grader and kind of form. The golds are drawn once by a fixed seed.
"""

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from answers import rows
from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.release.prompts import why_unchecked
from curator.rewards.certification import Certificate, Gold, Graded, grade
from curator.rewards.functions import check_installed

HEAD = "| grader | answers | golds | true forms | rejected | no reward | near misses | accepted |"


def draw_golds(data: Path, count: int) -> list[Gold]:
    """Return distinct golds that a reward can check, in a random order."""
    found = dict.fromkeys((gold, choices) for _, gold, _, choices in rows(data))
    golds = [each for each in found if not why_unchecked(*each)]
    random.Random(0).shuffle(golds)
    return golds[:count]


def print_rates(certificate: Certificate) -> None:
    print(f"\n{HEAD}\n|---|---|---:|---:|---:|---:|---:|---:|")
    for name, kinds in certificate.plain().items():
        keys = next(iter(kinds.values()))
        every = {key: sum(each[key] for each in kinds.values()) for key in keys}
        for kind, found in {**kinds, "all": every}.items():
            forms, misses = max(1, found["true_forms"]), max(1, found["near_misses"])
            print(
                f"| {name} | {kind} | {found['golds']:,} | {found['true_forms']:,} "
                f"| {found['rejected'] / forms:.1%} "
                f"| {found['true_forms_without_reward'] / forms:.1%} "
                f"| {found['near_misses']:,} | {found['accepted'] / misses:.1%} |"
            )


def print_examples(name: str, wrong: list[tuple[Gold, Graded]], show: int) -> None:
    """Print misjudged forms by kind, those of most golds first."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (gold, choices), each in wrong:
        key = (each.form.expected, each.form.kind, each.outcome)
        listed = f" of {list(choices)}" if choices else ""
        groups[key].append(f"{each.form.text!r} for {gold!r}{listed}")
    for (expected, kind, outcome), texts in sorted(groups.items(), key=lambda each: -len(each[1])):
        print(f"\n{name}: {expected} expected, {outcome} found: {kind}, {len(texts):,}")
        step = max(1, len(texts) // show)
        print("".join(f"    {text}\n" for text in texts[::step][:show]), end="")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources", "evals")
    parser.add_argument("--graders", default="curator,math-verify,trl", help="Names of graders.")
    parser.add_argument("--golds", type=int, default=300, help="Number of distinct golds.")
    parser.add_argument("--show", type=int, default=0, help="Examples per kind of form.")
    add_json_option(parser)
    arguments = parser.parse_args()
    golds = draw_golds(arguments.data, arguments.golds)
    figures: list[Figure] = []
    reasons: Counter[str] = Counter()
    names = arguments.graders.split(",")
    check_installed(names)
    for name in names:
        certificate, wrong = Certificate([name]), list[tuple[Gold, Graded]]()
        start = time.perf_counter()
        for gold, graded in grade(golds, name):
            certificate.count(name, gold, graded)
            wrong += [(gold, each) for each in graded if each.is_wrong]
        seconds = time.perf_counter() - start
        print_rates(certificate)
        print(f"{name}: {len(golds):,} golds in {seconds:.0f} s")
        for gold in golds:
            reasons[certificate.reject(str(gold), gold)] += 1
        if arguments.show:
            print_examples(name, wrong, arguments.show)
        figures.append(Figure(f"golds misjudged by {name}", len(certificate.misjudged), "golds"))
    print("\n| a prompt would be left out | golds |\n|---|---:|")
    for reason, count in sorted(reasons.items()):
        if reason:
            print(f"| {reason} | {count:,} |")
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
