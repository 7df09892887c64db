"""Counts in sentences: `1 row`, `2 rows`, and the verb that fits."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, whose plural adds an s: `1 row`, `1,000 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def verb(count: int, singular: str, plural: str) -> str:
    """Return the form of a verb for a count: `is` for 1, else `are`."""
    return singular if count == 1 else plural
