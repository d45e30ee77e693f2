"""The ids of samples: unique names that can be part of a path.

Standard library only, because the process that builds the DAG imports it.
"""

import re
from collections.abc import Sequence, Set

from foldline.dataset.cell_values import composed
from foldline.dataset.raw_table import RawTable
from foldline.errors import Problems

# What an id cannot have: a backslash, or a control character or line separator, which breaks the lines of logs.
_NOT_IN_ID = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Paths that are files, but no ids.
_PATH = re.compile(r"\./|/|[A-Za-z]:\\|[^/\\]+\\[^/]*$")
# What no part of a path can be.
_NO_PARTS = frozenset(("", ".", ".."))


def check_ids(raw: RawTable, ids: Sequence[str], column: str) -> None:
    """Refuse ids that are empty, repeated or not allowed in a path.

    Args:
        raw: the table.
        ids: (n_rows,).
        column: their column in the table.

    Raises:
        FoldlineError: names the first lines and how many more there are.
    """
    distinct = set(ids)
    joined = "".join(distinct)
    parts = distinct.union(*(name.split("/") for name in distinct)) if "/" in joined else distinct
    problems = Problems()
    if not parts.isdisjoint(_NO_PARTS) or _NOT_IN_ID.search(joined):
        found = [(line, id_problem(name, column)) for line, name in zip(raw.lines, ids, strict=True)]
        wrong = [(line, problem) for line, problem in found if problem]
        with problems.collected():
            raise raw.error(wrong, _remedy(ids, column))
    with problems.collected():
        _check_repeated(raw, ids, distinct if joined.isascii() else set(map(composed, distinct)))
    problems.check()


def _remedy(ids: Sequence[str], column: str) -> str:
    """What to do about ids that cannot be part of a path."""
    if not all(_PATH.match(name) for name in ids):
        return "give every sample an id that can be part of a path"
    return (
        "ids that are paths have / between folders, and neither ./ nor / at the start; set dataset.id_column to "
        f"another column with unique values, and dataset.image_column to {column}, where paths may have all of these; "
        f"or write the paths of {column} without them"
    )


def _check_repeated(raw: RawTable, ids: Sequence[str], distinct: Set[str]) -> None:
    if len(distinct) == len(ids):
        return
    first_of: dict[str, tuple[int, str]] = {}
    repeated = []
    for line, name in zip(raw.lines, ids, strict=True):
        first, spelled = first_of.setdefault(composed(name), (line, name))
        if name and first != line:
            repeated.append((line, f"id {name!r} is also in {raw.unit} {first}{other_spelling(name, spelled)}"))
    if repeated:
        raise raw.error(repeated, "ids must be unique: remove or rename the repeated rows")


def other_spelling(name: str, other: str) -> str:
    """The difference between two ids that look alike, as the end of an error message; "" if there is none."""
    return "" if name == other else ", in another Unicode spelling of its accents (NFC and NFD)"


def id_problem(name: str, column: str, *, kind: str = "column") -> str:
    """What is wrong with an id, as a part of an error message; "" if nothing is.

    Args:
        name: the id.
        column: its column.
        kind: what the message calls the column.
    """
    if not name:
        return f"the id ({kind} {column}) is empty"
    if _NOT_IN_ID.search(name) or not _NO_PARTS.isdisjoint(name.split("/")):
        return f"id {name!r} cannot be part of a path, such as a1 or cat/a1"
    return ""
