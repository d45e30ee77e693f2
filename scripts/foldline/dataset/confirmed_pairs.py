"""A table of the user with pairs of images that show the same, such as look-alikes that somebody has looked at.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from collections.abc import Container, Mapping
from typing import NamedTuple

from foldline.dataset.raw_table import RawTable, read_raw_table
from foldline.errors import listing

ID, OTHER_ID, SPLIT, OTHER_SPLIT, VERDICT = "id", "other_id", "split", "other_split", "verdict"
# Verdicts, without regard to case. A row without one has not been looked at yet.
SAME, DIFFERENT = ("same", "yes", "true", "1"), ("different", "no", "false", "0")
# Problems that a message spells out.
MOST_TOLD = 10


class ConfirmedPair(NamedTuple):
    """Two images that show the same, in the order of their splits, then of their ids."""

    split: str
    id: str
    other_split: str
    other_id: str


def read_confirmed(path: str) -> RawTable:
    """Read the table, whose columns are `ID` and `OTHER_ID`, and maybe `SPLIT`, `OTHER_SPLIT` and `VERDICT`.

    Raises:
        FoldlineError: it cannot be read.
    """
    return read_raw_table(path, [ID, OTHER_ID], optional=[SPLIT, OTHER_SPLIT, VERDICT])


def confirmed_pairs(table: RawTable, ids: Mapping[str, Container[str]]) -> list[ConfirmedPair]:
    """The pairs that the table confirms, sorted. With a column of verdicts, these are the rows with one of `SAME`.

    Args:
        table: see `read_confirmed`.
        ids: ids of each split, in the order of the splits.

    Raises:
        FoldlineError: a row cannot be used; names the lines.
    """
    wrong: list[tuple[int, str]] = []
    lines: dict[ConfirmedPair, int] = {}
    for index, line in enumerate(table.lines):
        row = {name: column[index] for name, column in table.columns.items()}
        verdict = row.get(VERDICT, SAME[0]).lower()
        if verdict not in (*SAME, *DIFFERENT, ""):
            wrong.append((line, f"the verdict is {row[VERDICT]!r}, but it may be {listing([*SAME, *DIFFERENT])}"))
        if verdict not in SAME:
            continue
        pair, problems = _pair(row, ids)
        if pair in lines:
            problems = [f"the pair of {pair.id!r} and {pair.other_id!r} is in {table.unit} {lines[pair]} as well"]
        wrong += [(line, problem) for problem in problems]
        if pair:
            lines.setdefault(pair, line)
    if wrong:
        raise table.error(wrong, "correct the rows of leaks.confirmed, or remove them", limit=MOST_TOLD)
    return sorted(lines)


def _pair(row: Mapping[str, str], ids: Mapping[str, Container[str]]) -> tuple[ConfirmedPair | None, list[str]]:
    """The pair of a row, or what is wrong with it."""
    images, problems = [], []
    for column, split_column in ((ID, SPLIT), (OTHER_ID, OTHER_SPLIT)):
        name, split = row[column], row.get(split_column, "")
        found = [known for known in ids if name in ids[known] and split in ("", known)]
        if split and split not in ids:
            problems.append(f"{split_column} is {split!r}, but the splits are {listing(list(ids))}")
        elif not found:
            problems.append(
                f"{column} {name!r} is no image{f' of {split}' if split else ''}" if name else f"no {column}"
            )
        elif len(found) > 1:
            problems.append(f"{column} {name!r} is in {' and '.join(found)}; name one in the column {split_column}")
        else:
            images.append((list(ids).index(found[0]), name, found[0]))
    if problems:
        return None, problems
    if images[0] == images[1]:
        return None, [f"{row[ID]!r} is paired with itself"]
    (_, first, split), (_, second, other_split) = sorted(images)
    return ConfirmedPair(split, first, other_split, second), []
