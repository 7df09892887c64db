"""Tokenizes a release once per run, for all of its processes and starts.

In: a recipe, its release and its tokenizer. Out: a dataset of token ids and labels that is mapped
from the file `encoded-DIGEST.arrow` of the run's folder, and counts. The digest covers the bytes of
the release, the tokenizer with its template, and the keys of the recipe that change tokens. The
first process writes the file, on all cores; the others wait for it. Texts are read in parts; about
2 KB of memory remain per row. The file takes 8 bytes per token and may be deleted after the
training.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from curator.core.errors import CuratorError, UsageError
from curator.core.files import write_aside
from curator.core.words import counted
from trainers.launch import is_main_process, wait_for_file
from trainers.recipe import SFT
from trainers.release import Example, Release
from trainers.tokenize import CHUNK, IGNORED, Counts, Row, Tally, Thoughts, encode_chunk

FORMAT = 3
PARALLEL_ROWS = 20_000
"""Number of rows from which the start of other processes pays."""
IDLE_S = 60
"""Seconds after which a worker ends that gets no rows, because its parent was killed."""
COLUMNS = ("input_ids", "labels", "prompt_tokens")

Log = Callable[[str], None]
Encoded = tuple[Sequence[tuple[str, str]], Sequence[Row]]
"""Subset and place of each example, and its tokens."""


def load_encoded(recipe: SFT, release: Release, tokenizer: Any, log: Log) -> tuple[Any, Counts]:
    """Return the encoded release as a dataset with `COLUMNS`, and its counts.

    Raises UsageError as `trainers.tokenize.encode` does, or if the run's folder is not shared by
    all machines.
    """
    path = recipe.folder / f"encoded-{_digest(recipe, release, tokenizer)[:16]}.arrow"
    counts = path.with_suffix(".json")
    if is_main_process() and not (counts.exists() and path.exists()):
        recipe.folder.mkdir(parents=True, exist_ok=True)
        workers = len(os.sched_getaffinity(0)) if release.rows >= PARALLEL_ROWS else 1
        log(f"encoding {counted(release.rows, 'row')} into {path}")
        found = write_encoded(release.examples(), tokenizer, recipe, path, workers)
        with write_aside(counts) as temporary:  # last, since it marks the other file as complete
            temporary.write_text(json.dumps(asdict(found)), "ascii")
    for each in (path, counts):
        wait_for_file(each, recipe.folder)
    try:
        from datasets import Dataset

        return Dataset.from_file(str(path)), Counts(**json.loads(counts.read_bytes()))
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{path} is damaged. Delete it and {counts.name}, and rerun to encode again."
        ) from None


def write_encoded(
    examples: Iterable[Example], tokenizer: Any, recipe: SFT, path: Path, workers: int
) -> Counts:
    """Write the encoded examples to an Arrow file; return the counts.

    The bytes do not depend on `workers`. Raises UsageError as `trainers.tokenize.encode` does.
    """
    import pyarrow as pa

    tally = Tally(recipe.max_length)
    with write_aside(path) as temporary, pa.ipc.new_stream(str(temporary), _schema()) as writer:
        for named, rows in _encode_chunks(examples, tokenizer, recipe.thoughts, workers):
            fitted = [tally.fit(row, *names) for names, row in zip(named, rows, strict=True)]
            writer.write_batch(_to_batch([row for row in fitted if row]))
        counts = tally.count(recipe.truncate)
    return counts


def read_lengths(dataset: Any) -> list[int]:
    """Return the number of tokens of each row, without reading the tokens."""
    import pyarrow.compute as pc

    lengths: list[int] = pc.list_value_length(dataset.data.column("input_ids")).to_pylist()
    return lengths


def read_row(dataset: Any, place: int) -> Row:
    """Return a row of an encoded release."""
    from array import array

    one = dataset[place]
    ids, end = one["input_ids"], one["prompt_tokens"]
    masked, start = [], 0
    for ignored, some in groupby(one["labels"][end:], lambda label: label == IGNORED):
        stop = start + len(list(some))
        masked += [(start, stop)] if ignored else []
        start = stop
    return Row(array("i", ids[:end]), array("i", ids[end:]), tuple(masked))


def to_dataset(rows: Sequence[Row]) -> Any:
    """Return rows as a dataset with `COLUMNS`, in memory."""
    import pyarrow as pa
    from datasets import Dataset

    return Dataset(pa.Table.from_batches([_to_batch(rows)]))


def _schema() -> Any:
    import pyarrow as pa

    ids = pa.list_(pa.int32())
    return pa.schema([("input_ids", ids), ("labels", ids), ("prompt_tokens", pa.int32())])


def _to_batch(rows: Sequence[Row]) -> Any:
    import numpy as np
    import pyarrow as pa

    ends = np.cumsum([0, *(len(row.prompt) + len(row.answer) for row in rows)]).astype(np.int32)
    ids = np.empty(ends[-1], np.int32)
    labels = np.full(ends[-1], IGNORED, np.int32)
    for start, row in zip(ends, rows, strict=False):
        middle = start + len(row.prompt)
        ids[start:middle] = row.prompt
        ids[middle : middle + len(row.answer)] = row.answer
        labels[middle : middle + len(row.answer)] = row.label_answer()
    columns = [
        pa.ListArray.from_arrays(pa.array(ends), pa.array(ids)),
        pa.ListArray.from_arrays(pa.array(ends), pa.array(labels)),
        pa.array([len(row.prompt) for row in rows], pa.int32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_schema())


def _encode_chunks(
    examples: Iterable[Example], tokenizer: Any, thoughts: Thoughts, workers: int
) -> Iterator[Encoded]:
    """Yield the examples in order, encoded in chunks; few chunks are in memory at a time."""
    rest = iter(examples)
    chunks = iter(lambda: list(islice(rest, CHUNK)), [])
    if workers == 1:
        for chunk in chunks:
            yield _names(chunk), encode_chunk(chunk, tokenizer, thoughts)
        return
    from loky.backend import get_context
    from loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

    waiting: deque[Any] = deque()
    with ProcessPoolExecutor(
        workers,
        timeout=IDLE_S,
        context=get_context("loky"),
        initializer=_start_worker,
        initargs=(tokenizer, thoughts),
    ) as pool:
        try:
            for chunk in chunks:
                waiting.append((_names(chunk), pool.submit(_encode_in_worker, chunk)))
                if len(waiting) > 2 * workers:
                    names, future = waiting.popleft()
                    yield names, future.result()
            for names, future in waiting:
                yield names, future.result()
        except TerminatedWorkerError:
            raise CuratorError(
                "A process that encodes rows was killed, probably because memory ran out. Free "
                "memory and rerun, or give the command fewer cores (taskset)."
            ) from None


def _names(chunk: Sequence[Example]) -> list[tuple[str, str]]:
    return [(each.subset, each.place) for each in chunk]


def _start_worker(tokenizer: Any, thoughts: Thoughts) -> None:
    global _worker
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # each core has a worker
    _worker = (tokenizer, thoughts)


_worker: tuple[Any, Thoughts]


def _encode_in_worker(chunk: Sequence[Example]) -> list[Row]:
    return encode_chunk(chunk, *_worker)


def _digest(recipe: SFT, release: Release, tokenizer: Any) -> str:
    """Return the digest of all that the tokens depend on."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    words = backend.to_str() if backend else json.dumps(sorted(tokenizer.get_vocab().items()))
    special = [str(tokenizer.bos_token), str(tokenizer.eos_token), tokenizer.chat_template]
    keys = recipe.model_dump(include={"max_length", "truncate", "thoughts"})
    content = [FORMAT, release.digest, words, special, keys]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
