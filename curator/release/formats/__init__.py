"""Release formats: the rows of a version as one file for trainers.

In: an engine and a SELECT of the columns `COLUMNS`, in the order to write. Out: one file, complete
or absent; the same rows give the same bytes. To add a format: a file with a function, one line
here, one test. The command line imports this module for its help, so nothing here may load pyarrow.
"""

from curator.release.formats import (
    alpaca,
    kto,
    messages,
    open_instruct,
    parquet,
    preference,
    prompt_completion,
    scored,
    stepwise,
    trl_grpo,
    verifiers,
    verl,
)
from curator.release.formats.format import COLUMNS, THOUGHTS, Format, Thoughts

FORMATS: dict[str, Format] = {
    "alpaca": Format(
        ".json",
        "the format of the released MathInstruct: source, output, instruction",
        alpaca.array,
        columns=alpaca.COLUMNS,
        needs_solution=True,
    ),
    "alpaca-jsonl": Format(
        ".jsonl",
        "the same three keys as JSON Lines",
        alpaca.lines,
        columns=alpaca.COLUMNS,
        needs_solution=True,
    ),
    "messages": Format(
        ".jsonl",
        "chat messages of a user and an assistant, programs of TIR as tool calls",
        messages.lines,
        columns=messages.COLUMNS,
        thoughts=True,
    ),
    "prompt-completion": Format(
        ".jsonl",
        "prompt and completion, separated as TRL joins them",
        prompt_completion.lines,
        columns=prompt_completion.COLUMNS,
    ),
    "parquet": Format(
        ".parquet", "all columns, including question and gold answer", parquet.table, thoughts=True
    ),
    "trl-grpo": Format(
        ".jsonl",
        "prompts with checkable golds, for TRL's GRPOTrainer",
        trl_grpo.lines,
        prompts=True,
    ),
    "verl": Format(".parquet", "prompts with checkable golds, for verl", verl.table, prompts=True),
    "open-instruct": Format(
        ".jsonl",
        "prompts with checkable golds, for open-instruct",
        open_instruct.lines,
        prompts=True,
    ),
    "verifiers": Format(
        ".jsonl",
        "prompts with checkable golds, for tasks of verifiers",
        verifiers.lines,
        prompts=True,
    ),
    "preference": Format(
        ".jsonl",
        "pairs of a right and a wrong attempt, for TRL's DPOTrainer",
        preference.lines,
        pairs=True,
    ),
    "kto": Format(
        ".jsonl",
        "right and wrong attempts with labels, for TRL's KTOTrainer",
        kto.lines,
        pairs=True,
    ),
    "scored": Format(
        ".jsonl", "right and wrong attempts with scores, as plain texts", scored.lines, pairs=True
    ),
    "stepwise": Format(
        ".jsonl",
        "solutions with a label on every step, for process reward models",
        stepwise.lines,
        steps=True,
    ),
}

__all__ = ["COLUMNS", "FORMATS", "THOUGHTS", "Format", "Thoughts"]
