"""The page of one version, and what all pages share: templates, style, scripts, embedded rows.

In: figures. Out: HTML. Jinja escapes every value; rows are JSON in a script element that is never
run, in which no sign can end the element; the page's policy lets only its own style and script
work, whatever a row says, and lets nothing be loaded.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from curator.core import charts
from curator.versions.content import Content
from curator.versions.report import figures
from curator.versions.report.lengths import SAMPLE, lengths
from curator.versions.report.mathinstruct import PUBLISHED, ROWS
from curator.versions.report.sample import MOST, pick, set_aside, shown
from datastore.engine import Engine

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
STYLES = ("style.css", "temml.css")
SCRIPTS = ("temml/temml.min.js", "latex.js", "code.js", "detail.js", "browser.js")

FATE_NAMES = {
    "kept": "kept",
    "undrawn": "not drawn",
    "screened": "screened out",
    "undecided": "undecided",
    "failed": "rejected",
    "unread": "not read",
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "judged": "judged anew",
}
"""Outcomes of rows as people read them, by the tone of their colour."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What is told of a version apart from its tables."""

    name: str
    """`mine@3`, or a name alone if it was never saved."""
    digest: str
    parent: str
    message: str
    content: Content
    questions: Mapping[str, int]
    """Questions of each evaluation set."""
    opinions: Mapping[str, Any] | None
    """What a second grader said, as far as it was asked: pairs, undecided, disagreements."""
    costs: Sequence[Mapping[str, Any]]
    """Calls of the recipe by model: calls, failed, tokens, money."""


def report_page(engine: Engine, told: Reported, count: Callable[[str], int]) -> str:
    """The page of a version; `count` counts the tokens of a text."""
    content = told.content
    ways = figures.ways(engine, content)
    total = pick(
        engine,
        "SELECT 'now' AS schema, id, subset, fate AS outcome, rule, NULL::BLOB AS was, "
        "[]::VARCHAR[] AS told FROM now.judged",
    )
    rows = shown(engine, content.order)
    aside, aside_total = set_aside(engine)
    fates = {fate: sum(way.fates[fate] for way in ways) for fate in figures.FATES}
    return render(
        "version.html",
        rows=[*rows, *aside],
        told=told,
        content=content,
        ways=ways,
        built=[way for way in ways if way.problems or way.rationales],
        waiting=[way for way in ways if way.waits],
        fates=fates,
        funnel=_funnel(ways, fates, content.keeps_undecided),
        losses=figures.losses(engine),
        published=_published(ways),
        kinds=_kinds(ways),
        composition=figures.composition(engine),
        lengths=lengths(engine, count),
        length_sample=SAMPLE,
        rules=figures.rules(engine),
        votes=figures.votes(engine),
        proved=figures.proved(engine),
        contamination=figures.contamination(engine, content, told.questions),
        total=total,
        aside_total=aside_total,
        most=MOST,
    )


def _funnel(
    ways: Sequence[figures.Way], fates: Mapping[str, int], keeps: bool
) -> list[tuple[str, str, int]]:
    """(step, what stopped there, how many came through) over all subsets."""
    rationales = sum(way.rationales for way in ways)
    judged = fates["failed"] + (0 if keeps else fates["undecided"])
    left = rationales - judged
    return [
        ("problems", "", sum(way.problems for way in ways)),
        ("rationales", "solutions and programs written for them", rationales),
        ("through the checks", f"{judged:,} rejected or undecided", left),
        ("through the screens", f"{fates['screened']:,} screened out", left - fates["screened"]),
        ("kept", f"{fates['undrawn']:,} not drawn", fates["kept"]),
    ]


def _published(ways: Sequence[figures.Way]) -> list[dict[str, Any]]:
    """Our rows and MathInstruct's by `source` string: those of ours first, in their order."""
    ours: dict[str, int] = {}
    for way in ways:
        ours[way.source] = ours.get(way.source, 0) + way.fates["kept"]
    listed = [*ours, *(source for source in PUBLISHED if source not in ours)]
    total, theirs = sum(ours.values()) or 1, sum(each.rows for each in PUBLISHED.values())
    found = []
    for source in listed:
        known, rows = PUBLISHED.get(source), ours.get(source, 0)
        if rows or known:
            found.append(
                {
                    "source": source,
                    "known": known,
                    "rows": rows,
                    "share": rows / total,
                    "published": known.rows / theirs if known else None,
                }
            )
    return found


def _kinds(ways: Sequence[figures.Way]) -> list[tuple[str, int, float, float]]:
    """(kind, rows, share, MathInstruct's share)."""
    total = sum(way.fates["kept"] for way in ways) or 1
    found = []
    for kind in ("CoT", "PoT"):
        rows = sum(way.fates["kept"] for way in ways if way.kind == kind)
        published = sum(each.rows for each in PUBLISHED.values() if each.kind == kind)
        found.append((kind, rows, rows / total, published / ROWS))
    return found


def render(template: str, rows: Sequence[Mapping[str, Any]], **values: Any) -> str:
    """A page from one of the templates, with its rows for the browser."""
    licence = f"/*!\nTemml\n{_read('temml/LICENSE')}*/"
    style = "\n".join(map(_read, STYLES))
    script = "\n".join(["'use strict';", licence, *map(_read, SCRIPTS)])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": _percent}
    environment.globals |= {
        "bar": charts.bar,
        "stacked_bar": charts.stacked_bar,
        "histogram": charts.histogram,
        "fate_names": FATE_NAMES,
        "told_of": _told_of,
        "style": Markup(style),
        "script": Markup(script),
        "data": Markup(embedded({"names": FATE_NAMES, "rows": rows})),
        "row_count": len(rows),
        "policy": _policy(style, script),
    }
    return environment.get_template(f"{template}.jinja").render(**values)


def embedded(value: Any) -> str:
    """JSON that can stand in a script element: no sign in it can end the element or a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: this style, this script, no request, no markup from texts."""
    hashes = [b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _told_of(fates: Mapping[str, int]) -> str:
    """What a stacked bar shows, in words."""
    return ", ".join(f"{count:,} {FATE_NAMES[fate]}" for fate, count in fates.items() if count)


def _number(value: int) -> str:
    return f"{value:,}" if value else "·"


def _percent(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.1:
        return "<0.1%"
    return f"{percent:.0f}%" if percent in (0, 100) else f"{percent:.1f}%"
