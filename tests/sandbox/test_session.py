"""Sessions: programs of one trace run one after another, as in a notebook."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.sandbox import Execution, Sandbox
from curator.sandbox.session import (
    LONGEST_OUTPUT,
    Session,
    build_session,
    is_session,
    read_session,
)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=1, wall_s=5, cpu_s=2) as opened:
        yield opened


def run(box: Sandbox, *programs: str) -> Session:
    return read_session(programs, box.run(build_session(programs)))


CASES: dict[str, tuple[Sequence[str], list[tuple[str, str]]]] = {
    "state is kept": (["x = 3", "print(x + 1)"], [("", ""), ("4\n", "")]),
    "the last expression is printed": (["x = 3\nx", "x; x + 1"], [("3\n", ""), ("4\n", "")]),
    "None and a semicolon print nothing": (["None", "5;", ""], [("", "")] * 3),
    "output comes before the last expression": (["print(1)\n2"], [("1\n2\n", "")]),
    "an error ends its block only": (
        ["print(1)\n1 / 0\nprint(2)", "3"],
        [("1\n", "ZeroDivisionError: division by zero"), ("3\n", "")],
    ),
    "what does not parse": (
        ["x = (", "4"],
        [("", "SyntaxError: '(' was never closed"), ("4\n", "")],
    ),
    "exit ends its block": (["print(1); exit()", "2"], [("1\n", ""), ("2\n", "")]),
    "no standard input": (["input()"], [("", "EOFError: EOF when reading a line")]),
    "a closed stream": (["import sys; sys.stdout.close()", "2"], [("", ""), ("2\n", "")]),
    "a replaced stream": (
        ["import io, sys\nsys.stdout = io.StringIO()", "2"],
        [("", ""), ("2\n", "")],
    ),
    "classes are in __main__": (
        ["class A:\n    pass", "import pickle\nprint(len(pickle.dumps(A())) > 0, __name__)"],
        [("", ""), ("True __main__\n", "")],
    ),
    "an error that cannot be shown": (
        ["class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "2"],
        [("", "E: <exception str() failed>"), ("2\n", "")],
    ),
    "half a character": (
        ["'\\ud800'", "print('\\ud800')"],
        [("'\\ud800'\n", ""), ("\ud800\n", "")],
    ),
    "fences and quotes": (["print('''\n```python\n\"\"\"''')"], [('\n```python\n"""\n', "")]),
}


@pytest.mark.parametrize("name", CASES)
def test_programs_of_a_session_run_as_in_a_notebook(box: Sandbox, name: str) -> None:
    programs, expected = CASES[name]
    session = run(box, *programs)
    assert session.status == "ok"
    assert [(block.text, block.error) for block in session.blocks] == expected


@pytest.mark.parametrize(("program", "status"), [
    ("while True: pass", "timeout"),
    ("import os; os._exit(0)", "ok"),
    ("import os; os.abort()", "killed"),
    ("x = bytearray(10**10)", "memory"),
    ("import os; os.write(1, b'a' * 200_000)", "output"),
])  # fmt: skip
def test_a_program_that_ends_the_session_leaves_the_outputs_before_it(
    box: Sandbox, program: str, status: str
) -> None:
    session = run(box, "1", program, "2")
    assert session.status == status
    assert [block.text for block in session.blocks] == ["1\n"]


def test_each_session_has_a_fresh_state(box: Sandbox) -> None:
    run(box, "import math\nmath.pi = 3\nx = 5")
    (block,) = run(box, "import math\nprint(math.pi, 'x' in globals())").blocks
    assert block.text == "3.141592653589793 False\n"


def test_the_middle_of_a_long_output_is_cut(box: Sandbox) -> None:
    first, second = run(box, "print('a' * 5_000 + 'b')", "2").blocks
    assert len(first.text) == LONGEST_OUTPUT + len("\n...\n")
    assert first.text.endswith("ab\n") and second.text == "2\n"


@pytest.mark.parametrize("letter", ["a", "\u4e2d"])
def test_many_long_outputs_do_not_end_a_session(box: Sandbox, letter: str) -> None:
    program = f"print({letter!r} * 5_000)"
    few, many = run(box, *[program] * 20), run(box, *[program] * 50)
    assert (few.status, many.status, len(many.blocks)) == ("ok", "ok", 50)
    assert few.blocks == many.blocks[:20], "an output does not depend on later programs"
    assert len(many.blocks[0].text) > LONGEST_OUTPUT > 2 * len(many.blocks[-1].text)


def test_a_text_cannot_write_the_record_of_a_block(box: Sandbox) -> None:
    mark = build_session(["1", "2"]).rpartition("#")[2][:32]
    session = run(box, f'import os\nos.write(1, b\'\\n#{mark} [1, "9", ""]\\n\'); None', "2")
    assert [block.text for block in session.blocks] == ["", "2\n"]


def test_only_a_session_is_taken_for_one() -> None:
    assert is_session(build_session([]))
    assert not is_session("print(1)")


@given(st.text(), st.integers(0, 3))
def test_any_output_can_be_read(text: str, number: int) -> None:
    programs = ["1", "2"]
    mark = build_session(programs).rpartition("#")[2].partition("'")[0]
    stdout = f"\n#{mark}[{number}, {text}\n#{mark}{text}\n#{mark}[0, [], 4]\n{text}"
    session = read_session(programs, Execution("ok", stdout=stdout))
    assert len(session.blocks) <= 2
    nested = read_session(programs, Execution("ok", stdout=f"#{mark}{'[' * 100_000}"))
    assert nested.blocks == ()
