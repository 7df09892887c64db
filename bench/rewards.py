"""Compares the speed of rewards with math-verify, on model outputs for MATH.

    python bench/rewards.py --data DIR [--completions 1000] [--json FILE]

In: two models' outputs for MATH-500 in DIR/outputs/long, with the golds of MATH. Out: completions
per second of `answer_reward` and of math-verify as its documentation shows it, the ratio, and how
often the two agree. Child processes and imports start before the time is taken, as in a trainer,
whose first batch alone waits for them; nothing read before is remembered.
"""

import argparse
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.answers.compare.choices import strip_labels
from curator.answers.parse.read import read
from curator.rewards import answer_reward

FILES = ("qwen2.5-math-7b_math500.jsonl", "sky-t1-27b_math500.jsonl")
AIM = 20
Rewards = list[float | None]


def read_outputs(data: Path, count: int) -> tuple[list[str], list[str]]:
    """Return completions and golds, the models in turns."""
    files = [(data / "outputs/long" / name).read_text(encoding="utf-8") for name in FILES]
    turns = zip(*(text.splitlines() for text in files), strict=True)
    rows = [json.loads(line) for lines in turns for line in lines][:count]
    return [row["code"][0] for row in rows], [row["gt"] for row in rows]


def reward_by_math_verify(completions: Sequence[str], golds: Sequence[str]) -> Rewards:
    """Use math-verify as its documentation shows, with its own time limits."""
    from math_verify import parse, verify

    found: Rewards = []
    for completion, gold in zip(completions, golds, strict=True):
        try:
            found.append(float(verify(parse(f"${gold}$"), parse(completion))))
        except Exception:  # an exception of math-verify counts as no verdict
            found.append(None)
    return found


def measure(
    reward: Callable[[list[str], list[str]], Rewards], texts: list[str], golds: list[str]
) -> tuple[float, Rewards]:
    """Return seconds and rewards of a batch, after a first one that starts what is needed."""
    reward(["\\boxed{10}"] * 2, [r"\int_0^2 5x dx", r"\int_0^2 6x dx"])
    read.cache_clear()
    strip_labels.cache_clear()
    start = time.perf_counter()
    rewards = reward(texts, golds)
    return time.perf_counter() - start, rewards


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    parser.add_argument("--completions", type=int, default=1_000, help="Number of completions.")
    add_json_option(parser)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # math-verify warns about what it cannot parse
    texts, golds = read_outputs(arguments.data, arguments.completions)
    ours_s, ours = measure(answer_reward, texts, golds)
    theirs_s, theirs = measure(reward_by_math_verify, texts, golds)
    ratio = theirs_s / ours_s
    length = sum(map(len, texts)) / len(texts)
    print(f"{len(texts):,} completions of {length:,.0f} characters on average, golds of MATH")
    for name, seconds in (("answer_reward", ours_s), ("math-verify", theirs_s)):
        print(f"{name:14}{seconds:8.2f} s {len(texts) / seconds:9,.0f} per second")
    print(f"answer_reward has {ratio:.0f} times math-verify's throughput; the aim is {AIM}.")
    for (our, their), count in sorted(Counter(zip(ours, theirs, strict=True)).items(), key=str):
        print(f"answer_reward {our!s:5} math-verify {their!s:5} {count:6,}")
    figures = [Figure("rewards over math-verify", ours_s, "s", ours_s / theirs_s)]
    write_figures(arguments.json, figures)
    return 0 if ratio >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
