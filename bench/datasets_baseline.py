"""Does the benchmark's job with Hugging Face `datasets`, in straightforward code.

    python bench/datasets_baseline.py MIRROR OUT.jsonl

In: a mirror from `make_rows.py`. Out: JSON lines, deduplicated by normalised text, without
questions that share 13 words with an evaluation set or equal one of its short questions, sampled by
source. It has no verdicts, versions or resuming; it is the baseline for time and memory.
"""

import argparse
import json
import random
import re
import tempfile
from hashlib import md5
from pathlib import Path
from typing import Any

import datasets
from make_rows import evaluation_questions
from text import REQUESTS

NGRAM, PROCESSES, SEED = 13, 2, 0
SHARES = {"data/CoT/aqua_rat.json": 0.8, "data/CoT/math50k_camel.json": 0.8}
"""Share of a source to keep; other sources are kept completely."""

SPACE = re.compile(r"\s+")
WORD = re.compile(r"[^\W\d_]+|[0-9]+(?:\.[0-9]+)?")
CLOSING = [request.lower() for request in REQUESTS]

Batch = dict[str, list[Any]]


def question_of(instruction: str) -> str:
    """Return the question without choices and closing request, in lower case."""
    question = instruction.lower().split("answer choices:")[0]
    for request in CLOSING:
        question = question.replace(request, "")
    return question


def ngrams_of(question: str) -> list[str]:
    """Return the n-grams of a question; for a short question, its text without white space."""
    words = WORD.findall(question)
    if len(words) < NGRAM:
        return [SPACE.sub("", question).rstrip(".?!")]
    return [" ".join(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)]


class AddKeys:
    """Adds a hash of the normalised text, and whether an evaluation set contains the question."""

    def __init__(self, tests: set[str]) -> None:
        self._tests = tests

    def __call__(self, batch: Batch) -> Batch:
        keys, leaks = [], []
        for instruction, output in zip(batch["instruction"], batch["output"], strict=True):
            text = f"{instruction}\0{output}".lower()
            keys.append(md5(SPACE.sub("", text).encode()).digest())
            leaks.append(not self._tests.isdisjoint(ngrams_of(question_of(instruction))))
        return {"key": keys, "leak": leaks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("mirror", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    tests = {
        gram
        for _, _, question in evaluation_questions(arguments.mirror / "evals")
        for gram in ngrams_of(question_of(question))
    }
    file = str(arguments.mirror / "sources/mathinstruct/MathInstruct.json")
    with tempfile.TemporaryDirectory(dir=arguments.out.parent) as cache:
        rows = datasets.load_dataset("json", data_files=file, split="train", cache_dir=cache)
        rows = rows.map(AddKeys(tests), batched=True, num_proc=PROCESSES)
        # Read whole columns before any selection: reading through indices is many times slower.
        leaks, keys, sources = (rows.data.column(n).to_pylist() for n in ("leak", "key", "source"))
        clean = [n for n, leak in enumerate(leaks) if not leak]
        first: dict[bytes, int] = {}
        for n in clean:
            first.setdefault(keys[n], n)
        by_source: dict[str, list[int]] = {}
        for n in first.values():
            by_source.setdefault(sources[n], []).append(n)
        generator = random.Random(SEED)
        kept = [
            n
            for source, places in sorted(by_source.items())
            for n in generator.sample(places, round(SHARES.get(source, 1.0) * len(places)))
        ]
        mixed = rows.select(sorted(kept)).remove_columns(["key", "leak"])
        mixed.to_json(arguments.out, num_proc=PROCESSES, force_ascii=False)
    counts = {"rows": len(rows), "contaminated": len(rows) - len(clean),
            "duplicates": len(clean) - len(first), "kept": len(kept)}  # fmt: skip
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
