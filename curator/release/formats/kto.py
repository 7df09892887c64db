r"""Right and wrong attempts in turn, for TRL's KTOTrainer (TRL 1.16.0).

{"prompt": [{"role": "user", "content": "How many …"}],
 "completion": [{"role": "assistant", "content": "… The answer is 7."}], "label": true,
 "evidence_level": "independent", "reason": "", "id": "5f0c…",
 "source": "data/CoT/gsm_train.json"}

TRL's name of this form is "unpaired preference, conversational". A wrong attempt has a reason and
no evidence level.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.release.formats.format import split_pair, write_pairs

if TYPE_CHECKING:
    import pyarrow as pa


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    return write_pairs(batches, out, _lines)


def _lines(pair: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "prompt": [{"role": "user", "content": pair["instruction"]}],
            "completion": [{"role": "assistant", "content": attempt.text}],
            "label": attempt.is_right,
            "evidence_level": attempt.evidence_level,
            "reason": attempt.reason,
            "id": attempt.id,
            "source": pair["release_as"],
        }
        for attempt in split_pair(pair)
    ]
