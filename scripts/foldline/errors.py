"""The two exceptions of Foldline, and helpers for their messages."""

from collections.abc import Sequence


class FoldlineError(Exception):
    """Input that cannot be used.

    The message is written for the user: where (file, line, key, id), what is wrong and what is allowed, and what to do.
    """


class StoppedError(Exception):
    """A stop request ended the work early. Its state is saved; run it again to resume."""


def listing(items: Sequence[str], *, limit: int = 10) -> str:
    """Join at most `limit` items with commas and say how many are left out."""
    shown = ", ".join(items[:limit])
    rest = len(items) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def problems_error(problems: Sequence[str], *, limit: int = 40) -> FoldlineError:
    """One error for several problems of one kind: the only problem, or a line for each of at most `limit`."""
    if len(problems) == 1:
        return FoldlineError(problems[0])
    shown, rest = list(problems[:limit]), len(problems) - limit
    lines = [f"{len(problems)} problems", *shown, *([f"and {rest} more"] if rest > 0 else [])]
    return FoldlineError("\n".join(lines))


def tensorflow_message(error: Exception) -> str:
    """The line of a TensorFlow error that says what happened, without the Python frames and the graph node."""
    return str(error).split("\n\t [[")[0].strip().splitlines()[-1]
