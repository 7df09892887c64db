"""The model card of a trained model: what it is from, what it was trained on, how.

In: recipe and record of a training. Out: Markdown for README.md. What a release names is shown as
code, so that it cannot write the card.
"""

import json
from collections.abc import Mapping
from typing import Any

from trainers.recipe import SFT, Training, Verifier


def card(recipe: Training, record: Mapping[str, Any]) -> str:
    """The card; the same training gives the same text."""
    data = record["data"]
    head = {"base_model": recipe.model, "library_name": "transformers"}
    head["tags"] = json.dumps(["curator", str(record["recipe"]["train"])])
    front = [
        f"{key}: {value if key == 'tags' else json.dumps(value)}" for key, value in head.items()
    ]
    lines = [
        "---",
        *front,
        "---",
        f"# {recipe.name}",
        "",
        f"{_plain(recipe.about)}. Trained from {_code(recipe.model)} by Curator.",
        "",
        "## Data",
        "",
        *(f"- {key}: {_code(value)}" for key, value in data.items() if value not in ("", {})),
        "",
        *_shares(record.get("tokens", {})),
        *_measures(record.get("measures", {})),
        *_use(recipe),
        "## Recipe",
        "",
        "```json",
        json.dumps(record["recipe"], indent=1, sort_keys=True),
        "```",
        "",
        f"{record.get('steps', 0):,} optimizer steps. `training.json` beside this card has all of "
        "it, with the versions of the packages and the losses.",
        "",
    ]
    return "\n".join(lines)


def _shares(tokens: Mapping[str, Any]) -> list[str]:
    if not tokens:
        return []
    rows = [
        f"| {_code(name or '(none)')} | {share:.1%} |" for name, share in tokens["shares"].items()
    ]
    return [
        f"{tokens['rows']:,} rows with {tokens['answer_tokens']:,} answer tokens, which alone "
        f"carried loss, after {tokens['prompt_tokens']:,} prompt tokens. {tokens['cut']:,} answers "
        f"were cut, {tokens['left_out']:,} rows left out for their length.",
        "",
        "| subset | share of the answer tokens |",
        "|---|---:|",
        *rows,
        "",
    ]


def _measures(measures: Mapping[str, Any]) -> list[str]:
    if not measures:
        return []
    plain = {key: value for key, value in measures.items() if not isinstance(value, list)}
    rows = [f"| {key.replace('_', ' ')} | {_number(value)} |" for key, value in plain.items()]
    return ["## Measures on held-out problems", "", "| measure | value |", "|---|---:|", *rows, ""]


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value}"


def _use(recipe: Training) -> list[str]:
    match recipe:
        case SFT(template="alpaca"):
            text = "Ask it with Alpaca's template without input, ending in `### Response:`."
        case SFT():
            text = "Ask it with its chat template."
        case Verifier():
            text = "Score samples with `curator score SAMPLES --verifier FOLDER`."
        case _:
            text = ""
    return ["## Use", "", text, ""]


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _code(value: Any) -> str:
    """Any value as Markdown code on one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    text = text.replace("`", "'").replace("|", "/")[:200]
    return f"`{text}`"
