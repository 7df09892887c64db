r"""Pairs of a right and a wrong attempt, for TRL's DPOTrainer and RewardTrainer (TRL 1.16.0).

{"prompt": [{"role": "user", "content": "How many …"}],
 "chosen": [{"role": "assistant", "content": "… The answer is 7."}],
 "rejected": [{"role": "assistant", "content": "… The answer is 8."}],
 "evidence_level": "independent", "rejected_reason": "contradicts the gold", "id": "5f0c…",
 "rejected_id": "a41e…", "source": "data/CoT/gsm_train.json"}

TRL's name of this form is "preference, conversational, with explicit prompt".
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.release.formats.format import write_pairs

if TYPE_CHECKING:
    import pyarrow as pa


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    return write_pairs(batches, out, _lines)


def _lines(pair: Mapping[str, Any]) -> list[dict[str, Any]]:
    line = {
        "prompt": [{"role": "user", "content": pair["instruction"]}],
        "chosen": [{"role": "assistant", "content": pair["text"]}],
        "rejected": [{"role": "assistant", "content": pair["rejected_text"]}],
        "evidence_level": pair["evidence_level"],
        "rejected_reason": pair["rejected_reason"],
        "id": pair["id"].hex(),
        "rejected_id": pair["rejected_id"].hex(),
        "source": pair["release_as"],
    }
    return [line]
