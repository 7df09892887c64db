"""Loads models and tokenizers from a folder or the Hub: safetensors and built-in code only.

In: the name of a model in a recipe. Out: a tokenizer or a model, or one UsageError. Pickled weights
and code from repositories are never loaded.
"""

import json
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curator.core import pretrained
from trainers.launch import receives_weights

if TYPE_CHECKING:
    from trainers.recipe import Training


def load_tokenizer(name: str, revision: str = "") -> Any:
    """Load a tokenizer; without a padding token, it pads with the end token."""
    tokenizer = pretrained.load_tokenizer(name, revision)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_causal(name: str, revision: str = "", dtype: str = "float32") -> Any:
    """Load a model that generates text."""
    return _loader()("AutoModelForCausalLM", name, revision, dtype=dtype)


def load_reward(name: str, revision: str = "", dtype: str = "float32") -> Any:
    """Load a model that gives one number per text; other models get a new head for it."""
    return _loader()(
        "AutoModelForSequenceClassification", name, revision, dtype=dtype, num_labels=1
    )


def _loader() -> Callable[..., Any]:
    """Return what loads a model in this process.

    With FSDP2, the first process sends the weights to the others, which need none of their own:
    transformers would load all of them in every process of a machine.
    """
    return pretrained.make_empty_model if receives_weights() else pretrained.load_model


def count_parameters(model: Any) -> int:
    """Return the number of parameters of a model; ZeRO-3's shards state that of the whole."""
    return sum(int(getattr(each, "ds_numel", each.numel())) for each in model.parameters())


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights in a folder, from the headers of its safetensors files.

    Empty without such files, or if one is damaged: a header states the length of its file.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="np") as opened:
                names = opened.keys()
                shapes |= {name: tuple(opened.get_slice(name).get_shape()) for name in names}
        except (SafetensorError, OSError):
            return {}
    return shapes


def count_saved(folder: Path) -> int:
    """Return the number of parameters in the files of a folder."""
    return sum(map(prod, read_shapes(folder).values()))


def stop_at(model: Any, token: int) -> None:
    """Make a model stop generating at a token, as well as at those at which it already stops."""
    known = model.generation_config.eos_token_id
    others = known if isinstance(known, list) else [] if known is None else [known]
    model.generation_config.eos_token_id = list(dict.fromkeys([token, *others]))


def weight_dtype(recipe: "Training") -> str:
    """Return the type of the weights: trained weights need 32 bits, frozen ones may be bf16."""
    return "bfloat16" if recipe.method == "lora" and recipe.precision == "bf16" else "float32"


def lora_config(recipe: "Training", task: str = "CAUSAL_LM") -> Any:
    """Return peft's configuration of the adapters; None if all weights are trained."""
    if recipe.method == "full":
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules="all-linear",
        task_type=task,
    )


def read_config(name: str) -> dict[str, Any]:
    """Return `config.json` of a local model; empty if it is missing or invalid."""
    try:
        config = json.loads((Path(name) / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
