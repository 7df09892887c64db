"""Plots of evaluations as SVG files: curves over the number of samples, and scores side by side.

In: results. Out: the text of one SVG file without outside references, readable in light and dark.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from math import log2

from trainers.evaluation.evaluate import UNSEEN, Result, Score
from trainers.evaluation.metrics import RULES

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 150, 34, 34
COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e", "#a6761d")
_LOOKING = re.compile(r"(.*Top-?)([0-9]+)")
_STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#333}.t{font-weight:600}"
    ".g{stroke:#999;stroke-opacity:.35}"
    "@media(prefers-color-scheme:dark){svg{background:#161616}text{fill:#ddd}}</style>"
)


def curves(result: Result) -> str:
    """Pass@k, votes and re-ranking over the samples N, a panel a set; a second one over K.

    K is how many clusters or samples the Top-K rules look into, with all samples there. Bands are
    95% intervals over problems. Raises ValueError if there is one sample a problem only.
    """
    sets: dict[str, dict[str, dict[int, Score]]] = defaultdict(lambda: defaultdict(dict))
    for score in result.scores:
        rule, _, size = score.metric.partition("@")
        if "/" in score.group or not size.isdigit():
            continue
        if rule in ("Pass", *RULES):
            sets[f"{score.group}, over N"][rule][int(size)] = score
        elif looking := _LOOKING.fullmatch(rule):
            over = f"{score.group}, over K of {size}"
            sets[over][looking[1]][int(looking[2])] = score
    panels = {group: lines for group, lines in sets.items() if _widest(lines) > 1}
    if not panels:
        raise ValueError("a curve needs several samples a problem")
    drawn = [
        _panel(f"{result.name}: {group}", lines, place * HEIGHT)
        for place, (group, lines) in enumerate(panels.items())
    ]
    return _svg(drawn, HEIGHT * len(panels))


def side_by_side(results: Sequence[tuple[str, Sequence[Score]]], metric: str) -> str:
    """One metric of several models, a panel a set: a dot for the share, a line for its interval."""
    groups = list(
        dict.fromkeys(
            score.group
            for _, scores in results
            for score in scores
            if score.metric == metric
            if "/" not in score.group and not score.group.endswith(UNSEEN)
        )
    )
    parts, top, row = [], TOP, 22
    for group in groups:
        parts.append(_text(8, top, f"{group}, {metric}", "t"))
        for name, scores in results:
            found = [s for s in scores if (s.group, s.metric) == (group, metric)]
            top += row
            parts.append(_text(8, top, name[:24]))
            for score in found:
                low, at, high = (190 + 360 * x for x in (score.low, score.share, score.high))
                parts.append(_line(low, top - 4, high, top - 4, COLOURS[0], 2))
                parts.append(f'<circle cx="{at:.1f}" cy="{top - 4}" r="4" fill="{COLOURS[0]}"/>')
                parts.append(_text(570, top, f"{score.share:.1%}"))
        top += 2 * row
    return _svg(parts, top)


def _panel(title: str, lines: dict[str, dict[int, Score]], down: int) -> str:
    widest = _widest(lines)
    high = WIDTH - RIGHT

    def x(size: int) -> float:
        return LEFT + (high - LEFT) * log2(size) / log2(widest)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts = [_text(LEFT, TOP - 14, title, "t")]
    for tenth in range(0, 11, 2):
        parts.append(_line(LEFT, y(tenth / 10), high, y(tenth / 10), "", 1))
        parts.append(_text(8, y(tenth / 10) + 4, f"{tenth * 10}%"))
    marks = sorted({size for points in lines.values() for size in points})
    parts += [_text(x(size) - 6, HEIGHT - 14, str(size)) for size in marks]
    label = TOP
    for colour, (rule, points) in zip(COLOURS, lines.items(), strict=False):
        at = sorted(points)
        upper = [f"{x(n):.1f},{y(points[n].high):.1f}" for n in at]
        lower = [f"{x(n):.1f},{y(points[n].low):.1f}" for n in reversed(at)]
        middle = " ".join(f"{x(n):.1f},{y(points[n].share):.1f}" for n in at)
        parts.append(
            f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" fill-opacity=".10"/>'
            f'<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_line(high + 10, label - 4, high + 26, label - 4, colour, 3))
        parts.append(_text(high + 32, label, rule))
        label += 18
    return f'<g transform="translate(0 {down})">{"".join(parts)}</g>'


def _widest(lines: dict[str, dict[int, Score]]) -> int:
    return max((size for points in lines.values() for size in points), default=0)


def _svg(parts: Sequence[str], height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}">'
    return f"{head}{_STYLE}{''.join(parts)}</svg>\n"


def _text(x: float, y: float, text: str, style: str = "") -> str:
    tone = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{tone}>{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: int) -> str:
    ink = f'stroke="{colour}" stroke-width="{width}"' if colour else 'class="g"'
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" {ink}/>'
