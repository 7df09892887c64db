"""Divides the rows of each optimizer step into micro-batches, so that little of them is padding.

In: the lengths of the rows and the sizes of a recipe. Out: micro-batches of row numbers, and the
shares of padding and of useful work. An optimizer step has the rows that it would have without
this: those of a seeded permutation, in order. Only their division among processes and forward
passes differs. A forward pass takes more rows if they are short, and fewer if they are long. Packed
rows follow each other without padding, so that all passes of a step have about as many tokens.

A mean over all tokens of a step does not depend on the division. A mean over micro-batches does:
for such a loss, all micro-batches have the same number of rows (`uneven=False`).
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from curator.core.words import verb


@dataclass(frozen=True)
class Shares:
    """What becomes of the tokens that the processes compute."""

    padding: float
    """Share of padding in the micro-batches."""
    useful: float
    """Share of tokens that are not padding, if each process waits for the largest micro-batch of
    the others, as with sharded weights."""
    processes: int

    def describe(self) -> str:
        """Return the shares in one line."""
        return (
            f"{self.padding:.1%} of the tokens in micro-batches are padding; the useful share is "
            f"{self.useful:.1%} on {self.processes} {verb(self.processes, 'process', 'processes')}"
        )


@dataclass
class Batches:
    """The micro-batches of an epoch, in the order in which accelerate deals them to processes.

    Use it as a batch sampler of torch. The number of micro-batches is a multiple of `processes`.
    """

    lengths: Sequence[int]
    """Tokens of each row. Those of its micro-batch are padded to the longest one."""
    batch: int
    """Rows per optimizer step."""
    micro_batch: int
    """Average number of rows per micro-batch. No micro-batch has more padded tokens than this
    number of the longest rows of its step."""
    processes: int
    seed: int
    uneven: bool = True
    """Whether micro-batches may differ in their number of rows."""
    packed: bool = False
    """Whether rows follow each other instead of being padded; needs `uneven`."""
    epoch: int = 0

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps():
            yield from step

    def __len__(self) -> int:
        return ceil(len(self.lengths) / (self.micro_batch * self.processes)) * self.processes

    def steps_per_epoch(self) -> int:
        """Return the number of optimizer steps per epoch."""
        return ceil(len(self.lengths) / self.batch)

    def steps(self) -> Iterator[list[list[int]]]:
        """Yield the micro-batches of each optimizer step of the epoch."""
        order = self._permute()
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            if self.processes > 1:
                # As accelerate does: all processes run the same number of passes.
                missing = -len(rows) % (self.micro_batch * self.processes)
                rows += (order * ceil(missing / len(order)))[:missing]
            yield self._divide(rows)

    def _permute(self) -> list[int]:
        """Return the rows in the order of accelerate's SeedableRandomSampler."""
        import torch

        generator = torch.Generator()
        generator.manual_seed(self.seed + self.epoch)
        order: list[int] = torch.randperm(len(self.lengths), generator=generator).tolist()
        return order

    def _divide(self, rows: list[int]) -> list[list[int]]:
        if self.uneven or len(rows) == self.batch:
            # The order of equal lengths is that of the permutation.
            rows = sorted(rows, key=lambda row: -self.lengths[row])
        count = ceil(len(rows) / self.micro_batch)
        if self.packed:
            parts = fill_evenly(rows, [self.lengths[row] for row in rows], count)
            return sorted(parts, key=self._cost, reverse=True)
        if self.uneven:
            sizes = balance([self.lengths[row] for row in rows], count)
        else:
            sizes = [self.micro_batch] * count
        parts, start = [], 0
        for size in sizes:
            parts.append(rows[start : start + size])
            start += size
        # Passes that run at the same time have similar costs.
        return sorted(parts, key=self._cost, reverse=True) if self.uneven else parts

    def _cost(self, part: Sequence[int]) -> int:
        lengths = [self.lengths[row] for row in part]
        return sum(lengths) if self.packed else len(part) * max(lengths)

    def measure(self, tokens: Sequence[int]) -> Shares:
        """Return the shares in this epoch; `tokens` are those of each row without any padding."""
        real = padded = waited = 0
        for step in self.steps():
            costs = [self._cost(part) for part in step]
            real += sum(tokens[row] for part in step for row in part)
            padded += sum(costs)
            for start in range(0, len(costs), self.processes):
                waited += max(costs[start : start + self.processes]) * self.processes
        return Shares(1 - real / padded, real / waited, self.processes)


def balance(lengths: Sequence[int], count: int) -> list[int]:
    """Divide rows into `count` groups of neighbours, so that the largest cost is minimal.

    `lengths` are in descending order, and at least `count`. The cost of a group is its number of
    rows times its longest one. Returns the numbers of rows, each at least 1.
    """

    def fill(limit: int) -> list[int]:
        sizes, start = [], 0
        while start < len(lengths):
            size = min(limit // max(1, lengths[start]), len(lengths) - start)
            sizes.append(size)
            start += size
        return sizes

    low, high = max(1, lengths[0]), max(1, lengths[0]) * ceil(len(lengths) / count)
    while low < high:
        middle = (low + high) // 2
        if len(fill(middle)) <= count:
            high = middle
        else:
            low = middle + 1
    sizes = fill(low)
    while len(sizes) < count:
        largest = sizes.index(max(sizes))
        sizes[largest : largest + 1] = [sizes[largest] // 2, sizes[largest] - sizes[largest] // 2]
    return sizes


def fill_evenly(rows: Sequence[int], lengths: Sequence[int], count: int) -> list[list[int]]:
    """Divide rows into `count` parts of about as many tokens; each row goes where fewest are.

    `lengths` are in descending order, and at least `count`. No part has more tokens than its share
    of the rows would have if all were as long as the first one.
    """
    parts: list[list[int]] = [[] for _ in range(count)]
    heap = [(0, number) for number in range(count)]
    for row, length in zip(rows, lengths, strict=True):
        tokens, number = heapq.heappop(heap)
        parts[number].append(row)
        heapq.heappush(heap, (tokens + length, number))
    return parts


def use_batches(trainer: Any, batches: Batches) -> None:
    """Make a trainer of transformers read its data in these batches."""
    from torch.utils.data import DataLoader
    from transformers import TrainerCallback

    def load() -> Any:
        loader = DataLoader(
            trainer.train_dataset,
            batch_sampler=batches,
            collate_fn=trainer.data_collator,
            pin_memory=trainer.args.dataloader_pin_memory,
        )
        return trainer.accelerator.prepare_data_loader(loader)

    def on_epoch_begin(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        # A resumed run starts within an epoch.
        batches.epoch = state.global_step // batches.steps_per_epoch()

    trainer.get_train_dataloader = load
    # Created dynamically, since the base class needs transformers, which is optional.
    trainer.add_callback(type("Epochs", (TrainerCallback,), {"on_epoch_begin": on_epoch_begin})())
