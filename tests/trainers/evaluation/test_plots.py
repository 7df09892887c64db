"""Plots are well-formed SVG that shows the scores and escapes every label."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from trainers.evaluation.evaluate import Result, Score
from trainers.evaluation.plots import plot_curves, plot_side_by_side

SVG = "{http://www.w3.org/2000/svg}"
SCORES = tuple(
    Score("gsm8k", f"{rule}@{size}", 9, share, share - 0.1, share + 0.1)
    for rule, shares in {"Pass": (0.3, 0.5, 0.7), "Maj1": (0.3, 0.4, 0.45)}.items()
    for size, share in zip((1, 2, 4), shares, strict=True)
)
PROBLEMS = ({"set": "gsm8k"},)


def test_a_curve_rises_where_the_scores_do() -> None:
    drawn = ElementTree.fromstring(plot_curves(Result("<m> & co", SCORES, PROBLEMS)))
    texts = ["".join(each.itertext()) for each in drawn.iter(f"{SVG}text")]
    assert "<m> & co: gsm8k, over N" in texts and {"Pass", "Maj1", "1", "2", "4"} <= set(texts)
    lines = [each.get("points", "").split() for each in drawn.iter(f"{SVG}polyline")]
    heights = [[float(point.split(",")[1]) for point in points] for points in lines]
    assert [len(points) for points in heights] == [3, 3]
    assert all(points == sorted(points, reverse=True) for points in heights)


def test_top_k_rules_are_plotted_over_k() -> None:
    top_k = [
        Score("gsm8k", f"{rule}{k}@30", 9, k / 60, 0.0, 1.0)
        for rule in ("RR.Top-", "W.RR.Top-", "Maj1.Top")
        for k in (1, 2, 4, 8, 16, 30)
    ]
    drawn = ElementTree.fromstring(plot_curves(Result("m", (*SCORES, *top_k), PROBLEMS)))
    texts = ["".join(each.itertext()) for each in drawn.iter(f"{SVG}text")]
    assert {"m: gsm8k, over N", "m: gsm8k, over K of 30", "Maj1.Top", "30"} <= set(texts)
    lines = [each.get("points", "").split() for each in drawn.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [3, 3, 6, 6, 6]


def test_a_curve_needs_several_samples_per_problem() -> None:
    with pytest.raises(ValueError, match="several samples"):
        plot_curves(Result("m", (Score("gsm8k", "Pass@1", 9, 0.3, 0.2, 0.4),), PROBLEMS))


def test_models_are_plotted_side_by_side_with_their_intervals() -> None:
    models = [Result("first", SCORES, PROBLEMS), Result("second", SCORES[1:], PROBLEMS)]
    drawn = ElementTree.fromstring(plot_side_by_side(models, "Pass@1"))
    assert len(list(drawn.iter(f"{SVG}circle"))) == 1
    drawn = ElementTree.fromstring(plot_side_by_side(models, "Pass@2"))
    texts = ["".join(each.itertext()) for each in drawn.iter(f"{SVG}text")]
    assert texts.count("50.0%") == 2 and {"first", "second"} <= set(texts)


def test_a_set_is_plotted_whatever_its_name_and_its_parts_are_not() -> None:
    groups = ("org/set", "org/set, unseen", "org/set/algebra")
    scores = [replace(score, group=group) for group in groups for score in SCORES]
    result = Result("m", tuple(scores), ({"set": "org/set"},))
    drawn = ElementTree.fromstring(plot_curves(result))
    titles = {"".join(each.itertext()) for each in drawn.iter(f"{SVG}text")}
    expected = {"m: org/set, over N", "m: org/set, unseen, over N"}
    assert {title for title in titles if title.endswith("over N")} == expected
    drawn = ElementTree.fromstring(plot_side_by_side([result], "Pass@1"))
    assert len(list(drawn.iter(f"{SVG}circle"))) == 1
