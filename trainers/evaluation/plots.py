"""Plots of evaluations: curves over the number of samples, and models side by side.

In: results. Out: the text of one SVG file.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from curator.core.charts import Interval, draw_curves, draw_intervals, join_panels
from trainers.evaluation.evaluate import UNSEEN, Result, Score
from trainers.evaluation.metrics import RULES

_TOP_K = re.compile(r"(.*Top-?)([0-9]+)")
"""A rule that looks into the best K, such as `W.RR.Top-8`."""


def plot_curves(result: Result) -> str:
    """Plot Pass@k, votes and re-ranking over the number of samples N, one panel per set.

    The Top-K rules get a second panel over K, the number of clusters or samples that they look
    into, with all samples. Bands are 95% intervals over problems. Raises ValueError if no problem
    has more than one sample.
    """
    panels: dict[str, dict[str, dict[int, Interval]]] = defaultdict(lambda: defaultdict(dict))
    groups = {group for name in result.sets() for group in (name, f"{name}{UNSEEN}")}
    for score in result.scores:
        rule, _, size = score.metric.partition("@")
        if score.group not in groups or not size.isdigit():
            continue
        if rule in ("Pass", *RULES):
            panels[f"{score.group}, over N"][rule][int(size)] = _interval(score)
        elif top_k := _TOP_K.fullmatch(rule):
            over_k = f"{score.group}, over K of {size}"
            panels[over_k][top_k[1]][int(top_k[2])] = _interval(score)
    curves = {
        title: series
        for title, series in panels.items()
        if max(size for points in series.values() for size in points) > 1
    }
    if not curves:
        raise ValueError("a curve needs several samples per problem")
    return join_panels(
        [draw_curves(f"{result.name}: {title}", series) for title, series in curves.items()]
    )


def plot_side_by_side(results: Sequence[Result], metric: str) -> str:
    """Plot one metric of several models with its 95% intervals, one panel per set."""
    groups: dict[str, dict[str, Interval]] = {}
    for result in results:
        for score in result.scores:
            if score.group in result.sets() and score.metric == metric:
                groups.setdefault(score.group, {})[result.name] = _interval(score)
    return join_panels(
        [
            draw_intervals(
                f"{group}, {metric}", [(one.name, scores.get(one.name)) for one in results]
            )
            for group, scores in groups.items()
        ]
    )


def _interval(score: Score) -> Interval:
    return Interval(score.share, score.low, score.high)
