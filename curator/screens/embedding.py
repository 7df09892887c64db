"""Questions that say the same in other words, found by a sentence-embedding model.

In: questions that are there, then candidates in order. Out: for each candidate the nearest question
and its cosine. The model runs on this machine, through transformers (extra `train`): a folder or
the id of one on the Hub, BERT-like, mean-pooled, as all-MiniLM or E5 are. No remote code is run.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from curator.core.errors import UsageError

BATCH = 64
LONGEST = 256
"""Tokens of a question; more are cut off."""

Vectors = np.ndarray[Any, np.dtype[np.float32]]


class Embedder:
    """A model that is loaded when it is made; `vectors` are of length 1, a row a text."""

    def __init__(self, model: str) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError:
            raise UsageError(
                "An embedding model needs torch and transformers: pip install 'mathcurator[train]'"
            ) from None
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._model = AutoModel.from_pretrained(model, use_safetensors=True).eval()
        except (OSError, ValueError) as error:
            why = " ".join(str(error).split())[:200]
            raise UsageError(f"No embedding model at '{model}': {why}") from None
        self._torch = torch

    def vectors(self, texts: Iterable[str]) -> Vectors:
        """float32, (texts, dimensions)."""
        source, found = iter(texts), list[Vectors]()
        while batch := list(islice(source, BATCH)):
            found.append(self._pooled(batch))
        return np.concatenate(found) if found else np.zeros((0, 1), np.float32)

    def _pooled(self, texts: Sequence[str]) -> Vectors:
        given = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        )
        with self._torch.no_grad():
            hidden = self._model(**given).last_hidden_state
        mask = given["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        unit: Vectors = self._torch.nn.functional.normalize(pooled).numpy().astype(np.float32)
        return unit


def nearest(
    existing: Vectors, candidates: Vectors, above: float
) -> Iterator[tuple[float, int] | None]:
    """For each candidate its cosine with the nearest vector and the place of that one, if at least
    `above`; else None, and the candidate joins those that later ones are compared with.

    Places count `existing` first, then candidates, taken or not.
    """
    taken: list[int] = []
    for place, vector in enumerate(candidates):
        scores = existing @ vector if len(existing) else np.zeros(0, np.float32)
        ours = candidates[taken] @ vector if taken else np.zeros(0, np.float32)
        best = float(max(scores.max(initial=-1), ours.max(initial=-1)))
        if best < above:
            taken.append(place)
            yield None
        elif scores.max(initial=-1) >= ours.max(initial=-1):
            yield best, int(scores.argmax())
        else:
            yield best, len(existing) + taken[int(ours.argmax())]
