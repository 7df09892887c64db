"""Fixtures of several tests: real data and a small disk; settings of hypothesis."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from curator import build
from tests.paths import ROOT
from tests.worlds import mount

# Several workers share two cores: a slow example is not an error of the code.
settings.register_profile("curator", deadline=None, max_examples=60)
settings.load_profile("curator")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def quickstart_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `quickstart@1`, to be copied: building it takes seconds."""
    folder = tmp_path_factory.mktemp("quickstart-built") / "store"
    build("quickstart", store=folder)
    return folder


@pytest.fixture
def shared() -> Path:
    """Real upstream data in the layout of `--mirror`; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
