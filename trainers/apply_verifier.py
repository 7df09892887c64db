"""Scores solutions with a trained verifier, from 0 to 1.

In: the folder of a verifier, questions with solutions. Out: S = p(correct) / (p(correct) +
p(incorrect)) for the next word; for the pairwise loss, the sigmoid of the reward, which ranks
solutions but is not a probability.
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
from trainers.pairs import format_question

ENDING = "The candidate solution is"
PROMPT = "Problem:\n{question}\n\nCandidate solution:\n{solution}\n\n" + ENDING
"""Prompt of a verifier (Liu et al., section 3.2)."""
BATCH = 16
PROBLEMS = 64
"""Number of problems per call of the scorer."""


def encode_prompts(tokenizer: Any, texts: Sequence[tuple[str, str]]) -> list[list[int]]:
    """Return the token ids of questions with solutions, without an end token.

    Lone surrogates, which tokenizers reject, become question marks.
    """
    filled = [
        PROMPT.format(question=question, solution=text).encode("utf-8", "replace").decode()
        for question, text in texts
    ]
    rows: list[list[int]] = tokenizer(filled, verbose=False)["input_ids"] if filled else []
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
    """A verifier in memory, on a GPU if there is one."""

    def __init__(self, folder: Path, loss: str = "", max_length: int = 0) -> None:
        """Load a folder that `train_verifier` wrote; its record states loss and length.

        Raises UsageError if it is not a verifier, or packages are missing.
        """
        if not loss:
            loss, max_length = _read_record(folder)
        try:
            import torch
        except ImportError:
            raise UsageError(
                "A verifier needs torch and transformers. Run: pip install 'mathcurator[train]'"
            ) from None
        gpu = torch.cuda.is_available()
        load = load_reward if loss == "pairwise" else load_causal
        self._tokenizer = load_tokenizer(str(folder))
        self._words = None if loss == "pairwise" else verdict_tokens(self._tokenizer)
        self._max_length = max_length
        self._model = load(str(folder), dtype="bfloat16" if gpu else "float32")
        self._model.to("cuda" if gpu else "cpu").eval()
        self.too_long = 0
        """Number of solutions that were too long and got the score 0."""

    def score(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """Return the score of each (question, solution)."""
        ids = encode_prompts(self._tokenizer, texts)
        order = [n for n in range(len(ids)) if len(ids[n]) <= self._max_length]
        self.too_long += len(ids) - len(order)
        order.sort(key=lambda place: len(ids[place]))
        scores = [0.0] * len(ids)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            rows = [ids[n] for n in places]
            found = score_batch(self._model, rows, self._tokenizer.pad_token_id, self._words)
            for place, score in zip(places, found, strict=True):
                scores[place] = score
        return scores


def score_batch(
    model: Any, rows: Sequence[list[int]], pad: int, words: tuple[int, int] | None
) -> list[float]:
    """Return the scores of tokenized prompts; `words` are the verdict tokens, None for rewards."""
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    device = next(model.parameters()).device
    with torch.no_grad():  # FSDP cannot gather weights in inference mode
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits.float()
    if words is None:
        gaps = logits[:, 0]
    else:
        last = logits[torch.arange(len(rows)), [len(row) - 1 for row in rows]]
        gaps = last[:, words[0]] - last[:, words[1]]
    return [float(score) for score in torch.sigmoid(gaps).cpu()]


def score_samples(problems: Iterable[SampledProblem], scorer: Scorer) -> Iterator[SampledProblem]:
    """Yield the problems in order, with scores in their samples; equal texts are scored once."""
    rest = iter(problems)
    while some := list(islice(rest, PROBLEMS)):
        questions = [(format_question(each.question, each.choices), each) for each in some]
        texts = list(dict.fromkeys((q, s.text) for q, each in questions for s in each.samples))
        scores = dict(zip(texts, scorer.score(texts), strict=True))
        for q, each in questions:
            samples = tuple(replace(s, score=scores[q, s.text]) for s in each.samples)
            yield replace(each, samples=samples)


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
