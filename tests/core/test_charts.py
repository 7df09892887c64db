"""Charts are well-formed SVG that shows the numbers and escapes every label."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from curator.core.charts import (
    Interval,
    draw_bar,
    draw_curves,
    draw_histogram,
    draw_intervals,
    draw_stacked_bar,
    join_panels,
)

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(0, 1e9) | st.integers(0, 10**9)


@given(NUMBERS, NUMBERS)
def test_a_bar_never_leaves_its_place_and_is_visible_if_its_value_is_not_zero(
    value: float, maximum: float
) -> None:
    width = float(ElementTree.fromstring(draw_bar(value, maximum))[0].get("width", ""))
    assert 0 <= width <= 100
    assert (width > 0) == (value > 0 and maximum > 0)


def test_a_mark_stands_where_the_other_value_is_and_stays_inside() -> None:
    marks = [ElementTree.fromstring(draw_bar(1, 10, mark=value))[1] for value in (5, 10)]
    assert [float(mark.get("x", "")) for mark in marks] == [50, 99.2]


def test_the_segments_of_a_stacked_bar_follow_each_other_and_fill_it() -> None:
    segments = ElementTree.fromstring(
        draw_stacked_bar([("kept", 3), ("failed", 0), ("none", 1)], "<l>")
    )
    assert segments.get("aria-label") == "<l>"
    assert [each.get("class") for each in segments] == ["kept", "none"]
    assert [(each.get("x"), each.get("width")) for each in segments] == [("0", "75"), ("75", "25")]


def test_a_histogram_writes_the_share_above_each_column_that_is_not_empty() -> None:
    drawn = ElementTree.fromstring(draw_histogram([("0", 999), ("<10>", 0), ("20+", 1)], "rows"))
    assert [each.text for each in drawn.iter("text")] == ["100%", "0", "<10>", "<1%", "20+"]
    assert len(list(drawn.iter("rect"))) == 2
    assert ElementTree.fromstring(draw_histogram([], "no rows")).get("aria-label") == "no rows"


def test_a_file_has_all_panels_one_below_the_other_and_escapes_their_labels() -> None:
    half = Interval(0.5, 0.4, 0.6)
    curve, intervals = draw_curves("</svg>", {"&": {1: half}}), draw_intervals("x", [("y", None)])
    drawn = ElementTree.fromstring(join_panels([curve, intervals]))
    moves = [each.get("transform") for each in drawn.iter(f"{SVG}g")]
    assert moves == ["translate(0 0)", f"translate(0 {curve[1]})"]
    assert drawn.get("viewBox") == f"0 0 640 {curve[1] + intervals[1]}"
    assert {"</svg>", "&", "y"} <= {each.text for each in drawn.iter(f"{SVG}text")}


def test_every_series_is_drawn_even_if_there_are_more_than_colours() -> None:
    series = {str(n): {1: Interval(0.1, 0.0, 0.2), 2: Interval(0.3, 0.2, 0.4)} for n in range(20)}
    drawn = ElementTree.fromstring(join_panels([draw_curves("many", series)]))
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 20
