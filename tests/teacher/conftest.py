"""Short waits between attempts; tests of the waits themselves restore the real ones."""

import pytest


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("dispatch", "batch.api"):
        monkeypatch.setattr(f"curator.teacher.{module}.backoff_s", lambda tries: 0.01)
