"""A table of the user with pairs of images that show the same, such as look-alikes that somebody has looked at.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from foldline.dataset.raw_table import RawTable, read_raw_table
from foldline.errors import FoldlineError, counted, did_you_mean, listing

ID, OTHER_ID, SPLIT, OTHER_SPLIT, VERDICT = "id", "other_id", "split", "other_split", "verdict"
# Verdicts, without regard to case. A row without one has not been looked at yet.
SAME, DIFFERENT = ("same", "yes", "true", "1"), ("different", "no", "false", "0")
# Problems that a message spells out, and ids among which one that is meant is looked for.
MOST_TOLD, MOST_IDS = 10, 20_000
# An image: its split and id.
Image = tuple[str, str]


class ConfirmedPair(NamedTuple):
    """Two images that show the same, in the order of their splits, then of their ids."""

    split: str
    id: str
    other_split: str
    other_id: str

    @property
    def images(self) -> tuple[Image, Image]:
        """Both images."""
        return (self.split, self.id), (self.other_split, self.other_id)


def read_confirmed(path: str) -> RawTable:
    """Read the table, whose columns are `ID`, `OTHER_ID` and `VERDICT`, and maybe `SPLIT` and `OTHER_SPLIT`.

    Raises:
        FoldlineError: it cannot be read, or no row has a verdict, as in a list of pairs that nobody has looked at yet.
    """
    table = read_raw_table(path, [ID, OTHER_ID], optional=[SPLIT, OTHER_SPLIT, VERDICT])
    remedy = (
        "write same there in the rows whose two images show one object, and leave it blank in rows that you have not "
        "looked at; or set leaks.confirmed to null"
    )
    if VERDICT not in table.columns:
        raise FoldlineError(
            f"{path} (leaks.confirmed): no column {VERDICT}; the table has {listing(table.header)}; add the column, "
            f"{remedy}"
        )
    if not any(table.columns[VERDICT]):
        raise FoldlineError(
            f"{path} (leaks.confirmed): column {VERDICT} is blank in {counted(len(table.lines), 'row')}, which is all "
            f"of them; {remedy}"
        )
    return table


def confirmed_pairs(table: RawTable, ids: Mapping[str, Collection[str]]) -> list[ConfirmedPair]:
    """The pairs that the table confirms, sorted: the rows whose verdict is one of `SAME`.

    Args:
        table: see `read_confirmed`.
        ids: ids of each split, in the order of the splits.

    Raises:
        FoldlineError: a row cannot be used, or contradicts others; names the lines.
    """
    wrong: list[tuple[int, str]] = []
    lines: dict[ConfirmedPair, int] = {}
    same, different = list[ConfirmedPair](), list[ConfirmedPair]()
    for index, line in enumerate(table.lines):
        row = {name: column[index] for name, column in table.columns.items()}
        verdict = row[VERDICT].lower()
        if verdict not in (*SAME, *DIFFERENT, ""):
            wrong.append((line, f"the verdict is {row[VERDICT]!r}, but it may be {listing([*SAME, *DIFFERENT])}"))
        if verdict not in (*SAME, *DIFFERENT):
            continue
        pair, problems = _pair(row, ids, resembling=len(wrong) < MOST_TOLD)
        if pair in lines:
            differs = " with the other verdict" if (pair in same) != (verdict in SAME) else " as well"
            problems = [f"the pair of {pair.id!r} and {pair.other_id!r} is in {table.unit} {lines[pair]}{differs}"]
        elif pair:
            lines[pair] = line
            (same if verdict in SAME else different).append(pair)
        wrong += [(line, problem) for problem in problems]
    wrong += _contradictions(same, different, lines, table.unit)
    if wrong:
        raise table.error(sorted(wrong), "correct the rows of leaks.confirmed, or remove them", limit=MOST_TOLD)
    return sorted(same)


def _contradictions(
    same: Iterable[ConfirmedPair], different: Sequence[ConfirmedPair], lines: Mapping[ConfirmedPair, int], unit: str
) -> list[tuple[int, str]]:
    """The pairs of different images that others connect: line, and which lines do."""
    if not different:
        return []
    beside: dict[Image, dict[Image, int]] = {}
    for pair in same:
        first, second = pair.images
        beside.setdefault(first, {})[second] = lines[pair]
        beside.setdefault(second, {})[first] = lines[pair]
    wrong = []
    for pair in different:
        if path := _path(beside, *pair.images):
            found = f"{unit} {path[0]}" if len(path) == 1 else f"{unit}s {listing([str(line) for line in path])}"
            wrong.append((lines[pair], f"{pair.id!r} and {pair.other_id!r} are different, but the same by {found}"))
    return wrong


def _path(beside: Mapping[Image, Mapping[Image, int]], start: Image, end: Image) -> list[int]:
    """The lines of the fewest pairs that connect two images, ascending; empty if none do."""
    before: dict[Image, tuple[Image, int] | None] = {start: None}
    waiting = deque([start])
    while waiting and end not in before:
        image = waiting.popleft()
        for other, line in beside.get(image, {}).items():
            if other not in before:
                before[other] = (image, line)
                waiting.append(other)
    found, step = list[int](), before.get(end)
    while step is not None:
        found.append(step[1])
        step = before[step[0]]
    return sorted(found)


def _pair(
    row: Mapping[str, str], ids: Mapping[str, Collection[str]], *, resembling: bool
) -> tuple[ConfirmedPair | None, list[str]]:
    """The pair of a row, or what is wrong with it, with the id that a wrong one resembles if that is asked for."""
    images, problems = [], []
    for column, split_column in ((ID, SPLIT), (OTHER_ID, OTHER_SPLIT)):
        name, split = row[column], row.get(split_column, "")
        found = [known for known in ids if name in ids[known] and split in ("", known)]
        if split and split not in ids:
            problems.append(f"{split_column} is {split!r}, but the splits are {listing(list(ids))}")
        elif not found:
            known = [other for each in ([split] if split else ids) for other in ids[each]]
            hint = did_you_mean(name, sorted(known)) if resembling and len(known) <= MOST_IDS else ""
            problems.append(
                f"{column} {name!r} is no image{f' of {split}' if split else ''}{hint}" if name else f"no {column}"
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
