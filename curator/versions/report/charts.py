"""Charts as inline SVG without texts of data in them but escaped ones; labels are HTML beside them.

In: numbers. Out: markup. Colours are classes of the page's style sheet, so that they follow its
light and dark form; bars fill the width that their place gives them.
"""

from collections.abc import Sequence

from markupsafe import Markup


def bar(value: float, most: float, tone: str = "kept", mark: float | None = None) -> Markup:
    """A bar as long as `value` of `most`; `mark` draws a line there, to compare with."""
    parts = [Markup('<rect class="{}" x="0" y="1" width="{}" height="8"/>').format(
        tone, _length(value, most)
    )]  # fmt: skip
    if mark is not None:
        place = min(_length(mark, most), 99.2)
        parts.append(
            Markup('<rect class="mark" x="{}" y="0" width="0.8" height="10"/>').format(place)
        )
    return _svg(parts)


def stack(segments: Sequence[tuple[str, float]], label: str) -> Markup:
    """One bar of 100% cut into segments of (tone, value); `label` says it in words."""
    total = sum(value for _, value in segments)
    parts, at = [], 0.0
    for tone, value in segments:
        width = _length(value, total)
        if width:
            parts.append(
                Markup('<rect class="{}" x="{}" y="0" width="{}" height="10"/>').format(
                    tone, round(at, 3), width
                )
            )
        at += width
    return _svg(parts, label)


def _length(value: float, most: float) -> float:
    """Percent of the width; what is there at all can be seen."""
    if value <= 0 or most <= 0:
        return 0.0
    return round(max(0.4, min(100.0, 100 * value / most)), 3)


def _svg(parts: Sequence[Markup], label: str = "") -> Markup:
    told = Markup('role="img" aria-label="{}"').format(label) if label else _SILENT
    frame = Markup('<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" {}>{}</svg>')
    return frame.format(told, Markup("").join(parts))


_SILENT = Markup('aria-hidden="true"')
"""A bar beside its own number says nothing new."""

WIDTH, HEIGHT, FOOT, HEAD = 360, 150, 18, 16


def histogram(bins: Sequence[tuple[str, int]], label: str) -> Markup:
    """Columns of (label below, count), each with its count above; `label` says it in words."""
    most = max((count for _, count in bins), default=0) or 1
    step = WIDTH / max(len(bins), 1)
    parts = []
    for place, (name, count) in enumerate(bins):
        height = (HEIGHT - FOOT - HEAD) * count / most
        x, y = place * step, HEIGHT - FOOT - height
        middle = round(x + step / 2, 1)
        if count:
            parts.append(
                Markup('<rect class="kept" x="{}" y="{}" width="{}" height="{}"/>').format(
                    round(x + 1, 1), round(y, 1), round(step - 2, 1), round(height, 1)
                )
            )
            share = f"{100 * count / sum(n for _, n in bins):.0f}%"
            parts.append(
                Markup('<text x="{}" y="{}">{}</text>').format(
                    middle, round(y - 4, 1), share if share != "0%" else "<1%"
                )
            )
        parts.append(Markup('<text x="{}" y="{}">{}</text>').format(middle, HEIGHT - 4, name))
    return Markup(
        '<svg class="histogram" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg>'
    ).format(WIDTH, HEIGHT, label, WIDTH, HEIGHT - FOOT, HEIGHT - FOOT, Markup("").join(parts))
