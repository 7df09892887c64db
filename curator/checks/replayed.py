"""Check `replayed`: the programs of a tool-integrated text print again what the text records.

The evidence counts the programs by result, `blocks`, and lists them as `each` unless all have the
same one. It names the first block that does not reproduce, with both outputs. A text whose programs
print the same is reported if its answer is not in its last output, or if it states its answer
before the first program: then the programs do not prove it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.checks.replay_result import Block, BlockOutcome, Replay
from curator.core.model import Outcome, Verdict
from curator.core.turns import MAX_BLOCKS

DIFFERENT = "different output"
NOT_REPRODUCIBLE = "not reproducible"
NOT_RECORDED = "output not recorded"
UNWRITTEN = "output without a program"
NO_PROGRAM = "no program"
NOT_FOLLOWING = "answer not in the output"
EARLY = "answer before the program"
LONGEST_QUOTE = 200
_FAULTS: tuple[tuple[BlockOutcome, Outcome, str], ...] = (
    ("different", "failed", DIFFERENT),
    ("not reproducible", "undecided", NOT_REPRODUCIBLE),
    ("not recorded", "undecided", NOT_RECORDED),
)
"""Outcomes of a block with the verdict on its text, the most serious one first."""


def check_replay(candidate: Candidate, version: int) -> Verdict | None:
    """Return passed if every output is reproduced, failed if one differs, undecided if unclear.

    None for other kinds than TIR.
    """
    if candidate.kind != "TIR":
        return None
    outcome, reason, evidence = _decide(candidate.replay)
    return Verdict(candidate.row_id, "replayed", version, outcome, reason, evidence)


def _decide(replay: Replay | None) -> tuple[Outcome, str, dict[str, str]]:
    if replay is None:
        return "failed", NO_PROGRAM, {}
    found = _count([block.outcome for block in replay.blocks])
    for block_outcome, outcome, reason in _FAULTS:
        for number, block in enumerate(replay.blocks, 1):
            if block.outcome == block_outcome:
                return outcome, reason, found | _describe(number, block)
    if replay.unwritten:
        return "failed", UNWRITTEN, found
    if replay.early:
        return "passed", EARLY, found
    return "passed", "" if replay.follows else NOT_FOLLOWING, found


def _count(outcomes: Sequence[str]) -> dict[str, str]:
    """Return the evidence of how the programs ended, which `read_results` reads."""
    counts = sorted(Counter(outcomes).items())
    found = {"blocks": ", ".join(f"{number} {each}" for each, number in counts)}
    if len(counts) > 1:
        runs = [(each, len(list(run))) for each, run in groupby(outcomes)]
        found["each"] = ", ".join(f"{number} {each}" for each, number in runs)
    return found


def read_results(evidence: Mapping[str, str]) -> list[str]:
    """Return the results of the programs of a text, in order, from the evidence of a verdict.

    Empty where it does not list them: version 1 of the check only counted different ones.
    """
    blocks = evidence.get("blocks", "")
    runs = evidence.get("each", "" if ", " in blocks else blocks)
    results: list[str] = []
    for run in filter(None, runs.split(", ")):
        number, _, result = run.partition(" ")
        if not number.isdecimal() or len(results) + int(number) > MAX_BLOCKS:
            return []
        results += [result] * int(number)
    return results


def _describe(number: int, block: Block) -> dict[str, str]:
    evidence = {"block": str(number), "recorded": _quote(block.recorded), "new": _quote(block.new)}
    return evidence | ({"why": block.why} if block.why else {})


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 60]} … {line[-60:]}"


CHECK = Check(
    5,
    check_replay,
    "the programs of a text run again and print the outputs that it records (TIR)",
    proves="execution",
    needs=("answer", "replay"),
    undecided=(NOT_REPRODUCIBLE, NOT_RECORDED),
    audited_kinds=("TIR",),
)
