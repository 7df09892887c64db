"""Models and tokenizers from a folder or the Hub: safetensors and built-in code only.

In: a model's name as a recipe gives it. Out: a tokenizer, a model, or one UsageError. No pickled
weights and no code of a repository are ever loaded.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curator.core.errors import UsageError

if TYPE_CHECKING:
    from trainers.recipe import Training


def load_tokenizer(name: str, revision: str = "") -> Any:
    """The tokenizer of a model; pads with its end token if it has no other."""
    from transformers import AutoTokenizer

    tokenizer = _loaded(AutoTokenizer.from_pretrained, name, revision)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_causal(name: str, revision: str = "", dtype: str = "float32") -> Any:
    """A model that writes text."""
    from transformers import AutoModelForCausalLM

    return _loaded(
        AutoModelForCausalLM.from_pretrained, name, revision, dtype=dtype, use_safetensors=True
    )


def load_reward(name: str, revision: str = "", dtype: str = "float32") -> Any:
    """A model that gives one number a text; its head is new if the model was none."""
    from transformers import AutoModelForSequenceClassification

    return _loaded(
        AutoModelForSequenceClassification.from_pretrained,
        name,
        revision,
        dtype=dtype,
        use_safetensors=True,
        num_labels=1,
    )


def dtype(recipe: "Training") -> str:
    """Whole models keep their weights in 32 bits, which bf16 passes need; frozen ones need not."""
    return "bfloat16" if recipe.method == "lora" and recipe.precision == "bf16" else "float32"


def adapters(recipe: "Training", task: str = "CAUSAL_LM") -> Any:
    """peft's configuration of the adapters; None where all weights are trained."""
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


def config_of(name: str) -> dict[str, Any]:
    """`config.json` of a local model; empty if there is none that can be read."""
    try:
        found = json.loads((Path(name) / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _loaded(load: Callable[..., Any], name: str, revision: str, **options: Any) -> Any:
    if revision:
        options["revision"] = revision
    # A folder that is not there would be asked for on the Hub.
    if name.startswith((".", os.sep, "runs/")) and not Path(name).is_dir():
        raise UsageError(f"No model at {name}: expected a folder with config.json")
    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return load(name, trust_remote_code=False, **options)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        ImportError,
        RuntimeError,  # weights of other shapes than the config's
        SafetensorError,
    ) as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError(
            f"Cannot load the model {name}: {why} (safetensors and built-in code only)"
        ) from None
