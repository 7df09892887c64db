"""Replay: run the programs of a tool-integrated text again and compare what they print.

In: candidates, their answers, and the functions that run programs and compare pairs. Out: for each
TIR a Replay. All programs of a text run in one session (`curator.sandbox.session`), so that a
program sees what the ones before it defined.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from curator.answers import extract, extract_output, render_answer
from curator.checks.candidate import Candidate
from curator.checks.check import ComparePairs, Pair, RunPrograms
from curator.checks.compare_outputs import compare_outputs, states_error, states_timeout
from curator.checks.replay_result import Block, BlockOutcome, Replay
from curator.core.model import Answer
from curator.core.turns import MAX_BLOCKS, Turn, find_turns
from curator.sandbox.session import Session, build_session, read_session

ENDED = "ended the session"
TOO_MANY = f"{MAX_BLOCKS:,} or more programs and outputs"
_CHANCE_MODULES = frozenset({"random", "secrets", "uuid", "time"})
_CHANCE_NAMES = frozenset({"random", "urandom", "now", "utcnow", "today"})
"""Attributes and imported names: `np.random`, `os.urandom`, `datetime.now`."""
_MAY_BE_CHANCE = re.compile("|".join(sorted(_CHANCE_MODULES | _CHANCE_NAMES)))
_LACKING = re.compile(
    r"(?:ModuleNotFound|Import|Permission|EOF|OS|FileNotFound|Connection|URL|Timeout)Error"
)
"""Errors of programs that need what the sandbox lacks: packages, files, a network, an input."""
_NUMBER = re.compile(r"(?<![\w)\].])-?\d+(?:\.\d+)?")
MOST_NUMBERS = 50
"""Maximum number of numbers of an answer that are looked for in an output."""


def replay_traces(
    candidates: Sequence[Candidate],
    answers: Sequence[Answer | None],
    run: RunPrograms,
    compare: ComparePairs,
) -> list[Replay | None]:
    """Return the replay of each candidate; None for what is not tool-integrated.

    `answers` are those of the candidates. Values that are not equal as texts are compared as
    answers are.
    """
    turns = [find_turns(each.solution) if each.kind == "TIR" else [] for each in candidates]
    programs = [[turn.text for turn in found if turn.kind == "program"] for found in turns]
    texts = {tuple(each): build_session(each) for each in programs if each}
    ended = dict(zip(texts, run(list(texts.values())), strict=True))
    replays = [
        _replay(found, read_session(own, ended[tuple(own)]), candidate, answer) if own else None
        for found, own, candidate, answer in zip(turns, programs, candidates, answers, strict=True)
    ]
    return _compare_values(replays, candidates, answers, compare)


def _replay(
    turns: Sequence[Turn], session: Session, candidate: Candidate, answer: Answer | None
) -> Replay:
    kinds = [turn.kind for turn in turns]
    blocks = tuple(_blocks(turns, session))
    is_whole = len(turns) - kinds.count("text") < MAX_BLOCKS
    if not is_whole and blocks[-1].outcome != "different":
        last = replace(blocks[-1], outcome="not reproducible", why=TOO_MANY)
        blocks = (*blocks[:-1], last)
    before = "\n".join(turn.text for turn in turns[: kinds.index("program")])
    first = extract(before, candidate.choices) if before else None
    explicit = first is not None and first.stated in ("box", "hashes", "phrase")
    same = first is not None and answer is not None and first == answer
    return Replay(
        session,
        blocks,
        unwritten=any(
            kind == "output" and earlier != "program"
            for earlier, kind in pairwise(["text", *kinds])
        ),
        follows=answer is not None and _is_in(answer, turns),
        early=explicit and same,
    )


def _blocks(turns: Sequence[Turn], session: Session) -> Iterator[Block]:
    """Yield the programs with their outputs."""
    number, chance, lost = 0, False, False
    for turn, after in pairwise([*turns, None]):
        if turn is None or turn.kind != "program":
            continue
        recorded = after.text if after and after.kind == "output" else None
        chance = chance or _uses_chance(turn.text)
        block = _block(recorded, session, number, chance)
        if lost and block.outcome == "different":
            block = replace(block, outcome="not reproducible", why="a program before it")
        lost = lost or block.outcome == "not reproducible"
        yield block
        number += 1


def _uses_chance(program: str) -> bool:
    """Return whether a program imports or reads what is another value each time: chance, a clock.

    Comments, texts and variables with such names do not count. Not covered: `__import__` and the
    order of sets.
    """
    if not _MAY_BE_CHANCE.search(program):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # it fails in the same way each time
    return any(map(_is_chance, ast.walk(tree)))


def _is_chance(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            parts = {part for each in names for part in each.name.split(".")}
            return bool(parts & _CHANCE_MODULES)
        case ast.ImportFrom(module=module, names=names):
            names_ = {each.name for each in names}
            return bool({*(module or "").split(".")} & _CHANCE_MODULES or names_ & _CHANCE_NAMES)
        case ast.Attribute(attr=name):
            return name in _CHANCE_NAMES
    return False


def _block(recorded: str | None, session: Session, number: int, chance: bool) -> Block:
    if number >= len(session.blocks):
        why = session.status if session.status != "ok" else ENDED
        return Block(recorded or "", session.error, "not reproducible", why)
    new = session.blocks[number]
    text = "\n".join(filter(None, (new.text.strip("\n"), new.error)))
    if recorded is None:
        return Block("", text, "not recorded")
    outcome: BlockOutcome = compare_outputs(recorded, new)
    if outcome == "different":
        if states_timeout(recorded):
            return Block(recorded, text, "not reproducible", "its time ran out")
        if chance:
            return Block(recorded, text, "not reproducible", "chance or a clock")
        if _LACKING.match(new.error) and not states_error(recorded):
            return Block(recorded, text, "not reproducible", new.error.partition(":")[0])
    return Block(recorded, text, outcome)


def _is_in(answer: Answer, turns: Sequence[Turn]) -> bool:
    """Return whether the numbers of an answer are among those of the last output, rounded."""
    outputs = [turn.text for turn in turns if turn.kind == "output"]
    found = _NUMBER.findall(outputs[-1][-20_000:]) if outputs else []
    wanted = _NUMBER.findall(answer.text)
    return 0 < len(wanted) <= MOST_NUMBERS and all(_is_among(number, found) for number in wanted)


def _is_among(number: str, found: Sequence[str]) -> bool:
    digits = len(number.partition(".")[2])
    value = float(number)
    return any(round(float(each), digits) == value for each in found)


def _compare_values(
    replays: Sequence[Replay | None],
    candidates: Sequence[Candidate],
    answers: Sequence[Answer | None],
    compare: ComparePairs,
) -> list[Replay | None]:
    """Return the replays with what only graders can decide: equal values, equal answers."""
    wanted: dict[Pair, None] = {}
    pairs = [
        ([_value_pair(block) for block in replay.blocks], _answer_pair(replay, candidate, answer))
        if replay
        else ([], None)
        for replay, candidate, answer in zip(replays, candidates, answers, strict=True)
    ]
    for values, last in pairs:
        wanted |= dict.fromkeys(pair for pair in (*values, last) if pair)
    results = dict(zip(wanted, compare(list(wanted)), strict=True))
    equal = {pair for pair, result in results.items() if result.outcome == "equal"}
    return [
        replace(
            replay,
            blocks=tuple(
                replace(block, outcome="close") if pair in equal else block
                for block, pair in zip(replay.blocks, values, strict=True)
            ),
            follows=replay.follows or last in equal,
        )
        if replay
        else None
        for replay, (values, last) in zip(replays, pairs, strict=True)
    ]


def _value_pair(block: Block) -> Pair | None:
    """Return the values of the two outputs of a block, if they differ as texts."""
    if block.outcome != "different" or block.recorded.strip().count("\n"):
        return None
    recorded, new = extract_output(block.recorded), extract_output(block.new)
    return (render_answer(recorded), render_answer(new), ()) if recorded and new else None


def _answer_pair(replay: Replay, candidate: Candidate, answer: Answer | None) -> Pair | None:
    """Return the answer of a text and the last value that is recorded."""
    last = extract_output(replay.blocks[-1].recorded) if replay.blocks else None
    if replay.follows or answer is None or last is None:
        return None
    return (render_answer(answer), render_answer(last), candidate.choices)
