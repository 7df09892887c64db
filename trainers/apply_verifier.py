"""Scores solutions with a trained verifier, from 0 to 1.

In: the folder of a verifier, questions with solutions. Out: S = p(correct) / (p(correct) +
p(incorrect)) for the next word; for the pairwise loss, the sigmoid of the reward, which ranks
solutions but is not a probability.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from curator.core.samples import SampledProblem
from trainers.models import load_causal, load_reward, load_tokenizer
from trainers.pairs import format_question

ENDING = "The candidate solution is"
PROMPT = "Problem:\n{question}\n\nCandidate solution:\n{solution}\n\n" + ENDING
"""Prompt of a verifier (Liu et al., section 3.2)."""
BATCH = 16
PROBLEMS = 64
"""Number of problems per call of the scorer."""


def encode_prompts(tokenizer: Any, texts: Sequence[tuple[str, str]]) -> list[list[int]]:
    """Return the token ids of questions with solutions, without an end token.

    Special tokens in a text are plain text. Lone surrogates, which tokenizers reject, become
    question marks.
    """
    filled = [
        PROMPT.format(question=question, solution=text).encode("utf-8", "replace").decode()
        for question, text in texts
    ]
    rows: list[list[int]] = (
        tokenizer(filled, split_special_tokens=True, verbose=False)["input_ids"] if filled else []
    )
    end = tokenizer.eos_token_id
    return [ids[:-1] if ids[-1] == end else ids for ids in rows]


def verdict_tokens(tokenizer: Any) -> tuple[int, int]:
    """Return the tokens of "correct" and "incorrect" after the prompt: the first that differ.

    Raises UsageError if the tokenizer does not distinguish the words.
    """
    endings = [f"{ENDING} correct", f"{ENDING} incorrect"]
    one, other = tokenizer(endings, add_special_tokens=False, verbose=False)["input_ids"]
    for correct, incorrect in zip(one, other, strict=False):
        if correct != incorrect:
            return correct, incorrect
    raise UsageError("The model's tokenizer does not distinguish 'correct' and 'incorrect'")


class Scorer:
    """A verifier in memory: on each GPU of this machine, or on the CPU."""

    def __init__(
        self, folder: Path, loss: str = "", max_length: int = 0, devices: Sequence[str] = ()
    ) -> None:
        """Load a folder that `train_verifier` wrote; its record states loss and length.

        `devices` are names of torch such as `cuda:1`; they share the batches. Raises UsageError if
        it is not a verifier, or packages are missing.
        """
        if not loss:
            loss, max_length = _read_record(folder)
        try:
            import torch
        except ImportError:
            raise UsageError(
                "A verifier needs torch and transformers. Run: pip install 'mathcurator[train]'"
            ) from None
        gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        load = load_reward if loss == "pairwise" else load_causal
        self._tokenizer = load_tokenizer(str(folder))
        self._words = None if loss == "pairwise" else verdict_tokens(self._tokenizer)
        self._max_length = max_length
        dtype = "bfloat16" if gpus else "float32"
        self._models = [
            load(str(folder), dtype=dtype).to(device).eval()
            for device in devices or gpus or ("cpu",)
        ]
        self.too_long = 0
        """Number of solutions that were too long and got the score 0."""

    def score(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """Return the score of each (question, solution)."""
        ids = encode_prompts(self._tokenizer, texts)
        order = [n for n in range(len(ids)) if len(ids[n]) <= self._max_length]
        self.too_long += len(ids) - len(order)
        order.sort(key=lambda place: len(ids[place]))
        scores = [0.0] * len(ids)
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]

        def run(number: int) -> None:
            """Score every n-th batch on one device."""
            for places in batches[number :: len(self._models)]:
                rows, pad = [ids[n] for n in places], self._tokenizer.pad_token_id
                found = score_batch(self._models[number], rows, pad, self._words)
                for place, score in zip(places, found, strict=True):
                    scores[place] = score

        with ThreadPoolExecutor(len(self._models)) as pool:
            list(pool.map(run, range(len(self._models))))
        return scores


def score_batch(
    model: Any, rows: Sequence[list[int]], pad: int, words: tuple[int, int] | None
) -> list[float]:
    """Return the scores of tokenized prompts; `words` are the verdict tokens, None for rewards.

    Of a vocabulary of 128,000 tokens, the logits take far more time and memory than the layers
    below them, so that a model computes those of the last tokens only, if it can.
    """
    import torch

    width = max(map(len, rows))
    ends = [len(row) - 1 for row in rows]
    kept = sorted(set(ends)) if words is not None and _keeps_logits(model) else range(width)
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    device = next(model.parameters()).device
    inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
    if len(kept) < width:
        inputs["logits_to_keep"] = torch.tensor(kept, device=device)
    with torch.no_grad():  # FSDP cannot gather weights in inference mode
        logits = model(**inputs).logits.float()
    if words is None:
        gaps = logits[:, 0]
    else:
        last = logits[torch.arange(len(rows)), [kept.index(end) for end in ends]]
        gaps = last[:, words[0]] - last[:, words[1]]
    return [float(score) for score in torch.sigmoid(gaps).cpu()]


def _keeps_logits(model: Any) -> bool:
    """Return whether a model can limit its logits to given positions."""
    while hasattr(model, "module"):  # DDP, ZeRO
        model = model.module
    if hasattr(model, "get_base_model"):  # adapters
        model = model.get_base_model()
    return "logits_to_keep" in signature(type(model).forward).parameters


def score_samples(
    problems: Iterable[SampledProblem], scorer: Scorer, journal: Path | None = None
) -> Iterator[SampledProblem]:
    """Yield the problems in order, with scores in their samples; equal texts are scored once.

    Scores are written to `journal` as they are computed, and those in it are not computed again.
    """
    rest = iter(problems)
    known = _read_journal(journal) if journal else {}
    while some := list(islice(rest, PROBLEMS)):
        questions = [(format_question(each.question, each.choices), each) for each in some]
        texts = list(dict.fromkeys((q, s.text) for q, each in questions for s in each.samples))
        scores = dict(zip(texts, _score_once(texts, scorer, known, journal), strict=True))
        for q, each in questions:
            samples = tuple(replace(s, score=scores[q, s.text]) for s in each.samples)
            yield replace(each, samples=samples)


def journal_path(target: Path, verifier: Path) -> Path:
    """Return the journal of the scores for a file: hidden, beside it, one per verifier."""
    digest = sha256((verifier / "training.json").read_bytes()).hexdigest()
    return target.with_name(f".{target.name}.scores-{digest[:16]}.jsonl")


def _score_once(
    texts: Sequence[tuple[str, str]], scorer: Scorer, known: Mapping[str, Any], journal: Path | None
) -> list[float]:
    """Return scores from the line of a journal that has these texts, else compute them.

    A line has the scores of one call, so that a resumed process computes the same batches.
    """
    digest = sha256(json.dumps(texts).encode()).hexdigest()
    if digest in known and len(known[digest]["scores"]) == len(texts):
        scorer.too_long += known[digest]["too_long"]
        return list(known[digest]["scores"])
    before = scorer.too_long
    scores = scorer.score(texts)
    if journal:
        line = {"texts": digest, "scores": scores, "too_long": scorer.too_long - before}
        with journal.open("a", encoding="ascii") as file:
            file.write(
                f"\n{json.dumps(line)}"
            )  # the last line may be incomplete, of a killed process
            file.flush()
            os.fsync(file.fileno())
    return scores


def _read_journal(path: Path) -> dict[str, Any]:
    """Return the complete lines of a journal, by the digest of their texts."""
    lines: dict[str, Any] = {}
    if path.exists():
        for line in path.read_bytes().splitlines():
            with suppress(ValueError, LookupError, TypeError):
                row = json.loads(line)
                scores = [float(score) for score in row["scores"]]
                lines[row["texts"]] = {"scores": scores, "too_long": int(row["too_long"])}
    return lines


def _read_record(folder: Path) -> tuple[str, int]:
    path = folder / "training.json"
    try:
        recipe = json.loads(path.read_bytes())["recipe"]
        if recipe["train"] == "verifier":
            return str(recipe["loss"]), int(recipe["max_length"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise UsageError(
        f"{folder} is not a verifier. Choose the folder 'model' of a 'curator train verifier' run."
    )
