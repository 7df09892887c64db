r"""Prompts and golds for verl (package verl 0.9.1, `RLHFDataset`) and `compute_score`, in Parquet.

{"data_source": "curator/gsm8k", "prompt": [{"role": "user", "content": "How many …"}],
 "ability": "math", "reward_model": {"style": "rule", "ground_truth": "1,000"},
 "extra_info": {"index": 0, "id": "5f0c…", "choices": [], "field": "Algebra", "level": "Level 4",
 "evidence_level": "executed", "source": "data/CoT/gsm_train.json"}}

verl chooses one of its own reward functions by `data_source` if none is configured. The prefix
`curator/` makes that an error, so that no other rule than the configured one is used by mistake.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.release.formats.format import COLUMNS
from curator.release.row_groups import row_groups

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 20_000
SOURCE = "curator/{}"


def table(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write zstd Parquet in row groups of 20,000 rows, whatever the size of the batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    extra = [("index", pa.int64()), ("id", text), ("choices", pa.list_(text))]
    extra += [(name, text) for name in ("field", "level", "evidence_level", "source")]
    schema = pa.schema(
        [
            ("data_source", text),
            ("prompt", pa.list_(pa.struct([("role", text), ("content", text)]))),
            ("ability", text),
            ("reward_model", pa.struct([("style", text), ("ground_truth", text)])),
            ("extra_info", pa.struct(extra)),
        ]
    )
    rows = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in row_groups(batches, ROW_GROUP_ROWS):
            read = enumerate(group.select(list(COLUMNS)).to_pylist(), rows)
            named = pa.Table.from_pylist([_row(number, row) for number, row in read], schema)
            writer.write_table(named, row_group_size=ROW_GROUP_ROWS)
            rows += len(group)
    return rows


def _row(index: int, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data_source": SOURCE.format(row["source"]),
        "prompt": [{"role": "user", "content": row["instruction"]}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": row["gold"]},
        "extra_info": {
            "index": index,
            "id": row["id"].hex(),
            "choices": row["choices"],
            "field": row["field"],
            "level": row["level"],
            "evidence_level": row["evidence_level"],
            "source": row["release_as"],
        },
    }
