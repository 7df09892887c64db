"""Checks trainings on a GPU in at most eight minutes: attention, packing, kernels, vLLM, memory.

    python bench/gpu_check.py [--device cuda] [--model FOLDER] [--folder DIR] [--json FILE]

In: nothing; without --model, a Llama of 550M parameters with random weights is made. Out: a table
and JSON with the outcome of each check, tokens per second, and the peak memory beside preflight's
estimate. Each check is `curator train preflight --try`, in a process of its own: three real
optimizer steps. Exit code 1 if a check fails or there is no GPU. `--device cpu` runs the same
script with a tiny model in fp32; its memory is that of the process, which the estimate leaves out.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from results import Figure, add_json_option

SECONDS = 480
"""Time limit of all checks together."""
LEAST = 15
"""Seconds below which no further check is started."""
ROWS = 400
SIZES = {
    "cuda": {"hidden_size": 1536, "intermediate_size": 4096, "num_hidden_layers": 16},
    "cpu": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2},
}
SAME = 0.02
"""Largest relative difference of a packed training's losses from the padded one's."""
PACKAGES = ("torch", "transformers", "trl", "flash-attn", "liger-kernel", "vllm")
CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@dataclass(frozen=True)
class Outcome:
    """The result of a check."""

    name: str
    outcome: str
    """`ok`, `skipped` or `failed`, with the reason."""
    tokens_per_second: float | None = None
    memory: float | None = None
    """Peak GiB of the largest process."""
    estimate: float | None = None
    """GiB that preflight estimates."""
    useful: float | None = None
    losses: tuple[float, ...] = ()


def list_checks(device: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield name, keys of the recipe and the package that each check needs."""
    kernels = {"eager": "", "sdpa": "", "flash_attention_2": "flash_attn"}
    for attention, package in kernels.items():
        if attention == "flash_attention_2" and device == "cpu":
            continue
        for packing in (False, True):
            keys = {"train": "sft", "speed": {"attention": attention, "packing": packing}}
            yield f"sft {attention}{' packed' if packing else ''}", keys, package
    for loss in ("cross-entropy", "margin", "pairwise"):
        yield f"verifier {loss}", {"train": "verifier", "loss": loss, "per_problem": 4}, ""
    yield "sft liger", {"train": "sft", "speed": {"liger": True}}, "liger_kernel"
    if device != "cpu":
        yield "sft compile", {"train": "sft", "speed": {"compile": True}}, ""
    yield "dpo", {"train": "dpo"}, ""
    yield "kto", {"train": "kto"}, ""
    yield "grpo", {"train": "grpo", "group": 4, "max_answer": 32}, ""


def write_data(folder: Path) -> None:
    """Write sums in the formats of each kind of training; the lengths of rows vary."""
    files: dict[str, list[dict[str, Any]]] = {"sft": [], "dpo": [], "kto": [], "grpo": []}
    for n in range(ROWS):
        prompt, more = f"{n % 20} + {n // 20}?", " so" * (n * 37 % 120)
        right, wrong = (f"{more} The answer is {n % 20 + n // 20 + off}." for off in (0, 9))
        files["sft"].append({"prompt": prompt, "completion": right})
        files["dpo"].append({"prompt": prompt, "chosen": right, "rejected": wrong})
        for text, label in ((right, True), (wrong, False)):
            files["kto"].append({"prompt": prompt, "completion": text, "label": label})
        files["grpo"].append({"prompt": prompt, "solution": str(n % 20 + n // 20), "choices": []})
    files["verifier"] = files["dpo"]
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def make_model(folder: Path, device: str) -> Path:
    """Write a Llama with random weights and a tokenizer of words."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    pattern = Regex(r" ?[A-Za-z]+|\d+|[^A-Za-z\d]")
    words.pre_tokenizer = pre_tokenizers.Split(pattern, "isolated")
    words.decoder = decoders.Fuse()
    special = ["<unk>", "<s>", "</s>"]
    texts = [
        "<user><assistant>\n:? Problem Candidate solution The candidate solution is correct",
        " incorrect so The answer is 1 + 1? .",
        *map(str, range(60)),
    ]
    words.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=special))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32_000 if device == "cuda" else len(tokenizer),
        num_attention_heads=SIZES[device]["hidden_size"] // 64 * 2,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        **SIZES[device],
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


class CheckFailed(Exception):
    """A command did not end in time, or failed; the message is one line."""


def run_limited(command: list[str], seconds: float) -> str:
    """Return what a command prints. Its children, which hold its output open, end with it."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as running:
        try:
            stdout, stderr = running.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(running.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CheckFailed(f"no result within {seconds:.0f} s") from None
            raise
    if running.returncode:
        last = stderr.strip().splitlines()[-1:] or ["no message"]
        raise CheckFailed(last[0][:200])
    return stdout


def try_recipe(name: str, recipe: Path, seconds: float) -> Outcome:
    """Return the outcome of `curator train preflight --try` for a recipe."""
    command = [sys.executable, "-m", "curator", "train", "preflight", str(recipe), "--try"]
    try:
        stdout = run_limited([*command, "--json"], seconds)
    except CheckFailed as error:
        return Outcome(name, f"failed: {error}")
    (found,) = json.loads(stdout[stdout.index("[") :])
    trial = found["trial"]
    finite = all(map(math.isfinite, trial["losses"]))
    return Outcome(
        name,
        "ok" if finite else "failed: a loss is not a number",
        trial["tokens_per_second"],
        max(trial["memory"]),
        sum(found["memory"].values()),
        trial["useful"],
        tuple(trial["losses"]),
    )


def sample_with_vllm(model: Path, seconds: float) -> Outcome:
    """Return the outcome of sampling 32 answers with vLLM, in a process of its own."""
    name = "vllm sampling"
    if not find_spec("vllm"):
        return Outcome(name, "skipped: vllm is not installed")
    try:
        stdout = run_limited([sys.executable, __file__, "--sample", str(model)], seconds)
    except CheckFailed as error:
        return Outcome(name, f"failed: {error}")
    return Outcome(name, "ok", float(stdout.split()[-1]))


def sample(model: str) -> None:
    """Print the tokens per second of vLLM, without the time to load the model."""
    from vllm import LLM, SamplingParams

    engine = LLM(model=model, max_model_len=512, gpu_memory_utilization=0.6)
    wanted = SamplingParams(max_tokens=64, temperature=1.0, ignore_eos=True)
    start = time.perf_counter()
    replies = engine.generate([f"{n} + {n}?" for n in range(32)], wanted)
    tokens = sum(len(reply.outputs[0].token_ids) for reply in replies)
    print(tokens / (time.perf_counter() - start))


def run_checks(model: Path, folder: Path, device: str, only: str) -> Iterator[Outcome]:
    """Yield the outcome of each check; after the time limit, the rest is skipped."""
    end = time.monotonic() + SECONDS
    padded: dict[str, Outcome] = {}
    for name, keys, package in list_checks(device):
        left = end - time.monotonic()
        if only not in name:
            continue
        if package and not find_spec(package):
            yield Outcome(name, f"skipped: {package} is not installed")
            continue
        if left < LEAST:
            yield Outcome(name, "skipped: the time is up")
            continue
        kind = keys["train"]
        data = {"samples" if kind == "verifier" else "release": str(folder / f"{kind}.jsonl")}
        values = {"name": "check", "about": "A check", "model": str(model), "template": "chat"}
        values |= {"learning_rate": 1e-5, "steps": 3, "batch": 32, "micro_batch": 8}
        values |= {"max_length": 512, "precision": "bf16" if device == "cuda" else "fp32"}
        if kind == "verifier":
            del values["template"]
        recipe = folder / "recipe.json"
        recipe.write_text(json.dumps({**values, **data, "output": str(folder / "run"), **keys}))
        found = try_recipe(name, recipe, left)
        other = padded.setdefault(name.removesuffix(" packed"), found)
        pairs = zip(found.losses, other.losses, strict=False)
        if any(abs(one - two) > SAME * abs(two) for one, two in pairs):
            text = f"failed: losses {found.losses}, without packing {other.losses}"
            found = Outcome(name, text, losses=found.losses)
        yield found
    if only not in "vllm sampling":
        return
    left = end - time.monotonic()
    late = Outcome("vllm sampling", "skipped: the time is up")
    yield sample_with_vllm(model, left) if left >= LEAST else late


def describe(one: Outcome) -> str:
    """Return a line of the table."""
    numbers = (one.tokens_per_second, one.memory, one.estimate)
    columns = ["-" if number is None else f"{number:,.2f}" for number in numbers]
    useful = "-" if one.useful is None else f"{one.useful:.1%}"
    cells = "".join(f"{text:>14}" for text in (*columns, useful))
    return f"{one.name:30}{cells}  {one.outcome}"


def write_json(file: Path | None, device: str, found: list[Outcome]) -> None:
    """Write the outcomes, and those with numbers as figures for `compare.py`."""
    if not file:
        return
    figures = []
    for one in found:
        if one.tokens_per_second is not None:
            figures.append(Figure(f"{one.name}, speed", one.tokens_per_second, "tokens/s"))
        if one.memory is not None and one.estimate:
            ratio = one.memory / one.estimate
            figures.append(Figure(f"{one.name}, memory", one.memory, "GiB", ratio))
    content = {
        "device": device,
        "packages": {name: find_version(name) for name in PACKAGES},
        "checks": [asdict(one) for one in found],
        "figures": [asdict(figure) for figure in figures],
    }
    file.write_text(json.dumps(content, indent=1) + "\n")


def find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="Model to train.")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="For files; 20 GB on a GPU.")
    parser.add_argument("--only", default="", metavar="TEXT", help="Checks whose name has TEXT.")
    parser.add_argument("--sample", metavar="FOLDER", help=argparse.SUPPRESS)
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.sample:
        sample(arguments.sample)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the running check ends, too
    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("No GPU was found, so nothing was checked. On a CPU: --device cpu", file=sys.stderr)
        return 1
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU"
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        write_data(folder)
        model = arguments.model or make_model(folder / "model", arguments.device)
        head = ("tokens/s", "GiB", "GiB estimated", "useful share")
        print(f"{device:30}{''.join(f'{text:>14}' for text in head)}  outcome")
        found = []
        for one in run_checks(model, folder, arguments.device, arguments.only):
            print(describe(one), flush=True)
            found.append(one)
    write_json(arguments.json, device, found)
    return int(any(one.outcome.startswith("failed") for one in found))


if __name__ == "__main__":
    sys.exit(main())
