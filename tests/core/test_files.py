"""Files that are written aside replace only other files."""

import os
from pathlib import Path

import pytest

from curator.core.errors import UsageError
from curator.core.files import write_aside


def test_a_pipe_or_a_folder_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "folder", "link"):
        with (
            pytest.raises(UsageError, match=f"{name} is not a regular file"),
            write_aside(tmp_path / name) as temporary,
        ):
            temporary.write_text("new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "link", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_that_is_written_aside_replaces_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with write_aside(tmp_path / "file") as temporary:
            temporary.write_text(text)
    assert (tmp_path / "file").read_text() == "new"
