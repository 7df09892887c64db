"""Parses a teacher's reply into the text of a rationale.

In: the reply, the requested kind, the choices. Out: the text, or the reason why the reply has none,
as one of a fixed set of texts. Nothing is run. What surrounds the solution (greetings,
thoughts, fences, the output that the model predicts) is removed; the solution is not changed.
"""

import ast
import builtins
import re
import warnings
from collections.abc import Iterator, Sequence
from textwrap import dedent

from curator.answers import extract
from curator.answers.extract.regions import answer_start
from curator.core.model import Answer, Kind
from curator.core.thoughts import NAMES
from datastore.text import is_storable

LONGEST_WITH_THOUGHTS = 4_000_000
"""Maximum characters of a reply: four tokens of each of a million."""
LONGEST_REPLY = 1_000_000
"""Maximum characters of a reply without its thoughts; the check `format` rejects shorter rows."""
LONGEST = 20_000
"""Maximum characters of a reply without a fence in which a program is searched."""
MAX_TRIES = 50
"""Maximum number of times that a part of a reply without a fence is parsed as a program. Otherwise
each of 6,000 lines `@a` would be tried as the last one, which takes minutes."""

_THOUGHT_TAG = re.compile(rf"<(/?)({'|'.join(NAMES)})>", re.I)
_TOKENS = re.compile(r"<\|[\w-]{1,30}\|>|</s>|<s>")
_GREETING = re.compile(
    r"\s*+(?:(?:(?:sure|certainly|of course|absolutely|okay|ok|great question)\b[^\n]{0,80}[!.,:]"
    r"|(?:here(?:'s| is| are)|below is|let me|let's solve|i(?:'ll| will| can))\b[^\n]{0,120}:)"
    r"[ \t]*(?:\n|\Z)"
    r"|\W*(?:step-by-step )?solution\W*(?:\n|\Z))",
    re.I,
)
_CLOSING = re.compile(
    r"[ \t]*(?:i hope (?:this|that)|hope (?:this|that)|let me know|feel free|please let me|"
    r"is there anything|if you have any|would you like|happy to)\b",
    re.I,
)
_ANSWER_PHRASE = re.compile(
    r"(?<![\W_])[\W_]*(?:(?:so|thus|hence|therefore|finally|and|then|in conclusion)\b[,:]?[ \t]*)?"
    r"(?:\#{4}[ \t]*|(?:the[ \t]+)?(?:(?:final|correct|right)[ \t]+)?"
    r"(?:answer|option|choice|ans|a)\b[ \t*]*(?:(?:is|:|=)[ \t*:]*)+)(?:option|choice)?[ \t*(]*",
    re.I,
)
_FENCE = re.compile(r"[ \t]*(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^\n`]*$")
_INLINE = re.compile(r"```(?:python|py)?[ \t]+(\S.*)")
_PYTHON = frozenset(("", "python", "py", "python3", "{python}", "ipython", "sage", "tool_code"))
_PROMPTED = re.compile(r"^[ \t]*(?:>>>|In \[\d*\]:)(?: |$)", re.M)
_PROMPT = re.compile(r"[ \t]*+(?:>>>|\.\.\.|In \[\d*\]:|(?<=[ \t])\.\.\.:)(?: |$)(.*)$")
_CODE = re.compile(
    r"(?:import \w|from [\w.]+ import\b|def \w+ ?\(|class \w+|for \w.*:|while .*:|if .*:|try:"
    r"|with .*:|@\w|#|print ?\("
    r"|[A-Za-z_][\w.]*(?:\[[^\]]*\])?(?:, ?\w+)* ?[-+*/%]?= ?\S"
    r"|return\b|\"\"\"|'''|[)\]}]|[ \t]+\S)"
)
_INCOMPLETE = ("was never closed", "unterminated", "unexpected EOF", "expected an indented block")
_BUILTIN_NAMES = frozenset(dir(builtins)) | {"__name__", "__file__"}


def read_reply(text: str, kind: Kind, choices: Sequence[str] = ()) -> tuple[str, str]:
    """Return the text of the rationale and "", or "" and the reason why the reply has none.

    A CoT that states an answer ends with the line "The answer is X" (boxes are kept); one that does
    not is returned unchanged, for the checks to reject. A program compiles. Of several code blocks
    the last one that prints is used, since models correct themselves; the blocks before it are
    prepended if it uses names that it does not define.
    """
    if len(text) > LONGEST_WITH_THOUGHTS:
        return "", "too long"
    if not is_storable(text):
        return "", "not valid Unicode text"
    reply = strip_thoughts(text.replace("\r\n", "\n"))
    if reply is None:
        return "", "unfinished thought"
    if len(reply) > LONGEST_REPLY:
        return "", "too long"
    reply = _TOKENS.sub("", reply)
    if not reply.strip():
        return "", "empty reply"
    return _read_program(reply) if kind == "PoT" else _read_solution(reply, choices)


def strip_thoughts(text: str) -> str | None:
    """Return the reply without the model's thoughts; None if the thoughts never end."""
    tags = list(_THOUGHT_TAG.finditer(text))
    next_end: dict[str, int] = {}  # where the next thought of a name ends, after each tag
    ends: list[int] = []
    for tag in reversed(tags):
        if tag[1]:
            next_end[tag[2].lower()] = tag.end()
        ends.append(next_end.get(tag[2].lower(), 0))
    kept, at = [], 0
    for tag, end in zip(tags, reversed(ends), strict=True):
        if not tag[1] and end and tag.start() >= at:
            kept.append(text[at : tag.start()])
            at = end
    text = "".join([*kept, text[at:]])
    tags = list(_THOUGHT_TAG.finditer(text))
    closing = [tag.end() for tag in tags if tag[1]]  # the opening tag may be in the prompt
    start = closing[-1] if closing else 0
    if any(not tag[1] for tag in tags):
        return None
    start_of_answer = answer_start(text[start:])  # after `<|end_of_thought|>` and the like
    return None if start_of_answer is None else text[start + start_of_answer :]


# --- solutions in words ---------------------------------------------------------------------------


def _read_solution(text: str, choices: Sequence[str]) -> tuple[str, str]:
    start = 0
    while (greeting := _GREETING.match(text, start)) and greeting.end() > start:
        start = greeting.end()
    lines = text[start:].strip().split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or _CLOSING.match(lines[-1])):
        lines.pop()
    text = "\n".join(lines).rstrip()
    if not text:
        return "", "empty reply"
    answer = extract(text, choices)
    if answer is None or answer.span is None:
        return text, ""
    closed = _add_answer_line(text, answer, choices)
    body, _, _ = closed.rpartition("\n")
    if not body.strip() or _only_states_answer(body, answer):
        return "", "answer without solution"
    # If the added line changes the extracted answer, the text stays as it was.
    return (closed if extract(closed, choices) == answer else text), ""


def _add_answer_line(text: str, answer: Answer, choices: Sequence[str]) -> str:
    """Return the text with "The answer is X" as its last line, replacing a line that states it."""
    assert answer.span is not None
    start, end = answer.span
    stated = answer.text if answer.kind == "option" else text[start:end].strip(" \n*`,;:")
    if stated.count("$") % 2:  # the span starts or ends inside a formula
        stated = stated.strip("$ ")
    stop = "." if choices else ""
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start:]
    states = _ANSWER_PHRASE.match(line)
    replaces = (
        states is not None
        and line_start + states.end() >= start - 2
        and "boxed" not in line
        and not re.search(r"\w", text[end:])
    )
    body = text[:line_start].rstrip() if replaces else text
    if answer.stated == "letter" and not re.search(r"\w", text[line_start:start] + text[end:]):
        body = text[:line_start].rstrip()
    return f"{body}\nThe answer is {stated}{stop}"


def _only_states_answer(body: str, answer: Answer) -> bool:
    """Return whether a text contains nothing but its answer."""
    rest = re.sub(r"\\(?:boxed|text|mathbf)|[\W_]", "", _ANSWER_PHRASE.sub("", body, count=1))
    stated = re.sub(r"[\W_]", "", answer.text)
    return answer.stated == "whole" or len(rest) <= len(stated)


# --- programs -------------------------------------------------------------------------------------


def _read_program(text: str) -> tuple[str, str]:
    blocks, open_block = _fenced_blocks(text)
    if open_block:
        return "", "unfinished program"
    if blocks is None:
        return _program_without_fence(text)
    programs = [code for block in blocks if (code := _strip_prompts(block)).strip()]
    trees = [(code, tree) for code in programs if (tree := _parse_code(code)) is not None]
    if not trees:
        return ("", "not a program") if programs else ("", "no program")
    last = max(
        (index for index, (_, tree) in enumerate(trees) if _prints(tree)), default=len(trees) - 1
    )
    code, tree = trees[last]
    if last and _has_unbound_names(tree):
        code = "\n\n".join(code.strip("\n") for code, _ in trees[: last + 1])
    return _trim_blank_lines(code), ""


def _fenced_blocks(text: str) -> tuple[list[str] | None, bool]:
    """Return the fenced Python blocks (None without any fence), and whether the last is open."""
    blocks: list[str] = []
    fenced = False
    fence = language = ""
    lines: list[str] = []
    for line in _split_inline(text):
        mark = _FENCE.match(line)
        if not fence:
            if mark:
                fence, language, lines, fenced = mark[1], mark[2].lower(), [], True
        elif mark and mark[1].startswith(fence) and not mark[2]:
            if language.partition(":")[0] in _PYTHON:
                blocks.append(dedent("\n".join(lines)))
            fence = ""
        else:
            lines.append(line)
    unfinished = bool(fence) and language.partition(":")[0] in _PYTHON
    return (blocks if fenced else None), unfinished


def _split_inline(text: str) -> Iterator[str]:
    """Yield the lines of a text, and those that hold a whole fence as three lines."""
    for line in text.split("\n"):
        bare = line.strip(" \t")
        code = _INLINE.fullmatch(bare[:-3].rstrip(" \t")) if bare.endswith("```") else None
        yield from ("```python", code[1], "```") if code else (line,)


def _strip_prompts(code: str) -> str:
    """Return code without the prompts and the output of an interactive session."""
    if not _PROMPTED.search(code):
        return code
    lines = [match[1] for line in code.split("\n") if (match := _PROMPT.match(line))]
    return "\n".join(lines)


def _program_without_fence(text: str) -> tuple[str, str]:
    """Read a program that is not in a fence; prose may precede or follow it."""
    if len(text) > LONGEST:
        return "", "too long"
    lines = dedent(_strip_prompts(text)).split("\n")
    starts = [
        index for index, line in enumerate(lines) if _CODE.match(line) and not line[0].isspace()
    ]
    broken, tries = "", MAX_TRIES
    for start in starts[:40]:
        end, unfinished, tries = _longest_program(lines[start:], tries)
        code = "\n".join(lines[start : start + end])
        rest = next((line for line in lines[start + end :] if line.strip()), "")
        if not _CODE.match(rest):
            if end and _does_something(ast.parse(code)):
                return _trim_blank_lines(code), ""
        elif end or unfinished:
            # The following lines continue this program; they do not start another one.
            broken = "unfinished program" if unfinished else "not a program"
            break
    return "", broken or "no program"


def _longest_program(lines: list[str], tries: int) -> tuple[int, bool, int]:
    """Return how many of the first lines form a program, and whether the next one is incomplete.

    The third value is how many tries are left. If they do not suffice, the program counts as
    incomplete.
    """
    end, unfinished = len(lines), False
    while end > 0:
        if not tries:
            return 0, True, 0
        tries -= 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse("\n".join(lines[:end]))
        except SyntaxError as error:
            unfinished = any(words in (error.msg or "") for words in _INCOMPLETE)
            end = max(0, min(end - 1, (error.lineno or end) - 1))
        except (ValueError, RecursionError, MemoryError):
            return 0, False, tries
        else:
            break
    return end, unfinished, tries


def _parse_code(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user cannot fix an invalid escape of the model
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _prints(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "print" for node in ast.walk(tree))


def _does_something(tree: ast.Module) -> bool:
    """Return whether a program does more than prose that happens to parse (`Hello`, `42`)."""
    return any(not isinstance(one, ast.Expr) for one in tree.body) or _prints(tree)


def _has_unbound_names(tree: ast.Module) -> bool:
    """Return whether a program uses names that it does not bind."""
    used, bound = set(), set(_BUILTIN_NAMES)
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.alias(name="*"):
                return False
            case ast.alias(name=name, asname=other):
                bound.add(other or name.partition(".")[0])
    return not used <= bound


def _trim_blank_lines(code: str) -> str:
    return code.strip("\n").rstrip()
