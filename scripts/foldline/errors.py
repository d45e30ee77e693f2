"""The two exceptions of Foldline, and helpers for their messages."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

# The start of a line for problems that have none of their own.
_MORE = re.compile(r"and ([0-9,]+) more ")


class FoldlineError(Exception):
    """Input that cannot be used.

    The message is written for the user: where (file, line, key, id), what is wrong and what is allowed, and what to do.
    """


class SeveralProblemsError(FoldlineError):
    """Several problems at once.

    Attributes:
        problems: a line for each, or "and 12 more ..." for those that have none.
    """

    def __init__(self, problems: Sequence[str], *, limit: int) -> None:
        self.problems = list(problems)
        rest = len(self.problems) - limit
        # A line may stand for several problems.
        counts = [int(match[1].replace(",", "")) if (match := _MORE.match(line)) else 1 for line in self.problems]
        lines = [
            f"{sum(counts):,} problems",
            *self.problems[:limit],
            *([f"and {rest} more"] if rest > 0 else []),
        ]
        super().__init__("\n".join(lines))


class StoppedError(Exception):
    """A stop request ended the work early. Its state is saved; run it again to resume."""


def listing(items: Sequence[str], *, limit: int = 10) -> str:
    """Join at most `limit` items with commas and say how many are left out."""
    shown = ", ".join(items[:limit])
    rest = len(items) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that a wrong one resembles, as a part of a message: " (did you mean 'train'?)"; else ""."""
    close = closest(word, known)
    return "" if close is None else f" (did you mean {close!r}?)"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a wrong one resembles, whatever their case; None if it resembles none."""
    of_case: dict[str, list[str]] = {}
    for other in known:
        of_case.setdefault(other.casefold(), []).append(other)
    close = difflib.get_close_matches(word.casefold(), list(of_case), n=1)
    return difflib.get_close_matches(word, of_case[close[0]], n=1, cutoff=0)[0] if close else None


def file_text(value: object, *, limit: int = 60) -> str:
    """Text that comes from a file, for a message: at most `limit` characters, none of which breaks a line or is hidden.

    Args:
        value: the text, or what `str` makes of it.
        limit: most characters; of a longer text the start, and "..." behind it.
    """
    text = str(value)
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text[:limit]
    )
    return shown if len(shown) <= limit and len(text) <= limit else f"{shown[: limit - 3]}..."


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: 1 row, 2 rows, 1,200 rows.

    Args:
        count: the count.
        noun: the noun for one.
        plural: the noun for several, if it does not end in an added s.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def first_place(places: Sequence[str], noun: str) -> str:
    """The first of several places with one problem, and how many more there are: a.tfrec (and 3 more files)."""
    rest = len(places) - 1
    return f"{places[0]} (and {counted(rest, f'more {noun}')})" if rest else places[0]


def first_texts(texts: Sequence[str], noun: str, *, limit: int = 5) -> str:
    """The first texts of a long list, and how many more there are: a; b; and 3 more records."""
    rest = len(texts) - limit
    return "; ".join([*texts[:limit], *([f"and {counted(rest, f'more {noun}')}"] if rest > 0 else [])])


def problems_error(problems: Sequence[str], *, limit: int = 40) -> FoldlineError:
    """One error for several problems of one kind: the only problem, or a line for each of at most `limit`."""
    return FoldlineError(problems[0]) if len(problems) == 1 else SeveralProblemsError(problems, limit=limit)


class Problems:
    """Collects errors of checks that do not need each other, so that all are reported at once."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def __bool__(self) -> bool:
        """Whether there is a problem."""
        return bool(self._found)

    @property
    def lines(self) -> list[str]:
        """A line for each problem."""
        return list(self._found)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """End the body at its first `FoldlineError`, and keep that."""
        try:
            yield
        except SeveralProblemsError as error:
            self._found += error.problems
        except FoldlineError as error:
            self._found.append(str(error))

    def add(self, lines: Iterable[str]) -> None:
        """Add problems, a line for each."""
        self._found += lines

    def check(self) -> None:
        """Raise what was collected.

        Raises:
            FoldlineError: names all problems, each once.
        """
        if self._found:
            raise problems_error(list(dict.fromkeys(self._found)))


def tensorflow_message(error: Exception) -> str:
    """The line of a TensorFlow error that says what happened, without the Python frames and the graph node."""
    return str(error).split("\n\t [[")[0].strip().splitlines()[-1]
