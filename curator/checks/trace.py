"""Check `trace`: a long text is complete, has one closed thought, and does not repeat itself.

A trace is a text with the mark of a thought (`curator.core.thoughts`) or of at least `LONG`
characters; the check does not apply to other texts, or to programs alone. Of a tool-integrated
text, what programs print is not read, and neither are marks of thoughts in programs. Each reason
comes with its place, the offset in the text as its author wrote it. All reasons that apply are
stated: the first one as reason, the others as evidence `also`. A thought before each program is
reported: exports cannot drop it.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

from curator.answers import render_answer
from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.checks.loops import find_loops
from curator.core.languages import NAMES, find_switch
from curator.core.model import Verdict
from curator.core.thoughts import Trace, find_marks, read_rationale
from curator.core.turns import find_turns, hide_blocks

LONG = 2_000
"""Minimum number of characters of a trace without a thought."""
LOOP = 0.2
"""Minimum share of the words of a loop; see `bench/traces.py` for what it finds."""
CUT_OFF = "cut off"
LOOPS = "loops"
INTERLEAVED = "thoughts between programs"
CONTRADICTION = "thought contradicts the answer"
SWITCH = "switches language"
_TAIL = 2_000
_UNFINISHED = re.compile(
    r"(?:[,:;=+\-−×·(\[{&<≤≥^_/\\]"
    r"|\b(?:a|an|and|are|as|at|because|but|by|can|find|for|from|has|have|if|in|into|is|let|need"
    r"|of|on|or|so|than|that|the|then|to|we|where|which|with))$"
)
_ITEM = re.compile(r"\s{0,9}(?:\d{1,3}[.)]|[-*#]{1,6})\s{0,9}")
"""A mark of a list or a heading without its text."""
_ENDS = frozenset('.!?)]}>$|*_`~"”’»…。！？」）】%°□■∎')
_MATH = re.compile(r"\\[()\[\]]|(?<!\\)\$\$?")
_SENTENCE = 60
"""Characters of a last line from which on it is a sentence, which needs an end."""

Found = tuple[str, dict[str, str]]
"""A reason and its evidence."""


def check_trace(candidate: Candidate, version: int) -> Verdict | None:
    """Return passed, or failed with the first defect as reason; None for what is not a trace."""
    text = candidate.solution
    trace = read_rationale(candidate.kind, text)
    if candidate.kind == "PoT" or (trace is None and len(text) < LONG):
        return None
    size = {}
    if trace:
        start, end = trace.thought
        size = {"thought": f"{end - start:,} characters"}
    is_doubled = trace is not None and trace.fault == "doubled thought"
    interleaved = is_doubled and candidate.kind == "TIR" and _is_interleaved(text)
    found = list(_find(candidate, _without_outputs(candidate), None if interleaved else trace))
    if not found:
        reason = INTERLEAVED if interleaved else ""
        return Verdict(candidate.row_id, "trace", version, "passed", reason, size)
    reason, evidence = found[0]
    others = ", ".join(other for other, _ in found[1:])
    also = {"also": others} if others else {}
    return Verdict(candidate.row_id, "trace", version, "failed", reason, evidence | size | also)


def _is_interleaved(text: str) -> bool:
    """Return whether all thoughts of a text are closed, each behind a program or at the beginning.

    Some models think again when they have read an output.
    """
    marks = list(find_marks(hide_blocks(text)))
    opening, closing = marks[::2], marks[1::2]
    if len(opening) != len(closing) or any(mark.closes for mark in opening):
        return False
    if not all(mark.closes for mark in closing):
        return False
    blocks = [turn.start for turn in find_turns(text) if turn.kind != "text"]
    place = 0
    for start, end in zip(opening, closing, strict=True):
        between = bisect_left(blocks, start.start) - bisect_left(blocks, place)
        if not between and (place or text[: start.start].strip()):
            return False
        place = end.end
    return True


def _without_outputs(candidate: Candidate) -> str:
    """Return the text of a candidate with blanks for the outputs of its programs."""
    text, parts, place = candidate.solution, list[str](), 0
    for turn in find_turns(text) if candidate.kind == "TIR" else ():
        if turn.kind == "output":
            parts += [text[place : turn.start], " " * (turn.end - turn.start)]
            place = turn.end
    return "".join([*parts, text[place:]])


def _find(candidate: Candidate, text: str, trace: Trace | None) -> Iterator[Found]:
    """Yield the defects of a trace, the most serious ones first."""
    if trace and trace.fault:
        yield trace.fault, {"at": str(trace.place)}
    loops = find_loops(text)
    if loops.share >= LOOP:
        evidence = {"share": f"{loops.share:.0%}", "times": str(loops.times)}
        yield LOOPS, evidence | {"at": str(loops.place), "seen": loops.quote}
    unclosed = trace is not None and trace.fault == "unclosed thought"
    if not unclosed and (seen := _find_cut(candidate, text)):
        yield CUT_OFF, {"at": str(len(text.rstrip())), "seen": seen}
    if disagreement := _find_disagreement(candidate):
        yield CONTRADICTION, disagreement
    if switch := find_switch(text, candidate.instruction):
        evidence = {"language": NAMES[switch.code], "letters": str(switch.letters)}
        yield SWITCH, evidence | {"at": str(switch.place), "seen": switch.quote}


def _find_disagreement(candidate: Candidate) -> dict[str, str]:
    """Return the evidence that a thought and its answer state different answers; else empty.

    Answers of different kinds may be parts of one solution: `x = 27, y = 9`, then 36 as their sum.
    """
    compared, thought, answer = (
        candidate.thought_agrees,
        candidate.thought_answer,
        candidate.answer,
    )
    if not (compared and thought and answer) or compared.outcome != "different":
        return {}
    if thought.kind != answer.kind:
        return {}
    stated = {"thought states": render_answer(thought), "answer": render_answer(answer)}
    return {**stated, "rule": compared.rule}


def _find_cut(candidate: Candidate, text: str) -> str:
    """Return the end of a text that stops in the middle of a sentence or formula; else empty.

    A text whose last line states its answer is complete, as is one that ends with an output.
    """
    end = text.rstrip()
    line_start = max(end.rfind("\n") + 1, len(end) - _TAIL)
    line = end[line_start:]
    answer = candidate.answer
    if answer and answer.span and answer.span[1] >= line_start:
        return ""
    paragraph = end[max(end.rfind("\n\n"), len(end) - _TAIL, 0) :]
    unended = len(line) > _SENTENCE and line[-1] not in _ENDS
    unfinished = _UNFINISHED.search(line[-20:]) or _ITEM.fullmatch(line[:20])
    if unfinished or unended or _has_open_formula(paragraph):
        return line[-80:]
    return ""


def _has_open_formula(text: str) -> bool:
    """Return whether a formula is not closed at the end of a paragraph."""
    is_open = False
    for mark in _MATH.finditer(text):
        sign = mark[0]
        is_open = not is_open if "$" in sign else sign in (r"\(", r"\[")
    return is_open


CHECK = Check(
    2,
    check_trace,
    "a long text is complete, with one closed thought before its answer, and without loops",
    proves="form",
    needs=("answer", "thought_agrees"),
    audited_kinds=("CoT", "TIR"),
)
