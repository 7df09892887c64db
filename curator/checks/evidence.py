"""Collect the evidence about rationales: run programs, extract answers, compare them with golds.

In: candidates, the evidence that is needed, and the functions that run programs and compare pairs;
those may look their results up in a cache. Out: the same candidates with that evidence.
"""

from collections.abc import Collection, Mapping, Sequence

from curator.answers import (
    DIGITS,
    Equivalence,
    Steps,
    compare_columns,
    extract,
    extract_output,
    read_steps,
    render_answer,
)
from curator.answers.extract.regions import answer_start
from curator.checks.candidate import Candidate
from curator.checks.check import ComparePairs, Evidence, Pair, RunPrograms
from curator.checks.replay import replay_traces
from curator.core.model import Answer
from curator.core.thoughts import split_thought
from curator.core.turns import find_final_text, find_turns, hide_blocks
from curator.sandbox import Execution
from curator.sandbox.execution import find_last_line
from curator.sandbox.session import Session

CONCLUSION = 2_000
"""Characters at the end of a thought in which its conclusion is read: before them it tries."""


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
        _gold_pair(each, answer) if "equivalence" in needs else None
        for each, answer in zip(candidates, answers, strict=True)
    ]
    thoughts = [_read_thought(each) if "thought_agrees" in needs else None for each in candidates]
    inner = [
        (render_answer(answer), render_answer(thought), each.choices)
        if answer and thought
        else None
        for each, answer, thought in zip(candidates, answers, thoughts, strict=True)
    ]
    steps = [_read_steps(each) if "steps" in needs else None for each in candidates]
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
    found_evidence = [
        each._replace(
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
    if {"replay", "execution"}.isdisjoint(needs):
        return found_evidence
    return _add_replays(found_evidence, run, compare)


def _add_replays(
    candidates: Sequence[Candidate], run: RunPrograms, compare: ComparePairs
) -> list[Candidate]:
    """Return the candidates with the replays of those that are TIR, and how these ended."""
    if not any(each.kind == "TIR" for each in candidates):
        return list(candidates)
    replays = replay_traces(candidates, [each.answer for each in candidates], run, compare)
    return [
        each._replace(replay=replay, execution=_last_execution(replay.session, len(replay.blocks)))
        if replay
        else each
        for each, replay in zip(candidates, replays, strict=True)
    ]


def _last_execution(session: Session, programs: int) -> Execution:
    """Return how the last program of a session ended."""
    if len(session.blocks) < programs:
        status = session.status if session.status != "ok" else "error"
        return Execution(status, error=session.error or "a program ended the session")
    last = session.blocks[-1]
    value = find_last_line(last.text)
    return Execution("error" if last.error else "ok", value, last.text, last.error)


def _gold_pair(candidate: Candidate, answer: Answer | None) -> Pair | None:
    if not candidate.gold or answer is None:
        return None
    return candidate.gold, render_answer(answer), candidate.choices


def _read_thought(candidate: Candidate) -> Answer | None:
    """Return the answer that the end of a thought states; None without a well-formed thought."""
    thought = split_thought(candidate.solution, candidate.kind)[0]
    return extract(thought[-CONCLUSION:], candidate.choices) if thought else None


def _read_steps(candidate: Candidate) -> Steps | None:
    """Return the steps of a text where they are evidence, else None.

    That is where nothing else proves the text, or where its author annotated them.
    """
    is_evidence = candidate.gold_in_text or "<<" in candidate.solution
    if candidate.kind != "CoT" or not is_evidence:
        return None
    return read_steps(split_thought(candidate.solution)[1])


def extract_answer(candidate: Candidate, executions: Mapping[str, Execution]) -> Answer | None:
    """Return the final answer of a text, or of the output of a program that ended well.

    That of a TIR is stated by the text behind its last output, or else by that output. A TIR whose
    thought is not closed states none, as a text without programs.
    """
    if candidate.kind == "CoT":
        return extract(candidate.solution, candidate.choices)
    if candidate.kind == "TIR":
        if answer_start(hide_blocks(candidate.solution)) is None:
            return None
        turns = find_turns(candidate.solution)
        stated = extract(find_final_text(turns), candidate.choices)
        outputs = [turn.text for turn in turns if turn.kind == "output"]
        return stated or (extract_output(outputs[-1]) if outputs else None)
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
