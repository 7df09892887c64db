r"""Match the brackets of tokens, so that an expression has only pairs of its own.

In: tokens from `tokenize`. Out: `match_brackets(tokens)`: brackets of markup are removed, brackets
around words alone too (`4 (legs)`), and a pair that holds an equation or a barrier becomes a
word and a barrier. The arguments of `\frac` keep their braces; the second one opens with kind
`bottom`.
"""

from collections.abc import Sequence

from curator.answers.steps.tokens import UNKNOWN, Token

MAX_DEPTH = 12
"""Maximum number of brackets that are open at once; further ones are barriers."""
_STRUCTURE = frozenset(("fraction", "markup", "open", "close", "barrier", "equals"))
_VALUES = ("number", "spaced", "opaque", "pi", "annotation")


def match_brackets(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens with matching brackets, in one pass."""
    out: list[Token] = []
    opened: list[tuple[str, int]] = []  # the role of an open bracket, and its place in `out`
    role = "plain"
    for at, token in enumerate(tokens, 1):
        if token.kind not in _STRUCTURE:
            out.append(token)
            continue
        argument = at < len(tokens) and tokens[at].text == "{"
        match token.kind:
            case "fraction" if argument:
                role = "top"
                out.append(token)
            case "markup":
                opened.append(("markup", len(out)))
            case "open" if len(opened) < MAX_DEPTH:
                opened.append((role, len(out)))
                kind = "bottom" if role == "bottom" else "open"
                text = "(" if role == "plain" else "{"
                same = kind == "open" and text == token.text
                out.append(token if same else Token(kind, text, *token[2:]))
                role = "plain"
            case "close" if opened:
                role = _close(out, token, *opened.pop(), argument)
            case "fraction":
                out.append(token._replace(kind="word", text=UNKNOWN))
            case "equals":
                _break_open(out, opened)
                out.append(token)
            case _:
                _break_open(out, opened)
                out.append(Token("barrier", *token[1:]))
                if token.text.startswith("\n"):
                    opened.clear()
    _break_open(out, opened)
    return out


def _close(out: list[Token], token: Token, role: str, place: int, argument: bool) -> str:
    """Close a bracket; return the role of the next one. `argument`: whether a brace follows."""
    if role == "broken":
        out.append(token._replace(kind="barrier"))
    elif role == "top" and not argument:
        out.append(token._replace(kind="word", text=UNKNOWN))  # \frac{1}2
    elif role == "plain" and _is_comment(out, place):
        glued = not out[place].gap and place > 0 and out[place - 1].kind in (*_VALUES, "close")
        words = [each for each in out[place + 1 :] if each.kind == "word"]
        out[place:] = [token._replace(kind="word", text=UNKNOWN)] if glued else words
    elif role != "markup":
        text = ")" if role == "plain" else "}"
        out.append(token if text == token.text else Token("close", text, *token[2:]))
    return "bottom" if role == "top" and argument else "plain"


def _is_comment(out: list[Token], place: int) -> bool:
    """Return whether a bracket explains a number: `4 (legs)`, `12 (from 3 miles)`."""
    inside = out[place + 1 :]
    explains = place > 0 and out[place].gap and out[place - 1].kind in (*_VALUES, "word", "close")
    formula = len(inside) > 1 and inside[1].kind == "operator"  # 3 (m - 1)
    if explains and inside and inside[0].kind == "word" and not formula:
        return True
    return not any(each.kind in _VALUES for each in inside)


def _break_open(out: list[Token], opened: list[tuple[str, int]]) -> None:
    """Turn the brackets that are open into words, and what will close them into barriers."""
    for index, (role, place) in enumerate(opened):
        if role not in ("markup", "broken"):
            out[place] = out[place]._replace(kind="word")
            opened[index] = ("broken", place)
