"""The one exception for bad input: its message is written for the person who can mend the input."""


class FoldlineError(Exception):
    """Input that cannot be used: the message names the file, the row or key, the value, and the way out."""


def listing(items: list[str], *, limit: int = 10) -> str:
    """Join at most `limit` items with commas and say how many were left out."""
    shown = ", ".join(items[:limit])
    rest = len(items) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
