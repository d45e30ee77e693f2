"""The exception for bad input, whose message is written for the person who can mend it, and that for leaving early."""


class FoldlineError(Exception):
    """Input that cannot be used: the message names the file, the row or key, the value, and the way out."""


class StoppedError(Exception):
    """Work that was asked to stop before its end and kept what it had: done again, it goes on from there."""


def listing(items: list[str], *, limit: int = 10) -> str:
    """Join at most `limit` items with commas and say how many were left out."""
    shown = ", ".join(items[:limit])
    rest = len(items) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def tensorflow_message(error: Exception) -> str:
    """The one line of a TensorFlow error that says what happened, between where it was raised and which node it was."""
    return str(error).split("\n\t [[")[0].strip().splitlines()[-1]
