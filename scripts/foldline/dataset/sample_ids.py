"""The ids of samples: unique names that can be part of a path.

Standard library only, because the process that builds the DAG imports it.
"""

import logging
import re
from collections.abc import Sequence, Set

from foldline.dataset.cell_values import composed
from foldline.dataset.raw_table import RawTable
from foldline.errors import Problems

logger = logging.getLogger(__name__)

# What an id cannot have: a backslash, or a control character or line separator, which breaks the lines of logs.
_NOT_IN_ID = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What no part of a path can be.
_NO_PARTS = frozenset(("", ".", ".."))


def id_of(cell: str) -> str:
    r"""The id that a cell names: a path has / between folders, and neither ./ nor / before the first one.

    So `./cat/a.png`, `/cat/a.png` and `cat\a.png` are `cat/a.png`. A cell without a name is left as it is.
    """
    parts = cell.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".")) or cell


def ids_of(raw: RawTable, cells: Sequence[str], column: str) -> Sequence[str]:
    """The ids of a table, see `id_of`; logs how many cells are spelled differently.

    Args:
        raw: the table.
        cells: of its id column, (n_rows,).
        column: its name in the table.

    Returns:
        (n_rows,).
    """
    joined = "/".join(("", *cells, ""))
    if "\\" not in joined and "//" not in joined and "/./" not in joined:
        return cells
    ids = list(map(id_of, cells))
    changed = [(cell, name) for cell, name in zip(cells, ids, strict=True) if cell != name]
    if changed:
        cell, name = changed[0]
        logger.warning(
            "%s: column %s: %r has the id %r in all results but the submission, because ids have / between folders and "
            "neither ./ nor / at the start; number of such ids: %d",
            raw.path,
            column,
            cell,
            name,
            len(changed),
        )
    return ids


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
            raise raw.error(wrong, "give every sample an id that can be part of a path")
    with problems.collected():
        _check_repeated(raw, ids, distinct if joined.isascii() else set(map(composed, distinct)))
    problems.check()


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
