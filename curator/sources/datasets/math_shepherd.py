r"""Math-Shepherd: sampled solutions of GSM8K and MATH with an automatic label of every step.

One row: {"input": "Janet pays $40 … Step 1: 3 + 5 = <<3+5=8>>8 hours. ки\nStep 2: … The answer is:
1040 ки", "label": "Janet pays $40 … Step 1: 3 + 5 = <<3+5=8>>8 hours. +\nStep 2: … -", "task":
"GSM8K"}. Each step ends in the Cyrillic `ки` in `input`, and in `+` or `-` in `label`: whether a
model could still reach the right answer from there. The question precedes the last
`Step 1:` before the first tag. Upstream states no gold answers; those of `gsm8k` and `math` can be
used (the key `golds`). The parts are the tasks.
"""

from collections.abc import Iterator, Mapping

from curator.core.model import LabelledStep, Problem, StepLabel
from curator.sources.fields import Unreadable, text
from curator.sources.source import Row, Source

TAG = "ки"
FIRST = "Step 1:"
MAX_STEPS = 1_000
LICENCE = "none stated"
_LABELS: Mapping[str, StepLabel] = {"+": "right", "-": "wrong"}


def read_steps(solution: str, labelled: str) -> tuple[LabelledStep, ...]:
    """Return the steps of a solution; `labelled` is the same text with marks in place of tags."""
    *texts, rest = solution.split(TAG)
    if rest.strip() or not texts:
        raise Unreadable("a step does not end in the tag")
    if len(texts) > MAX_STEPS:
        raise Unreadable(f"more than {MAX_STEPS:,} steps")
    steps, at = [], 0
    for number, step in enumerate(texts, 1):
        if not labelled.startswith(step, at):
            raise Unreadable("label is not the text of input")
        at += len(step) + 1
        label = _LABELS.get(labelled[at - 1 : at])
        if label is None:
            raise Unreadable("a label is not + or -")
        if not step.strip():
            raise Unreadable("a step is empty")
        steps.append(LabelledStep(number, step.strip(), label))
    if labelled[at:].strip():
        raise Unreadable("label is not the text of input")
    return tuple(steps)


def parse(row: Row, place: str) -> Iterator[Problem]:
    whole, labelled, task = text(row, "input"), text(row, "label"), text(row, "task")
    start = whole.partition(TAG)[0].rfind(FIRST)  # a question may name steps, too
    question = whole[: max(start, 0)]
    if not question.strip():
        raise Unreadable("no question before the first step")
    if not labelled.startswith(question):
        raise Unreadable("label is not the text of input")
    steps = read_steps(whole[start:], labelled[start:])
    yield Problem(
        source="math_shepherd",
        question=question.strip(),
        gold="",
        solution="\n".join(step.text for step in steps),
        part=task,
        licence=LICENCE,
        place=place,
        labelled_steps=steps,
    )


SOURCE = Source(
    name="math_shepherd",
    about="Sampled solutions of GSM8K and MATH, each step labelled by completions (Wang et al.)",
    licence=LICENCE,
    parse=parse,
    folder="sources/math_shepherd",
    hub="peiyi9979/Math-Shepherd",
    revision="c6042b88f2050c0ff35587de21185a8476176a2a",
    files=("math-shepherd.jsonl",),
    split="train",
    fields=("input", "label", "task"),
    citation="arXiv:2312.08935",
)
