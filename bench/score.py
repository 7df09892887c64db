"""Compares the scores of a verifier from the last tokens' logits with those from all logits.

    python bench/score.py [--tokens 512] [--vocabulary 128000] [--json FILE]

In: nothing; the model has random weights, two small layers and the vocabulary of a current model.
Out: seconds, CPU seconds and peak memory of a batch of 16 solutions with each method, in processes
of their own, the ratio, and the largest difference of a score. Needs the extra `train`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib.util import find_spec

from results import Figure, add_json_option, write_figures

ROWS = 16
WIDTH = 256
RUNS = 3


def score(method: str, tokens: int, vocabulary: int) -> dict[str, object]:
    """Return seconds and CPU seconds of the fastest runs, peak MB of this process, and scores."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from trainers.apply_verifier import score_batch

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
    )
    model = LlamaForCausalLM(config).eval()
    if method == "all":

        class Plain(LlamaForCausalLM):  # type: ignore[misc]
            """A model without the parameter, which therefore computes all logits."""

            def forward(self, input_ids: object, attention_mask: object) -> object:
                return super().forward(input_ids=input_ids, attention_mask=attention_mask)

        model.__class__ = Plain
    # Lengths of neighbours in a file that is sorted by length.
    rows = [torch.randint(3, vocabulary, (tokens - n // 4,)).tolist() for n in range(ROWS)]
    seconds, cpu, scores = [], [], []
    for _ in range(RUNS):
        start, used = time.perf_counter(), time.process_time()
        scores = score_batch(model, rows, 0, (5, 6))
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": min(seconds), "cpu": min(cpu), "peak": peak, "scores": scores}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tokens", type=int, default=512, help="Tokens of the longest solution.")
    parser.add_argument("--vocabulary", type=int, default=128_000, help="Size of the vocabulary.")
    parser.add_argument("--method", choices=("all", "last"), help="Run one method and print JSON.")
    add_json_option(parser)
    arguments = parser.parse_args()
    if not (find_spec("torch") and find_spec("transformers")):
        print("Scoring was not measured: it needs pip install 'mathcurator[train]'")
        return 0
    if arguments.method:
        print(json.dumps(score(arguments.method, arguments.tokens, arguments.vocabulary)))
        return 0
    sizes = ["--tokens", str(arguments.tokens), "--vocabulary", str(arguments.vocabulary)]
    found = {}
    for method in ("all", "last"):
        command = [sys.executable, __file__, "--method", method, *sizes]
        found[method] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        one = found[method]
        times = f"{one['seconds']:8.2f} s{one['cpu']:8.2f} CPU s"
        print(f"{method:5}{times}{one['peak']:9,.0f} MB")
    pairs = zip(found["all"]["scores"], found["last"]["scores"], strict=True)
    print(f"largest difference of a score: {max(abs(a - b) for a, b in pairs):.1e}")
    ratio = found["last"]["seconds"] / found["all"]["seconds"]
    memory = found["last"]["peak"] / found["all"]["peak"]
    print(f"last over all: {ratio:.3f} of the time, {memory:.3f} of the memory")
    write_figures(
        arguments.json,
        [
            Figure("score, last logits", found["last"]["seconds"], "s", ratio),
            Figure("score, last logits, CPU time", found["last"]["cpu"], "CPU s"),
            Figure("score, last logits, memory", found["last"]["peak"], "MB", memory),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
