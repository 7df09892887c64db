"""Finds keys of a training recipe that are valid by themselves, but not together."""

from collections.abc import Iterator, Mapping
from typing import Any

from curator.recipe.keys import Loc
from curator.recipe.yaml_document import Document

KEEP_REFERENCE = ("dpo", "kto", "grpo")
"""Kinds of training that compare with a start model."""


def cross_key_errors(values: Mapping[str, Any], document: Document, loc: Loc) -> list[str]:
    """Return the errors of a training whose keys are at `loc`, each with its line."""
    found = [*_sizes(values), *_sharding(values), *_packing(values), *_grpo(values)]
    return [f"{document.place((*loc, key))}: {error}" for key, error in found]


def _sizes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    batch, micro = values.get("batch", 128), values.get("micro_batch", 1)
    if isinstance(batch, int) and isinstance(micro, int) and micro > 0 and batch % micro:
        yield "batch", f"batch {batch} is not a multiple of micro_batch {micro}"
    if values.get("train") == "kto" and micro == 1:
        yield "micro_batch", "micro_batch: expected 2 or more, because KTO compares its rows"


def _sharding(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = values.get("train")
    if values.get("sharding", "none") == "none":
        return
    if values.get("method") == "lora":
        yield "sharding", "sharding: expected none, because method is lora"
    elif kind in KEEP_REFERENCE:
        yield (
            "sharding",
            f"sharding: expected none, because the reference model of {kind} is not sharded. Use "
            "method: lora for a model that does not fit",
        )


def _packing(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    speed = values.get("speed")
    if not isinstance(speed, Mapping) or speed.get("packing") is not True:
        return
    flash = str(speed.get("attention")).startswith("flash_attention")
    if values.get("train") != "sft":
        yield "speed", "packing: expected false, because only sft can pack rows"
    elif values.get("sharding", "none") != "none" and not flash:
        yield (
            "speed",
            "packing: expected attention: flash_attention_2 beside it, because rows of a sharded "
            "model cannot be tested for seeing each other",
        )


def _grpo(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if values.get("train") != "grpo":
        return
    batch, group = values.get("batch", 128), values.get("group", 8)
    if isinstance(batch, int) and isinstance(group, int) and group > 0 and batch % group:
        yield "batch", f"batch {batch} is not a multiple of group {group}"
    longest, answer = values.get("max_length", 2048), values.get("max_answer", 512)
    if isinstance(longest, int) and isinstance(answer, int) and answer >= longest:
        yield "max_answer", f"max_answer {answer} leaves no prompt within max_length {longest}"
