"""Plain English: documents, help, messages, docstrings, comments and names avoid a list of words.

The list holds words of a private dialect that a reader had to translate. It is short on purpose:
it keeps what a reading of the whole text has decided, and does not replace reading.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

AVOID = {
    r"told": "reported, printed",
    r"said": "stated, reported",
    r"asked": "requested, sampled",
    r"anew": "again",
    r"whoever|whomever|whichever way": "name the reader or the caller",
    r"lent|lends?|lending": "filled, fill",
    r"mend(?:s|ed|ing)?": "fix",
    r"judge[ds]?|judging": "check, grade",
    r"heed(?:s|ed)?": "follow",
    r"so many": "the number",
    r"(?:is|are) (?-i:none)(?! %)": "is not a valid …, has no …",
    r"what came of|what comes of": "result",
    r"no news": "similar",
    r"(?:goes|go|went) on (?:where|with where)": "resume",
    r"outlook|purse": "estimate, budget",
    r"(?:rows?|verdicts?|samples?|solutions?|calls?|tokens?|lines?|records?|one|times?) an? "
    r"(?:row|problem|source|record|call|subset|check|screen|file|process|core|batch|stage|day)": (
        "per"
    ),
}
WORDS = re.compile(rf"\b(?:{'|'.join(AVOID)})\b", re.IGNORECASE)

CODE = sorted(
    path
    for part in ("curator", "datastore", "trainers", "bench")
    for path in (ROOT / part).rglob("*.py")
)
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "recipes").rglob("*.yaml"),
        *(ROOT / "curator" / "versions" / "report").rglob("*.jinja"),
    ]
)

# Text that is data: what datasets say and what writers write into rationales.
DATA = {"curator/writers/hinted.py"}


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and messages of a module: every string of at least three words."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for place, line in enumerate(node.value.splitlines()):
                if len(line.split()) > 2:
                    yield node.lineno + place, line


def _names(path: Path) -> Iterator[tuple[int, str]]:
    """Names that a module defines, word by word."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            parts = re.findall(r"[A-Z]?[a-z]+", node.name)
            yield node.lineno, " ".join(parts)


def _findings(lines: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"line {number}: {line.strip()[:100]!r}" for number, line in lines if WORDS.search(line)
    ]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_written_in_plain_english(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in DATA:
        assert _findings(_prose(path)) == []
    assert _findings(_names(path)) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_is_written_in_plain_english(path: Path) -> None:
    assert _findings(iter(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))) == []


@pytest.mark.parametrize(
    "line", ["A fault is told at once", "Solutions a problem.", "the token is none", "JUDGED anew"]
)
def test_the_list_finds_a_word_in_a_line(line: str) -> None:
    assert WORDS.search(line)
