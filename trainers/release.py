"""A release as a trainer reads it: files that `curator export` and `curator publish` write.

In: a file of JSON lines (prompt and completion, messages, or instruction and output), a Parquet
file, or a published folder. Out: `Example`s, and what was read by name and digest.

Releases are hostile: every line is checked, and the first faults are told with their lines. Rows of
other splits than `train` are left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError

LONGEST_LINE = 16_000_000
LONGEST_TEXT = 2_000_000
"""Signs of a prompt or an answer."""
FAULTS = 10
"""Faults that are told before reading ends."""
ROLES = ("system", "user", "assistant")
SHARD = re.compile(r"([a-z]+)-\d{5}-of-\d{5}\.parquet")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """system, user or assistant."""
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """What is asked and what is to be answered."""

    asked: tuple[Message, ...]
    """All turns before the answer; the last one is the user's."""
    answer: str
    subset: str
    """`subset` or `source` of the row; empty if it has none."""
    place: str
    """File and line or row."""


@dataclass(frozen=True)
class Release:
    """A release that was read."""

    examples: tuple[Example, ...]
    digest: str
    """SHA-256 of the file, or of the names and digests of a folder's files."""
    version: str
    """`mathinstruct@3` where a published folder says so."""
    version_digest: str
    """The version's own digest where a published folder says so."""
    left_out: int
    """Files of other splits."""

    def run_record(self) -> dict[str, Any]:
        """What is kept of it beside a model."""
        return {
            "sha256": self.digest,
            "version": self.version,
            "version_digest": self.version_digest,
            "rows": len(self.examples),
        }


class _Unfit(ValueError):
    """A row is none that can be trained on; the message says what was expected."""


class _Broken(str):
    """What is wrong with a line that is not JSON."""


def read_release(path: Path) -> Release:
    """Reads a release whole.

    Raises UsageError naming the lines that are no rows, one a line, or what cannot be read at all.
    """
    files, left_out = _files(path)
    examples: list[Example] = []
    faults: list[str] = []
    digests = []
    for file in files:
        try:
            with file.open("rb") as opened:
                digests.append((file.name, file_digest(opened, "sha256").hexdigest()))
            for place, row in _rows(file):
                try:
                    examples.append(_example(row, place))
                except _Unfit as fault:
                    faults.append(f"{place}: {fault}")
                if len(faults) >= FAULTS:
                    raise UsageError("\n".join([*faults, "and no more was read"]))
        except OSError as error:
            raise UsageError(f"Cannot read {file}: {error.strerror or error}") from None
    if faults:
        raise UsageError("\n".join(faults))
    if not examples:
        raise UsageError(f"{path} has no rows to train on")
    one = len(digests) == 1 and path.is_file()
    digest = digests[0][1] if one else sha256(json.dumps(digests).encode()).hexdigest()
    version = _version(path)
    return Release(tuple(examples), digest, *version, left_out)


def _files(path: Path) -> tuple[list[Path], int]:
    """The files of a release, and how many of other splits there are."""
    if path.is_file():
        if path.suffix not in (".jsonl", ".parquet"):
            raise UsageError(
                f"{path}: expected JSON lines (.jsonl) or Parquet (.parquet), as written by "
                "'curator export --format prompt-completion', messages, alpaca-jsonl or parquet"
            )
        return [path], 0
    if not path.is_dir():
        raise UsageError(f"No release at {path}; write one: curator export VERSION -o {path}")
    found = sorted(path.glob("data/**/*.parquet")) or sorted(path.glob("*.parquet"))
    found = found or sorted(path.glob("*.jsonl"))
    splits = {file: match[1] for file in found if (match := SHARD.fullmatch(file.name))}
    kept = [file for file in found if splits.get(file, "train") == "train"]
    if not kept:
        raise UsageError(f"{path} holds no Parquet or JSON lines of a split 'train'")
    return kept, len(found) - len(kept)


def _version(path: Path) -> tuple[str, str]:
    """Name and digest of the version that a published folder says to be."""
    try:
        said = json.loads((path / "manifest.json").read_bytes()[:LONGEST_LINE])
        name, digest = said["version"], said["digest"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return "", ""
    plain = isinstance(name, str) and isinstance(digest, str) and len(name + digest) < 300
    return (name, digest) if plain and (name + digest).isprintable() else ("", "")


def _rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any] | Any]]:
    return _parquet_rows(file) if file.suffix == ".parquet" else _lines(file)


def _lines(file: Path) -> Iterator[tuple[str, Any]]:
    """The values of JSON lines; for a line that is none, what is wrong with it."""
    with file.open("rb") as opened:
        for number, line in enumerate(iter(lambda: opened.readline(LONGEST_LINE), b""), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                value = _Broken(f"not JSON ({' '.join(str(error).split())[:80]})")
            yield f"{file.name}:{number}", value


def _parquet_rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened: pq.ParquetFile = pq.ParquetFile(file)
        wanted = ("prompt", "completion", "messages", "instruction", "output", "subset", "source")
        columns = [name for name in opened.schema_arrow.names if name in wanted]
        number = 0
        for batch in opened.iter_batches(batch_size=1_000, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield f"{file.name}: row {number}", row
    except (pa.ArrowException, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())[:120]
        raise UsageError(f"{file}: not Parquet that can be read ({why})") from None


def _example(row: Any, place: str) -> Example:
    """The example of a row; raises _Unfit."""
    if isinstance(row, _Broken):
        raise _Unfit(row)
    if not isinstance(row, Mapping):
        raise _Unfit(f"expected an object, saw {type(row).__name__}")
    if "messages" in row:
        asked, answer = _conversation(row["messages"])
    elif "prompt" in row or "completion" in row:
        asked, answer = (Message("user", _text(row, "prompt")),), _text(row, "completion")
    elif "instruction" in row or "output" in row:
        asked, answer = (Message("user", _text(row, "instruction")),), _text(row, "output")
    else:
        keys = ", ".join(sorted(str(key) for key in row))[:80]
        raise _Unfit(
            f"expected prompt and completion, messages, or instruction and output, saw: {keys}"
        )
    subset = row.get("subset") or row.get("source") or ""
    return Example(asked, answer, _checked(subset, "source"), place)


def _conversation(messages: Any) -> tuple[tuple[Message, ...], str]:
    if not isinstance(messages, list) or len(messages) < 2:
        raise _Unfit("messages: expected a list of at least a question and an answer")
    turns = []
    for each in messages:
        if not isinstance(each, Mapping) or each.get("role") not in ROLES:
            raise _Unfit(f"messages: expected role ({', '.join(ROLES)}) and content in each")
        turns.append(Message(each["role"], _text(each, "content")))
    if turns[-1].role != "assistant" or turns[-2].role != "user":
        raise _Unfit("messages: expected to end with the user's and the assistant's")
    return tuple(turns[:-1]), turns[-1].content


def _text(row: Mapping[str, Any], key: str) -> str:
    if key not in row:
        raise _Unfit(f"'{key}' is missing")
    text = _checked(row[key], key)
    if not text.strip():
        raise _Unfit(f"'{key}' is empty")
    return text


def _checked(text: Any, key: str) -> str:
    if not isinstance(text, str):
        raise _Unfit(f"'{key}': expected a text, saw {type(text).__name__}")
    if len(text) > LONGEST_TEXT:
        raise _Unfit(f"'{key}': longer than {LONGEST_TEXT:,} signs")
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise _Unfit(f"'{key}': NUL and lone surrogates are no text")
    return text
