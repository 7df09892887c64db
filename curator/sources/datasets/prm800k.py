r"""PRM800K: solutions of MATH's problems by GPT-4 with a person's rating of every step.

One record, shortened: {"is_quality_control_question": false, "is_initial_screening_question":
false, "question": {"problem": "Three pencils …", "ground_truth_answer": "29"}, "label": {"steps":
[{"completions": [{"text": "Let's call …", "rating": 1}, …], "human_completion": null,
"chosen_completion": 0}, …], "finish_reason": "solution"}}.

A solution goes on from the chosen completion of each step, or else from the one that the labeller
wrote, which has no rating and counts as right. Without both it ends, with its first completion: in
phase 2 (`finish_reason` is `found_error`) that is the wrong step of the model. All other
completions are alternatives. A rating may be null. `pre_generated_steps` (phase 2) is a list or a
text; what follows the first error there has no labels and is not read.

The parts set apart what is not a labelled solution of a sound problem: `bad_problems`, and the
records by which labellers were chosen (`screening`) and compared (`quality_control`), which repeat
solutions. 4,500 of the 12,000 problems are in MATH's test set.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from curator.core.model import LabelledStep, Problem, StepLabel
from curator.sources.fields import MAX_TEXT, TOO_LONG, Unreadable, text, value
from curator.sources.source import Row, Source

MAX_COMPLETIONS = 10_000
"""Maximum number of completions of one record; the longest solutions have some dozens of steps."""
TOO_MANY = f"more than {MAX_COMPLETIONS:,} completions"
FINISH_REASONS = ("solution", "found_error", "give_up", "bad_problem")
_LABELS: Mapping[int, StepLabel] = {1: "right", 0: "neutral", -1: "wrong"}


def _object(row: Row, key: str) -> Row:
    cell = value(row, key)
    if not isinstance(cell, dict):
        raise Unreadable(f"{key} is not an object")
    return cell


def _objects(row: Row, key: str) -> list[Row]:
    """Return a list of objects; null counts as an empty one."""
    cell = row.get(key) or []
    if not isinstance(cell, list) or not all(isinstance(each, dict) for each in cell):
        raise Unreadable(f"{key} is not a list of objects")
    return cell


def _is_set(row: Row, key: str) -> bool:
    cell = row.get(key)
    if cell is None:  # tables write a missing key as null
        return False
    if not isinstance(cell, bool):
        raise Unreadable(f"{key} is not true or false")
    return cell


def _label(completion: Row) -> StepLabel:
    rating = completion.get("rating")
    if rating is None:
        return ""
    if type(rating) is not int or rating not in _LABELS:
        raise Unreadable("rating is not -1, 0, 1 or null")
    return _LABELS[rating]


def _part(row: Row, finish_reason: str) -> str:
    if _is_set(row, "is_quality_control_question"):
        return "quality_control"
    if _is_set(row, "is_initial_screening_question"):
        return "screening"
    return "bad_problems" if finish_reason == "bad_problem" else "solutions"


def read_step(number: int, step: Row) -> tuple[list[LabelledStep], bool]:
    """Return the chosen text of a step and its alternatives, and whether the solution goes on."""
    completions, chosen = _objects(step, "completions"), step.get("chosen_completion")
    read: list[tuple[str, StepLabel]] = [(text(each, "text"), _label(each)) for each in completions]
    if step.get("human_completion") is not None:
        read.append((text(_object(step, "human_completion"), "text"), "right"))
        if chosen is None:
            chosen = len(read) - 1
    goes_on = chosen is not None
    place: Any = chosen if goes_on else 0
    if type(place) is not int or not 0 <= place < len(read):
        raise Unreadable("chosen_completion does not exist" if goes_on else "a step is empty")
    return [LabelledStep(number, *each, at == place) for at, each in enumerate(read)], goes_on


def read_steps(label: Row) -> tuple[LabelledStep, ...]:
    """Return the steps of a solution with their alternatives.

    The texts of all continuations together, of which each alternative is one, are bounded, since
    exports write them.
    """
    found: list[LabelledStep] = []
    before = written = 0
    for number, step in enumerate(_objects(label, "steps"), 1):
        some, goes_on = read_step(number, step)
        found += some
        if len(found) > MAX_COMPLETIONS:
            raise Unreadable(TOO_MANY)
        written += sum(before + len(each.text) for each in some)
        before += sum(len(each.text) for each in some if each.chosen)
        if written > 10 * MAX_TEXT:
            raise Unreadable(TOO_LONG)
        if not goes_on:
            break
    if not found:
        raise Unreadable("no steps")
    return tuple(found)


def parse(row: Row, place: str) -> Iterator[Problem]:
    question, label = _object(row, "question"), _object(row, "label")
    finish_reason = text(label, "finish_reason")
    if finish_reason not in FINISH_REASONS:
        raise Unreadable("finish_reason is not known")
    steps = read_steps(label)
    yield Problem(
        source="prm800k",
        question=text(question, "problem"),
        gold=text(question, "ground_truth_answer"),
        solution="\n".join(step.text for step in steps if step.chosen),
        part=_part(row, finish_reason),
        licence="MIT",
        place=place,
        labelled_steps=steps,
    )


SOURCE = Source(
    name="prm800k",
    about="Model-written solutions of MATH problems, each step rated by a person (OpenAI)",
    licence="MIT",
    parse=parse,
    folder="sources/prm800k",
    hub="tasksource/PRM800K",
    revision="547b19506677a59037ee888838834b65e9b1ddd4",
    files=("*train*",),
    split="train",
    rows=98_731,
    fields=("question", "label"),
    citation="arXiv:2305.20050",
)
