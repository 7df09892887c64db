"""Compares the checks of long traces with published labels, and their loops with those of a reader.

    python bench/traces.py --data DIR [--show] [--json FILE]
    python bench/traces.py --data DIR --stream 2000 4000 [--memory 300MB] [--json FILE]

In: DIR/outputs/long. Out: published labels and outcomes per file, the reasons of the check `trace`,
every trace on which label and verdict disagree, with what the check states about it, and the loops
that the check finds in the traces of `trace_labels.json`, where a reader labelled them. With
`--stream N …`, the cost of an audit of N traces of 120,000 characters, of a build with the check
`trace`, and of an export of it, by one worker instead: the longest traces, repeated to this length,
each with a number of its own. `--memory` is the limit of the engine.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from data_option import add_data_option
from measure import measure
from results import Figure, add_json_option, write_figures

from curator.answers import Grader, render_answer
from curator.checks import CHECKS, Candidate, collect_evidence, compare_pairs
from curator.checks.loops import find_loops
from curator.checks.trace import LOOP
from curator.core.model import Verdict

LABELS = json.loads(Path(__file__).with_name("trace_labels.json").read_text("utf-8"))
OUTCOMES = ("equal", "different", "undecided", "no answer")
CHUNK = 50
LENGTH = 120_000
RECIPE = """\
name: traces
about: long traces
subsets:
  one:
    source: {file: traces.jsonl, licence: Apache-2.0,
      columns: {question: question, response: response, gold: gold}}
    kind: CoT
    writers: [verbatim]
    part: CoT
    checks: [trace, answer]
screens: {contamination: null}
"""
LAUNCH = """
import sys
from datastore.store import Store
Store.engine.__defaults__ = (sys.argv.pop(1), None)
from curator.cli import main
main()
"""
"""Runs `curator` with another limit of the engine, which has no option."""


@dataclass(frozen=True)
class Checked:
    """A trace with its published label and the verdicts on it."""

    item: int
    right: bool
    candidate: Candidate
    trace: Verdict | None

    @property
    def outcome(self) -> str:
        """How its answer compares with the gold answer."""
        found = self.candidate.equivalence
        return found.outcome if found else "no answer"


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def check_traces(path: Path, grader: Grader) -> Iterator[Checked]:
    """Yield the traces of a file with their verdicts, in order."""
    check = CHECKS["trace"]
    needs = ("answer", "equivalence", "thought_agrees")
    rows = read_rows(path)
    while chunk := list(islice(rows, CHUNK)):
        candidates = [
            Candidate(b"", "CoT", row["question"], row["code"][0], row["answer"], ())
            for row in chunk
        ]
        compare = partial(compare_pairs, grade=lambda pairs: list(grader.map(pairs)))
        checked = collect_evidence(candidates, needs, lambda programs: (), compare)
        for row, candidate in zip(chunk, checked, strict=True):
            verdict = check.run(candidate, check.version)
            yield Checked(row["idx"], row["score"][0], candidate, verdict)


def describe(one: Checked) -> str:
    """Return one line about a trace on which label and outcome disagree."""
    answer = render_answer(one.candidate.answer) if one.candidate.answer else ""
    label = "right" if one.right else "wrong"
    reason = one.trace.reason if one.trace else ""
    return (
        f"    {one.item:4} label {label}, {one.outcome}: gold {one.candidate.gold!r}, "
        f"answer {answer!r}" + (f" ({reason})" if reason else "")
    )


def compare_with_labels(long: Path, show: bool) -> Iterator[Figure]:
    """Print the table of labels and outcomes per file, the reasons, and the disagreements."""
    head = "".join(f"{outcome:>11}" for outcome in OUTCOMES)
    print(f"{'':26}{'label':>8}{head}")
    reasons: dict[str, Counter[str]] = {}
    with Grader() as grader:
        for path in sorted(long.glob("*.jsonl")):
            checked = list(check_traces(path, grader))
            counts = Counter((one.right, one.outcome) for one in checked)
            apart = [one for one in checked if one.right != (one.outcome == "equal")]
            reasons[path.stem] = Counter(
                (one.trace.reason or "passed") if one.trace else "not a trace" for one in checked
            )
            for right in (True, False):
                cells = "".join(f"{counts[right, outcome]:11,}" for outcome in OUTCOMES)
                name, label = (path.stem, "right") if right else ("", "wrong")
                print(f"{name:26}{label:>8}{cells}", flush=True)
            for one in apart if show else ():
                print(describe(one))
            yield Figure(f"{path.stem}, disagreements", len(apart), "traces")
    for name, found in reasons.items():
        print(f"{name}: " + ", ".join(f"{reason} {n:,}" for reason, n in found.most_common()))


def compare_loops(long: Path, show: bool) -> Iterator[Figure]:
    """Print how the check agrees with the loops that a reader found.

    The limits were chosen with the first group of traces. The second was labelled from excerpts,
    the third before the check ran on it; its labels of loops are sentences with whose first
    occurrence the loop begins.
    """
    for group in ("chosen with", "held out", "blind"):
        counts: Counter[tuple[bool, bool]] = Counter()
        delays: list[int] = []
        for name, labels in LABELS[group].items():
            for row in read_rows(long / f"{name}.jsonl"):
                label = labels.get(str(row["idx"]))
                if label is None:
                    continue
                text = row["code"][0]
                loops = find_loops(text)
                is_loop, is_found = bool(label), loops.share >= LOOP
                counts[is_loop, is_found] += 1
                if is_found and isinstance(label, str):
                    delays.append(loops.place - text.index(label))
                if show and is_loop != is_found:
                    print(f"    {name} {row['idx']}: label {label}, share {loops.share:.2f}")
        print(
            f"loops, {group}: {counts[True, True]} found, {counts[True, False]} missed, "
            f"{counts[False, True]} false; {counts[False, False]} traces without any"
        )
        if delays:
            print(
                f"    found after {min(delays):,} to {max(delays):,} characters of the loop, "
                f"median {median(delays):,.0f}"
            )
        yield Figure(f"loops missed, {group}", counts[True, False], "traces")
        yield Figure(f"false loops, {group}", counts[False, True], "traces")


def measure_stream(long: Path, sizes: Sequence[int], memory: str) -> Iterator[Figure]:
    """Print what audit, build and export of many long traces take."""
    rows = [row for path in sorted(long.glob("sky-t1-14b*.jsonl")) for row in read_rows(path)]
    rows = [row for row in rows if len(row["code"][0]) > LENGTH // 2]
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "traces.jsonl"
            with file.open("w", encoding="utf-8") as out:
                for number, row in enumerate(islice(cycle(rows), size)):
                    thought = (row["code"][0].partition(">")[2] * 2)[: LENGTH - 100]
                    text = f"<think>Case {number}. {thought}</think>\nThe answer is {row['gt']}."
                    line = {"question": f"{row['question']} Case {number}.", "response": text}
                    out.write(json.dumps({**line, "gold": row["gt"]}) + "\n")
            (Path(folder) / "traces.yaml").write_text(RECIPE)
            for name, words in {
                "audit": ["audit", str(file), "--workers", "1"],
                "build": ["build", str(Path(folder) / "traces.yaml"), "--workers", "1"],
                "export": ["export", "traces", "--format", "messages", "-o", f"{folder}/rows"],
            }.items():
                store = Path(folder) / ("audited" if name == "audit" else "built")
                options = ["--store", str(store), "--json"]
                cost = measure([sys.executable, "-c", LAUNCH, memory, *words, *options])
                print(
                    f"{name} of {size:,} traces of {LENGTH:,} characters: {cost.peak_mb:,.0f} MB, "
                    f"{cost.wall_s:,.0f} s, {cost.cpu_s:,.0f} CPU s",
                    flush=True,
                )
                yield Figure(f"{name} of {size:,} traces, peak", round(cost.peak_mb), "MB")
                yield Figure(f"{name} of {size:,} traces, CPU", round(cost.cpu_s, 1), "s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    parser.add_argument("--show", action="store_true", help="Print every disagreement.")
    parser.add_argument("--stream", type=int, nargs="+", metavar="N", help="Process N long traces.")
    parser.add_argument("--memory", default="1GB", help="Limit of the engine. Default: 1GB.")
    add_json_option(parser)
    arguments = parser.parse_args()
    long = arguments.data / "outputs/long"
    if arguments.stream:
        figures = list(measure_stream(long, arguments.stream, arguments.memory))
    else:
        figures = list(compare_with_labels(long, arguments.show))
        figures += compare_loops(long, arguments.show)
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
