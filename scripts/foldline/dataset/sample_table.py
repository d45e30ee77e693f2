"""Read and check the user's table: one row per sample.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from foldline.dataset.cell_values import DEFAULT_MISSING, canonical, is_missing
from foldline.dataset.label_reading import resolve
from foldline.dataset.labels import BINARY, BINARY_LABELS, NUMBERS, Labels
from foldline.dataset.raw_table import AUTO, RawTable, read_raw_table
from foldline.errors import FoldlineError, listing
from foldline.io.garbage import garbage_search_paused

# Column of a table that names the image of each row itself.
PATH = "path"
# What an id cannot have: a path separator, or a control character or line separator, which breaks the lines of logs.
_NOT_IN_ID = re.compile("[/\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Columns:
    """The meaning of the columns of a table, and how to read it.

    Attributes:
        id: column of the sample's name.
        target: column of the label; None for a test table.
        group: column whose equal values must stay in one fold; None if every sample is a group of its own.
        metadata: other columns that are carried along.
        labels: how the target column writes labels.
        missing: texts that mean "missing" in each column but `id`; see `cell_values.is_missing`.
        separator: see `raw_table.read_raw_table`.
    """

    id: str
    target: str | None
    group: str | None
    metadata: tuple[str, ...] = ()
    labels: Labels = BINARY_LABELS
    missing: tuple[str, ...] = DEFAULT_MISSING
    separator: str = AUTO

    def names(self) -> list[str]:
        """Columns that the table must have."""
        return [name for name in (self.id, self.target, self.group, *self.metadata) if name]

    def value(self, text: str) -> str:
        """Canonical text of a cell of a group, label or metadata column; "" if it is missing."""
        value = canonical(text)
        return "" if is_missing(value, self.missing, is_canonical=True) else value


class Row(NamedTuple):
    """One sample of a table.

    Attributes:
        line: the line of the file on which it starts; the header is on line 1. In Parquet, the number of the row.
        id: the sample's name, unique in the table.
        target: label code (see `labels`), "0" or "1" of a binary task; "" in a test table.
        group: value of the group column in canonical spelling; the id if there is no group column.
        metadata: values of the metadata columns in canonical spelling, "" if missing.
    """

    line: int
    id: str
    target: str
    group: str
    metadata: tuple[str, ...]


@dataclass(frozen=True)
class RowColumns:
    """The rows of a table, column by column; the attributes are those of `Row`, each (n_rows,).

    Attributes:
        metadata: (n_metadata_columns,)(n_rows,).
    """

    line: Sequence[int]
    id: Sequence[str]
    target: Sequence[str]
    group: Sequence[str]
    metadata: tuple[Sequence[str], ...] = ()

    def __len__(self) -> int:
        return len(self.id)

    def rows(self) -> list[Row]:
        """The rows one by one."""
        metadata = zip(*self.metadata, strict=True) if self.metadata else itertools.repeat(())
        return list(map(Row, self.line, self.id, self.target, self.group, metadata))


@dataclass(frozen=True)
class SampleTable:
    """A table whose ids, groups and metadata are checked, and whose labels are still the texts of their cells.

    Attributes:
        raw: the table.
        columns: the meaning of its columns.
        ids: (n_rows,).
        groups: (n_rows,).
        metadata: (n_metadata_columns,)(n_rows,).
    """

    raw: RawTable
    columns: Columns
    ids: Sequence[str]
    groups: Sequence[str]
    metadata: tuple[Sequence[str], ...]

    def label_cells(self) -> dict[str, str]:
        """Every label cell that is not missing, with the place where it occurs first; none in a test table."""
        if not self.columns.target:
            return {}
        first: dict[str, int] = {}
        for text, line in zip(self.raw.columns[self.columns.target], self.raw.lines, strict=True):
            first.setdefault(text, line)
        missing = self.columns.missing
        return {
            text: f"{self.raw.path}, {self.raw.unit} {line}"
            for text, line in first.items()
            if not is_missing(text, missing)
        }

    def rows(self, labels: Labels) -> RowColumns:
        """The rows with label codes, in the order of the table.

        Args:
            labels: `columns.labels` with the reading of the cells, see `label_reading.resolve`.

        Raises:
            FoldlineError: labels are not allowed, or the target column is one of several class columns.
        """
        targets: Sequence[str] = [""] * len(self.ids)
        if self.columns.target:
            check_target(self.raw.path, self.raw.header, self.columns.target, labels)
            targets = self._codes(self.columns.target, labels)
        return RowColumns(self.raw.lines, self.ids, targets, self.groups, self.metadata)

    def _codes(self, column: str, labels: Labels) -> list[str]:
        cells, codes, problems = self.raw.columns[column], {}, {}
        for text in dict.fromkeys(cells):
            try:
                codes[text] = label_code(text, self.columns, labels)
            except FoldlineError as error:
                problems[text] = str(error)
        if problems:
            wrong = [
                (line, f"label {text!r} (column {column}) of id {name!r} {problems[text]}")
                for line, name, text in zip(self.raw.lines, self.ids, cells, strict=True)
                if text in problems
            ]
            how = "" if labels.kind == BINARY else f"the cells are read as {labels.reading}; "
            raise self.raw.error(wrong, f"{how}correct the table, or dataset.labels in the config")
        return [codes[text] for text in cells]


def read_rows(path: str | Path, columns: Columns) -> list[Row]:
    """Read a table, and find out from its own cells what its labels are, if the configuration leaves that open.

    Args:
        path: path or URL of the table.
        columns: the meaning of its columns.

    Raises:
        FoldlineError: as `read_sample_table`, `label_reading.resolve` and `SampleTable.rows`.
    """
    with garbage_search_paused():
        table = read_sample_table(path, columns)
        return table.rows(resolve(columns.labels, table.label_cells())).rows()


def read_sample_table(path: str | Path, columns: Columns) -> SampleTable:
    """Read a table with a header line.

    Args:
        path: path or URL of the table.
        columns: the meaning of its columns.

    Raises:
        FoldlineError: as `raw_table.read_raw_table`; or an id is empty, repeated or not allowed in a file name; or a
            group is missing. The message names all lines with the same kind of problem.
    """
    raw = read_raw_table(path, columns.names(), separator=columns.separator)
    ids = raw.columns[columns.id]
    _check_ids(raw, ids, columns.id)
    groups = ids
    if columns.group:
        cells = raw.columns[columns.group]
        groups = _mapped(cells, columns.value)
        wrong = [
            (line, f"the group (column {columns.group}) of id {name!r} is {cell!r}, which counts as missing")
            for line, name, cell, group in zip(raw.lines, ids, cells, groups, strict=True)
            if not group
        ]
        if wrong:
            raise raw.error(wrong, GROUP_REMEDY)
    metadata = [
        raw.columns[name] if name == PATH else _mapped(raw.columns[name], columns.value) for name in columns.metadata
    ]
    return SampleTable(raw, columns, ids, groups, tuple(metadata))


GROUP_REMEDY = (
    "give every sample a group, its own id if no other sample belongs to it, or set dataset.group_column to null "
    "(dataset.missing lists what counts as missing)"
)


def _mapped(cells: Sequence[str], change: Callable[[str], str]) -> list[str]:
    """`change` of each cell, called once for equal cells."""
    changed = {cell: change(cell) for cell in set(cells)}
    return [changed[cell] for cell in cells]


def _check_ids(raw: RawTable, ids: Sequence[str], column: str) -> None:
    distinct = set(ids)
    if not distinct.isdisjoint(("", ".", "..")) or _NOT_IN_ID.search("".join(distinct)):
        problems = [(line, id_problem(name, column)) for line, name in zip(raw.lines, ids, strict=True)]
        wrong = [(line, problem) for line, problem in problems if problem]
        raise raw.error(wrong, "give every sample an id that can be part of a file name")
    if len(distinct) == len(ids):
        return
    line_of: dict[str, int] = {}
    repeated = []
    for line, name in zip(raw.lines, ids, strict=True):
        first = line_of.setdefault(name, line)
        if first != line:
            repeated.append((line, f"id {name!r} is also in {raw.unit} {first}"))
    raise raw.error(repeated, "ids must be unique: remove or rename the repeated rows")


def id_problem(name: str, column: str, *, kind: str = "column") -> str:
    """What is wrong with an id, as a part of an error message; "" if nothing is.

    Args:
        name: the id.
        column: its column.
        kind: what the message calls the column.
    """
    if not name:
        return f"the id ({kind} {column}) is empty"
    if name in (".", "..") or _NOT_IN_ID.search(name):
        return f"id {name!r} cannot be part of a file name"
    return ""


def label_code(text: str, columns: Columns, labels: Labels) -> str:
    """Label code of a cell, which may be missing.

    Raises:
        FoldlineError: as `Labels.code`.
    """
    if not is_missing(text, columns.missing):
        return labels.code(text)
    try:
        return labels.code("")
    except FoldlineError as error:
        raise FoldlineError(f"counts as missing (dataset.missing) and {error}" if text else str(error)) from None


def check_target(path: str, header: Sequence[str], target: str, labels: Labels) -> None:
    """Refuse a target column that says of one class whether a sample has it, where a column of classes is needed.

    Raises:
        FoldlineError: the column has the name of a class, and the table has columns of other classes or its cells are
            numbers.
    """
    if labels.kind == BINARY or target not in labels.classes:
        return
    others = [name for name in labels.classes if name != target and name in header]
    if others or labels.cells == NUMBERS:
        why = f"beside columns of {listing(others)}" if others else "and its cells are numbers"
        raise FoldlineError(
            f"{path}: column {target} (dataset.target_column) has the name of a class, {why}, so it says whether a "
            "sample has this class and not which class it has; set dataset.target_column to a column with the class of "
            f"each sample, or dataset.labels.kind to binary to learn {target} alone"
        )


class RecordCells(NamedTuple):
    """The sample of a ready-made record, its label still the text of its cell.

    Attributes:
        id: see `Row`.
        label: text of the label; "" in a test split.
        group: see `Row`.
        metadata: see `Row`.
    """

    id: str
    label: str
    group: str
    metadata: tuple[str, ...]


def parse_record(where: str, cells: Mapping[str, str], columns: Columns) -> RecordCells:
    """Check the texts of a record as those of a table.

    Args:
        where: name of the record in an error message.
        cells: text of every column of `columns.names()`; white space around it is ignored.
        columns: the meaning of the columns.

    Raises:
        FoldlineError: the id is empty or not allowed in a file name, or the group is missing.
    """
    name = cells[columns.id].strip()
    problem = id_problem(name, columns.id, kind="feature")
    if problem:
        raise FoldlineError(f"{where}: {problem}; rename the sample")
    group = name
    if columns.group:
        text = cells[columns.group].strip()
        group = columns.value(text)
        if not group:
            raise FoldlineError(
                f"{where}: the group (feature {columns.group}) of id {name!r} is {text!r}, which counts as missing; "
                f"{GROUP_REMEDY}"
            )
    label = cells[columns.target].strip() if columns.target else ""
    return RecordCells(name, label, group, tuple(columns.value(cells[column]) for column in columns.metadata))
