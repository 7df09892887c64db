"""Loads models and tokenizers from a folder or the Hub: as data, never as code.

In: a name. Out: a tokenizer or a model of transformers, or UsageError. Weights are safetensors
alone, so that nothing is unpickled; classes are those of the installed transformers. A chat
template is Jinja text, which transformers renders in Jinja's sandbox.

Not covered: faults in the parsers of these files (safetensors, tokenizers, sentencepiece), and a
model that is too large or too slow.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError

PATHS = (".", os.sep, "runs/")
"""Beginnings of names that are folders and never ids on the Hub."""


def load_tokenizer(name: str, revision: str = "") -> Any:
    """Load a tokenizer. Raises UsageError if it is missing, damaged, or needs code of its own."""
    with _wrap_errors(name):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(
            name, revision=revision or "main", trust_remote_code=False
        )


def load_model(auto_class: str, name: str, revision: str = "", **options: Any) -> Any:
    """Load a model with a class of transformers, such as `AutoModel`.

    Raises UsageError if it is missing, damaged, pickled, an adapter, or needs code of its own.
    """
    with _wrap_errors(name):
        import transformers

        revision = revision or "main"
        _check_files(name, revision)
        return getattr(transformers, auto_class).from_pretrained(
            name,
            revision=revision,
            trust_remote_code=False,
            use_safetensors=True,
            weights_only=True,
            **options,
        )


def make_empty_model(auto_class: str, name: str, revision: str = "", **options: Any) -> Any:
    """Make a model like `load_model` does, without reading its weights.

    For a process that receives them from another one. The parameters are allocated but not written,
    so that they take no memory of the machine. Raises UsageError as `load_model`.
    """
    with _wrap_errors(name):
        import torch
        import transformers
        from accelerate import init_empty_weights
        from accelerate.utils import set_module_tensor_to_device

        config = _check_files(name, revision or "main")
        labels = options.pop("num_labels", None)
        if labels is not None:
            config.num_labels = labels
        # Buffers have content: they are computed, not received.
        with init_empty_weights(include_buffers=False):
            model = getattr(transformers, auto_class).from_config(
                config, trust_remote_code=False, **options
            )
        # Not on the device "meta": optimizers tell parameters apart by their addresses.
        for key, each in list(model.named_parameters()):
            value = torch.empty(each.shape, dtype=each.dtype)
            set_module_tensor_to_device(model, key, "cpu", value=value)
        model.tie_weights()
        return model


def check_served_model(name: str) -> None:
    """Raise UsageError unless `transformers serve` loads a model as `load_model` does.

    It takes any class of transformers that `config.json` names, and pickled weights.
    """
    with _wrap_errors(name):
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        config = _check_files(name, "main")
        known = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type, ())
        classes = (known,) if isinstance(known, str) else known
        if (config.architectures or [""])[0] not in classes:
            raise ValueError(f"the architecture {config.architectures!r:.80} generates no text")
        weights = ("model.safetensors", "model.safetensors.index.json")
        if not any(_find_file(name, each, "main") for each in weights):
            raise ValueError("it has no file model.safetensors")


def _check_files(name: str, revision: str) -> Any:
    """Return the config; raise ValueError if it leads transformers to more than safetensors."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
    # `org/name` is a kernel: compiled code that transformers downloads and runs.
    if kernel := next((each for each in _implementations(config) if "/" in each), ""):
        raise ValueError(f"its config names the attention kernel {kernel[:80]}")
    if _find_file(name, "adapter_config.json", revision):
        raise ValueError("it is an adapter, which names another model. Merge the two")
    if index := _find_file(name, "model.safetensors.index.json", revision):
        shards = json.loads(Path(index).read_bytes())["weight_map"].values()
        if pickled := [each for each in shards if not each.endswith(".safetensors")]:
            raise ValueError(f"its weights are in {pickled[0][:80]}")
    return config


def _implementations(config: Any) -> Iterator[str]:
    """Yield what a config, and each config inside it, names as implementations of layers."""
    from transformers import PreTrainedConfig

    for key, value in vars(config).items():
        if "implementation" in key:
            yield str(value)
        elif isinstance(value, PreTrainedConfig):
            yield from _implementations(value)


def _find_file(name: str, file: str, revision: str) -> str | None:
    from transformers.utils import cached_file

    try:
        path: str | None = cached_file(name, file, revision=revision)
    except OSError:
        return None
    return path


@contextmanager
def _wrap_errors(name: str) -> Iterator[None]:
    # The client would request a missing folder from the Hub.
    if name.startswith(PATHS) and not Path(name).is_dir():
        raise UsageError(f"No model at {name}: expected a folder with config.json")
    try:
        from transformers.utils import logging
    except ImportError:
        raise UsageError(
            "Models need torch and transformers. Run: pip install 'mathcurator[train]'"
        ) from None
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # transformers and its parsers raise errors of every kind
        reason = " ".join(str(error).split())[:300]
        raise UsageError(
            f"Cannot load the model {name}: {reason} (safetensors and built-in code only)"
        ) from None
