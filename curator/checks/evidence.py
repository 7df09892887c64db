"""Collect the evidence about rationales: run programs, extract answers, compare them with golds.

In: candidates, the evidence that is needed, and the functions that run programs and compare pairs;
those may look their results up in a cache. Out: the same candidates with that evidence.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from curator.answers import (
    DIGITS,
    Equivalence,
    compare_columns,
    extract,
    extract_output,
    read_steps,
    render_answer,
)
from curator.checks.candidate import Candidate
from curator.checks.check import Evidence
from curator.core.model import Answer
from curator.core.thoughts import split_thought
from curator.core.turns import find_final_text, find_turns
from curator.sandbox import Execution

CONCLUSION = 2_000
"""Characters at the end of a thought in which its conclusion is read: before them it tries."""

Pair = tuple[str, str, tuple[str, ...]]
"""Gold answer, other answer, choices."""
RunPrograms = Callable[[Sequence[str]], Iterable[Execution]]
"""Return how each program ended, in order."""
ComparePairs = Callable[[Sequence[Pair]], Iterable[Equivalence]]
"""Return how each pair compares, in order."""


def collect_evidence(
    candidates: Sequence[Candidate],
    needs: Collection[Evidence],
    run: RunPrograms,
    compare: ComparePairs,
) -> list[Candidate]:
    """Return the candidates with the evidence in `needs`, in order.

    An answer needs the execution of its program, and an equivalence needs both. Each program and
    each pair is passed on once. A candidate without a gold answer has no equivalence. Steps are
    read from texts that annotate them, and from those that state their own gold answer; a thought
    states no steps.
    """
    if not needs:
        return list(candidates)
    extracts = not {"answer", "equivalence", "thought_agrees"}.isdisjoint(needs)
    executions: dict[str, Execution] = {}
    if extracts or "execution" in needs:
        programs = list(dict.fromkeys(each.text for each in candidates if each.kind == "PoT"))
        executions = dict(zip(programs, run(programs), strict=True))
    answers = [extract_answer(each, executions) if extracts else None for each in candidates]
    pairs = [
        (each.gold, render_answer(answer), each.choices)
        if each.gold and answer and "equivalence" in needs
        else None
        for each, answer in zip(candidates, answers, strict=True)
    ]
    thoughts = [_read_thought(each) if "thought_agrees" in needs else None for each in candidates]
    inner = [
        (render_answer(answer), render_answer(thought), each.choices)
        if answer and thought
        else None
        for each, answer, thought in zip(candidates, answers, thoughts, strict=True)
    ]
    steps = [
        read_steps(split_thought(each.solution)[1])
        if "steps" in needs and _has_steps(each)
        else None
        for each in candidates
    ]
    results = [
        (each.gold, found.result, each.choices)
        if found and found.recomputed and found.result and each.gold
        else None
        for each, found in zip(candidates, steps, strict=True)
    ]
    distinct = list(dict.fromkeys(pair for pair in (*pairs, *inner, *results) if pair))
    equivalences: dict[Pair | None, Equivalence] = dict(
        zip(distinct, compare(distinct), strict=True)
    )
    return [
        replace(
            each,
            execution=executions.get(each.text) if each.kind == "PoT" else None,
            answer=answer,
            equivalence=equivalences.get(pair),
            thought_answer=thought,
            thought_agrees=equivalences.get(said),
            steps=found,
            recomputed=result in equivalences and equivalences[result].outcome == "equal",
        )
        for each, answer, pair, thought, said, found, result in zip(
            candidates, answers, pairs, thoughts, inner, steps, results, strict=True
        )
    ]


def _read_thought(candidate: Candidate) -> Answer | None:
    """Return the answer that the end of a thought states; None without a well-formed thought."""
    thought = split_thought(candidate.solution)[0] if candidate.kind == "CoT" else ""
    return extract(thought[-CONCLUSION:], candidate.choices) if thought else None


def _has_steps(candidate: Candidate) -> bool:
    """Return whether the steps of a candidate are evidence.

    That is where nothing else proves the text, or where its author annotated them.
    """
    return candidate.kind == "CoT" and (candidate.gold_in_text or "<<" in candidate.solution)


def extract_answer(candidate: Candidate, executions: Mapping[str, Execution]) -> Answer | None:
    """Return the final answer of a text, or of the output of a program that ended well.

    That of a TIR is read from the text behind its last output, or else from that output.
    """
    if candidate.kind == "CoT":
        return extract(candidate.solution, candidate.choices)
    if candidate.kind == "TIR":
        turns = find_turns(candidate.solution)
        if text := find_final_text(turns):
            return extract(text, candidate.choices)
        outputs = [turn.text for turn in turns if turn.kind == "output"]
        return extract_output(outputs[-1]) if outputs else None
    execution = executions[candidate.text]
    return extract_output(execution.stdout) if execution.status == "ok" else None


def compare_pairs(
    pairs: Sequence[Pair], grade: ComparePairs, digits: int = DIGITS
) -> list[Equivalence]:
    """Return how each pair compares: exact and numeric rules decide here, `grade` the others."""
    golds, answers, choices = zip(*pairs, strict=True) if pairs else ((), (), ())
    decided = compare_columns(golds, answers, choices, digits)
    rest = [pair for pair, result in zip(pairs, decided, strict=True) if result is None]
    graded = iter(grade(rest))
    return [result or next(graded) for result in decided]
