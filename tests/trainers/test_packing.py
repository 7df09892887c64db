"""Packed rows have the losses of padded ones, and a model whose rows see each other is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import RecipeError, UsageError
from tests.trainers.tiny import tiny_model
from trainers.batches import Batches
from trainers.preflight import preflight
from trainers.recipe import SFT, load_training
from trainers.sft import train_sft
from trainers.tokenize import ALPACA

torch = pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

ROWS = [
    {"prompt": f"What is {n} + 1?", "completion": "so " * (n * 7 % 40) + f"{n + 1}."}
    for n in range(60)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packing")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    texts = [ALPACA, *(row["prompt"] + row["completion"] for row in ROWS)]
    tiny_model(folder / "model", texts, width=64, layers=2)
    return folder


def recipe(base: Path, output: Path, **keys: object) -> SFT:
    values = {"train": "sft", "name": "x", "about": "A test", "learning_rate": 1e-3, "steps": 6}
    values |= {"model": str(base / "model"), "release": str(base / "rows.jsonl"), "batch": 16}
    values |= {"micro_batch": 4, "max_length": 200, "precision": "fp32", "output": str(output)}
    return SFT.model_validate({**values, **keys})


def train(settings: SFT) -> tuple[dict[str, Any], list[str]]:
    lines: list[str] = []
    return train_sft(settings, lines.append), lines


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_packed_rows_have_the_losses_of_padded_ones(
    base: Path, tmp_path: Path, attention: str
) -> None:
    padded, _ = train(recipe(base, tmp_path / "padded", speed={"attention": attention}))
    speed = {"attention": attention, "packing": True}
    packed, lines = train(recipe(base, tmp_path / "packed", speed=speed))
    assert dict(packed["losses"]) == pytest.approx(dict(padded["losses"]), rel=1e-4)
    assert packed["batches"]["padding"] == 0 < padded["batches"]["padding"]
    assert packed["batches"]["useful"] > padded["batches"]["useful"]
    assert any(line.startswith("0.0% of the tokens in micro-batches are") for line in lines)


def test_each_row_of_a_packed_pass_has_the_loss_that_it_has_alone(base: Path) -> None:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from trainers.models import load_causal

    model = load_causal(str(base / "model")).eval()
    collate = DataCollatorForLanguageModeling(pad_token_id=2, padding_free=True)
    rows = [{"input_ids": list(range(3, 3 + n)), "labels": list(range(3, 3 + n))} for n in (9, 5)]
    batch = collate(rows)
    with torch.no_grad():
        logits = model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
        ).logits[0]
        for row, found in zip(rows, logits.split([9, 5]), strict=True):
            alone = model(torch.tensor([row["input_ids"]])).logits[0]
            targets = torch.tensor(row["labels"][1:])
            losses = [torch.nn.functional.cross_entropy(x[:-1], targets) for x in (found, alone)]
            assert losses[0] == pytest.approx(float(losses[1]), abs=1e-6)


@pytest.mark.parametrize("kind", ["OPT", "Mamba", "Falcon", "Bloom"])
def test_a_model_whose_packed_rows_see_each_other_is_refused_in_one_line(
    base: Path, tmp_path: Path, kind: str
) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    sizes = {"OPT": {"ffn_dim": 64, "word_embed_proj_dim": 32}}.get(kind, {})
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, **sizes
    )
    config.num_attention_heads = 4
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "model")
    keys = {"model": str(tmp_path / "model"), "speed": {"packing": True}}
    with pytest.raises(UsageError, match=r"^speed\.packing: [^\n]+packing: false[^\n]*$"):
        train(recipe(base, tmp_path / "run", **keys))
    assert not list((tmp_path / "run").glob("checkpoints/*"))


def test_packing_is_for_sft_and_for_flash_attention_if_weights_are_sharded(tmp_path: Path) -> None:
    keys = {"speed": {"packing": True}}
    with pytest.raises(RecipeError, match="expected false, because only sft can pack rows"):
        load_training("verifier", keys)
    with pytest.raises(RecipeError, match="expected attention: flash_attention_2 beside it"):
        load_training("mammoth-7b", keys)
    load_training("mammoth-7b", {"speed": {"packing": True, "attention": "flash_attention_2"}})
    (found,) = preflight(load_training("small-cpu", keys))
    assert any("set speed.attention: flash_attention_2, which skips it" in n for n in found.notes)


def test_packing_raises_the_useful_share_of_eight_processes() -> None:
    import random

    draw = random.Random(0)
    lengths = [round(draw.lognormvariate(5.2, 0.6)) for _ in range(4_000)]
    shares = [
        Batches(lengths, 128, 4, 8, 0, packed=packed).measure(lengths) for packed in (False, True)
    ]
    assert shares[1].padding == 0
    assert shares[1].useful > shares[0].useful
