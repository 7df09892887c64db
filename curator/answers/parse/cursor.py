"""The interface of the parser that the parsers of atoms and layouts use: tokens and grammar rules.

In: tokens with a position. Out: `Node`s of nested rules. `grammar.Parser` implements it. The
protocol keeps the imports of atoms, layouts and grammar acyclic.
"""

from typing import Protocol

from curator.answers.parse.tokens import Token
from curator.answers.parse.tree import Node


class Cursor(Protocol):
    """A position in a list of tokens, and the grammar rules that start at it."""

    tokens: list[Token]
    at: int

    @property
    def next(self) -> Token:
        """The token at the position; an `end` token after the last one."""
        ...

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` places after the position."""
        ...

    def take(self) -> Token:
        """Take the token at the position and move past it."""
        ...

    def accept(self, *texts: str) -> bool:
        """Take the token at the position if it is one of these operators or commands."""
        ...

    def expect(self, text: str) -> None:
        """Take this token; raises Unreadable if another one is at the position."""
        ...

    def is_sympy(self, letter: str) -> bool:
        """Return whether `I` or `E` is a constant in the notation of sympy, and no variable."""
        ...

    def starts_factor(self) -> bool:
        """Return whether the token at the position can continue a product without an operator."""
        ...

    def items(self) -> Node: ...

    def relation(self) -> Node: ...

    def sum(self) -> Node: ...

    def product(self) -> Node: ...

    def signed(self) -> Node: ...

    def power(self) -> Node: ...

    def atom(self) -> Node: ...

    def group(self) -> Node: ...

    def take_opening(self) -> str: ...

    def parse_until(self, closing: str) -> Node: ...
