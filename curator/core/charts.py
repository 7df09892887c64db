"""Charts as SVG: bars, histograms, curves with confidence bands, dots with intervals.

In: numbers and labels. Out: markup in which every label is escaped. Colours are CSS classes, so
that charts follow light and dark: a page styles the charts that it embeds, and a file of
`join_panels` has a style sheet of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

from markupsafe import Markup

from curator.core.escape import for_html


@dataclass(frozen=True, slots=True)
class Interval:
    """A share between 0 and 1 with the bounds of its confidence interval."""

    share: float
    low: float
    high: float


def draw_bar(value: float, maximum: float, tone: str = "kept", mark: float | None = None) -> Markup:
    """Draw a bar as long as `value` of `maximum`, and a line at `mark` to compare it with.

    A bar fills the width of its place and has no label: the number stands beside it as text.
    """
    parts = [_element("rect", class_=tone, y=1, width=_percent(value, maximum), height=8)]
    if mark is not None:
        at = min(_percent(mark, maximum), 99.2)
        parts.append(_element("rect", class_="mark", x=at, width=0.8, height=10))
    return _bar(parts, aria_hidden="true")


def draw_stacked_bar(segments: Sequence[tuple[str, float]], label: str) -> Markup:
    """Draw one bar of 100% cut into segments of (tone, value); `label` describes it."""
    total = sum(value for _, value in segments)
    parts, at = [], 0.0
    for tone, value in segments:
        if width := _percent(value, total):
            parts.append(_element("rect", class_=tone, x=at, width=width, height=10))
            at += width
    return _bar(parts, role="img", aria_label=label)


def draw_histogram(bins: Sequence[tuple[str, int]], label: str) -> Markup:
    """Draw columns of (label below, count), each with its share above; `label` describes it."""
    width, height, head, foot = 360, 150, 16, 18
    total = sum(count for _, count in bins)
    highest = max((count for _, count in bins), default=0) or 1
    step = width / max(len(bins), 1)
    floor = height - foot
    parts = [_element("line", x2=width, y1=floor, y2=floor)]
    for place, (name, count) in enumerate(bins):
        left, middle = place * step, (place + 0.5) * step
        tall = (floor - head) * count / highest
        if count:
            parts.append(
                _element(
                    "rect", class_="kept", x=left + 1, y=floor - tall, width=step - 2, height=tall
                )
            )
            percent = f"{100 * count / total:.0f}"
            above = f"{percent}%" if percent != "0" else "<1%"
            parts.append(_element("text", above, x=middle, y=floor - tall - 4))
        parts.append(_element("text", name, x=middle, y=height - 4))
    return _svg(parts, (width, height), class_="histogram", role="img", aria_label=label)


Panel = tuple[Markup, int]
"""A part of a file of charts, and its height."""

WIDTH = 640
"""Width of every panel."""


def draw_curves(title: str, series: Mapping[str, Mapping[int, Interval]]) -> Panel:
    """Draw shares over sizes, one curve per series with its confidence band and a legend.

    Sizes are at least 1 and stand on a logarithmic axis.
    """
    height, left, right, top, floor = 320, 46, WIDTH - 150, 34, 286
    sizes = sorted({size for points in series.values() for size in points})
    steps = log2(sizes[-1]) or 1.0

    def x(size: int) -> float:
        return left + (right - left) * log2(size) / steps

    def y(share: float) -> float:
        return floor - (floor - top) * share

    parts = [_text(left, top - 14, title, "title")]
    for percent in range(0, 101, 20):
        at = y(percent / 100)
        parts.append(_element("line", class_="grid", x1=left, x2=right, y1=at, y2=at))
        parts.append(_text(left - 6, at + 4, f"{percent}%", "end"))
    parts += [_text(x(size), floor + 20, str(size), "middle") for size in sizes]
    for number, (name, points) in enumerate(series.items()):
        ordered = sorted(points)
        upper = [f"{x(n):.1f},{y(points[n].high):.1f}" for n in ordered]
        lower = [f"{x(n):.1f},{y(points[n].low):.1f}" for n in reversed(ordered)]
        middle = [f"{x(n):.1f},{y(points[n].share):.1f}" for n in ordered]
        label = top + 18 * number
        tone = f"series-{number % len(_LIGHT) + 1}"
        parts += [
            _element("polygon", class_=tone, points=" ".join(upper + lower)),
            _element("polyline", class_=tone, points=" ".join(middle)),
            _element("line", class_=tone, x1=right + 10, x2=right + 26, y1=label - 4, y2=label - 4),
            _text(right + 32, label, name),
        ]
    return Markup("").join(parts), height


def draw_intervals(title: str, rows: Sequence[tuple[str, Interval | None]]) -> Panel:
    """Draw one line per row: a dot at its share over its interval, and the share as a number."""
    left, right, top, step = 190, 550, 34, 22
    floor = top + step * len(rows) + 6
    parts = [_text(8, top, title, "title")]
    for percent in range(0, 101, 20):
        at = left + (right - left) * percent / 100
        parts.append(_element("line", class_="grid", x1=at, x2=at, y1=top + 8, y2=floor))
        parts.append(_text(at, floor + 14, f"{percent}%", "middle"))
    for number, (name, interval) in enumerate(rows, start=1):
        y = top + step * number
        parts.append(_text(8, y, name if len(name) <= 24 else f"{name[:23]}…"))
        if interval:
            low, at, high = (
                left + (right - left) * share
                for share in (interval.low, interval.share, interval.high)
            )
            parts.append(_element("line", class_="series-1", x1=low, x2=high, y1=y - 4, y2=y - 4))
            parts.append(_element("circle", class_="series-1", cx=at, cy=y - 4, r=4))
            parts.append(_text(right + 60, y, f"{interval.share:.1%}", "end"))
    return Markup("").join(parts), floor + 30


def join_panels(panels: Sequence[Panel]) -> str:
    """Return the text of an SVG file with the panels one below the other."""
    parts, top = [Markup("<style>{}</style>").format(Markup(_STYLE))], 0
    for content, height in panels:
        parts.append(_element("g", content, transform=f"translate(0 {top})"))
        top += height
    return f"{_svg(parts, (WIDTH, top), xmlns='http://www.w3.org/2000/svg')}\n"


_LIGHT = ("1f77b4", "c75100", "157f5f", "6a5fb0", "c9257c", "4d7d13", "8a6116", "555555")
_DARK = ("6db3e8", "f59a5b", "4cc4a0", "a9a2e2", "f27fb8", "9bcb57", "d9ac57", "aaaaaa")


def _colours(ink: str, ground: str, tones: Sequence[str]) -> str:
    series = "".join(f".series-{n}{{color:#{tone}}}" for n, tone in enumerate(tones, start=1))
    return f"svg{{background:#{ground}}}text{{fill:#{ink}}}{series}"


_STYLE = (
    f"{_colours('333', 'fff', _LIGHT)}"
    f"@media(prefers-color-scheme:dark){{{_colours('ddd', '161616', _DARK)}}}"
    "text{font:12px system-ui,sans-serif}.title{font-weight:600}"
    ".middle{text-anchor:middle}.end{text-anchor:end}"
    "polygon,circle{fill:currentColor}polygon{fill-opacity:.1}"
    "polyline,line{fill:none;stroke:currentColor;stroke-width:2}"
    ".grid{stroke:#999;stroke-opacity:.35;stroke-width:1}"
)


def _percent(value: float, maximum: float) -> float:
    """Percent of the width, and never so little that a value above zero is invisible."""
    if value <= 0 or maximum <= 0:
        return 0.0
    return max(0.4, min(100.0, 100 * value / maximum))


def _bar(parts: Sequence[Markup], **attributes: object) -> Markup:
    return _svg(parts, (100, 10), class_="bar", preserveAspectRatio="none", **attributes)


def _svg(parts: Sequence[Markup], size: tuple[int, int], **attributes: object) -> Markup:
    return _element("svg", Markup("").join(parts), viewBox=f"0 0 {size[0]} {size[1]}", **attributes)


def _text(x: float, y: float, text: str, style: str = "") -> Markup:
    return _element("text", text, x=x, y=y, **{"class": style} if style else {})


def _element(tag: str, content: str = "", **attributes: object) -> Markup:
    """Return an element; `class_` and `aria_label` stand for `class` and `aria-label`."""
    pairs = ""
    for name, value in attributes.items():
        text = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        pairs += Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), for_html(text))
    if not content:
        return Markup("<{}{}/>").format(tag, Markup(pairs))
    return Markup("<{}{}>{}</{}>").format(tag, Markup(pairs), for_html(content), tag)
