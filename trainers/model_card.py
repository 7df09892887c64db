"""Writes the model card of a trained model: its base model, data and settings.

In: recipe and record of a training. Out: Markdown for README.md. Text from a release is shown as
code, so that it cannot inject Markdown; other text is escaped.
"""

import json
from collections.abc import Mapping
from typing import Any

from curator.core.escape import for_markdown, for_terminal
from curator.core.words import counted, verb
from trainers.recipe import SFT, Preferences, Training, Verifier

LISTS = ("datasets", "tags")
"""Keys of the head whose values are lists, already written as JSON."""


def render_card(recipe: Training, record: Mapping[str, Any]) -> str:
    """Return the card; it depends only on the training."""
    data = record["data"]
    head = {"base_model": recipe.model, "library_name": "transformers"}
    hub = record.get("hub") or {}
    if hub:
        head["datasets"] = json.dumps([hub["repo"]])
    head["tags"] = json.dumps(["curator", str(record["recipe"]["train"])])
    front = [
        f"{key}: {value if key in LISTS else json.dumps(value)}" for key, value in head.items()
    ]
    lines = [
        "---",
        *front,
        "---",
        f"# {for_markdown(recipe.name)}",
        "",
        f"{for_markdown(recipe.about).rstrip('.')}. Trained from {_code(recipe.model)} by Curator.",
        "",
        "## Data",
        "",
        *(
            f"- {for_markdown(key)}: {_code(value)}"
            for key, value in {**data, **_link(hub)}.items()
            if value not in ("", {})
        ),
        "",
        *_token_section(record.get("tokens", {})),
        *_measure_section(record.get("measures", {})),
        *_usage_section(recipe),
        "## Recipe",
        "",
        "```json",
        json.dumps(record["recipe"], indent=1, sort_keys=True),
        "```",
        "",
        f"{record.get('steps', 0):,} optimizer steps. `training.json` in this folder is the full "
        "record, with package versions and losses.",
        "",
    ]
    return "\n".join(lines)


def _link(hub: Mapping[str, str]) -> dict[str, str]:
    """Return the lines of a release on the Hub; none for a local one."""
    if not hub:
        return {}
    return {"dataset": f"{hub['repo']}@{hub['revision']}", "commit": hub["commit"]}


def _token_section(tokens: Mapping[str, Any]) -> list[str]:
    if not tokens:
        return []
    rows = [
        f"| {_code(name or '(none)')} | {share:.1%} |" for name, share in tokens["shares"].items()
    ]
    return [
        f"{counted(tokens['rows'], 'row')} with "
        f"{counted(tokens['answer_tokens'], 'answer token')}, which carried "
        f"loss, and {tokens['prompt_tokens']:,} prompt tokens, which did not. Because of length, "
        f"{counted(tokens['cut'], 'answer')} {verb(tokens['cut'], 'was', 'were')} cut and "
        f"{counted(tokens['left_out'], 'row')} excluded.",
        "",
        "| subset | share of the answer tokens |",
        "|---|---:|",
        *rows,
        "",
    ]


def _measure_section(measures: Mapping[str, Any]) -> list[str]:
    if not measures:
        return []
    plain = {key: value for key, value in measures.items() if not isinstance(value, list)}
    rows = [
        f"| {for_markdown(key.replace('_', ' '))} | {for_markdown(_number(value))} |"
        for key, value in plain.items()
    ]
    return ["## Measures on held-out problems", "", "| measure | value |", "|---|---:|", *rows, ""]


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value}"


def _usage_section(recipe: Training) -> list[str]:
    match recipe:
        case SFT(template="alpaca") | Preferences(template="alpaca"):
            text = (
                "Prompt it with its chat template, which is Alpaca's template without input. It "
                "ends with `### Response:`."
            )
        case SFT() | Preferences():
            text = "Prompt it with its chat template."
        case Verifier():
            text = "Score samples with `curator score SAMPLES --verifier FOLDER`."
        case _:
            text = ""
    if recipe.method == "lora" and not recipe.lora.merge:
        text = (
            f"This folder holds adapters of {_code(recipe.model)}. Load both with peft, or serve "
            f"them with vLLM's `--lora-modules`. {text}"
        )
    return ["## Use", "", text, ""]


def _code(value: Any) -> str:
    """Return a value as Markdown code on one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = for_terminal(" ".join(text.split())).replace("`", "'").replace("|", "/")[:200]
    return f"`{text}`"
