"""Reads releases for training, as `curator export` and `curator publish` write them.

In: a file of JSON Lines (prompt and completion, messages, or instruction and output), a Parquet
file, a published folder, or `ORG/NAME@REVISION` on the Hub. Out: `Example`s, one at a time, and the
name and digest of the release.

Releases are not trusted: every line is checked, and the first errors are reported with their line
numbers. The files of a published folder must match its manifest. Files of splits other than `train`
are skipped.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from curator.core.model import QuarantinedRecord
from curator.core.thoughts import join_thought
from curator.sources.fields import Unreadable
from curator.sources.readers.parquet import read_parquet
from curator.sources.tool_turns import join_tool_turns, uses_tools
from trainers.hub_release import HubRelease, fetch_release, is_hub_name
from trainers.release_manifest import read_manifest

LONGEST_LINE = 16_000_000
LONGEST_TEXT = 2_000_000
"""Maximum characters of a prompt or an answer."""
MAX_ERRORS = 10
"""Number of errors after which reading stops."""
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
    """A prompt and the answer to train on."""

    prompt: tuple[Message, ...]
    """All messages before the answer; the last one is the user's."""
    answer: str
    """With its thought, if it has one, in front of it."""
    subset: str
    """`subset` or `source` of the row; may be empty."""
    place: str
    """File with line or row number."""
    gold: str = ""
    """Gold answer of the row; empty if the format of the release has none."""
    choices: tuple[str, ...] = ()
    """Choices of the row, one of whose letters may be the gold answer."""


@dataclass(frozen=True)
class Release:
    """The identity of a release, whose rows were checked."""

    files: tuple[Path, ...]
    rows: int
    digest: str
    """SHA-256 of the file, or of the names and digests of a folder's files."""
    version: str
    """Version that a published folder states, such as `mathinstruct@3`."""
    version_digest: str
    """Digest of that version."""
    skipped_files: int
    """Number of files of other splits."""
    hub: HubRelease | None = None
    """Where it was fetched from; None for a local one."""

    def examples(self) -> Iterator[Example]:
        """Read the rows in order. Raises UsageError if the files were changed to invalid ones."""
        for file in self.files:
            for place, row in _read_rows(file):
                try:
                    yield _parse_row(row, place)
                except InvalidRow as error:
                    raise UsageError(f"{place}: {error}") from None

    def run_record(self) -> dict[str, Any]:
        """Return its entry in the record of a training."""
        return {
            "sha256": self.digest,
            "version": self.version,
            "version_digest": self.version_digest,
            "rows": self.rows,
        }


class InvalidRow(ValueError):
    """A row cannot be trained on; the message says what was expected."""


class InvalidLine(str):
    """The error message for a line that is not JSON."""


def is_available(name: str) -> bool:
    """Return whether a release exists as a path, or is named as one on the Hub."""
    return Path(name).exists() or is_hub_name(name)


def read_release(path: Path) -> Release:
    """Check all rows of a release, without holding them in memory.

    A path that does not exist may be `ORG/NAME@REVISION`, which is fetched from the Hub. Raises
    UsageError that lists invalid lines, one per line, or says why it cannot be read; HubError if it
    cannot be fetched.
    """
    hub = None
    if not path.exists() and is_hub_name(str(path)):
        path, hub = fetch_release(str(path))
    files, left_out = _list_files(path)
    manifest = read_manifest(path)
    if manifest:
        manifest.check_complete(files, "train")
    rows = 0
    errors: list[str] = []
    digests = []
    for file in files:
        try:
            with file.open("rb") as opened:
                digests.append((file.name, file_digest(opened, "sha256").hexdigest()))
            if manifest:
                manifest.check_file(file, digests[-1][1])
            for place, row in _read_rows(file):
                try:
                    _parse_row(row, place)
                    rows += 1
                except InvalidRow as error:
                    errors.append(f"{place}: {error}")
                if len(errors) >= MAX_ERRORS:
                    raise UsageError("\n".join([*errors, "Reading stopped after these errors."]))
        except OSError as error:
            raise UsageError(f"Cannot read {file}: {error.strerror or error}") from None
    if errors:
        raise UsageError("\n".join(errors))
    if not rows:
        raise UsageError(f"{path} has no rows to train on")
    one = len(digests) == 1 and path.is_file()
    digest = digests[0][1] if one else sha256(json.dumps(digests).encode()).hexdigest()
    version = (manifest.version, manifest.digest) if manifest else ("", "")
    return Release(tuple(files), rows, digest, *version, left_out, hub)


def _list_files(path: Path) -> tuple[list[Path], int]:
    """Return the files of a release and the number of files of other splits."""
    if path.is_file():
        if path.suffix not in (".jsonl", ".parquet"):
            raise UsageError(
                f"{path}: expected JSON Lines (.jsonl) or Parquet (.parquet), as written by "
                "'curator export --format prompt-completion', messages, alpaca-jsonl or parquet"
            )
        return [path], 0
    if not path.is_dir():
        raise UsageError(
            f"No release at {path}. Write one: curator export VERSION -o {path}. One on the Hub is "
            "named ORG/NAME@REVISION."
        )
    files = sorted(path.glob("data/**/*.parquet")) or sorted(path.glob("*.parquet"))
    files = files or sorted(path.glob("*.jsonl"))
    splits = {file: match[1] for file in files if (match := SHARD.fullmatch(file.name))}
    train = [file for file in files if splits.get(file, "train") == "train"]
    if not train:
        raise UsageError(f"{path} contains no Parquet or JSON Lines files of a split 'train'")
    return train, len(files) - len(train)


def _read_rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any] | Any]]:
    return _read_parquet(file) if file.suffix == ".parquet" else read_lines(file)


def read_lines(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield place and value of each line; for invalid lines, an InvalidLine."""
    with file.open("rb") as opened:
        for number, line in enumerate(iter(lambda: opened.readline(LONGEST_LINE), b""), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                value = InvalidLine(f"not JSON ({' '.join(str(error).split())[:80]})")
            yield f"{file.name}:{number}", value


def _read_parquet(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    known = (
        "prompt", "completion", "messages", "instruction", "output", "subset", "source", "gold",
        "choices",
    )  # fmt: skip
    for number, record in enumerate(read_parquet(file, file.name, known), 1):
        if isinstance(record, QuarantinedRecord):
            reason = f"{record.reason}: {record.raw[:200]}" if record.raw else record.reason
            raise UsageError(f"{file}: row {number} cannot be read ({reason})")
        yield f"{file.name}: row {number}", record[1]


def _parse_row(row: Any, place: str) -> Example:
    """The example of a row; raises InvalidRow."""
    if isinstance(row, InvalidLine):
        raise InvalidRow(row)
    if not isinstance(row, Mapping):
        raise InvalidRow(f"expected an object, saw {type(row).__name__}")
    if "verdict" in row:
        raise InvalidRow("an attempt, right or wrong; a verifier can be trained on it")
    if "messages" in row:
        prompt, answer = _parse_messages(row["messages"])
    elif "prompt" in row or "completion" in row:
        # The prompt template separates question and answer itself.
        question = read_text(row, "prompt").removesuffix("\n")
        prompt, answer = (Message("user", question),), read_text(row, "completion")
    elif "instruction" in row or "output" in row:
        prompt, answer = (Message("user", read_text(row, "instruction")),), read_text(row, "output")
    else:
        keys = ", ".join(sorted(str(key) for key in row))[:80]
        raise InvalidRow(
            f"expected prompt and completion, messages, or instruction and output, saw: {keys}"
        )
    subset = row.get("subset") or row.get("source") or ""
    return Example(prompt, answer, check_text(subset, "source"), place, *_gold_of(row))


def _gold_of(row: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the gold answer and the choices of a row; empty if they are missing or no texts."""
    gold, choices = row.get("gold"), row.get("choices")
    texts = choices if isinstance(choices, list) else []
    return (
        gold if isinstance(gold, str) else "",
        tuple(texts) if all(isinstance(each, str) for each in texts) else (),
    )


def _parse_messages(messages: Any) -> tuple[tuple[Message, ...], str]:
    if not isinstance(messages, list) or len(messages) < 2:
        raise InvalidRow("messages: expected a list of at least a question and an answer")
    messages, answer = _split_tool_turns(messages)
    turns = []
    for each in messages:
        if not isinstance(each, Mapping) or each.get("role") not in ROLES:
            raise InvalidRow(f"messages: expected role ({', '.join(ROLES)}) and content in each")
        turns.append(Message(each["role"], read_text(each, "content")))
    if answer and turns and turns[-1].role == "user":
        return tuple(turns), answer
    if len(turns) < 2 or turns[-1].role != "assistant" or turns[-2].role != "user":
        raise InvalidRow("messages: expected a user and an assistant message at the end")
    thought = messages[-1].get("reasoning_content") or ""
    thought = check_text(thought, "reasoning_content")
    return tuple(turns[:-1]), join_thought(thought, turns[-1].content)


def _split_tool_turns(messages: list[Any]) -> tuple[list[Any], str]:
    """Return the messages up to the last user's, and those behind it as one text.

    Messages without tool calls are returned as they are, with an empty text.
    """
    roles = [each.get("role") if isinstance(each, Mapping) else "" for each in messages]
    start = len(roles) - roles[::-1].index("user") if "user" in roles else len(roles)
    behind = [
        (each, str(each.get("role")), each.get("content"))
        for each in messages[start:]
        if isinstance(each, Mapping)
    ]
    if len(behind) < len(messages) - start or not uses_tools(behind):
        return messages, ""
    if roles[-1] != "assistant":
        raise InvalidRow("messages: expected an assistant message at the end")
    try:
        return messages[:start], check_text(join_tool_turns(behind, "messages"), "messages")
    except Unreadable as error:
        raise InvalidRow(str(error)) from None


def read_text(row: Mapping[str, Any], key: str) -> str:
    """Return a text of a row that is not empty; raises InvalidRow."""
    if key not in row:
        raise InvalidRow(f"'{key}' is missing")
    text = check_text(row[key], key)
    if not text.strip():
        raise InvalidRow(f"'{key}' is empty")
    return text


def check_text(text: Any, key: str) -> str:
    """Return a text that a tokenizer can read; raises InvalidRow."""
    if not isinstance(text, str):
        raise InvalidRow(f"'{key}': expected a text, saw {type(text).__name__}")
    if len(text) > LONGEST_TEXT:
        raise InvalidRow(f"'{key}': longer than {LONGEST_TEXT:,} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRow(f"'{key}': contains NUL or lone surrogates")
    return text
