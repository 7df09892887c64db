"""Find the arithmetic expressions among words: `3 shirts x $5/shirt` is 3 * 5.

In: tokens without barriers and equals signs. Out: `find_expressions(tokens)`. Words after a number
are its units. An expression ends at a word such as `so`, and where a number follows a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from curator.answers.parse.tokens import Token as Symbol
from curator.answers.steps.tokens import Token
from curator.answers.steps.words import (
    CHANGING,
    CONNECTING,
    JOINING,
    REMAINING,
    is_name,
    is_product,
    is_variable,
)

MAX_SYMBOLS = 300
"""Maximum number of symbols of an expression that is read."""
_FACTORS = ("open", "pi", "root")
"""Kinds that multiply the operand before them, a blank between them or not."""
_VALUES = ("number", "spaced", "opaque", "annotation", "pi", "root", "fraction", "open")


@dataclass(slots=True)
class Expression:
    """An expression in a text, in the symbols of `curator.answers.parse`, and its doubts."""

    start: int = -1
    end: int = -1
    symbols: list[Symbol] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    operations: int = 0
    complete: bool = False
    """Whether it ends with an operand."""
    at_end: bool = False
    """Whether it reaches the end of the tokens."""
    algebra: bool = False
    """Whether an operand is an unknown: `cost + 3`, `2x + 3`."""
    letters: bool = False
    """Whether a letter among its words may be an unknown: `3m + 5`."""
    unclear: bool = False
    """Whether the words around it may change its value: `half of 6 + 3`."""
    readable: bool = True
    share_end: int = 0
    """The number of symbols before the first `of`; 0 without one."""
    words_before: int = 0
    """The number of words before its first operand."""

    @property
    def numeral(self) -> str:
        """The plain numeral if the expression is one number; otherwise empty."""
        if len(self.symbols) == 1:
            return self.symbols[0].text if self.symbols[0].kind == "num" else ""
        texts = [each.text for each in self.symbols if each.text not in ("(", ")", "%", "+")]
        kinds = [each.kind for each in self.symbols if each.kind != "op"]
        plain = kinds == ["num"] and not self.operations and texts[:-1] in ([], ["-"])
        return "".join(texts) if plain else ""


def find_expressions(tokens: Sequence[Token], after_equals: bool = False) -> list[Expression]:
    """Return the expressions of the tokens in order, incomplete ones and algebra among them."""
    if (plain := _find_plain(tokens)) is not None:
        return [plain]
    reader = _Reader(tokens, after_equals)
    for token in tokens:
        reader.at += 1
        reader.take(token)
        reader.before = token
    reader.finish(at_end=True)
    return reader.found


def _find_plain(tokens: Sequence[Token]) -> Expression | None:
    """Return the expression if the tokens are numbers with + - * / between them: a shortcut."""
    symbols = []
    for at, (kind, text, _, _, gap) in enumerate(tokens):
        if at % 2 and kind == "operator" and text in ("+", "-", "*", "/"):
            symbols.append(Symbol("op", text, gap))
        elif not at % 2 and kind == "number" and "e" not in text and "E" not in text:
            symbols.append(Symbol("num", text, gap))
        else:
            return None
    if len(symbols) % 2 == 0 or len(symbols) > MAX_SYMBOLS:
        return None
    found = Expression(tokens[0].start, tokens[-1].end, symbols)
    found.operations = len(symbols) // 2
    found.complete = found.at_end = True
    return found


def _is_proper(top: str, bottom: str) -> bool:
    whole = top.isdigit() and bottom.isdigit()
    return whole and max(len(top), len(bottom)) < 10 and int(top) < int(bottom)


class _Reader:
    """Takes one token after the other."""

    def __init__(self, tokens: Sequence[Token], after_equals: bool) -> None:
        self.found: list[Expression] = []
        self.tokens = tokens
        self.at = 0  # the place of the token after the one that is taken
        self.after_equals = after_equals
        self.before: Token | None = None  # the token before the one that is taken
        self.named = False  # the last word is a letter or a product of letters
        self.words_before: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self.current = Expression()
        self.depth = 0
        self.expects = True  # an operand has to follow
        self.unknown = False  # words stand where an operand is expected
        self.units = False  # words stand after the last operand
        self.exponent_of_unit = False
        self.divided = False  # the last sign is that of a division
        self.last: Token | None = None

    def finish(self, at_end: bool = False) -> None:
        """End the current expression."""
        current = self.current
        current.readable &= not self.depth
        current.complete = not self.expects
        current.at_end = at_end
        current.letters |= at_end and self._ends_in_name()
        if current.symbols:
            self.found.append(current)
        if not at_end:
            self._begin()

    def take(self, token: Token) -> None:
        match token.kind:
            case "word" if not self.current.symbols and " " in token.text:
                self.words_before += token.text.lower().split()
                self.unknown, self.named = True, False
            case "word" if token.text != "and" or not self._begins_fraction():
                for word in token.text.split():
                    self._word(word, token)
            case "word":
                pass  # 5 and 2/3
            case "number" if self.exponent_of_unit:
                self.exponent_of_unit = False
            case (
                "number" | "spaced" | "opaque" | "annotation" | "pi" | "root" | "fraction" | "open"
            ):
                if not self.expects and not self._join(token):
                    unclear = self._may_join()
                    self.current.unclear |= not self.current.words
                    belongs = self._belongs_to_word(token)
                    self.finish()
                    self.current.unclear, self.current.letters = unclear, belongs
                self._operand(token)
            case "bottom":
                self._emit("op", "{", token)
                self.depth += 1
                self.expects = True
            case "operator":
                self._operator(token)
            case "close":
                self.current.algebra |= self.expects and self.unknown  # \frac{AM}{2}
                self.current.readable &= not self.expects
                self._emit("op", token.text, token)
                self.depth -= 1
                self.expects = self.units = False
            case "subscript":
                self._subscript()
            case "percent":
                if self.units:
                    self._word(token.text, token)  # 8 slices per cent
                elif not self.expects:
                    self._emit("op", "%", token)
            case "of" if self._next_kind() in _VALUES and self._is_share():
                self.current.share_end = self.current.share_end or len(self.current.symbols)
                self._emit_operator("*", token)
            case _:
                self._word(token.text, token)

    def _next_kind(self, glued: bool = False) -> str:
        """Return the kind of the next token; empty at the end or, if `glued`, before a blank."""
        following = self.tokens[self.at : self.at + 1]
        return following[0].kind if following and not (glued and following[0].gap) else ""

    def _emit(self, kind: str, text: str, token: Token) -> None:
        current = self.current
        if not current.symbols:
            current.start = token.start
            current.words_before = len(self.words_before)
            if self.words_before:
                current.unclear |= not CHANGING.isdisjoint(self.words_before[-3:])
                self.words_before = []
        if len(current.symbols) < MAX_SYMBOLS:
            # a blank before a number tells the parser of a mixed number
            current.symbols.append(Symbol(kind, text, token.gap))
        else:
            current.readable = False
        current.end = token.end
        self.last = token

    def _emit_operator(self, text: str, token: Token) -> None:
        self._emit("op", text, token)
        self.current.operations += 1
        self.expects = text != "!"
        self.unknown = self.units = False

    def _operand(self, token: Token) -> None:
        current = self.current
        current.letters |= self.unknown and self._belongs_to_word(token)
        if self.unknown and current.symbols:
            current.unclear = True
        self.unknown = self.units = False
        match token.kind:
            case "open":
                self._emit("op", token.text, token)
                self.depth += 1
            case "fraction":
                self._emit("cmd", r"\binom" if "binom" in token.text else r"\frac", token)
                current.operations += 1
            case "root":
                self._emit("cmd", r"\sqrt", token)
                for kind, text in [("op", "["), ("num", token.text), ("op", "]")]:
                    if token.text:
                        self._emit(kind, text, token)
                current.operations += 1
            case "pi":
                self._emit("cmd", r"\pi", token)
                self.expects = False
            case _:
                current.readable &= token.kind != "opaque"
                # 17e - 8 may be a term
                current.unclear |= token.kind == "spaced" or "e" in token.text.lower()
                self._emit("num", token.text, token)
                self.expects = False
        if token.kind in ("fraction", "root"):
            self.expects = True

    def _join(self, token: Token) -> bool:
        """Join an operand to the operand before it: a product or a mixed number."""
        assert self.last is not None
        last = self.current.symbols[-1]
        beside = not self.units
        plain = token.kind == "fraction" and "binom" not in token.text
        if beside and last.kind == "num" and plain:
            return True  # 3\frac{1}{2}: the parser reads it
        following = self.tokens[self.at : self.at + 2]
        divided = token.kind == "number" and [each.text for each in following[:1]] == ["/"]
        if beside and last.text.isdigit() and divided and len(following) > 1:
            return _is_proper(token.text, following[1].text)  # 2 1/2
        product = token.kind in ("open", "pi", "root", "fraction") or last.text in (")", "!")
        if beside and product and (not token.gap or self.depth or token.kind in _FACTORS):
            # 80\frac{1}{2}\frac{1}{5} may have a mixed number, 8 / 2(3) may be 8 / (2 * 3)
            mixed = token.kind == "fraction" and last.text == "}"
            self.current.unclear |= token.gap or mixed or self.divided
            self._emit_operator("*", token)
            return True
        if self.depth:
            self.current.readable = False
            return True
        return False

    def _may_join(self) -> bool:
        """Return whether the words before a number may join it to the number before them."""
        words = self.current.words
        several = len(words) < 3 and words[-1:] == ["of"]  # 8 packs of 5
        joining = not JOINING.isdisjoint(words[-3:])
        sign = bool(words) and not words[-1][-1].isalnum() and words[-1] not in ("(", "[", "{")
        return not words or several or words[0] == "of" or joining or sign

    def _belongs_to_word(self, token: Token) -> bool:
        r"""Return whether an operand belongs to the word before: `f(2)`, `\oplus 1`, `r^2\pi`."""
        before = self.before
        if before is None or before.kind != "word":
            subscript = before is not None and before.kind == "subscript"
            return subscript or (self.units and not token.gap)
        if not token.gap and (token.kind != "number" or is_name(before.text)):
            return True
        if token.kind in ("pi", "root") and len(before.text) < 4:
            return before.text.lower() not in CONNECTING  # ab \sqrt{15}
        return self.named or (token.kind in _FACTORS and is_name(before.text))

    def _ends_in_name(self) -> bool:
        before = self.before
        return before is not None and before.kind == "word" and is_name(before.text)

    def _begins_fraction(self) -> bool:
        """Return whether a proper fraction follows the whole number before `and`."""
        whole = not self.expects and not self.units and self.current.symbols[-1].text.isdigit()
        texts = [each.text for each in self.tokens[self.at : self.at + 3]]
        return whole and len(texts) == 3 and texts[1] == "/" and _is_proper(texts[0], texts[2])

    def _is_share(self) -> bool:
        """Return whether a percentage or a fraction was read last, so that `of` multiplies."""
        symbols = self.current.symbols
        if self.expects or self.units:
            return False
        return symbols[-1].text in ("%", ")", "}") or (len(symbols) > 2 and symbols[-2].text == "/")

    def _operator(self, token: Token) -> None:
        current = self.current
        if not self.expects:
            if token.text == "^" and self.units:
                self.exponent_of_unit = True  # 5 cm^2
            else:
                # 10^35^0 is 10^3 * 5^0 in LaTeX
                power = token.text == "^" and self._next_kind(glued=True) == "number"
                current.unclear |= power and len(self.tokens[self.at].text) > 1
                current.letters |= self._ends_in_name()
                # the value is 3, and the expression -(3 + 3)
                signed = token.gap and self._next_kind(glued=True) != ""
                current.unclear |= token.text == "-" and signed and len(current.words) > 2
                self._emit_operator(token.text, token)
                if token.text not in ("!", "^"):
                    self.divided = token.text == "/"
            return
        # what stands before it is not read: ] * 2 + 1
        begins = not current.symbols and not self.after_equals
        current.unclear |= begins and (token.text != "-" or not self._next_kind(glued=True))
        glued = self._next_kind(glued=True) == "number"
        sign = token.text in "+-"
        if self.unknown and not (sign and glued and token.gap and not current.symbols):
            current.algebra = True
            current.operations += 1
            self.unknown = False
        elif sign:
            self._emit("op", token.text, token)
            self.unknown = False
        elif current.symbols:
            current.readable = False

    def _subscript(self) -> None:
        """Take a base (`101_2`), which makes a number unreadable, or the end of a name (`x_1`)."""
        if self.expects or self.units:
            self.current.letters = True
        else:
            self.current.readable = False

    def _word(self, written: str, token: Token) -> None:
        """Take one of the words of a token."""
        word = written.lower()
        current = self.current
        if word in CONNECTING and current.symbols and not self.depth:
            self.finish()
            self.words_before = [word]
            self.unknown = True
            return
        last = self.last.kind if self.last else ""
        glued = last == "pi" or (not token.gap and last in ("number", "close"))
        below = not token.gap and last == "operator" and written.isupper()  # 66/BC
        product = (glued or below) and is_product(written)
        named = word.startswith("\\") or is_variable(written) or product
        self.named = named
        if named and current.symbols and not (self.expects or self.units):
            current.algebra = True  # 2x
        bracketed = last == "close" and not self.units and word != "a"
        letter = len(word) == 1 and word.isalpha()
        if named or (letter and (glued or bracketed)):
            current.letters = True
        if not current.symbols:
            self.words_before.append(word)
            self.unknown = True
        elif self.expects and current.symbols[-1].text == "/" and not self.unknown:
            current.symbols.pop()  # $5/shirt
            current.operations -= 1
            current.words.append(word)
            current.unclear |= token.gap
            self.expects, self.units = False, True
        elif self.expects:
            self.unknown = True
        else:
            self.units = True
            current.words.append(word)
            remains = word in REMAINING or (word[0] == "r" and word[1:].isdigit())
            current.unclear |= word in CHANGING or word[0].isdigit() or remains
