"""Finds new questions that are too similar to existing ones.

In: a SELECT of existing questions, then candidates in order. Out: for each candidate the question
that it is too similar to, or None. Similarity is ROUGE-L (F1 over words, as in Self-Instruct,
arXiv:2212.10560) or the share of common 8-grams, also with candidates accepted earlier. Words are
those of `normalize.words`, so questions that differ only in operators, or mostly in numbers, are
similar. Not covered: paraphrases.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curator.core import arrow
from curator.screens import normalize
from datastore.engine import Engine, scan

GRAM = 8
"""Words per n-gram. With longer n-grams, the share in common would not be informative."""
MAX_WORDS = 2_000
"""Maximum number of words compared per question; the rest of a longer question is ignored."""
_MAX_UNREAD = 0.25
"""Maximum share of a candidate's words, the most frequent, whose postings are not read."""

_CANDIDATES = pa.schema([("item", pa.int32()), ("question", pa.string())])

Ints = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Similar:
    """The question to which a candidate is too similar, and by which measure."""

    method: Literal["rouge-l", "8-gram"]
    score: float
    """F1 of ROUGE-L, or share of the candidate's 8-grams in common."""
    name: str
    """Name of the question; `candidate:N` for the N-th candidate of the index, from 0."""
    question: str


class Novelty:
    """An index of questions that grows by every accepted candidate.

    `existing` is a SELECT of (name, question). `rouge` is the minimum ROUGE-L, `share` the minimum
    share of common 8-grams of similar questions. Memory: about 1 kB per question; texts stay in the
    engine's table `novelty_existing`.
    """

    def __init__(
        self, engine: Engine, existing: str, rouge: float = 0.7, share: float = 0.5
    ) -> None:
        self._engine, self._rouge, self._share = engine, rouge, share
        self._ids: dict[str, int] = {}
        engine.sql(
            "CREATE OR REPLACE TABLE novelty_existing AS "
            f"SELECT row_number() OVER (ORDER BY name, question) - 1 AS item, * FROM ({existing})"
        )
        batches = [(np.empty(0, np.int32), np.empty(0, np.int32))]
        batches += self._words("SELECT item, question FROM novelty_existing ORDER BY item")
        self._index = _Index(*(np.concatenate(part) for part in zip(*batches, strict=True)))
        self._names: list[str] = []
        self._texts: list[str] = []
        self._compared = 0

    def compare(self, candidates: Sequence[str]) -> list[Similar | None]:
        """Return what each candidate is too similar to, or None for candidates it accepts."""
        if not candidates:
            return []
        columns = [range(len(candidates)), candidates]
        table = pa.Table.from_batches([arrow.make_batch(columns, _CANDIDATES)])
        # A file, since DuckDB would import pandas to read a table of this process; each time a new
        # one, since it remembers what it has read of a file.
        path = self._engine.folder / f"{uuid4().hex}.parquet"
        pq.write_table(table, path)
        batches = self._words(f"SELECT item, question FROM {scan([path])} ORDER BY item")
        words = [one for part, sizes in batches for one in np.split(part, np.cumsum(sizes)[:-1])]
        return [
            self._compare(text, one.tolist()) for text, one in zip(candidates, words, strict=True)
        ]

    def _compare(self, text: str, words: list[int]) -> Similar | None:
        similar = self._most_similar(words)
        if similar is None:
            self._index.add(words)
            self._names.append(f"candidate:{self._compared}")
            self._texts.append(text)
        self._compared += 1
        return similar

    def _most_similar(self, words: list[int]) -> Similar | None:
        """Return the most similar question by the first measure that finds one."""
        scored = [
            (rouge_l(words, self._index.words(item)), -item)
            for item in self._index.rouge_candidates(words, self._rouge)
        ]
        score, item = max(scored, default=(0.0, 0))
        if score >= self._rouge:
            return self._similar("rouge-l", score, -item)
        grams = _grams(words)
        for item in self._index.gram_candidates(words, ceil(self._share * len(grams))):
            common = len(grams & _grams(self._index.words(item))) / len(grams)
            if common >= self._share:
                return self._similar("8-gram", common, item)
        return None

    def _similar(self, method: Literal["rouge-l", "8-gram"], score: float, item: int) -> Similar:
        accepted = item - self._index.existing
        if accepted >= 0:
            return Similar(method, round(score, 4), self._names[accepted], self._texts[accepted])
        query = f"SELECT name, question FROM novelty_existing WHERE item = {item:d}"
        ((name, question),) = self._engine.sql(query).fetchall()
        return Similar(method, round(score, 4), name, question)

    def _words(self, query: str) -> Iterator[tuple[Ints, Ints]]:
        """Yield batches of (word numbers of all questions, number of words per question)."""
        stem = normalize.stem(normalize.fold("question"))
        listed = f"""
            SELECT item, {normalize.words("stem")} AS words
            FROM (SELECT item, {stem} AS stem FROM ({query}))
        """
        first = f"SELECT words[:{MAX_WORDS:d}] AS words FROM ({listed}) ORDER BY item"
        for batch in self._engine.batches(first):
            lists = batch.column(0)
            sizes = np.diff(np.from_dlpack(lists.offsets)).astype(np.int32)
            coded = lists.flatten().dictionary_encode()
            numbers = np.array(
                [self._ids.setdefault(w, len(self._ids)) for w in coded.dictionary.to_pylist()],
                np.int32,
            )
            codes = np.from_dlpack(coded.indices)
            yield numbers[codes] if len(codes) else np.empty(0, np.int32), sizes


class _Index:
    """Questions as lists of word numbers, with postings per word and per 8-gram.

    The existing questions are in sorted arrays, accepted candidates in dictionaries. A posting is
    the item of a question in which the word or n-gram occurs.
    """

    def __init__(self, words: Ints, sizes: Ints) -> None:
        self.existing = len(sizes)
        self._words, self._starts = words, np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
        items = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        pairs = np.unique((words.astype(np.int64) << 32) | items)
        self._word_postings = (pairs & 0xFFFFFFFF).astype(np.int32)
        self._word_starts = np.concatenate(([0], np.cumsum(np.bincount(pairs >> 32))))
        del pairs
        hashes = _hash_grams(words)
        inside = items[: len(hashes)] == items[len(items) - len(hashes) :]
        hashes, postings = hashes[inside], items[: len(hashes)][inside]
        order = np.argsort(hashes)
        self._gram_hashes, self._gram_postings = hashes[order], postings[order]
        self._sizes = array("i", sizes.astype(np.int32).tobytes())
        self._new_words: list[list[int]] = []
        self._new_word_postings: defaultdict[int, array[int]] = defaultdict(lambda: array("i"))
        self._new_gram_postings: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, words: list[int]) -> None:
        item = len(self._sizes)
        self._new_words.append(words)
        self._sizes.append(len(words))
        for word in set(words):
            self._new_word_postings[word].append(item)
        for gram in _hash_grams(np.array(words, np.int32)).tolist():
            self._new_gram_postings[gram].append(item)

    def words(self, item: int) -> list[int]:
        if item >= self.existing:
            return self._new_words[item - self.existing]
        words: list[int] = self._words[self._starts[item] : self._starts[item + 1]].tolist()
        return words

    def rouge_candidates(self, words: list[int], rouge: float) -> list[int]:
        """Return all questions whose ROUGE-L reaches `rouge`, and some whose ROUGE-L does not.

        F1 = 2 * LCS / (m + n), and the LCS is at most the number of words in common. The most
        frequent words count as common without reading their postings.
        """
        if not words:
            return []
        postings = {word: self._postings(word) for word in set(words)}
        times = Counter(words)
        unread = 0
        for word in sorted(postings, key=lambda one: -sum(map(len, postings[one]))):
            if unread + times[word] > _MAX_UNREAD * len(words):
                break
            unread += times[word]
            del postings[word]
        read = [part for word, parts in postings.items() for part in parts * times[word]]
        sizes = np.frombuffer(self._sizes, np.int32)
        common = np.bincount(np.concatenate(read), minlength=len(sizes)) if read else 0
        min_lcs = (len(words) + sizes) * np.float32(rouge / 2) - np.float32(1e-3)
        fits = (common + unread >= min_lcs) & (np.minimum(sizes, len(words)) >= min_lcs)
        items: list[int] = np.flatnonzero(fits).tolist()
        return items

    def gram_candidates(self, words: list[int], min_common: int) -> list[int]:
        """Return all questions with at least `min_common` of the 8-grams, and some with fewer."""
        hashes = _hash_grams(np.array(words, np.int32))
        begins = np.searchsorted(self._gram_hashes, hashes, "left")
        ends = np.searchsorted(self._gram_hashes, hashes, "right")
        postings = [self._gram_postings[one:two] for one, two in zip(begins, ends, strict=True)]
        postings += [
            np.array(self._new_gram_postings[gram], np.int32)
            for gram in hashes.tolist()
            if gram in self._new_gram_postings
        ]
        if not postings:
            return []
        items, counts = np.unique(np.concatenate(postings), return_counts=True)
        enough: list[int] = items[counts >= min_common].tolist()
        return enough

    def _postings(self, word: int) -> list[Ints]:
        parts = []
        if word < len(self._word_starts) - 1:
            parts.append(self._word_postings[self._word_starts[word] : self._word_starts[word + 1]])
        if word in self._new_word_postings:
            # A copy, because a view would prevent the array from growing.
            parts.append(np.array(self._new_word_postings[word], np.int32))
        return parts


def _hash_grams(words: Ints) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return a hash per n-gram of GRAM words."""
    count = max(0, len(words) - GRAM + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(GRAM):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += words[place : place + count].astype(np.uint64) + np.uint64(1)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def _grams(words: Sequence[int]) -> set[tuple[int, ...]]:
    return {tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}


def rouge_l(one: Sequence[Any], other: Sequence[Any]) -> float:
    """Return the F1 of the longest common subsequence of two lists; 0 if either is empty."""
    if not one or not other:
        return 0.0
    places: dict[Any, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    # Bit-parallel, after Hyyrö (2004): one zero bit per word of the common subsequence.
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & full
    return 2 * (len(one) - row.bit_count()) / (len(one) + len(other))
