"""The length of rows in tokens, of their thoughts and answers apart."""

from pathlib import Path

import pytest

from curator.versions.lengths import EDGES, Lengths, measure_lengths
from datastore.engine import Engine


def measure(folder: Path, texts: list[str]) -> Lengths:
    with Engine(spill=folder) as engine:
        engine.sql("CREATE TABLE rows (kind VARCHAR, instruction VARCHAR, text VARCHAR)")
        for text in texts:
            engine.connection.execute("INSERT INTO rows VALUES ('CoT', 'q q', ?)", [text])
        (found,) = measure_lengths(engine, "FROM rows", lambda text: len(text.split()))
    assert sum(count for _, count in found.bins) == found.rows == len(texts)
    return found


def test_thoughts_are_counted_apart(tmp_path: Path) -> None:
    texts = ["a b", "<think>a b c</think>d", "<think>a b c d e</think>f", "<think>a"]
    found = measure(tmp_path, texts)
    assert (found.thoughts, found.thought, found.instruction, found.rationale) == (2, 5, 2, 4)


@pytest.mark.parametrize(
    ("longest", "names"),
    [
        (10, [*map(str, EDGES[:-2]), "1k", "2k+"]),
        (4_000, [*map(str, EDGES[:-2]), "1k", "2k+"]),
        (5_000, [*map(str, EDGES[:-2]), "1k", "2k", "4k+"]),
        (40_000, [*map(str, EDGES[:-2]), "1k", "2k", "4k", "8k", "16k", "32k+"]),
    ],
)
def test_long_rows_have_columns_of_their_own(
    tmp_path: Path, longest: int, names: list[str]
) -> None:
    bins = measure(tmp_path, ["a", "a " * longest]).bins
    assert [name for name, _ in bins] == names
    assert bins[0][1] + bins[-1][1] >= 1
