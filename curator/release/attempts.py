"""Pair right and wrong attempts at one prompt, for preference learning and for verifiers.

In: batches of `RowsSql.attempts`. Out: batches of pairs: the columns of the right attempt, and
`rejected_id`, `rejected_text` and `rejected_reason` of the wrong one. No attempt is in two pairs.

A right attempt is a row of the version whose answer passed a check; a wrong one is a rationale that
failed the check of its program or answer. Undecided attempts are neither. Shortness alone predicts
correctness, so that a model could learn it in place of mathematics: within a prompt, the right
attempt with the strongest evidence first takes the wrong attempt nearest to it in length; then as
many pairs whose right attempt is shorter as pairs whose right attempt is longer are kept, in each
class of difference. The order of the rows decides the rest. Attempts wait in a temporary file;
memory holds a few numbers for each of them.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curator.core.model import EVIDENCE_LEVELS
from curator.release.formats import COLUMNS
from curator.release.formats.format import REJECTED
from datastore.compute_missing import chunks
from datastore.errors import wrap_os_errors

PER_PROBLEM = 4
"""Default maximum number of pairs per prompt."""
CLASS_WIDTH = 0.1
"""Width of a class of pairs, in natural logarithms of the ratio of their lengths."""
AT_ONCE = 1_000
"""Pairs that are read at once."""

NOT_COMPARED = "answer not compared"
REPEATED = "same attempt"
NO_WRONG = "no wrong attempt left"
ENOUGH = "enough pairs of its problem"
UNMATCHED = "no match in length"

_LEVELS = {level: place for place, level in enumerate(EVIDENCE_LEVELS)}
_UNKNOWN = len(_LEVELS)
"""The place of an evidence level that an older release of Curator did not state."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    at: int
    """Its place among all attempts."""
    level: int
    length: int


_Pair = tuple[_Attempt, _Attempt]
_Prompt = tuple[list[_Attempt], list[_Attempt]]
"""The right and the wrong attempts at one prompt, each text once, in their order."""
_NUMBERS = np.dtype(
    [("prompt", "S16"), ("text", "S16"), ("level", "i1"), ("length", "i4"), ("right", "?")]
)
"""What is known of each attempt: hashes of its texts, and numbers."""
_Numbers = np.ndarray[Any, Any]


@dataclass(slots=True)
class Pairing:
    """How attempts became pairs."""

    pairs: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows of the version in no pair, by reason."""
    wrong: int = 0
    """Wrong attempts, equal texts counted once; all but `pairs` of them are in no pair."""
    before: "list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]" = field(default_factory=list)
    after: "list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]" = field(default_factory=list)

    @property
    def auc_before(self) -> float | None:
        """How well shortness predicts correctness among the attempts at prompts with both kinds.

        The share of pairs of a right and a wrong attempt, of any prompts, in which the right one
        is shorter; ties count half. None without attempts of both kinds.
        """
        return _auc(self.before)

    @property
    def auc_after(self) -> float | None:
        """The same among the attempts that are in a pair."""
        return _auc(self.after)

    def plain(self) -> dict[str, object]:
        """Return the numbers for JSON."""
        return {
            "pairs": self.pairs,
            "left_out": dict(self.left_out.most_common()),
            "wrong_attempts": self.wrong,
            "length_auc_before": self.auc_before,
            "length_auc_after": self.auc_after,
        }


def pair_attempts(
    batches: Iterator[pa.RecordBatch], pairing: Pairing, folder: Path, per_problem: int
) -> Iterator[pa.RecordBatch]:
    """Yield pairs in the order of their right attempts, up to `per_problem` per prompt.

    All batches are read before the first is yielded; `folder` holds the temporary file. `pairing`
    is updated.
    """
    path = folder / "attempts.arrow"
    parts: list[_Numbers] = []
    writer, starts = None, [0]
    with wrap_os_errors("pair attempts", folder):
        for batch in batches:
            batch = batch.select([*COLUMNS, "is_right", "reason"])
            parts.append(_index(batch))
            starts.append(starts[-1] + len(batch))
            writer = writer or pa.ipc.new_file(str(path), batch.schema)
            writer.write_batch(batch)
        if writer is None:
            return
        writer.close()
        prompts = _by_prompt(np.concatenate(parts), pairing)
        pairs = _choose(prompts, pairing, per_problem)
        pairing.pairs += len(pairs)
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for some in chunks(sorted(pairs, key=lambda pair: pair[0].at), AT_ONCE):
                yield _join(reader, starts, some)
    path.unlink()


def _index(batch: pa.RecordBatch) -> _Numbers:
    """Return what is known of the attempts of a batch."""
    columns = ("instruction", "text", "evidence_level", "is_right")
    rows = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
    known = [
        (
            _key(" ".join(instruction.split())),
            _key(text.strip()),
            _LEVELS.get(level, _UNKNOWN),
            len(text.strip()),
            is_right,
        )
        for instruction, text, level, is_right in rows
    ]
    return np.array(known, _NUMBERS)


def _by_prompt(attempts: _Numbers, pairing: Pairing) -> Iterator[_Prompt]:
    """Yield the attempts at each prompt that has right and wrong ones; count what is left out."""
    right = attempts["right"]
    compared = ~(right & (attempts["level"] == _LEVELS["form"]))
    _, prompts = np.unique(attempts["prompt"], return_inverse=True)
    _, texts = np.unique(attempts["text"], return_inverse=True)
    # By prompt and text, equal ones in their order: `lexsort` is stable.
    order = np.lexsort((texts, prompts))
    order = order[compared[order]]
    repeated = np.zeros(len(order), bool)
    repeated[1:] = (np.diff(prompts[order]) == 0) & (np.diff(texts[order]) == 0)
    once = np.sort(order[~repeated])
    once = once[np.argsort(prompts[once], kind="stable")]
    rights, wrongs = (
        np.bincount(prompts[once[side]], minlength=len(prompts) and prompts.max() + 1)
        for side in (right[once], ~right[once])
    )
    pairing.wrong += int(wrongs.sum())
    for reason, count in (
        (NOT_COMPARED, np.count_nonzero(~compared)),
        (REPEATED, np.count_nonzero(right[order[repeated]])),
        (NO_WRONG, rights[wrongs == 0].sum()),
    ):
        pairing.left_out.update({reason: int(count)} if count else {})
    both = once[(rights > 0)[prompts[once]] & (wrongs > 0)[prompts[once]]]
    lengths = attempts["length"]
    pairing.before.append((lengths[both[right[both]]], lengths[both[~right[both]]]))
    ends = (np.flatnonzero(np.diff(prompts[both])) + 1).tolist()
    for start, end in pairwise((0, *ends, len(both)) if len(both) else ()):
        prompt: _Prompt = ([], [])
        for at in both[start:end].tolist():
            one = attempts[at]
            prompt[not one["right"]].append(_Attempt(at, int(one["level"]), int(one["length"])))
        yield prompt


def _choose(prompts: Iterable[_Prompt], pairing: Pairing, per_problem: int) -> list[_Pair]:
    """Return the pairs that are matched in length; count what is left out."""
    candidates: list[_Pair] = []
    for right, wrong in prompts:
        found = _nearest(right, wrong, per_problem)
        if rest := len(right) - len(found):
            pairing.left_out[ENOUGH if len(found) == per_problem else NO_WRONG] += rest
        candidates += found
    pairs = _balance(candidates)
    if len(pairs) < len(candidates):
        pairing.left_out[UNMATCHED] += len(candidates) - len(pairs)
    pairing.after.append((_lengths(r for r, _ in pairs), _lengths(w for _, w in pairs)))
    return pairs


def _nearest(right: Sequence[_Attempt], wrong: Sequence[_Attempt], most: int) -> list[_Pair]:
    """Return up to `most` pairs: the strongest right attempts, each with the nearest wrong one."""
    left = list(wrong)
    pairs = []
    for one in sorted(right, key=lambda each: (each.level, each.at))[:most]:
        if not left:
            break
        nearest = min(left, key=lambda each: (abs(_difference(one, each)), each.at))
        left.remove(nearest)
        pairs.append((one, nearest))
    return pairs


def _balance(candidates: Sequence[_Pair]) -> list[_Pair]:
    """Return as many pairs with a shorter right attempt as with a longer one, in each class.

    Pairs with stronger evidence are kept first. Pairs of equal lengths are all kept.
    """
    classes: dict[int, tuple[list[_Pair], list[_Pair]]] = defaultdict(lambda: ([], []))
    kept = []
    for pair in candidates:
        difference = _difference(*pair)
        if difference:
            sides = classes[int(abs(difference) / CLASS_WIDTH)]
            sides[difference > 0].append(pair)
        else:
            kept.append(pair)
    for sides in classes.values():
        count = min(map(len, sides))
        for side in sides:
            kept += sorted(side, key=lambda pair: (pair[0].level, pair[0].at))[:count]
    return kept


def _difference(one: _Attempt, other: _Attempt) -> float:
    """Return the logarithm of the ratio of the lengths; negative if the first is shorter."""
    return math.log(max(1, one.length) / max(1, other.length))


def _join(
    reader: pa.ipc.RecordBatchFileReader, starts: Sequence[int], pairs: Sequence[_Pair]
) -> pa.RecordBatch:
    """Return the rows of pairs; only the pages that hold them are read."""

    def row(at: int) -> pa.RecordBatch:
        number = bisect_right(starts, at) - 1
        return reader.get_batch(number).slice(at - starts[number], 1)

    right = pa.Table.from_batches([row(one.at) for one, _ in pairs]).select(list(COLUMNS))
    wrong = pa.Table.from_batches([row(other.at) for _, other in pairs])
    for name, column in zip(REJECTED, ("id", "text", "reason"), strict=True):
        right = right.append_column(name, wrong.column(column))
    return right.combine_chunks().to_batches()[0]


def _lengths(attempts: Iterator[_Attempt]) -> "np.ndarray[Any, Any]":
    return np.array([each.length for each in attempts], np.int64)


def _auc(parts: "Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]") -> float | None:
    if not parts:
        return None
    right, wrong = (np.concatenate(side) for side in zip(*parts, strict=True))
    if not len(right) or not len(wrong):
        return None
    wrong.sort()
    longer = len(wrong) - np.searchsorted(wrong, right, "right")
    ties = np.searchsorted(wrong, right, "right") - np.searchsorted(wrong, right, "left")
    return float((longer + ties / 2).sum() / (len(right) * len(wrong)))


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
