"""A Hub that takes datasets, and a store with a real version of all thirteen subsets in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from curator import build
from tests.publishing.hub_server import Hub, serving

WRITER, READER = "hf_writersecret0123456789", "hf_readersecret0123456789"


@dataclass(frozen=True)
class Built:
    """A store with `quickstart@1`."""

    store: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("publishing") / "store"
    build("quickstart", store=folder)
    return Built(folder)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A running stand-in; the real clients of this process ask it with a token that may write."""
    import datasets
    import huggingface_hub

    with serving(Hub(tokens={WRITER: "write", READER: "read"})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", running.url)
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", running.url)
        monkeypatch.setattr("curator.hub.WAITS_S", (0.02, 0.02, 0.02, 0.02))
        monkeypatch.setattr("curator.publish.WAITS_S", (0.02, 0.02, 0.02, 0.02))
        yield running
