"""Read and check the user's table: one row per sample.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.errors import FoldlineError, listing
from foldline.io import storage

MISSING = ("", "na", "nan", "null", "none")
# Column of a table that names the image of each row itself.
PATH = "path"


@dataclass(frozen=True)
class Columns:
    """The meaning of the columns of a table.

    Attributes:
        id: column of the sample's name.
        target: column of the label; None for a test table.
        group: column whose equal values must stay in one fold; None if every sample is a group of its own.
        metadata: other columns that are carried along.
        labels: how the target column writes labels.
    """

    id: str
    target: str | None
    group: str | None
    metadata: tuple[str, ...] = ()
    labels: Labels = BINARY_LABELS

    def names(self) -> list[str]:
        """Columns that the table must have."""
        return [name for name in (self.id, self.target, self.group, *self.metadata) if name]


@dataclass(frozen=True)
class Row:
    """One sample of a table.

    Attributes:
        line: its line in the file; the header is line 1.
        id: the sample's name, unique in the table.
        target: label code (see `labels`), "0" or "1" of a binary task; "" in a test table.
        group: value of the group column; the id if there is no group column.
        metadata: values of the metadata columns as text, "" if missing.
    """

    line: int
    id: str
    target: str
    group: str
    metadata: tuple[str, ...]


def read_rows(path: str | Path, columns: Columns) -> list[Row]:
    """Read a CSV table with a header line.

    Args:
        path: path or URL of the table.
        columns: the meaning of its columns.

    Raises:
        FoldlineError: the file or a column is absent; the file is not CSV in UTF-8; an id is empty, repeated or not
            allowed in a file name; a label is not allowed; a group is empty; or a line has a wrong number of cells.
    """
    path = str(path)
    try:
        if not storage.is_file(path):
            raise FoldlineError(f"{path}: no such table; give its path relative to dataset.root in the config")
        rows = _read(path, columns)
    except OSError as error:
        raise FoldlineError(f"{path}: the table cannot be read ({error}); check its read permission") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FoldlineError(f"{path}: not a CSV table in UTF-8 ({error}); save it as one") from error
    if not rows:
        raise FoldlineError(f"{path}: the table has a header and no rows; add a row for each sample")
    line_of: dict[str, int] = {}
    for row in rows:
        if row.id in line_of:
            raise FoldlineError(
                f"{path}: id {row.id!r} occurs in line {line_of[row.id]} and in line {row.line}; ids must be unique"
            )
        line_of[row.id] = row.line
    return rows


def _read(path: str, columns: Columns) -> list[Row]:
    with storage.open_text(path) as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        absent = [name for name in columns.names() if name not in header]
        if absent:
            raise FoldlineError(f"{path}: no column {listing(absent)}; the table has {listing(header, limit=30)}")
        if len(set(header)) < len(header):
            raise FoldlineError(f"{path}: a column name occurs twice in {listing(header, limit=30)}; rename a column")
        index_of = {name: header.index(name) for name in columns.names()}
        return [_parse_line(path, reader.line_num, cells, len(header), index_of, columns) for cells in reader if cells]


def _parse_line(
    path: str, line: int, cells: Sequence[str], width: int, index_of: Mapping[str, int], columns: Columns
) -> Row:
    where = f"{path}, line {line}"
    if len(cells) != width:
        raise FoldlineError(f"{where}: {len(cells)} cells, but the header has {width}; correct the line")
    return parse_row(where, line, {name: cells[index] for name, index in index_of.items()}, columns)


def parse_row(
    where: str, line: int, cells: Mapping[str, str], columns: Columns, *, kind: Literal["column", "feature"] = "column"
) -> Row:
    """Make a row from the texts of its cells.

    Args:
        where: name of the row in an error message.
        line: see `Row`.
        cells: text of every column of `columns.names()`; white space around it is ignored.
        columns: the meaning of the columns.
        kind: name of a column in an error message.

    Raises:
        FoldlineError: the id is empty or not allowed in a file name, the label is not allowed, or the group is empty.
    """
    name = cells[columns.id].strip()
    if not name:
        raise FoldlineError(f"{where}: the id ({kind} {columns.id}) is empty; give every sample an id")
    if any(character in name for character in "/\\\n\0") or name in (".", ".."):
        raise FoldlineError(f"{where}: id {name!r} cannot be part of a file name; rename the sample")
    target = ""
    if columns.target:
        text = cells[columns.target].strip()
        try:
            target = columns.labels.code(text)
        except FoldlineError as error:
            raise FoldlineError(f"{where}: label {text!r} ({kind} {columns.target}) of id {name!r} {error}") from None
    group = name
    if columns.group:
        group = cells[columns.group].strip()
        if group.lower() in MISSING:
            raise FoldlineError(
                f"{where}: the group ({kind} {columns.group}) of id {name!r} is {group!r}; give every sample a group, "
                "its own id if no other sample belongs to it, or set dataset.group_column to null"
            )
    metadata = (cells[column].strip() for column in columns.metadata)
    return Row(line, name, target, group, tuple("" if cell.lower() in MISSING else cell for cell in metadata))
