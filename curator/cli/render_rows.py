"""Print single rows to the terminal: the rows of a preview, and the history of one row."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from curator.cli.render_parts import WIDTH, rationale_lines, text_lines, wrap
from curator.cli.tables import print_cut_table
from curator.cli.terminal import print_line
from curator.core.errors import to_one_line
from curator.core.escape import for_terminal
from curator.core.model import Kind, LabelledStep, verdict_word
from curator.core.parts import Part, split_rationale
from curator.core.words import counted

if TYPE_CHECKING:
    from curator.pipeline.preview import Preview, PreviewRow
    from curator.versions.why import RowHistory

MAX_EVIDENCE_LINES = 4
"""Maximum number of lines printed of the evidence of a verdict."""
_EVIDENCE_INDENT = 28
SEE_JSON, SEE_WHOLE = "--json prints all", "--whole prints all"
"""How a user sees what a preview, and the history of a row, leave out."""
AS_WRITTEN = "  (as its author wrote it; a release has it in the form of MathInstruct)"


def print_preview(preview: "Preview", whole: bool) -> None:
    """Print rows one below the other, each with its verdicts, and the numbers per subset.

    Unless `whole`, they fit the terminal: texts are cut, and rows left out, if necessary.
    """
    table = _subset_table(preview)
    room = shutil.get_terminal_size((80, 24)).lines - 2  # the prompt, and a note about a teacher
    blocks = [_row_lines(row) for row in preview.rows]
    if not whole and sum(map(len, blocks)) + len(table) + 1 > room:
        table = table[: room - 3]
        left = room - len(table) - 3
        shown = []
        for row in preview.rows:
            lines = _short_row_lines(row)
            if len(lines) > left:
                break
            shown.append(lines)
            left -= len(lines)
        blocks = shown
    for line in (line for lines in blocks for line in lines):
        print_line(line)
    print_cut_table(("subset", "rows", "kept", "note"), table)
    if len(blocks) < len(preview.rows):
        print_line()
        print_line(
            f"{len(blocks)} of {counted(len(preview.rows), 'row')}; --rows prints all of them."
        )


def _subset_table(preview: "Preview") -> list[tuple[str, int, int, str]]:
    """Return the number of rows per subset, and what stopped most of the others."""
    reasons: dict[str, Counter[str]] = {}
    for row in preview.rows:
        if not row.kept:
            reasons.setdefault(row.subset, Counter())[_row_reason(row)] += 1
    kept = Counter(row.subset for row in preview.rows if row.kept)
    total = Counter(row.subset for row in preview.rows)
    return [
        (
            name,
            total[name],
            kept[name],
            f"waits for {', '.join(waits)}"
            if waits
            else ", ".join(f"{reason} {n}" for reason, n in reasons.get(name, Counter()).items()),
        )
        for name, waits in preview.subsets.items()
    ]


def _row_reason(row: "PreviewRow") -> str:
    stopped = [verdict.reason for verdict in row.verdicts if verdict.outcome != "passed"]
    return stopped[0] if stopped else "not drawn"


def _row_lines(row: "PreviewRow") -> list[str]:
    verdicts = [
        line
        for each in row.verdicts
        for line in _verdict_lines(each.check, each.outcome, each.reason, each.evidence)
    ]
    replays = [each.evidence for each in row.verdicts if each.check == "replayed"]
    parts = _row_parts(row.kind, row.as_written or row.text, row.labelled_steps, replays)
    texts = [*text_lines(row.instruction, SEE_JSON), "", *rationale_lines(parts, SEE_JSON)]
    return [_row_head(row), *texts, *([AS_WRITTEN] if row.as_written else []), *verdicts, ""]


def _short_row_lines(row: "PreviewRow") -> list[str]:
    """Return the beginning of the question, the end of the solution, and what stopped the row."""
    parts = _row_parts(row.kind, row.as_written or row.text, row.labelled_steps, ())
    question, solution = wrap(row.instruction), wrap(parts[-1].text) if parts else []
    stopped = [
        f"  {each.outcome:9}  {each.check:13}  {each.reason}"
        for each in row.verdicts
        if each.outcome != "passed"
    ]
    if len(question) > 2:
        question[1] = f"{question[1][: WIDTH - 2]} …"
    return [_row_head(row), *question[:2], *solution[-1:], *stopped[:1], ""]


def _row_head(row: "PreviewRow") -> str:
    status = "kept" if row.kept else "not kept"
    if not row.kept and _row_reason(row) == "not drawn":
        status = "not drawn by the mixture"
    return f"── {row.subset} {row.id[:12]} {status}"


def _row_parts(
    kind: Kind,
    text: str,
    steps: Iterable[Mapping[str, Any]] | None,
    replays: Iterable[Mapping[str, str]],
) -> list[Part]:
    """Return the parts of a rationale; `replays` is the evidence of the check `replayed`."""
    from curator.checks.replayed import read_results

    labelled = [LabelledStep(**step) for step in steps or ()]
    results = next((found for each in replays if (found := read_results(each))), [])
    return split_rationale(kind, text, labelled, results)


def _verdict_lines(check: str, outcome: str, reason: str, evidence: Mapping[str, str]) -> list[str]:
    parts = [reason] if reason else []
    parts += [f"{key} {value}" for key, value in evidence.items() if value]
    lines = textwrap.wrap(for_terminal(" · ".join(parts)), WIDTH - _EVIDENCE_INDENT) or [""]
    if len(lines) > MAX_EVIDENCE_LINES:
        lines = [*lines[: MAX_EVIDENCE_LINES - 1], f"{lines[MAX_EVIDENCE_LINES - 1]} …"]
    first = f"  {verdict_word(outcome, reason):9}  {check:13}  {lines[0]}".rstrip()
    return [first, *(f"{'':{_EVIDENCE_INDENT}}{line}" for line in lines[1:])]


def print_row_history(history: "RowHistory", whole: bool = False) -> None:
    """Print one row from its source to its verdicts; `whole` leaves out nothing of its texts."""
    see = "" if whole else SEE_WHOLE
    problem, rationale = history.problem, history.rationale
    print_line(f"row       {history.id}")
    print_line(f"subset    {history.subset}")
    print_line(f"versions  {', '.join(history.versions) or f'none; {history.absent}'}")
    for version, reason in history.rejected.items():
        print_line(f"rejected  {version}: {reason}")
    print_line(f"source    {problem['source']} {problem['place']}, {problem['licence']}")
    print_line(f"from      {history.origin}")
    print_line(f"revision  {to_one_line(history.revision, 40)}")
    print_line(f"problem   {problem['id']}  gold {problem['gold'] or '(none)'}")
    print_line(f"writer    {rationale['writer']}, {rationale['kind']}")
    level = history.evidence_level or "not stated: an older release of Curator checked the row"
    print_line(f"evidence  {level if history.versions else 'none: the row is in no version'}")
    print_line()
    as_written = rationale.get("as_written") or ""
    text, steps = as_written or rationale["text"], rationale.get("labelled_steps")
    replays = (each["evidence"] for each in history.verdicts if each["check"] == "replayed")
    parts = _row_parts(rationale["kind"], text, steps, replays)
    texts = [*text_lines(rationale["instruction"], see), "", *rationale_lines(parts, see)]
    texts += [*([AS_WRITTEN] if as_written else []), ""]
    for verdict in (*history.verdicts, *history.other_verdicts):
        texts += _history_lines(verdict, see)
    for line in texts:
        print_line(line)


def _history_lines(verdict: Mapping[str, Any], see: str) -> list[str]:
    """Return a verdict, and the evaluation question that it is about."""
    evidence = dict(verdict["evidence"])
    shared = ""
    if "eval_question" in verdict:
        # Both questions are printed whole; an older release named the shared text otherwise.
        for name in ("question", "evaluation question"):
            evidence.pop(name, None)
        shared = evidence.pop("text", "") or evidence.pop("shared", "")
    where = {"in": verdict["in"]} if "in" in verdict else {}
    lines = _verdict_lines(
        verdict["check"], verdict["outcome"], verdict["reason"], {**where, **evidence}
    )
    if "eval_question" in verdict:
        gold = verdict["eval_gold"] or "(none)"
        lines += [
            "",
            f"  evaluation question, gold {gold}:",
            *text_lines(verdict["eval_question"], see),
        ]
        lines += (
            ["  shared text, case and punctuation removed:", *text_lines(shared, see)]
            if shared
            else []
        )
        lines.append("")
    return lines
