"""Ledgers: nothing acknowledged is lost, whenever a process dies or compacts."""

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastore import ledger as module
from datastore import parts
from datastore.errors import StoreError
from datastore.ledger import Ledger


def key(n: int) -> bytes:
    return sha256(str(n).encode()).digest()


def records(*numbers: int, say: str = "") -> dict[bytes, dict[str, object]]:
    return {key(n): {"n": n, "text": f"say {say}\n'é\ud800' "} for n in numbers}


def names(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"*{suffix}"))


def test_a_record_is_found_by_its_key_and_by_no_other(tmp_path: Path) -> None:
    with Ledger(tmp_path / "calls") as ledger:
        assert ledger.get_many([key(1)]) == {}
        ledger.put_many(records(1, 2))
        assert ledger.get_many([key(2), key(3), key(2)]) == records(2)
        ledger.put_many({b"short key 16 byte": {"a": [1, None, {"b": 0.5}]}})
        assert ledger.get_many([b"short key 16 byte"])[b"short key 16 byte"]["a"][2] == {"b": 0.5}


def test_all_records_are_sorted_by_key_and_only_the_newest_of_each_key_counts(
    tmp_path: Path,
) -> None:
    assert list(Ledger(tmp_path / "none").records()) == []
    with Ledger(tmp_path) as old:
        old.put_many(records(*range(20), say="old"))
        old.compact()
        old.put_many(records(3, 30, say="new"))
    expected = records(*range(20), say="old") | records(3, 30, say="new")
    assert list(Ledger(tmp_path).records()) == sorted(expected.items())


def test_keys_with_the_same_beginning_are_distinguished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 4)
    monkeypatch.setattr(parts, "_BATCH_ROWS", 2)
    monkeypatch.setattr(parts, "_GROUPS_PER_READ", 3)
    alike = [b"the same" + bytes([n]) * 8 for n in range(50)]
    there = {each: {"n": n} for n, each in enumerate(alike) if n % 3}
    with Ledger(tmp_path) as ledger:
        ledger.put_many(there | records(*range(50)))
        ledger.compact()
        assert names(tmp_path, ".parquet")
        assert ledger.get_many([*alike, b"the same" * 4, b"the rest" * 2]) == there
        assert ledger.get_many(map(key, range(99))) == records(*range(50))


Step = tuple[str, list[int], str]
steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "reopen", "compact"]),
        st.lists(st.integers(0, 30), max_size=8),
        st.sampled_from("abc"),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(steps=steps)
def test_a_ledger_is_a_dict_that_survives(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    ledger, reader = Ledger(folder), Ledger(folder)
    expected: dict[bytes, dict[str, object]] = {}
    for step, numbers, say in steps:
        if step == "put":
            ledger.put_many(records(*numbers, say=say))
            expected |= records(*numbers, say=say)
        elif step == "compact":
            ledger.compact()
        else:
            ledger.close()
            ledger = Ledger(folder)
        keys = [key(n) for n in range(31)]
        assert reader.get_many(keys) == expected == Ledger(folder).get_many(keys)
        assert reader.count() >= len(expected)
    ledger.close()


@settings(max_examples=25)
@given(cut=st.integers(0, 2000), junk=st.sampled_from([b"", b"\0" * 300, b"\xff\n\xfe\n"]))
def test_a_torn_end_loses_only_the_torn_records(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    with Ledger(folder) as ledger:
        ledger.put_many(records(*range(20)))
    [journal] = names(folder, ".journal")
    data = journal.read_bytes()[:cut]
    journal.write_bytes(data + junk)
    whole = data.count(b"\n")
    for compacted in (False, True):
        reader = Ledger(folder)
        assert reader.get_many(map(key, range(20))) == records(*range(whole))
        reader.put_many(records(100 + compacted))
        reader.compact()
        assert Ledger(folder).get_many([key(100 + compacted)])
    assert not names(folder, ".journal")


def test_a_record_written_after_a_failed_write_is_not_behind_a_torn_line(disk: Path) -> None:
    folder = disk / "ledger"
    ledger = Ledger(folder)
    ledger.put_many(records(1))
    filler = disk / "filler"
    with pytest.raises(StoreError, match=r"No space left on device\. Free some space") as caught:
        for n in range(1000):
            with filler.open("ab") as file:
                file.write(bytes(100_000))
            ledger.put_many(records(*range(n * 10, n * 10 + 10), say="x" * 3000))
    assert "\n" not in str(caught.value)
    filler.unlink()
    ledger.put_many(records(77_777))
    for found in (ledger, Ledger(folder)):
        assert found.get_many([key(1), key(77_777)]).keys() == {key(1), key(77_777)}
    ledger.compact()
    assert Ledger(folder).get_many([key(77_777)]) == records(77_777)


def test_a_full_disk_during_compaction_loses_nothing(disk: Path) -> None:
    folder = disk / "ledger"
    ledger = Ledger(folder)
    noise = random.Random(1)
    much = {key(n): {"text": noise.randbytes(2000).hex()} for n in range(700)}
    ledger.put_many(much)
    (disk / "filler").write_bytes(bytes(4_500_000))
    with pytest.raises(StoreError, match=r"Cannot compact a ledger .* No space left"):
        ledger.compact()
    assert not names(folder, ".tmp")
    (disk / "filler").unlink()
    assert Ledger(folder).get_many(much) == much
    ledger.compact()
    assert not names(folder, ".journal")
    assert Ledger(folder).get_many(much) == much


def test_only_appended_records_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = Ledger(tmp_path), Ledger(tmp_path)
    writer.put_many(records(*range(1000)))
    assert len(reader.get_many(map(key, range(1000)))) == 1000
    [journal] = names(tmp_path, ".journal")
    # If the journal were read again from its beginning, these records would be missing.
    with journal.open("r+b") as file:
        file.write(bytes(1000))
    writer.put_many(records(1000))
    assert len(reader.get_many(map(key, range(1001)))) == 1001


def test_journals_and_parts_stay_few_and_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROLL_BYTES", 2_000)
    for n in range(60):
        with Ledger(tmp_path) as ledger:
            ledger.put_many(records(*range(n * 5, n * 5 + 20)))
    assert len(names(tmp_path, ".parquet")) < 2 * module.MERGE_COUNT
    assert len(names(tmp_path, ".journal")) <= 1
    monkeypatch.undo()
    for n in range(60):
        with Ledger(tmp_path) as ledger:
            ledger.put_many(records(1000 + n))
    assert len(names(tmp_path, ".journal")) <= module.ROLL_FILES
    everything = [*range(315), *range(1000, 1060)]
    assert Ledger(tmp_path).get_many(map(key, everything)) == records(*everything)


def test_the_journal_of_a_living_process_is_not_compacted(tmp_path: Path) -> None:
    living, other = Ledger(tmp_path), Ledger(tmp_path)
    living.put_many(records(1))
    other.put_many(records(2))
    other.compact()
    assert len(names(tmp_path, ".journal")) == len(names(tmp_path, ".parquet")) == 1
    living.put_many(records(3))
    living.close()
    other.compact()
    assert not names(tmp_path, ".journal")
    assert other.get_many(map(key, range(5))) == records(1, 2, 3)


def test_a_forked_child_writes_its_own_journal(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put_many(records(1))
    if (child := os.fork()) == 0:
        ledger.put_many(records(2))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    ledger.put_many(records(3))
    assert len(names(tmp_path, ".journal")) == 2
    assert ledger.get_many(map(key, range(5))) == records(1, 2, 3)


WRITER = """
import sys
from hashlib import sha256
from pathlib import Path
from datastore import ledger as module
module.ROLL_BYTES, module.ROLL_FILES = 20_000, 3
ledger = module.Ledger(Path(sys.argv[1]))
n = int(sys.argv[2])
while n < int(sys.argv[3]):
    known = [sha256(str(k).encode()).digest() for k in range(int(sys.argv[2]), n)]
    assert len(ledger.get_many(known)) == len(known), "an acknowledged record is gone"
    ledger.put_many(
        {sha256(str(k).encode()).digest(): {"n": k, "text": "x" * 100} for k in range(n, n + 20)}
    )
    n += 20
    print(n, flush=True)
"""


def test_kills_lose_nothing_acknowledged_while_others_write_read_and_compact(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    rng = random.Random(3)
    steady = [start(WRITER, tmp_path, base, base + 1500) for base in (10**6, 2 * 10**6)]
    acknowledged: set[int] = set()
    for kill in range(4):
        writer = start(WRITER, tmp_path, kill * 10_000, kill * 10_000 + 10_000)
        assert writer.stdout
        writer.stdout.readline()
        time.sleep(rng.random() * 0.3)
        writer.kill()
        lines = writer.communicate()[0].split()
        acknowledged |= set(range(kill * 10_000, int(lines[-1]) if lines else kill * 10_000 + 20))
    for process, base in zip(steady, (10**6, 2 * 10**6), strict=True):
        process.communicate()
        assert process.returncode == 0
        acknowledged |= set(range(base, base + 1500))
    ledger = Ledger(tmp_path)
    for _ in range(2):
        found = ledger.get_many(map(key, acknowledged))
        assert {record["n"] for record in found.values()} == acknowledged
        ledger.compact()
    assert not names(tmp_path, ".journal") and not names(tmp_path, ".tmp")


def flips(data: bytes, chosen: random.Random, step: int = 1) -> Iterator[bytes]:
    """Yield copies of the data with one changed bit: one in each byte, or in each `step` bytes."""
    for place in range(0, len(data), step):
        changed = bytes([data[place] ^ 1 << chosen.randrange(8)])
        yield data[:place] + changed + data[place + 1 :]


def read_true(folder: Path, expected: Mapping[bytes, object]) -> int:
    """Read a ledger in both ways and return the number of records, which are true or missing."""
    notes: list[str] = []
    ledger = Ledger(folder, notes.append)
    found = ledger.get_many([*expected, key(999)])
    assert found.items() <= expected.items()
    assert dict(ledger.records()) == found
    assert len(notes) == len(ledger.damage()) and not any("\n" in note for note in notes)
    return len(found)


def test_a_changed_bit_in_a_journal_loses_one_record_or_two_and_is_counted(tmp_path: Path) -> None:
    expected = records(1, 2, 3)
    with Ledger(tmp_path) as ledger:
        ledger.put_many(expected)
    [journal] = names(tmp_path, ".journal")
    data = journal.read_bytes()
    last = data.rindex(b"\n", 0, -1) + 1
    for place, changed in enumerate(flips(data, random.Random(1))):
        journal.write_bytes(changed)
        found = read_true(tmp_path, expected)
        assert found in (1, 2), place
        damage = Ledger(tmp_path).damage()
        # Without its end, the last line looks like one that is still being written.
        assert damage.keys() == ({journal} if place < len(data) - 1 else set())
        assert found == 2 or (data[place : place + 1] == b"\n" and place < last)


def test_a_changed_bit_in_a_part_loses_records_but_never_changes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 4)
    monkeypatch.setattr(parts, "_BATCH_ROWS", 2)
    expected = records(*range(12))
    with Ledger(tmp_path) as ledger:
        ledger.put_many(expected)
        ledger.compact()
    [part] = names(tmp_path, ".parquet")
    data = part.read_bytes()
    assert Ledger(tmp_path).damage() == {}
    found = Counter[int]()
    for changed in flips(data, random.Random(2), step=4):
        part.write_bytes(changed)
        found[read_true(tmp_path, expected)] += 1
        assert Ledger(tmp_path).damage() == {part: "damaged"}
    # A byte belongs to a group of four records or to the description of the file.
    assert found[12] and found[8] and found[0]
    part.write_bytes(data)
    assert Ledger(tmp_path).get_many([key(1)]) == records(1)


@pytest.mark.parametrize("suffix", [".journal", ".parquet"])
def test_compaction_moves_damaged_files_away_and_keeps_their_intact_records(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 4)
    monkeypatch.setattr(parts, "_BATCH_ROWS", 2)
    with Ledger(tmp_path) as ledger:
        ledger.put_many(records(*range(12)))
        if suffix == ".parquet":
            ledger.compact()
    [path] = names(tmp_path, suffix)
    data = path.read_bytes()
    damaged = data[:500] + bytes([data[500] ^ 1]) + data[501:]
    path.write_bytes(damaged)
    intact = Ledger(tmp_path).get_many(map(key, range(12)))
    assert 8 <= len(intact) < 12
    with Ledger(tmp_path) as ledger:
        assert ledger.get_many([key(1)]).items() <= records(1).items()
        ledger.put_many(records(*range(12), say="again"))  # a process that saw the damage
    assert Ledger(tmp_path).damage() == {}
    assert (tmp_path / "damaged" / path.name).read_bytes() == damaged
    again = Ledger(tmp_path).get_many(map(key, range(12)))
    assert again == records(*range(12), say="again")
    Ledger(tmp_path).compact()
    assert Ledger(tmp_path).get_many(map(key, range(12))) == again


def test_a_part_without_an_intact_record_is_moved_away_too(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.put_many(records(1))
        ledger.compact()
    [part] = names(tmp_path, ".parquet")
    part.write_bytes(b"PAR1")
    Ledger(tmp_path).compact()
    assert names(tmp_path, ".parquet") == []
    assert Ledger(tmp_path).get_many([key(1)]) == {}
    assert names(tmp_path / "damaged", ".parquet") == [tmp_path / "damaged" / part.name]


def test_a_part_whose_records_are_all_intact_is_written_again(tmp_path: Path) -> None:
    """Its new copy has the name of the damaged file, which must not be lost in between."""
    with Ledger(tmp_path) as ledger:
        ledger.put_many(records(1, 2))
        ledger.compact()
    [part] = names(tmp_path, ".parquet")
    data = part.read_bytes()
    part.write_bytes(data.replace(b"parquet-cpp", b"parquet-cqp"))
    assert Ledger(tmp_path).damage() == {part: "damaged"}
    Ledger(tmp_path).compact()
    assert part.read_bytes() == data
    assert names(tmp_path / "damaged", ".parquet") == [tmp_path / "damaged" / part.name]


def test_a_compaction_that_was_killed_before_it_removed_old_parts_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one writes the same part, which has the name of the first."""
    monkeypatch.setattr(module, "MERGE_COUNT", 2)
    with Ledger(tmp_path / "kept") as ledger:
        for n in range(2):
            ledger.put_many(records(n))
            ledger.compact()
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    for _ in range(3):
        for name, data in before.items():
            (tmp_path / "kept" / name).write_bytes(data)
        with Ledger(tmp_path / "kept") as ledger:
            ledger.put_many(records(9))
            ledger.compact()
        assert Ledger(tmp_path / "kept").get_many([key(0), key(1), key(9)]) == records(0, 1, 9)
