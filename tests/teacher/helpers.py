"""Shared by the tests of the teacher: requests, settings, and runs in a store."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curator.teacher import Budget, Call, Request, TeacherSettings
from curator.teacher.client import CallLedgers, Counts, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.teacher.faults import Server


class Notes:
    """A listener that collects notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def progress(self, what: str, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.texts.append(text)


def requests(count: int, parameters: str = "{}", first: int = 0) -> list[Request]:
    names = range(first, first + count)
    return [Request("test", "m", (("user", f"question {n}"),), parameters) for n in names]


def settings(server: Server, **more: Any) -> TeacherSettings:
    return TeacherSettings(**{"model": "m", "base_url": server.url, "key_env": "", **more})


def ask(
    teacher_settings: TeacherSettings,
    store: Path,
    to_send: Sequence[Request],
    *,
    recipe: str = "r",
    budget: Budget = Budget(),  # noqa: B008
    listener: Notes | None = None,
) -> tuple[list[Call | BaseException], Counts]:
    """The call or the exception of each request, in a separate run."""

    async def run() -> tuple[list[Call | BaseException], Counts]:
        teacher = Teacher(
            teacher_settings,
            CallLedgers(ledger, claims),
            recipe=recipe,
            budget=budget,
            listener=listener,
        )
        async with teacher:
            calls = await asyncio.gather(*map(teacher.get_call, to_send), return_exceptions=True)
        return calls, teacher.counts

    with Ledger(store / "calls") as ledger, Claims(store / "claims") as claims:
        return asyncio.run(run())


def records(store: Path) -> dict[str, dict[str, Any]]:
    """The records of a store by the last message of their requests."""
    with Ledger(store / "calls") as ledger:
        return {each["request"]["messages"][-1][1]: each for _, each in ledger.records()}


def stored(store: Path) -> bytes:
    """All bytes in the store's files."""
    return b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
