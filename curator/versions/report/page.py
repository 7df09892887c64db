"""The page of one version, and what all pages share: templates, style, scripts, embedded rows.

In: figures. Out: HTML. Jinja escapes every value. Rows are JSON in a script element that is never
run and that no character of a row can end. The page's policy allows its own style and script only,
whatever a row contains, and nothing can be loaded.
"""

import json
import shlex
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import jinja2
from markupsafe import Markup

from curator.core import charts
from curator.core.errata import ERRATA
from curator.core.escape import for_html, for_json
from curator.core.model import MATCH_LEVELS, PROOFS, Kind
from curator.core.recall import RECALL_VERSION, find_recall
from curator.core.words import counted, verb
from curator.versions.content import Content
from curator.versions.golds.doubts import DoubtedGolds
from curator.versions.lengths import SAMPLE, TOKENIZER, measure_lengths, sampled
from curator.versions.report import figures
from curator.versions.report.figures import STATUSES, SubsetFigures
from curator.versions.report.mathinstruct import (
    PUBLISHED,
    ROWS,
    PublishedPart,
    follows_mathinstruct,
)
from curator.versions.report.question_kinds import count_question_kinds
from curator.versions.report.sample import read_sample, sample_quarantine, sample_rows
from curator.versions.report.solve_rates import count_solve_rates
from curator.versions.report.texts import MAX_TEXT
from datastore.engine import Engine

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
STYLES = ("style.css", "temml.css")
SCRIPTS = (
    "temml/temml.min.js",
    "latex.js",
    "code.js",
    "marks.js",
    "parts.js",
    "detail.js",
    "browser.js",
)

STATUS_NAMES = {
    "kept": "kept",
    "not_drawn": "not drawn",
    "screened": "screened",
    "undecided": "undecided",
    "rejected": "failed",
    "quarantined": "quarantined",
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "verdict": "verdict changed",
}
"""Status of a row as the page names it, by the class of its colour."""


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A version as its manifest, its store and the ledgers describe it."""

    name: str
    """`mine@3`, or a name alone if the version was never saved."""
    digest: str
    parent: str
    message: str
    content: Content
    questions: Mapping[str, int]
    """Number of questions of each evaluation set."""
    golds: DoubtedGolds | None
    """What speaks against its gold answers; None in a comparison."""
    second_opinion: Mapping[str, Any] | None
    """What math-verify decided so far: pairs, undecided, disagreements; None if it never ran."""
    costs: Sequence[Mapping[str, Any]]
    """Calls of the recipe by model: calls, failed, tokens, money."""
    damaged_calls: int
    """Files of the ledger of calls with damaged records, which no figure counts."""


_KEPT = "(FROM current.row_status WHERE status = 'kept')"
_LENGTHS = (
    "SELECT kind, instruction, text FROM current.rationale "
    f"SEMI JOIN ({sampled(_KEPT)}) USING (id, subset)"
)


def render_report(engine: Engine, version: VersionInfo, count: Callable[[str], int]) -> str:
    """Return the page of a version; `count` counts the tokens of a text."""
    content = version.content
    subsets = figures.read_subsets(engine, content)
    total = sample_rows(
        engine,
        "SELECT 'current' AS schema, id, subset, status, rule, NULL::BLOB AS replaces, "
        "[]::VARCHAR[] AS changes FROM current.row_status",
    )
    quarantine, quarantine_total = sample_quarantine(engine)
    levels = figures.count_levels(content)
    by_status = {status: sum(each.by_status[status] for each in subsets) for status in STATUSES}
    return render_page(
        "version.html",
        rows=[*read_sample(engine, content.order), *quarantine],
        version=version,
        content=content,
        subset_count=len(subsets),
        built=[each for each in subsets if each.problems or each.rationales],
        waiting=[each for each in subsets if each.waits_for],
        by_status=by_status,
        funnel=_funnel(subsets, by_status),
        drop_reasons=figures.count_drop_reasons(engine),
        compares=follows_mathinstruct(content),
        sources=_compare_sources(subsets),
        kinds=_compare_kinds(subsets),
        columns=[(column, figures.count_column(engine, column)) for column in ("field", "level")],
        questions=count_question_kinds(engine),
        lengths=measure_lengths(engine, _LENGTHS, count),
        length_sample=SAMPLE,
        tokenizer=TOKENIZER,
        rules=figures.count_rules(engine),
        votes=figures.count_votes(engine),
        levels=levels,
        proved=sum(rows for level, _, rows in levels if level in PROOFS),
        contamination=figures.count_contamination(engine, content, version.questions),
        recall=find_recall(content.code.screens),
        recall_version=RECALL_VERSION,
        match_levels=tuple(MATCH_LEVELS),
        errata_results=tuple(ERRATA),
        list_golds=_golds_command(version),
        clusters=figures.count_clusters(engine),
        solve_rates=count_solve_rates(engine, content),
        total=total,
        quarantine_total=quarantine_total,
    )


def _golds_command(version: VersionInfo) -> str:
    """Return the command that lists the golds in doubt; the version of an audit has no number."""
    words = ["curator", "golds", version.name if "@" in version.name else "FILE"]
    errata = version.content.recipe.plain().get("errata")
    return shlex.join(words + (["--errata", str(errata)] if errata else []))


def _funnel(
    subsets: Sequence[SubsetFigures], by_status: Mapping[str, int]
) -> list[tuple[str, str, int]]:
    """Return (step, rows that stopped there, rows that remain) over all subsets."""
    rationales = sum(each.rationales for each in subsets)
    dropped = by_status["rejected"] + by_status["undecided"]
    screened, not_drawn = by_status["screened"], by_status["not_drawn"]
    checked = rationales - dropped
    names = "failed or undecided" if by_status["undecided"] else "failed"
    return [
        ("problems", "", sum(each.problems for each in subsets)),
        ("rationales", "solutions and programs", rationales),
        ("passed the checks", f"{dropped:,} {names}", checked),
        ("passed the screens", f"{screened:,} screened", checked - screened),
        ("kept", f"{not_drawn:,} not drawn by the mixture", by_status["kept"]),
    ]


@dataclass(frozen=True, slots=True)
class SourceShare:
    """The rows of one `source` string here and in MathInstruct."""

    source: str
    rows: int
    share: float
    published: PublishedPart | None
    published_share: float | None


def _compare_sources(subsets: Sequence[SubsetFigures]) -> list[SourceShare]:
    """Return our `source` strings in their order, then those that only MathInstruct has."""
    ours: dict[str, int] = {}
    parts: dict[str, PublishedPart] = {}
    for each in subsets:
        ours[each.source] = ours.get(each.source, 0) + each.by_status["kept"]
        parts |= {each.source: each.published} if each.published else {}
    absent = {source: part for source, part in PUBLISHED.items() if source not in ours}
    parts |= absent if parts else {}
    total, published_total = sum(ours.values()) or 1, sum(each.rows for each in PUBLISHED.values())
    shares = []
    for source in [*ours, *absent]:
        published, rows = parts.get(source), ours.get(source, 0)
        if rows or published:
            theirs = published.rows / published_total if published else None
            shares.append(SourceShare(source, rows, rows / total, published, theirs))
    return shares


def _compare_kinds(subsets: Sequence[SubsetFigures]) -> list[tuple[str, int, float, float]]:
    """Return (kind, rows, share, MathInstruct's share)."""
    total = sum(each.by_status["kept"] for each in subsets) or 1
    shares = []
    for kind in get_args(Kind):
        rows = sum(each.by_status["kept"] for each in subsets if each.kind == kind)
        published = sum(each.rows for each in PUBLISHED.values() if each.kind == kind)
        if rows or published:
            shares.append((kind, rows, rows / total, published / ROWS))
    return shares


def render_page(template: str, rows: Sequence[Mapping[str, Any]], **values: Any) -> str:
    """Return a page made from one of the templates, with `rows` for its row browser."""
    licence = f"/*!\nTemml\n{_read_static('temml/LICENSE')}*/"
    style = "\n".join(map(_read_static, STYLES))
    script = "\n".join(["'use strict';", licence, *map(_read_static, SCRIPTS)])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=for_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _format_number, "percent": _format_percent}
    environment.globals |= {
        "draw_bar": charts.draw_bar,
        "draw_stacked_bar": charts.draw_stacked_bar,
        "draw_histogram": charts.draw_histogram,
        "status_names": STATUS_NAMES,
        "describe": _describe,
        "style": Markup(style),
        "script": Markup(script),
        "data": Markup(embed_json({"names": STATUS_NAMES, "rows": rows})),
        "row_count": len(rows),
        "long_texts": _count_long(rows),
        "counted": counted,
        "verb": verb,
        "policy": _security_policy(style, script),
    }
    return environment.get_template(f"{template}.jinja").render(**values)


def _count_long(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many rationales are long, and how many of them are whole on the page."""
    return {
        "all": sum("tl" in row for row in rows),
        "whole": sum("whole" in row for row in rows),
        "most": MAX_TEXT,
    }


def embed_json(value: Any) -> str:
    """Return JSON for a script element: no character of it can end the element or a line."""
    text = for_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _security_policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy: this style, this script, no requests, no HTML from text."""
    hashes = [b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _read_static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _describe(by_status: Mapping[str, int]) -> str:
    """Return the text alternative of a stacked bar."""
    return ", ".join(f"{n:,} {STATUS_NAMES[status]}" for status, n in by_status.items() if n)


def _format_number(value: int) -> str:
    return f"{value:,}" if value else "·"


def _format_percent(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.1:
        return "<0.1%"
    return f"{percent:.0f}%" if percent in (0, 100) else f"{percent:.1f}%"
