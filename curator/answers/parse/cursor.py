"""What the readers of atoms and layouts see of the parser: its tokens and the rules they call back.

In: tokens with a position. Out: `Node`s of nested rules. `grammar.Parser` implements it; the
protocol keeps the imports of atoms, layouts and grammar free of a circle.
"""

from typing import Protocol

from curator.answers.parse.tokens import Token
from curator.answers.parse.tree import Node


class Cursor(Protocol):
    """A position in a list of tokens, and the rules of the grammar that start at it."""

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
        """The token at the position; moves past it."""
        ...

    def found(self, *texts: str) -> bool:
        """Takes the token at the position if it is one of these signs."""
        ...

    def expect(self, sign: str) -> None:
        """Takes this sign; raises Unreadable if another token is there."""
        ...

    def starts_factor(self) -> bool:
        """Whether the token at the position can continue a product without a sign."""
        ...

    def items(self) -> Node: ...

    def relation(self) -> Node: ...

    def sum(self) -> Node: ...

    def signed(self) -> Node: ...

    def power(self) -> Node: ...

    def atom(self) -> Node: ...

    def group(self) -> Node: ...

    def closing(self) -> str: ...

    def until(self, closing: str) -> Node: ...
