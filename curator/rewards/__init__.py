r"""Rewards for reinforcement learning: the answer of a completion is compared as `evaluate` does.

In: completions and golds. Out: 1.0 for an answer that equals the gold, 0.0 for another one or none,
None where that cannot be decided. For trainers: `answer_reward` and `think_reward` for TRL,
`compute_score` for verl, `score` for anything else.

A completion is a text, or chat messages of which the last one of the assistant counts. Its answer
is read behind its thoughts; an unfinished thought states none. Programs are not run. A gold is an
answer as upstream writes it (`\frac{1}{2}`, `1,000`), the letter of a choice, or a whole solution
that ends with `#### 1,000` or has a `\boxed{…}`.

The last answer counts; several values are one answer, which differs from a gold that is one value.
So does an equation between two numbers that differ: `4 = 3` is neither 4 nor 3.
An answer that is equal to the gold but leaves the computation to the grader (`123 \cdot 456` for
56088, an integral for its value) is undecided: it may be copied from the question.

All functions may be called from any thread, process (forked or spawned) or Ray worker; in an event
loop, call them by `asyncio.to_thread`. Importing this package starts nothing. What rules do not
decide goes to two child processes per batch; a comparison that exceeds `wall_s` seconds or 1 GB is
undecided and its process is replaced, so that n different ones that hang delay their batch by n / 2
times `wall_s` and the start of a process. Not covered: a process that is forked by other code than
Python's, which must not call these functions before and after the fork.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

from curator.answers import Equivalence, compare_columns, extract, render_answer
from curator.answers.compare.symbolic import Pair
from curator.rewards.false_equations import states_false_equation
from curator.rewards.graders import grade_pairs
from curator.rewards.unevaluated import is_unevaluated

WALL_S = 5.0
"""Default time limit of one comparison in a child process, as `evaluate` has it."""

__all__ = ["answer_reward", "compute_score", "score", "think_reward"]

_MARKS = ("####", "boxed", "fbox", "framebox", "\n", "answer")
"""Texts of which a gold has one if it is a whole solution."""

_NO_ANSWER = Equivalence("different", "no answer")
_FALSE_EQUATION = Equivalence("different", "false equation")
_NO_GOLD = Equivalence("undecided", "no gold")
_UNEVALUATED = Equivalence("undecided", "not evaluated")


def score(
    completion: object,
    gold: object,
    choices: Iterable[str] | None = None,
    undecided: float | None = None,
    wall_s: float = WALL_S,
) -> float | None:
    """Return 1.0 if the answer of a completion equals the gold, 0.0 if not; else `undecided`."""
    return answer_reward([completion], [gold], [choices], undecided, wall_s)[0]


def answer_reward(
    completions: Sequence[object],
    solution: Sequence[object],
    choices: Sequence[Iterable[str] | None] | None = None,
    undecided: float | None = None,
    wall_s: float = WALL_S,
    **columns: Any,
) -> list[float | None]:
    """Return the reward of each completion, with the signature of TRL's reward functions.

    `solution` and `choices` are columns of the dataset: the gold of each completion and the choices
    of its question (None or empty for an open question). TRL leaves a completion out of its group
    if all reward functions return None; beside another reward, None counts as 0. Another value
    comes from `functools.partial(answer_reward, undecided=-0.1)`. Other columns are ignored.
    Raises ValueError if the columns differ in length, or if choices or `wall_s` are not valid.
    """
    if not 0 < wall_s < inf:
        raise ValueError(f"wall_s is {wall_s}. Use a positive number of seconds.")
    listed = [None] * len(completions) if choices is None else choices
    names = [_choices(each) for each in listed]
    if not len(completions) == len(solution) == len(names):
        lengths = f"{len(completions)} completions, {len(solution)} golds, {len(names)} choices"
        raise ValueError(f"The columns differ in length: {lengths}.")
    values = {"equal": 1.0, "different": 0.0, "undecided": undecided}
    rows = list(zip(map(_text, completions), map(_gold_text, solution), names, strict=True))
    return [values[each.outcome] for each in _compare(rows, wall_s)]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any] | None = None,
    undecided: float = 0.0,
    wall_s: float = WALL_S,
    **settings: Any,
) -> float:
    """Return the reward of one completion, with the signature of verl's reward functions.

    `extra_info["choices"]` holds the choices of the question, if it has any. verl needs a number,
    so an undecided comparison has the reward `undecided`. That and `wall_s` can be set in
    `reward.custom_reward_function.reward_kwargs`; other settings of verl are ignored.
    """
    choices = (extra_info or {}).get("choices")
    reward = score(solution_str, ground_truth, choices, undecided, wall_s)
    return undecided if reward is None else reward


def think_reward(completions: Sequence[object], **columns: Any) -> list[float]:
    """Return 1.0 for each completion that is one `<think>…</think>` with an answer behind it.

    There is one opening mark, at the start, and one closing mark; neither part is empty.
    """
    return [float(_is_thought_and_answer(_text(each))) for each in completions]


def _is_thought_and_answer(text: str) -> bool:
    head, opened, rest = text.partition("<think>")
    thought, closed, answer = rest.partition("</think>")
    if head.strip() or not opened or not closed:
        return False
    again = "<think>" in rest or "</think>" in answer
    return bool(thought.strip() and answer.strip()) and not again


def _compare(rows: Sequence[tuple[str, str, tuple[str, ...]]], wall_s: float) -> list[Equivalence]:
    """Return how the answer of each (completion, gold, choices) compares with the gold."""
    golds = {row[1:]: _read_gold(*row[1:]) for row in rows}
    found: list[Equivalence | Pair] = []
    for text, gold, choices in rows:
        answer = _read_answer(text, choices)
        if not golds[gold, choices]:
            found.append(_NO_GOLD)
        elif not isinstance(answer, str):
            found.append(answer)
        else:
            found.append((golds[gold, choices], answer, choices))
    pairs = list(dict.fromkeys(each for each in found if isinstance(each, tuple)))
    columns = zip(*pairs, strict=True) if pairs else ((), (), ())
    outcomes = dict(zip(pairs, compare_columns(*columns), strict=True))
    rest = [pair for pair, outcome in outcomes.items() if outcome is None]
    outcomes |= zip(rest, grade_pairs(rest, wall_s), strict=True)
    return [_accept(each, outcomes[each]) if isinstance(each, tuple) else each for each in found]


def _accept(pair: Pair, outcome: Equivalence | None) -> Equivalence:
    """Return the outcome of a pair; undecided if its answer has still to be computed."""
    gold, answer, choices = pair
    equal = outcome is not None and outcome.outcome == "equal"
    if equal and not choices and is_unevaluated(answer, gold):
        return _UNEVALUATED
    return outcome or _NO_GOLD


def _read_answer(text: str, choices: tuple[str, ...]) -> str | Equivalence:
    """Return the answer that a text states, or the outcome of a text without one."""
    try:
        answer = extract(text, choices)
    except Exception as error:  # one strange completion must not end a batch
        return Equivalence("undecided", f"not read: {type(error).__name__}")
    if answer is None:
        return _NO_ANSWER
    if answer.span and not choices and states_false_equation(text[slice(*answer.span)]):
        return _FALSE_EQUATION
    return render_answer(answer)


def _read_gold(gold: str, choices: tuple[str, ...]) -> str:
    """Return the answer of a gold that is a whole solution, or the gold as it is."""
    if any(mark in gold for mark in _MARKS):
        answer = _read_answer(gold, choices)
        if isinstance(answer, str):
            return answer
    return gold


def _choices(choices: Iterable[str] | None) -> tuple[str, ...]:
    if choices is None:
        return ()
    if isinstance(choices, str) or not isinstance(choices, Iterable):
        seen = str(choices)[:40]
        raise ValueError(f"The choices of a question are a list of texts, not {seen!r}.")
    return tuple(map(str, choices))


def _gold_text(gold: object) -> str:
    try:
        return "" if gold is None else str(gold).strip()
    except ValueError:  # an integer of more digits than Python writes
        return ""


def _text(completion: object) -> str:
    """Return the text of a completion; empty if it has none."""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Mapping):
        return _content(completion.get("content"))
    if not isinstance(completion, Sequence):
        return ""
    messages = [each for each in completion if isinstance(each, Mapping)]
    own = [each for each in messages if each.get("role", "assistant") == "assistant"]
    return _content(own[-1].get("content")) if own else ""


def _content(content: object) -> str:
    """Return the text of a message, whose content may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    return "".join(str(each.get("text") or "") for each in parts if isinstance(each, Mapping))
