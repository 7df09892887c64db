"""Arrays and batches made from the values of records."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.arrow import VERDICTS, make_array
from curator.core.model import Verdict

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = {
    pa.string(): TEXTS,
    pa.list_(pa.string()): st.lists(TEXTS).map(tuple),
    pa.binary(16): st.binary(min_size=16, max_size=16),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.bool_(): st.booleans(),
}


@given(st.data())
@pytest.mark.parametrize("type_", VALUES, ids=str)
def test_an_array_equals_the_one_that_pyarrow_makes(
    type_: pa.DataType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(VALUES[type_]))
    made = make_array(values, type_)
    made.validate(full=True)
    assert made.equals(pa.array(values, type_))


def test_the_columns_of_verdicts_have_the_order_of_their_fields() -> None:
    assert list(Verdict._fields) == VERDICTS.names, "the fields are written by their place"


def test_a_number_that_does_not_fit_raises() -> None:
    with pytest.raises(OverflowError):
        make_array([2**31], pa.int32())


def test_arrow_reserves_no_gigabyte_that_counts_against_a_memory_limit() -> None:
    code = (
        "import curator, resource, pyarrow as pa\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (700 << 20, 700 << 20))\n"
        "pa.array(list(range(1_000_000)))\n"
        "status = open('/proc/self/status').read()\n"
        "print(int(status.partition('VmData:')[2].split()[0]) >> 10)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 700
