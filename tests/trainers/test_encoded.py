"""Releases are encoded once per run: by one process, on all cores, from and to disk."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from curator.core.errors import CuratorError, UsageError
from tests.paths import ROOT
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.encoded import load_encoded, read_lengths, read_row, write_encoded
from trainers.models import load_tokenizer
from trainers.recipe import SFT
from trainers.release import read_release
from trainers.tokenize import ALPACA, encode, set_template

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

ROWS = [
    {"prompt": f"{n} + 1?", "completion": "so " * (n % 60) + f"{n + 1}", "source": "ab"[n % 2]}
    for n in range(2_500)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoded")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    texts = [ALPACA, *(row["prompt"] + row["completion"] for row in ROWS)]
    tiny_model(folder / "model", texts, width=16, layers=1)
    return folder


def recipe(base: Path, output: Path, **keys: object) -> SFT:
    values = {"train": "sft", "name": "x", "about": "A test", "learning_rate": 1, "max_length": 100}
    files = {"model": str(base / "model"), "release": str(base / "rows.jsonl")}
    return SFT.model_validate(
        {**values, **files, "output": str(output), "truncate": "allow", **keys}
    )


def encoded(settings: SFT) -> tuple[Any, Any, list[str]]:
    lines: list[str] = []
    tokenizer = load_tokenizer(settings.model)
    set_template(tokenizer, settings.template)
    release = read_release(Path(settings.release))
    return *load_encoded(settings, release, tokenizer, lines.append), lines


def test_the_file_has_the_rows_that_are_encoded_in_memory(base: Path, tmp_path: Path) -> None:
    settings = recipe(base, tmp_path)
    dataset, counts, lines = encoded(settings)
    assert len(lines) == 1 and lines[0].startswith("encoding 2,500 rows into ")
    tokenizer = load_tokenizer(settings.model)
    set_template(tokenizer, "alpaca")
    rows, expected = encode(read_release(base / "rows.jsonl").examples(), tokenizer, 100, "allow")
    assert counts == expected and counts.cut > 0
    assert [read_row(dataset, n) for n in range(len(dataset))] == rows
    assert read_lengths(dataset) == [len(row.prompt) + len(row.answer) for row in rows]
    for row, one in zip(rows[:50], dataset, strict=False):
        assert one["input_ids"] == [*row.prompt, *row.answer]
        assert one["labels"] == [-100] * len(row.prompt) + [*row.answer]


def test_outputs_of_tools_carry_no_loss_in_the_file(base: Path, tmp_path: Path) -> None:
    text = "```python\nprint(1 + 1)\n```\n```output\n2\n```\nThe answer is 2."
    (tmp_path / "tools.jsonl").write_text(json.dumps({"prompt": "1 + 1?", "completion": text}))
    settings = recipe(base, tmp_path / "run", release=str(tmp_path / "tools.jsonl"), max_length=900)
    dataset, counts, _ = encoded(settings)
    (row,) = encode_file(settings)
    assert row.masked and read_row(dataset, 0).label_answer() == row.label_answer()
    assert dataset[0]["labels"][len(row.prompt) :] == row.label_answer()
    assert counts.answer_tokens == row.count_loss() < len(row.answer)


def encode_file(settings: SFT) -> list[Any]:
    """Return the rows of a release, encoded in memory."""
    tokenizer = load_tokenizer(settings.model)
    set_template(tokenizer, settings.template)
    examples = read_release(Path(settings.release)).examples()
    return encode(examples, tokenizer, settings.max_length, settings.truncate)[0]


def test_bytes_do_not_depend_on_the_number_of_processes(base: Path, tmp_path: Path) -> None:
    settings = recipe(base, tmp_path)
    tokenizer = load_tokenizer(settings.model)
    set_template(tokenizer, "alpaca")
    examples = read_release(base / "rows.jsonl").examples
    counts = [
        write_encoded(examples(), tokenizer, settings, tmp_path / f"{workers}", workers)
        for workers in (1, 2)
    ]
    assert counts[0] == counts[1]
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


class Killer:
    """A tokenizer that ends its process as the kernel does when memory runs out."""

    added_tokens_decoder: ClassVar[dict[int, object]] = {}

    def apply_chat_template(self, *_: object, **__: object) -> str:
        os.kill(os.getpid(), 9)
        return ""


def test_a_worker_that_is_killed_is_one_line_and_leaves_no_file(base: Path, tmp_path: Path) -> None:
    examples = read_release(base / "rows.jsonl").examples()
    with pytest.raises(CuratorError, match=r"^A process that encodes rows was killed, [^\n]+$"):
        write_encoded(examples, Killer(), recipe(base, tmp_path), tmp_path / "x", 2)
    assert list(tmp_path.iterdir()) == []


def test_a_release_is_encoded_once_and_again_only_if_its_tokens_change(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encoded(recipe(base, tmp_path))
    assert encoded(recipe(base, tmp_path, learning_rate=0.5, epochs=9))[2] == []
    # Another process reads what the first one wrote, and waits for it.
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("trainers.encoded.write_encoded", lambda *_: pytest.fail("encoded twice"))
    assert encoded(recipe(base, tmp_path))[0][:] == first[0][:]
    monkeypatch.setattr("trainers.launch.FOLDER_WAIT_S", 0.0)
    with pytest.raises(UsageError, match="that all machines share"):
        encoded(recipe(base, tmp_path / "other"))
    monkeypatch.undo()
    for keys in ({"template": "chat"}, {"max_length": 99}, {"thoughts": "mask"}):
        assert encoded(recipe(base, tmp_path, **keys))[2], keys
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROWS[0]))
    assert encoded(recipe(base, tmp_path, release=str(tmp_path / "rows.jsonl")))[2]
    assert len(list(tmp_path.glob("encoded-*.arrow"))) == 5
    for file in tmp_path.glob("encoded-*.arrow"):
        file.write_bytes(b"ARROW")
    with pytest.raises(UsageError, match=r"is damaged\. Delete it"):
        encoded(recipe(base, tmp_path))


def test_rows_that_would_be_cut_leave_no_file(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of 2,500 rows are longer than max_length 100 tokens"):
        encoded(recipe(base, tmp_path, truncate="refuse"))
    assert list(tmp_path.iterdir()) == []


def test_memory_grows_little_with_the_release(base: Path, tmp_path: Path) -> None:
    program = (
        "import resource, sys, json\n"
        "from pathlib import Path\n"
        "import datasets\n"
        "from tests.trainers.test_encoded import encoded, recipe\n"
        "base, output, release = map(Path, sys.argv[1:])\n"
        "encoded(recipe(base, output / 'run', release=str(release), max_length=1_000))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for rows in (2_000, 14_000):
        release = tmp_path / f"{rows}.jsonl"
        # The rows that are added have 14 MB of text and 42 MB of tokens
        # and labels; allocators hold back 30 MB.
        row = {"prompt": "1?", "completion": "so " * 400}
        release.write_text(f"{json.dumps(row)}\n" * rows)
        done = subprocess.run(
            [sys.executable, "-c", program, str(base), str(tmp_path), str(release)],
            cwd=ROOT, env=ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < peaks[0] + 45_000
