"""New questions that are too near to questions that are there already.

In: a SELECT of existing questions, then candidates in order. Out: for each candidate what it is
near to, or None, by ROUGE-L (F1 over words, as in Self-Instruct, arXiv:2212.10560) and by n-grams,
also against candidates accepted before it. Words are those of `normal`: questions that differ in
operators alone, or in their numbers mostly, are near. Not covered: the same in other words.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from curator.screens import normalize
from datastore.engine import Engine

GRAM = 8
"""Words of an n-gram; more make one candidate's share of common ones meaningless."""
LONG_GRAM = 13
"""So many common words in a row are contamination, as in the screen of that name."""
MOST_WORDS = 2_000
"""Of longer questions the beginning is compared."""
_SPARE = 0.25
"""Share of a candidate's words, the commonest, whose postings are not read."""

Ints = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Near:
    """Why a candidate is not new."""

    method: Literal["rouge-l", "8-gram", "13-gram"]
    score: float
    """F1 of ROUGE-L; or the share of the candidate's 8-grams that are common; 1 for a 13-gram."""
    name: str
    """Name of the question it is near to, as the existing ones are called; `candidate:N` for the
    N-th candidate ever judged, from 0."""
    question: str


class Novelty:
    """An index of questions, which grows by every candidate that is accepted.

    `existing` is a SELECT of (name, question). Memory: about 1 kB a question besides the text,
    which stays with the engine in table `novelty_existing`.
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
        found = [(np.empty(0, np.int32), np.empty(0, np.int32))]
        found += self._words("SELECT item, question FROM novelty_existing ORDER BY item")
        self._base = _Postings(*(np.concatenate(part) for part in zip(*found, strict=True)))
        self._names: list[str] = []
        self._texts: list[str] = []
        self._judged = 0

    def judge(self, candidates: Sequence[str]) -> list[Near | None]:
        """What each candidate is near to; those that are near to nothing are accepted."""
        if not candidates:
            return []
        given = pa.table({"item": range(len(candidates)), "question": list(candidates)})
        self._engine.connection.register("novelty_given", given)
        # Streams run on connections of their own, which see tables and not what is registered.
        self._engine.sql(
            "CREATE OR REPLACE TABLE novelty_candidates AS SELECT * FROM novelty_given"
        )
        self._engine.connection.unregister("novelty_given")
        found = self._words("SELECT item, question FROM novelty_candidates ORDER BY item")
        words = [one for part, sizes in found for one in np.split(part, np.cumsum(sizes)[:-1])]
        return [
            self._judge(text, one.tolist()) for text, one in zip(candidates, words, strict=True)
        ]

    def _judge(self, text: str, words: list[int]) -> Near | None:
        near = self._nearest(words)
        if near is None:
            self._base.add(words)
            self._names.append(f"candidate:{self._judged}")
            self._texts.append(text)
        self._judged += 1
        return near

    def _nearest(self, words: list[int]) -> Near | None:
        """The nearest question by the first method that finds one."""
        scored = [
            (rouge_l(words, self._base.words(item)), -item)
            for item in self._base.sharing(words, self._rouge)
        ]
        score, item = max(scored, default=(0.0, 0))
        if score >= self._rouge:
            return self._near("rouge-l", score, -item)
        grams, long_grams = _grams(words, GRAM), _grams(words, LONG_GRAM)
        if not grams:
            return None
        # A common run of 13 words has 6 of their n-grams.
        least = min(ceil(self._share * len(grams)), LONG_GRAM - GRAM + 1)
        for item in self._base.with_grams(words, least):
            other = self._base.words(item)
            if long_grams & _grams(other, LONG_GRAM):
                return self._near("13-gram", 1.0, item)
            common = len(grams & _grams(other, GRAM)) / len(grams)
            if common >= self._share:
                return self._near("8-gram", common, item)
        return None

    def _near(self, method: Literal["rouge-l", "8-gram", "13-gram"], score: float, at: int) -> Near:
        later = at - self._base.given
        if later >= 0:
            return Near(method, round(score, 4), self._names[later], self._texts[later])
        query = f"SELECT name, question FROM novelty_existing WHERE item = {at:d}"
        ((name, question),) = self._engine.sql(query).fetchall()
        return Near(method, round(score, 4), name, question)

    def _words(self, query: str) -> Iterator[tuple[Ints, Ints]]:
        """Batches of the words of all questions, as numbers, and how many each question has."""
        stem = normalize.stem(normalize.folded("question"))
        listed = f"""
            SELECT item, {normalize.words("stem")} AS words
            FROM (SELECT item, {stem} AS stem FROM ({query}))
        """
        cut = f"SELECT words[:{MOST_WORDS:d}] AS words FROM ({listed}) ORDER BY item"
        for batch in self._engine.batches(cut):
            lists = batch.column(0)
            sizes = np.diff(lists.offsets.to_numpy()).astype(np.int32)
            coded = lists.flatten().dictionary_encode()
            known = np.array(
                [self._ids.setdefault(w, len(self._ids)) for w in coded.dictionary.to_pylist()],
                np.int32,
            )
            codes = coded.indices.to_numpy()
            yield known[codes] if len(codes) else np.empty(0, np.int32), sizes


class _Postings:
    """Questions as numbers of words, with where each word and each n-gram occurs."""

    def __init__(self, words: Ints, sizes: Ints) -> None:
        self.given = len(sizes)
        self._words, self._starts = words, np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
        items = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        pairs = np.unique((words.astype(np.int64) << 32) | items)
        self._posted = (pairs & 0xFFFFFFFF).astype(np.int32)
        self._posts = np.concatenate(([0], np.cumsum(np.bincount(pairs >> 32))))
        del pairs
        hashes = _windows(words)
        inside = items[: len(hashes)] == items[len(items) - len(hashes) :]
        hashes, holders = hashes[inside], items[: len(hashes)][inside]
        order = np.argsort(hashes)
        self._hashes, self._holders = hashes[order], holders[order]
        self._sizes = array("i", sizes.astype(np.int32).tobytes())
        self._later: list[list[int]] = []
        self._later_posted: defaultdict[int, array[int]] = defaultdict(lambda: array("i"))
        self._later_grams: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, words: list[int]) -> None:
        item = len(self._sizes)
        self._later.append(words)
        self._sizes.append(len(words))
        for word in set(words):
            self._later_posted[word].append(item)
        for gram in _windows(np.array(words, np.int32)).tolist():
            self._later_grams[gram].append(item)

    def words(self, item: int) -> list[int]:
        if item >= self.given:
            return self._later[item - self.given]
        found: list[int] = self._words[self._starts[item] : self._starts[item + 1]].tolist()
        return found

    def sharing(self, words: list[int], rouge: float) -> list[int]:
        """Questions whose ROUGE-L may reach `rouge`: at least all that do.

        F1 = 2 * LCS / (m + n), and no more words can be in common order than are in common. Those
        of the commonest words are taken as common without looking.
        """
        if not words:
            return []
        posted = {word: self._postings(word) for word in set(words)}
        times = Counter(words)
        unread = 0
        for word in sorted(posted, key=lambda one: -sum(map(len, posted[one]))):
            if unread + times[word] > _SPARE * len(words):
                break
            unread += times[word]
            del posted[word]
        read = [part for word, parts in posted.items() for part in parts * times[word]]
        sizes = np.frombuffer(self._sizes, np.int32)
        common = np.bincount(np.concatenate(read), minlength=len(sizes)) if read else 0
        least = (len(words) + sizes) * np.float32(rouge / 2) - np.float32(1e-3)
        fits = (common + unread >= least) & (np.minimum(sizes, len(words)) >= least)
        found: list[int] = np.flatnonzero(fits).tolist()
        return found

    def with_grams(self, words: list[int], least: int) -> list[int]:
        """Questions that have at least `least` of these n-grams, and a few that have fewer."""
        hashes = _windows(np.array(words, np.int32))
        begins = np.searchsorted(self._hashes, hashes, "left")
        ends = np.searchsorted(self._hashes, hashes, "right")
        found = [self._holders[one:two] for one, two in zip(begins, ends, strict=True)]
        found += [
            np.array(self._later_grams[gram], np.int32)
            for gram in hashes.tolist()
            if gram in self._later_grams
        ]
        if not found:
            return []
        items, counts = np.unique(np.concatenate(found), return_counts=True)
        near: list[int] = items[counts >= least].tolist()
        return near

    def _postings(self, word: int) -> list[Ints]:
        parts = []
        if word < len(self._posts) - 1:
            parts.append(self._posted[self._posts[word] : self._posts[word + 1]])
        if word in self._later_posted:
            # A view would forbid the array to grow.
            parts.append(np.array(self._later_posted[word], np.int32))
        return parts


def _windows(words: Ints) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A hash of each n-gram."""
    count = max(0, len(words) - GRAM + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(GRAM):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += words[place : place + count].astype(np.uint64) + np.uint64(1)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def _grams(words: Sequence[int], size: int) -> set[tuple[int, ...]]:
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


def rouge_l(one: Sequence[Any], other: Sequence[Any]) -> float:
    """F1 of the longest common subsequence of two lists, 0 if either is empty."""
    if not one or not other:
        return 0.0
    places: dict[Any, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    # Bit-parallel, after Hyyrö (2004): a zero for each word of the common subsequence.
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & full
    return 2 * (len(one) - row.bit_count()) / (len(one) + len(other))
