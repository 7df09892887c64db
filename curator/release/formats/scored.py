r"""Right and wrong attempts as plain texts with a score, for verifiers and analysis.

{"prompt": "How many …", "completion": "… The answer is 7.", "score": 1.0, "verdict": "passed",
 "evidence_level": "independent", "reason": "", "id": "5f0c…",
 "source": "data/CoT/gsm_train.json"}

The score is 1.0 for a right attempt and 0.0 for a wrong one, which has a reason and no evidence
level.
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
            "prompt": pair["instruction"],
            "completion": attempt.text,
            "score": float(attempt.is_right),
            "verdict": "passed" if attempt.is_right else "failed",
            "evidence_level": attempt.evidence_level,
            "reason": attempt.reason,
            "id": attempt.id,
            "source": pair["release_as"],
        }
        for attempt in split_pair(pair)
    ]
