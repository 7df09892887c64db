"""Compares the start of a training that encodes its release with the next start, which does not.

    python bench/encoding.py [--rows 30000] [--json FILE]

In: nothing; the release has generated questions and solutions, the tokenizer is trained on them.
Out: wall and CPU seconds (with those of workers) of the first start and of the next one, and their
ratio. The CPU seconds of the same encoding in memory are the baseline of the first start. Needs the
extra `train`.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from results import Figure, add_json_option, write_figures

WORDS = "a bag of apples costs seven dollars more than two pens so we add and multiply to find"


def write_release(path: Path, rows: int) -> None:
    """Write solutions whose lengths vary as those of released datasets do."""
    draw, words = random.Random(0), WORDS.split()
    with path.open("w") as file:
        for number in range(rows):
            sizes = 40, 30 + int(draw.lognormvariate(4.5, 0.8))
            question, solution = (" ".join(draw.choices(words, k=size)) for size in sizes)
            row = {"prompt": f"{question} {number}?", "completion": f"{solution} = {number}."}
            file.write(f"{json.dumps(row)}\n")


def train_tokenizer() -> object:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    words = ByteLevelBPETokenizer()
    words.train_from_iterator([WORDS], vocab_size=400, special_tokens=["</s>"])
    return PreTrainedTokenizerFast(tokenizer_object=words._tokenizer, eos_token="</s>")


def measure(call: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds, with those of processes that ended."""

    def cpu() -> float:
        both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in both)

    wall, before = time.perf_counter(), cpu()
    call()
    return time.perf_counter() - wall, cpu() - before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=30_000, help="Rows of the release.")
    add_json_option(parser)
    arguments = parser.parse_args()
    if not (find_spec("transformers") and find_spec("datasets")):
        print("Encoding was not measured: it needs pip install 'mathcurator[train]'")
        return 0
    from trainers.encoded import load_encoded
    from trainers.recipe import SFT
    from trainers.release import read_release
    from trainers.tokenize import encode, set_template

    tokenizer = train_tokenizer()
    set_template(tokenizer, "alpaca")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_release(path, arguments.rows)
        keys = {"train": "sft", "name": "x", "about": "x", "model": "x", "learning_rate": 1}
        recipe = SFT.model_validate(
            {**keys, "release": str(path), "output": f"{folder}/run", "truncate": "allow"}
        )

        def start() -> None:
            load_encoded(recipe, read_release(path), tokenizer, lambda _: None)

        examples = read_release(path).examples
        found = {
            "in memory": measure(lambda: encode(examples(), tokenizer, 2048, "allow")),
            "first start": measure(start),
            "next start": measure(start),
        }
    print(f"{arguments.rows:,} rows{'wall s':>14}{'CPU s':>9}")
    for name, (wall, cpu) in found.items():
        print(f"{name:14}{wall:10.1f}{cpu:9.1f}")
    first = found["first start"][1] / found["in memory"][1]
    later = found["next start"][1] / found["first start"][1]
    print(f"CPU: first start over encoding in memory {first:.2f}, next over first {later:.3f}")
    write_figures(
        arguments.json,
        [
            Figure("first start", found["first start"][1], "CPU s", first),
            Figure("next start", found["next start"][1], "CPU s", later),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
