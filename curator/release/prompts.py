r"""Choose the rows of a release for reinforcement learning: prompts with golds that can be checked.

In: batches of rows. Out: the first row of each prompt in the same order, with the prompt as its
`instruction` and the strongest evidence level of its rows. Every other row is counted with a
reason; with a `Certificate`, rows whose gold a reward function misjudges are among them. The prompt
is the question with its choices and without a request for a program, which no reward runs. Rows
wait in a temporary file; memory holds a hash, the gold and the choices of each prompt.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa

from curator.answers import compare_by_rules, extract
from curator.answers.compare.evaluate import has_no_value
from curator.answers.parse.read import read
from curator.checks.question_kind import states_no_answer
from curator.core.model import EVIDENCE_LEVELS
from curator.release.formats import COLUMNS
from curator.rewards.certification import Certificate
from curator.rewards.false_equations import states_false_equation
from curator.writers.instruction import choices_line, lists_choices
from datastore.errors import wrap_os_errors

MOST_WORDS = 8
"""Maximum number of words of a gold that is a text."""
MOST_CHARACTERS = 500
"""Maximum length of a gold; the longest of 3,000 in MATH train has 120 characters."""

REPEATED = "same prompt"
CONTRADICTED = "golds of one prompt differ"
NO_GOLD = "no gold"
NO_VALUE = "gold has no value"
NO_CHOICE = "gold is no choice"
PROSE = "gold is prose"
UNRECOGNISED = "gold is not recognised"
TOO_LONG = "gold is too long"

_LEVELS = [*EVIDENCE_LEVELS, ""]
"""The strongest first; a level that only a newer Curator knows is empty."""


@dataclass(slots=True)
class _Prompt:
    """What the rows of one prompt state."""

    gold: str
    choices: tuple[str, ...]
    level: int
    contradicted: bool = False


@lru_cache(maxsize=4_096)  # a problem may have many rows in turn
def why_unchecked(gold: str, choices: tuple[str, ...] = ()) -> str:
    r"""Return why a reward cannot check a gold; empty if it can.

    It can if the completion `The answer is \boxed{GOLD}.` would be found right by rules alone, and
    the gold of a question with choices is one of them. A division by zero has no value; infinity is
    the value of a limit. A long text is no gold, since a right answer
    in other words would be found wrong.
    """
    if states_no_answer(gold):
        return NO_GOLD
    if len(gold) > MOST_CHARACTERS:
        return TOO_LONG
    node = read(gold).node
    if (node and has_no_value(node)) or states_false_equation(gold):
        return NO_VALUE
    answer = extract(rf"The answer is \boxed{{{gold}}}.", choices)
    outcome = compare_by_rules(gold, answer, choices) if answer else None
    single = "\n" not in gold.strip()
    if answer is None or outcome is None or outcome.outcome != "equal" or not single:
        return UNRECOGNISED
    if choices and answer.kind != "option":
        return NO_CHOICE
    return PROSE if answer.kind == "text" and len(gold.split()) > MOST_WORDS else ""


def select_prompts(
    batches: Iterator[pa.RecordBatch],
    left_out: Counter[str],
    folder: Path,
    certificate: Certificate | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield one row per prompt; add the number of the other rows by reason to `left_out`.

    All batches are read, and the golds of their prompts added to `certificate`, before the first
    is yielded; `folder` holds the temporary file.
    """
    prompts: dict[bytes, _Prompt] = {}
    path = folder / "prompts.arrow"
    writer = None
    with wrap_os_errors("choose prompts", folder):
        for batch in batches:
            chosen = _first_rows(batch, prompts, left_out)
            writer = writer or pa.ipc.new_file(str(path), chosen.schema)
            writer.write_batch(chosen)
        if writer is None:
            return
        writer.close()
        if certificate:
            golds = (each for each in prompts.values() if not each.contradicted)
            certificate.add((each.gold, each.choices) for each in golds)
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                chosen = _reliable_rows(reader.get_batch(number), prompts, left_out, certificate)
                if len(chosen):
                    yield chosen
    path.unlink()


def _first_rows(
    batch: pa.RecordBatch, prompts: dict[bytes, _Prompt], left_out: Counter[str]
) -> pa.RecordBatch:
    """Return the rows whose prompt is new and whose gold can be checked."""
    batch = batch.select(list(COLUMNS))
    first, texts = [], []
    columns = ("question", "choices", "gold", "evidence_level")
    rows = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
    for question, listed, gold, level in rows:
        choices = tuple(listed or ())
        texts.append(_prompt_text(question, choices))
        reason = why_unchecked(gold or "", choices)
        if not reason:
            key, place = _key(texts[-1]), _LEVELS.index(level)
            known = prompts.get(key)
            if known is None:
                prompts[key] = _Prompt(gold, choices, place)
            else:
                reason = REPEATED
                known.level = min(known.level, place)
                known.contradicted |= not _is_same(known, gold, choices)
        first.append(not reason)
        if reason:
            left_out[reason] += 1
    place = batch.schema.get_field_index("instruction")
    named = batch.set_column(place, "instruction", pa.array(texts, pa.string()))
    return named.filter(pa.array(first, pa.bool_()))


def _reliable_rows(
    batch: pa.RecordBatch,
    prompts: dict[bytes, _Prompt],
    left_out: Counter[str],
    certificate: Certificate | None,
) -> pa.RecordBatch:
    """Return the rows of prompts with one gold that is not misjudged, with the strongest level."""
    found = [prompts[_key(text)] for text in batch.column("instruction").to_pylist()]
    ids = batch.column("id").to_pylist()
    reasons = [
        _why_unreliable(row_id.hex(), each, certificate)
        for row_id, each in zip(ids, found, strict=True)
    ]
    left_out.update(filter(None, reasons))
    place = batch.schema.get_field_index("evidence_level")
    levels = pa.array([_LEVELS[each.level] for each in found], pa.string())
    named = batch.set_column(place, "evidence_level", levels)
    return named.filter(pa.array([not reason for reason in reasons], pa.bool_()))


def _why_unreliable(row: str, prompt: _Prompt, certificate: Certificate | None) -> str:
    if prompt.contradicted:
        return CONTRADICTED
    return certificate.reject(row, (prompt.gold, prompt.choices)) if certificate else ""


def _is_same(prompt: _Prompt, gold: str, choices: tuple[str, ...]) -> bool:
    # Choices differ in case and white space at most: the prompt lists them.
    outcome = compare_by_rules(prompt.gold, gold, prompt.choices or choices)
    return outcome is not None and outcome.outcome == "equal"


def _prompt_text(question: str, choices: tuple[str, ...]) -> str:
    text = question.strip()
    return f"{text}\n{choices_line(choices)}" if choices and not lists_choices(text) else text


def _key(prompt: str) -> bytes:
    """Return the same key for prompts that differ in case and white space alone."""
    plain = " ".join(prompt.casefold().split())
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()
