r"""`\boxed{…}`, `\fbox{…}`, `\framebox{…}`: the LaTeX commands that mark the answer of a solution.

In: a text. Out: the spans of what the boxes contain. Braces are matched, `\{` and `\}` do not
count, and an unclosed box is not a box. Without braces, as in `\boxed 5` or `\boxed\frac12`, the
box holds the next word, unless that is a word of the sentence (`in \boxed as usual`). The backslash
may be doubled, as in text that was escaped twice.
"""

import re

_BOX = r"\\{1,2}(?:boxed|fbox|framebox)"
_WORD = r"(?:[^\s$\\{}]|\\[%{}]|\\[A-Za-z]+|\{(?:[^{}\\]|\\.)*\})+"
_TOKEN = re.compile(
    rf"{_BOX}\s*\{{|{_BOX}(?:\s+|(?![A-Za-z]))(?P<word>(?![A-Za-z]{{2}}){_WORD})?|\\[{{}}\\]|[{{}}]"
)


def box_spans(text: str, nested: bool = False) -> list[tuple[int, int]]:
    """Return the span of the content of every box, in the order in which the boxes start.

    A box inside another box is left out unless `nested` is true.
    """
    spans: list[tuple[int, int]] = []
    if "box" not in text:
        return spans
    starts: list[int] = []  # of open braces: where the box begins, -1 for other braces
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in (r"\{", r"\}", r"\\"):
            continue
        if token == "{":
            starts.append(-1)
        elif token == "}":
            start = starts.pop() if starts else -1
            if start < 0:
                continue
            while not nested and spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, match.start()))
        elif match["word"]:
            start, end = match.span("word")
            spans.append((start, start + len(text[start:end].rstrip("."))))
        elif token.endswith("{"):
            starts.append(match.end())
    return sorted(spans)
