"""A trained verifier at work: scores from 0 to 1 of solutions, kept in files of samples.

In: the folder of a verifier, questions with solutions. Out: for the paper's two losses
S = p(correct) / (p(correct) + p(incorrect)) of the next word; for the pairwise one the sigmoid of
the reward, which orders solutions but is no probability.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from curator.core.samples import SampledProblem
from trainers.models import load_causal, load_reward, load_tokenizer
from trainers.pairs import question

ENDING = "The candidate solution is"
PROMPT = "Problem:\n{question}\n\nCandidate solution:\n{solution}\n\n" + ENDING
"""What a verifier reads (Liu et al., section 3.2)."""
BATCH = 16
PROBLEMS = 64
"""Problems that are scored at once."""


def prompts(tokenizer: Any, texts: Sequence[tuple[str, str]]) -> list[list[int]]:
    """Token ids of questions with solutions; a tokenizer's own end token is left away.

    Lone surrogates, which no tokenizer takes, are read as question marks.
    """
    written = [
        PROMPT.format(question=asked, solution=text).encode("utf-8", "replace").decode()
        for asked, text in texts
    ]
    found: list[list[int]] = tokenizer(written, verbose=False)["input_ids"] if written else []
    end = tokenizer.eos_token_id
    return [ids[:-1] if ids[-1] == end else ids for ids in found]


def verdict_tokens(tokenizer: Any) -> tuple[int, int]:
    """The tokens that say correct and incorrect after the prompt: where the two first differ.

    Raises UsageError if the tokenizer writes them alike.
    """
    written = [f"{ENDING} correct", f"{ENDING} incorrect"]
    one, other = tokenizer(written, add_special_tokens=False, verbose=False)["input_ids"]
    for correct, incorrect in zip(one, other, strict=False):
        if correct != incorrect:
            return correct, incorrect
    raise UsageError("The model's tokenizer has no different tokens for correct and incorrect")


class Scorer:
    """A verifier in memory, on a GPU if there is one."""

    def __init__(self, folder: Path, loss: str = "", max_length: int = 0) -> None:
        """Loads a folder that `train_verifier` wrote; loss and length are in its record.

        Raises UsageError if it is no verifier, or the packages are not there.
        """
        if not loss:
            loss, max_length = _recorded(folder)
        try:
            import torch
        except ImportError:
            raise UsageError(
                "A verifier needs torch and transformers: pip install 'mathcurator[train]'"
            ) from None
        gpu = torch.cuda.is_available()
        load = load_reward if loss == "pairwise" else load_causal
        self._reward = loss == "pairwise"
        self._tokenizer = load_tokenizer(str(folder))
        self._words = None if self._reward else verdict_tokens(self._tokenizer)
        self._longest = max_length
        self._device = "cuda" if gpu else "cpu"
        self._model = load(str(folder), dtype="bfloat16" if gpu else "float32")
        self._model.to(self._device).eval()
        self.too_long = 0
        """Solutions that were too long to be read, and have the score 0."""

    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """The score of each solution of a question."""
        ids = prompts(self._tokenizer, texts)
        order = [n for n in range(len(ids)) if len(ids[n]) <= self._longest]
        self.too_long += len(ids) - len(order)
        order.sort(key=lambda place: len(ids[place]))
        found = [0.0] * len(ids)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            for place, score in zip(places, self._batch([ids[n] for n in places]), strict=True):
                found[place] = score
        return found

    def _batch(self, rows: list[list[int]]) -> list[float]:
        import torch

        width = max(map(len, rows))
        pad = self._tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            logits = self._model(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            ).logits.float()
        if self._words is None:
            gaps = logits[:, 0]
        else:
            last = logits[torch.arange(len(rows)), [len(row) - 1 for row in rows]]
            gaps = last[:, self._words[0]] - last[:, self._words[1]]
        return [float(score) for score in torch.sigmoid(gaps).cpu()]


def scored(problems: Iterable[SampledProblem], scorer: Scorer) -> Iterator[SampledProblem]:
    """The same problems in order, their samples with scores; equal texts are read once."""
    rest = iter(problems)
    while some := list(islice(rest, PROBLEMS)):
        asked = [(question(each.question, each.choices), each) for each in some]
        texts = list(dict.fromkeys((q, s.text) for q, each in asked for s in each.samples))
        found = dict(zip(texts, scorer.scores(texts), strict=True))
        for q, each in asked:
            samples = tuple(replace(s, score=found[q, s.text]) for s in each.samples)
            yield replace(each, samples=samples)


def _recorded(folder: Path) -> tuple[str, int]:
    path = folder / "training.json"
    try:
        recipe = json.loads(path.read_bytes())["recipe"]
        if recipe["train"] == "verifier":
            return str(recipe["loss"]), int(recipe["max_length"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise UsageError(
        f"{folder} is no verifier: expected the folder 'model' of a run of 'curator train verifier'"
    )
