"""How far a teacher is, in one line of a terminal."""

import sys

import pytest

from curator.cli.app import Progress
from curator.core.progress import TeacherProgress, short_number, short_time

app = sys.modules[Progress.__module__]  # `curator.cli.app` is also the name of an object


def state(**values: object) -> TeacherProgress:
    plain: dict[str, object] = {
        "what": "generating aqua_rat_pot",
        "done": 1_234,
        "total": 97_467,
        "calls": 3_700,
        "seconds": 100.0,
        "in_flight": 256,
        "refused": 12,
        "failed": 3,
        "tokens": 4_213_000,
        "money": 12.345,
    }
    return TeacherProgress(**plain | values)  # type: ignore[arg-type]


def test_a_line_states_what_is_done_and_what_is_left() -> None:
    assert str(state()) == (
        "generating aqua_rat_pot: 1,234/97k, 37.0/s, 256 in flight, 12 refused, 3 failed, "
        "4.2M tokens, 12.35, 2h10 left"
    )
    start = state(done=0, calls=0, seconds=0.0, in_flight=0, refused=0, failed=0, tokens=0, money=0)
    assert str(start) == "generating aqua_rat_pot: 0/97k, 0.0/s, 0 in flight, 0 tokens"


@pytest.mark.parametrize("width", [79, 60])
def test_a_line_fits_the_terminal_and_keeps_its_numbers(width: int) -> None:
    for what in ("generating gsm8k_pot", "generating questions for a_subset_with_a_long_name"):
        line = app._fit_line(state(what=what), width)
        assert len(line) <= width and line.startswith("g")
        assert width < 79 or "256 in flight, 12 refused, 3 failed" in line


def test_the_time_left_needs_a_result() -> None:
    assert state(done=0).seconds_left is None and state(total=None).seconds_left is None
    assert state(done=50, total=150, seconds=10.0).seconds_left == 20.0


def test_numbers_and_times_are_short() -> None:
    numbers = (0, 9_999, 10_000, 99_999, 1_000_000, 12_345_678, 3_200_000_000)
    shown = ["0", "9,999", "10k", "100k", "1.0M", "12M", "3.2G"]
    assert [short_number(each) for each in numbers] == shown
    assert [short_time(each) for each in (0, 99, 100, 3_600, 36_000)] == [
        "0s",
        "99s",
        "2m",
        "60m",
        "10h00",
    ]


def test_without_a_terminal_a_line_is_printed_after_each_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "LINE_S", 0.0)
    with Progress() as progress:
        for done in range(3):
            progress.teacher(state(done=done))
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "generating aqua_rat_pot: 1/97k",
        "generating aqua_rat_pot: 2/97k",
    ]
    assert printed.out == "" and app.LINE_S == 0.0
    monkeypatch.undo()
    assert app.LINE_S == 30.0
