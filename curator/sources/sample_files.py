"""Reads files of sampled solutions in any container: of `curator sample`, logs, generations.

In: a file of any container that sources may have, compressed or not; of `curator sample`,
lm-evaluation-harness or another tool. Out: `SampledProblem`s, or rows of them. Columns are detected
as in an audit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from curator.core.errors import MALFORMED, UsageError
from curator.core.json_text import parse_json
from curator.core.model import QuarantinedRecord, content_id
from curator.core.samples import (
    MAX_LINE_BYTES,
    Sample,
    SampledProblem,
    read_samples,
    to_problem,
)
from curator.sources.custom import CustomFiles, custom_source
from curator.sources.detect_columns import SAMPLE, find_columns
from curator.sources.fields import Unreadable, quarantine
from curator.sources.readers.detect import Record, read_records
from curator.sources.readers.unpack import Broken, is_plain, open_utf8
from curator.sources.source import Row

_REQUIRED = {"question": "question", "gold": "gold answer", "response": "response"}
COLUMNS = ("question", "gold", "choices", "field", "response", "thought")
"""What a column of a file of samples can contain."""
IDS = ("id", "idx", "doc_id", "problem_id", "unique_id")
FIRST = 100
"""Records that may be malformed before the form of a file is known."""
GOLD_MARK = "####"
"""Precedes the gold answer in the reference solutions of GSM8K."""

_Keyed = tuple[bytes, SampledProblem]
"""The problem of one row; rows with the same key are samples of one problem."""


def read_own(path: Path) -> Iterator[Record] | None:
    """Return the rows of a file in the form of `curator sample`; None if it has another form.

    The file may be in any container, and compressed. The form is that of the first row. What cannot
    be read is a QuarantinedRecord.
    """
    lines = partial(_read_long_lines, path)
    for read in (lines, partial(read_records, path, path.name)):
        if _begins_with_own(read()):
            return read()
    return None


def is_rewritable(path: Path) -> bool:
    """Return whether a file has the form and the container that `write_samples` writes."""
    return is_plain(path) and _begins_with_own(_read_long_lines(path))


def _begins_with_own(records: Iterator[Record]) -> bool:
    """Return whether the first row that can be read is in the format of `curator sample`."""
    first = next((each for each in islice(records, FIRST) if isinstance(each, tuple)), None)
    return first is not None and _is_own(first[1])


def holds_logs(path: Path) -> bool:
    """Return whether a file is a log of lm-evaluation-harness."""
    first = next(read_records(path, path.name), None)
    return isinstance(first, tuple) and _is_log(first[1])


def read_any_samples(
    path: Path, given: Mapping[str, str] | None = None
) -> Iterator[SampledProblem]:
    """Yield the problems of a file. Raises UsageError with the place of a row that is not valid.

    `given` are columns by their content, one of `COLUMNS`; the other ones are detected. Rows with
    the same question, gold and choices are samples of one problem, unless their ids differ.
    """
    given = given or {}
    if not path.is_file():
        yield from read_samples(path, given)
        return
    if own := read_own(path):
        yield from (to_problem(row, place, given) for place, row in _valid(own))
        return
    sample = [row for _, row in islice(_rows(path), SAMPLE)]
    if not sample:
        return
    columns = {each.content: each.column for each in find_columns(sample, given)}
    for content, kind in _REQUIRED.items():
        if content not in columns:
            raise UsageError(
                f"{path}: no column looks like a {kind}. Expected samples of 'curator sample', a "
                "log of lm-evaluation-harness, or rows with question, gold and generations. Name "
                "other columns with 'curator evaluate --columns question=COLUMN,gold=COLUMN'."
            )
    yield from _merge(partial(_read_problems, path, columns))


def _read_problems(path: Path, columns: Mapping[str, str]) -> Iterator[_Keyed]:
    """Yield the problem of each row of a file in the form of a dataset."""
    parse = custom_source(path.stem, CustomFiles(file=str(path)), columns, "").parse
    for place, row in _rows(path):
        try:
            problems = list(parse(row, place))
        except Unreadable as error:
            raise UsageError(f"{place}: {error}") from None
        first = problems[0]
        if not first.gold:
            raise UsageError(f"{place}: no gold answer. Remove the row, or add its gold answer.")
        named = next((str(row[key]) for key in IDS if row.get(key) not in (None, "")), "")
        problem = SampledProblem(
            set=path.name,
            id=named or place,
            question=first.question,
            gold=first.gold,
            choices=first.choices,
            samples=tuple(
                Sample("PoT", each.program) if each.part == "PoT" else Sample("CoT", each.solution)
                for each in problems
            ),
        )
        yield content_id(named, first.question, first.gold, *first.choices), problem


def _merge(read: Callable[[], Iterator[_Keyed]]) -> Iterator[SampledProblem]:
    """Yield each problem with the samples of all its rows, when the last one is read.

    Reads twice, so that only the problems of which more rows follow are in memory.
    """
    left = Counter(key for key, _ in read())
    begun: dict[bytes, list[SampledProblem]] = defaultdict(list)
    for key, problem in read():
        begun[key].append(problem)
        left[key] -= 1
        if not left[key]:
            rows = begun.pop(key)
            samples = tuple(chain.from_iterable(each.samples for each in rows))
            yield replace(rows[0], samples=samples)


def _read_long_lines(path: Path) -> Iterator[Record]:
    """Yield the rows of JSON Lines, which may be longer than those of a dataset."""
    with open_utf8(path) as file:
        try:
            lines = iter(lambda: file.readline(MAX_LINE_BYTES), b"")
            for number, line in enumerate(lines, 1):
                if number == 1 and not line.startswith(b"{"):
                    return
                if line.strip():
                    yield _parse(line, f"{path.name}:{number}")
        except Broken as broken:
            yield quarantine(path.name, *broken.args)


def _parse(line: bytes, place: str) -> Record:
    try:
        row = parse_json(line)
    except MALFORMED as error:
        return quarantine(place, f"not JSON ({error})", line)
    return (place, row) if isinstance(row, dict) else quarantine(place, "not a JSON object", line)


def _is_own(row: Row) -> bool:
    """Return whether a row is in the format of `curator sample`, or may be meant to be."""
    samples = row.get("samples")
    return isinstance(samples, list) and all(isinstance(each, dict) for each in samples)


def _records(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a file; raises UsageError for what cannot be read."""
    yield from _valid(read_records(path, path.name))


def _valid(records: Iterator[Record]) -> Iterator[tuple[str, Row]]:
    for record in records:
        if isinstance(record, QuarantinedRecord):
            raise UsageError(f"{record.place}: {record.reason}")
        yield record


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a file in the form of a dataset."""
    extraction = None
    for place, row in _records(path):
        if not _is_log(row):
            yield place, _with_gold(row)
            continue
        # A log repeats each problem for every way of extracting its answer.
        extraction = row.get("filter") if extraction is None else extraction
        if row.get("filter") == extraction:
            yield place, _with_gold(_from_log(row, place))


def _is_log(row: Row) -> bool:
    return isinstance(row.get("doc"), Mapping) and "resps" in row


def _from_log(row: Row, place: str) -> Row:
    """Return the problem of a log of lm-evaluation-harness with its responses in one list."""
    responses: list[Any] = []
    for each in row["resps"] if isinstance(row["resps"], list) else [row["resps"]]:
        responses += each if isinstance(each, list) else [each]
    if not all(isinstance(each, str) for each in responses):
        raise UsageError(
            f"{place}: this log has likelihoods of choices, not generated texts. Evaluate a task "
            "whose output type is generate_until."
        )
    gold = {"answer": row["target"]} if "target" in row else {}
    kept = {key: row[key] for key in IDS if key in row}
    return {**row["doc"], **kept, **gold, "responses": responses}


def _with_gold(row: Row) -> Row:
    """Return the row; a reference solution of GSM8K in `answer` becomes its gold answer."""
    answer = row.get("answer")
    if not isinstance(answer, str) or GOLD_MARK not in answer:
        return row
    return {**row, "answer": answer.rpartition(GOLD_MARK)[2].strip()}
