"""Checks that packed rows do not see each other: before a training, with its own model.

In: a trainer and two rows. Out: nothing, or UsageError. Packed rows are one sequence whose
positions start again with each row. Whether attention stops there depends on the model and on the
implementation of its attention, of which there are many, so it is tried.
"""

from collections.abc import Sequence
from typing import Any

from curator.core.errors import UsageError
from trainers.tokenize import Row

CHECKED_TOKENS = 64
"""Tokens of each row that are compared."""
LEAK = 1e-3
"""Largest change of a logit by another row, in standard deviations of the logits: rounding only."""
SHIFT = 0.05
"""Largest mean difference of a packed row's logits from those of the row alone, likewise; bf16
rounds to 0.4%."""


def check_packing(trainer: Any, rows: Sequence[Row]) -> None:
    """Raise UsageError if a row's logits depend on the row before it in a forward pass.

    Does nothing if weights are sharded: the model can then only be called by the training.
    """
    if not trainer.model_accepts_loss_kwargs:
        raise UsageError(
            "speed.packing: this model averages the loss of each pass by itself, so that packing "
            "would change the weights of tokens. Set packing: false."
        )
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return
    texts = [[*row.prompt, *row.answer][:CHECKED_TOKENS] for row in (*rows, *rows)[:2]]
    first, second = texts
    other = [*first[1:], first[0]] if len(set(first)) > 1 else [0 if first[0] else 1] * len(first)
    try:
        packed, changed = (_logits(trainer, [one, second])[len(one) :] for one in (first, other))
        alone = _logits(trainer, [second])
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise UsageError(
            f"speed.packing: the model cannot be called with packed rows ({error!s:.200}). Set "
            "packing: false."
        ) from None
    scale = float(alone.std())
    leak = float((packed - changed).abs().max()) / scale
    shift = float((packed - alone).abs().mean()) / scale
    if not (leak <= LEAK and shift <= SHIFT):
        kind = getattr(trainer.model.config, "_attn_implementation", "this")
        raise UsageError(
            f"speed.packing: rows of one pass see each other in this model with {kind} attention. "
            "Set packing: false, or another speed.attention."
        )


def _logits(trainer: Any, rows: Sequence[list[int]]) -> Any:
    """Return the logits of rows in one pass, one line per token."""
    import torch

    batch = trainer.data_collator([{"input_ids": row, "labels": row} for row in rows])
    device = next(trainer.model.parameters()).device
    inputs = {
        key: value.to(device) if isinstance(value, torch.Tensor) else value
        for key, value in batch.items()
        if key != "labels"
    }
    was_training = trainer.model.training
    trainer.model.eval()
    try:
        with torch.no_grad(), trainer.accelerator.autocast():
            return trainer.model(**inputs, use_cache=False).logits[0].float()
    finally:
        trainer.model.train(was_training)
