"""The card of a published model: how it was trained, on which release, and how it was measured.

In: the card that the training wrote, its record, the release and scores. Out: the text of README.md
with a generated section between the marks of `curator.release.card`; people may write around it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curator.core.escape import for_markdown
from curator.release.card import BEGIN, END

OWNED = ("base_model", "datasets", "library_name")
"""Metadata keys that a publish replaces; `tags` are extended."""
MAX_SHOWN = 200
"""Characters of a path that the card of a training shows."""
_HEAD = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The release that a model was trained on."""

    version: str
    """Version, such as `mathinstruct@1`; empty if the file that it was trained on states none."""
    digest: str
    """Digest of the version."""
    repo: str
    """Id of the dataset on the Hub; empty if it is not known."""
    revision: str
    """Commit of the dataset on the Hub."""

    @property
    def name(self) -> str:
        """`ORG/NAME@COMMIT`; empty if it is not known."""
        return f"{self.repo}@{self.revision}" if self.repo else ""


@dataclass(frozen=True, slots=True)
class Score:
    """A score of the model, as `curator evaluate` measured it."""

    name: str
    """Name of the model in the result."""
    group: str
    """Evaluation set."""
    metric: str
    problems: int
    samples: int
    """Samples per problem; 0 if problems have different numbers."""
    share: float
    low: float
    high: float
    standard_error: float | None
    """Standard error of Pass@1 over samples; None for other metrics."""


def model_card(
    folder: Path, record: Mapping[str, Any], trained_on: TrainedOn, scores: Sequence[Score]
) -> str:
    """Return the card for a repository without one."""
    head: dict[str, Any] = {"library_name": "transformers"}
    if not is_local_base(record):
        head["base_model"] = str(record["recipe"]["model"])
    if trained_on.repo:
        head["datasets"] = [trained_on.repo]
    head["tags"] = ["curator", str(record["recipe"].get("train", ""))]
    written = hide_base(_written_card(folder), record)
    body = "\n".join([BEGIN, written, *_dataset_section(trained_on), *_score_section(scores), END])
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    return "\n".join(["---", *lines, "---", "", body, ""])


def is_local_base(record: Mapping[str, Any]) -> bool:
    """Return whether a model was trained from a folder, and not from a model on the Hub."""
    base = str(record["recipe"]["model"])
    started = record["data"].get("model_record_sha256")
    return bool(started) or not _HUB_ID.fullmatch(base) or Path(base).exists()


def hide_base(text: str, record: Mapping[str, Any]) -> str:
    """Return a text, or JSON, with the path of a local base model replaced by the folder's name.

    The name of a run stands for its subfolder `model`.
    """
    base = str(record["recipe"]["model"])
    if "/" not in base or not is_local_base(record):
        return text
    path = Path(base)
    name = (path.parent if path.name == "model" else path).name or "model"
    for shown in (base, json.dumps(base)[1:-1], base[:MAX_SHOWN]):
        text = text.replace(shown, name)
    return text


def _written_card(folder: Path) -> str:
    """Return the text of the card that the training wrote, without its head and without marks."""
    try:
        text = (folder / "README.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return "# Model\n"
    text = _HEAD.sub("", text, count=1)
    return text.replace(BEGIN, "").replace(END, "").strip() + "\n"


def _dataset_section(release: TrainedOn) -> list[str]:
    lines = ["## Training data", ""]
    if not release.version:
        return [*lines, "Trained on a file that states no version; its digest is above.", ""]
    lines.append(f"- version: `{_plain(release.version)}`")
    lines.append(f"- digest: `{release.digest}`")
    if release.repo:
        link = f"https://huggingface.co/datasets/{release.repo}/tree/{release.revision}"
        lines.append(f"- dataset: [{release.repo}]({link}), commit `{release.revision}`")
        lines.append(f"- fetch and validate it: `curator pull {release.repo}@{release.revision}`")
    else:
        lines.append("- dataset on the Hub: not stated")
    return [*lines, ""]


def _score_section(scores: Sequence[Score]) -> list[str]:
    lines = ["## Evaluation", ""]
    if not scores:
        return [*lines, "No evaluation was published with this model.", ""]
    names = ", ".join(dict.fromkeys(for_markdown(each.name) for each in scores))
    lines += [
        f"Measured by `curator evaluate` as {names}, as the publisher states. Answers are graded "
        "by Curator's rules. Intervals are bootstraps over problems; SE is the standard error if "
        "the same problems were sampled again.",
        "",
        "| set | metric | problems | score | 95% interval | SE |",
        "|---|---|---:|---:|---|---:|",
    ]
    for each in scores:
        metric = each.metric
        if metric == "Pass@1" and each.samples > 1:
            metric = f"Pass@1 = avg@{each.samples}"
        error = "" if each.standard_error is None else f"{each.standard_error:.1%}"
        lines.append(
            f"| {for_markdown(each.group)} | {for_markdown(metric)} | {each.problems:,} | "
            f"{each.share:.1%} | {each.low:.1%} to {each.high:.1%} | {error} |"
        )
    return [*lines, ""]


def _plain(text: str) -> str:
    """Return a text that cannot end Markdown code."""
    return text.replace("`", "'").replace("|", "/")[:200]
