"""Balanced micro-batches: the rows and losses of each optimizer step stay, the padding goes."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.tiny import tiny_model
from trainers.batches import Batches, balance
from trainers.recipe import SFT, Verifier
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")


def rows_of_steps_by_accelerate(rows: int, batch: int, micro: int, processes: int) -> list[Counter]:
    """Return the rows of each optimizer step without balancing, as accelerate deals them."""
    from accelerate.data_loader import BatchSamplerShard, SeedableRandomSampler
    from torch.utils.data import BatchSampler

    dealt = []
    for process in range(processes):
        sampler = SeedableRandomSampler(range(rows), data_seed=7)
        sampler.set_epoch(2)
        plain = BatchSampler(sampler, micro, drop_last=False)
        shard = BatchSamplerShard(plain, processes, process) if processes > 1 else plain
        dealt.append([list(each) for each in shard])
    assert len({len(each) for each in dealt}) == 1
    passes = batch // (micro * processes)
    return [
        Counter(row for mine in dealt for part in mine[start : start + passes] for row in part)
        for start in range(0, len(dealt[0]), passes)
    ]


@settings(deadline=None, max_examples=200)
@given(
    lengths=st.lists(st.integers(1, 3_000), min_size=1, max_size=120),
    micro=st.integers(1, 4),
    processes=st.sampled_from([1, 2, 3, 8]),
    passes=st.integers(1, 4),
    uneven=st.booleans(),
    packed=st.booleans(),
)
def test_each_optimizer_step_has_the_rows_that_it_has_without_balancing(
    lengths: list[int], micro: int, processes: int, passes: int, uneven: bool, packed: bool
) -> None:
    from accelerate.data_loader import BatchSamplerShard

    batch = micro * processes * passes
    packed = packed and uneven
    batches = Batches(lengths, batch, micro, processes, 7, uneven, packed, epoch=2)
    expected = rows_of_steps_by_accelerate(len(lengths), batch, micro, processes)
    steps = list(batches.steps())
    assert [Counter(row for part in step for row in part) for step in steps] == expected
    assert len(steps) == batches.steps_per_epoch()
    dealt = [list(BatchSamplerShard(batches, processes, each)) for each in range(processes)]
    assert len({len(mine) for mine in dealt}) == 1
    assert sum(map(len, dealt)) == len(batches) == sum(map(len, steps))
    for step in steps:
        rows = [row for part in step for row in part]
        limit = micro * max(lengths[row] for row in rows)
        costs = [[lengths[row] for row in part] for part in step]
        tokens = [sum(each) if packed else len(each) * max(each) for each in costs]
        assert all(tokens) and max(tokens) <= limit
        # Each step has as many passes as the gradients are accumulated over.
        assert len(step) <= passes * processes and len(step) % processes == 0
        if not uneven and len(rows) == batch:
            assert {len(part) for part in step} == {micro}


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=9),
    count=st.integers(1, 9),
)
def test_no_division_into_neighbours_has_a_smaller_largest_cost(
    lengths: list[int], count: int
) -> None:
    from itertools import combinations

    lengths.sort(reverse=True)
    count = min(count, len(lengths))

    def cost(sizes: list[int]) -> int:
        starts = [sum(sizes[:place]) for place in range(len(sizes))]
        return max(size * lengths[start] for size, start in zip(sizes, starts, strict=True))

    found = balance(lengths, count)
    assert (sum(found), len(found), min(found) >= 1) == (len(lengths), count, True)
    cuts = combinations(range(1, len(lengths)), count - 1)
    divisions = (
        [b - a for a, b in zip((0, *cut), (*cut, len(lengths)), strict=True)] for cut in cuts
    )
    assert cost(found) == min(map(cost, divisions))


def test_little_is_padding_and_eight_processes_seldom_wait() -> None:
    draw = random.Random(0)
    # Problems with worked solutions: a median of 236 tokens, one of 100 rows above 1,100.
    lengths = [min(2_048, 90 + int(draw.lognormvariate(5, 0.85))) for _ in range(24_889)]
    for processes, useful in ((1, 0.97), (8, 0.85)):
        balanced = Batches(lengths, 128, 4, processes, 0).measure(lengths)
        assert balanced.padding <= 0.03
        assert balanced.useful >= useful
    even = Batches(lengths, 128, 4, 8, 0, uneven=False).measure(lengths)
    assert balanced.useful > even.useful > 0.5


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, 41 rows of very different lengths, and samples."""
    folder = tmp_path_factory.mktemp("batches")
    rows = [
        {"prompt": f"What is {n} + 1?", "completion": " ".join(["so"] * (n * n % 37)) + f" {n + 1}"}
        for n in range(41)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pairs = [
        {
            "prompt": row["prompt"],
            "chosen": row["completion"],
            "rejected": "no " * (n * 7 % 23) + "0",
        }
        for n, row in enumerate(rows)
    ]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    words = "Problem:\n\nCandidate solution:\n\nThe candidate solution is correct incorrect"
    texts = [ALPACA, words, *(" ".join(row.values()) for row in (*rows, *pairs))]
    tiny_model(folder / "model", texts, width=64, layers=2)
    return folder


COMMON = {
    "name": "tiny",
    "about": "A test",
    "learning_rate": 1e-3,
    "epochs": 2,
    "batch": 12,
    "max_length": 160,
    "precision": "fp32",
}


def losses(base: Path, folder: Path, kind: str, micro: int, **keys: object) -> list[float]:
    """Train for two epochs, of which the last step has 5 rows; return the loss of each step."""
    from trainers.sft import train_sft
    from trainers.verifier import train_verifier

    values = {**COMMON, "model": str(base / "model"), "output": str(folder), "micro_batch": micro}
    values |= keys
    if kind == "sft":
        values |= {"train": "sft", "release": str(base / "rows.jsonl"), "steps": 8}
        record = train_sft(SFT.model_validate(values), lambda _: None)
    else:
        pairs = {
            "train": "verifier",
            "samples": str(base / "pairs.jsonl"),
            "loss": kind,
            "steps": 8,
        }
        record = train_verifier(Verifier.model_validate({**values, **pairs}), lambda _: None)
    assert record["batches"]["processes"] == 1
    return [loss for _, loss in record["losses"]]


@pytest.mark.parametrize("kind", ["sft", "margin", "cross-entropy", "pairwise"])
def test_losses_are_those_of_steps_that_are_not_divided(
    base: Path, tmp_path: Path, kind: str
) -> None:
    whole = losses(base, tmp_path / "whole", kind, 12)
    divided = losses(base, tmp_path / "divided", kind, 3)
    # The last step of an epoch is a mean of unequal micro-batches for a pairwise loss, as before.
    compared = slice(0, 3) if kind == "pairwise" else slice(None)
    assert divided[compared] == pytest.approx(whole[compared], rel=2e-4)
    assert len(set(whole)) == len(whole)


def test_attention_and_recomputation_change_losses_by_rounding_only(
    base: Path, tmp_path: Path
) -> None:
    plain = losses(base, tmp_path / "plain", "sft", 3)
    speed = {"attention": "eager", "recompute": "yes"}
    assert losses(base, tmp_path / "other", "sft", 3, speed=speed) == pytest.approx(plain, rel=1e-3)
