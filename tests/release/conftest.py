"""A local Hub, a store with a small version and one with the version of quickstart."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from huggingface_hub import constants

from curator import RunOptions, build
from tests.release.hub.hub_server import Hub, serving
from tests.worlds import make_world

WRITER, READER = "hf_writersecret0123456789", "hf_readersecret0123456789"


@pytest.fixture(scope="session")
def quickstart(quickstart_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `quickstart@1`: 113 rows of 14 subsets and five licences."""
    folder = tmp_path_factory.mktemp("publishing") / "store"
    return Path(copytree(quickstart_built, folder))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `small@1`: a few rows like GSM8K in two subsets, all MIT."""
    folder = tmp_path_factory.mktemp("publishing-small")
    mirror, recipe = make_world(folder)
    build(recipe, store=folder / "store", options=RunOptions(mirror=mirror))
    return folder / "store"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A running server; the clients of this process use it with a token that may write."""
    with serving(Hub(tokens={WRITER: "write", READER: "read"})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("curator.release.hub.client.RETRY_DELAYS_S", (0.02, 0.02, 0.02, 0.02))
        monkeypatch.setattr("curator.release.hub.remote.RETRY_DELAYS_S", (0.02, 0.02, 0.02, 0.02))
        yield running
