"""Finds paraphrases of questions with a sentence-embedding model.

In: existing questions, then candidates in order. Out: for each candidate the nearest question and
its cosine similarity. The model is a BERT-like encoder with mean pooling, such as all-MiniLM or E5:
a folder or an id on the Hub. It runs on this machine through transformers (extra `train`), loaded
as data only.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from curator.core.pretrained import load_model, load_tokenizer

BATCH = 64
MAX_TOKENS = 256
"""Maximum number of tokens per question; longer questions are truncated."""

Vectors = np.ndarray[Any, np.dtype[np.float32]]


class Embedder:
    """A sentence-embedding model, loaded on construction. Raises UsageError if that fails."""

    def __init__(self, model: str) -> None:
        self._tokenizer = load_tokenizer(model)
        self._model = load_model("AutoModel", model).eval()

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Return unit vectors: float32, (texts, dimensions)."""
        source, batches = iter(texts), list[Vectors]()
        while batch := list(islice(source, BATCH)):
            batches.append(self._embed_batch(batch))
        return np.concatenate(batches) if batches else np.zeros((0, 1), np.float32)

    def _embed_batch(self, texts: Sequence[str]) -> Vectors:
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        import torch

        with torch.no_grad():
            hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        unit: Vectors = torch.nn.functional.normalize(mean).numpy().astype(np.float32)
        return unit


def find_nearest(
    existing: Vectors, candidates: Vectors, above: float
) -> Iterator[tuple[float, int] | None]:
    """Yield for each candidate (cosine, index) of the nearest vector, if the cosine is at least
    `above`. Otherwise yield None and accept the candidate: later ones are compared with it, too.

    Indexes count `existing` first, then all candidates, accepted or not.
    """
    accepted: list[int] = []
    for index, vector in enumerate(candidates):
        old = existing @ vector if len(existing) else np.zeros(0, np.float32)
        new = candidates[accepted] @ vector if accepted else np.zeros(0, np.float32)
        best = float(max(old.max(initial=-1), new.max(initial=-1)))
        if best < above:
            accepted.append(index)
            yield None
        elif old.max(initial=-1) >= new.max(initial=-1):
            yield best, int(old.argmax())
        else:
            yield best, len(existing) + accepted[int(new.argmax())]
