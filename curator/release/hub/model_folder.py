"""The folder of a trained model: its record, and whether its weights are complete.

In: a folder that `curator train` wrote. Out: the record as JSON values and the files to publish, or
UsageError. Weights are checked by the sizes in their headers, not by their values.
"""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from curator.core.errors import MALFORMED, UsageError
from curator.core.json_text import parse_json
from curator.release.hub.client import parse_repo

RECORD = "training.json"
"""The record of a training, which is written last; a folder without it is not finished."""
START = "start.json"
MAX_RECORD_BYTES = 50_000_000
PUBLISHED = (
    *("*.safetensors", "*.json", "*.jinja"),
    *("tokenizer.model", "merges.txt", "vocab.txt"),
)
"""Patterns of files that are published, beside the card."""
WEIGHTS = ("model*.safetensors", "adapter_model*.safetensors")
MAX_HEADER_BYTES = 100_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_training(name: str) -> bool:
    """Return whether a name is meant as the folder of a training, finished or not.

    A name without a slash may be that of a version; it is a folder if a training is in it.
    """
    path = Path(name)
    marks = (path / RECORD, path / "model" / RECORD, path / START, path / "config.json")
    return path.is_dir() and ("/" in name or any(each.exists() for each in marks))


def read_training(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a finished model and its record; raises UsageError otherwise."""
    model = next((each for each in (folder, folder / "model") if (each / RECORD).is_file()), None)
    if model is None:
        raise UsageError(
            f"{folder} has no {RECORD}, so its training is not finished. Finish it with 'curator "
            "train', or name the folder of another run."
        )
    try:
        with (model / RECORD).open("rb") as file:
            record = parse_json(file.read(MAX_RECORD_BYTES))
        data, recipe = record["data"], record["recipe"]
        texts = (recipe["name"], recipe["model"], data.get("version", ""))
        digests = (data.get("version_digest", ""), record["digest"])
        valid = all(isinstance(each, str) and each.isprintable() for each in texts)
        if "hub" in record:
            parse_repo(f"{record['hub']['repo']}@{record['hub']['commit']}")
        valid = valid and all(not each or _SHA256.fullmatch(each) for each in digests)
    except (OSError, UsageError, *MALFORMED):
        valid = False
    if not valid:
        raise UsageError(
            f"{model / RECORD} is not the record of a training. Train the model again."
        )
    return model, record


def select_files(folder: Path) -> list[Path]:
    """Return the files to publish. Raises UsageError if the weights are not complete."""
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in PUBLISHED)
    ]
    weights = [path for path in files if any(fnmatch(path.name, each) for each in WEIGHTS)]
    needed = {"weights": bool(weights)}
    needed["config.json"] = any(
        path.name in ("config.json", "adapter_config.json") for path in files
    )
    missing = [name for name, found in needed.items() if not found]
    missing += sorted(_listed_weights(folder) - {path.name for path in weights})
    missing += [path.name for path in weights if not _is_whole(path)]
    if missing:
        raise UsageError(
            f"{folder} is not a complete model: {', '.join(missing)[:300]} missing or cut off. "
            "Copy the folder again, or rerun its training, which writes the model from the last "
            "checkpoint."
        )
    return files


def _listed_weights(folder: Path) -> set[str]:
    """Return the names of the files of weights that an index lists."""
    names: set[str] = set()
    for index in folder.glob("*.safetensors.index.json"):
        try:
            names |= set(map(str, parse_json(index.read_bytes())["weight_map"].values()))
        except MALFORMED:
            names.add(index.name)
    return names


def _is_whole(path: Path) -> bool:
    """Return whether a file of tensors has the size that its header states."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= MAX_HEADER_BYTES:
                return False
            header = parse_json(file.read(length))
        ends = [each["data_offsets"][1] for key, each in header.items() if key != "__metadata__"]
        return path.stat().st_size == 8 + length + max(ends, default=0)
    except MALFORMED:
        return False
