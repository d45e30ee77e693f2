"""Read and check the user's table: one row per sample.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from foldline.dataset.cell_codes import cell_codes, label_remedy
from foldline.dataset.cell_values import is_missing
from foldline.dataset.class_columns import check_target
from foldline.dataset.columns import Columns
from foldline.dataset.label_reading import resolve
from foldline.dataset.labels import SOFT, Labels
from foldline.dataset.own_labels import left_out_by
from foldline.dataset.raw_table import AbsentColumnsError, RawTable, read_raw_table
from foldline.dataset.row_per_class import JoinedColumns, join_rows
from foldline.dataset.sample_ids import check_ids, ids_of
from foldline.dataset.soft_labels import log_soft_labels
from foldline.dataset.target_cells import fill_target
from foldline.errors import FoldlineError, Problems, counted
from foldline.io.garbage import garbage_search_paused


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
        left_out: rows that `Columns.own_labels` leave out, by the word that does it; they are nowhere else.
        problems: what is wrong with ids, groups and class columns.
        has_labels: whether label cells could be read; False too where there are none.
    """

    raw: RawTable
    columns: Columns
    ids: Sequence[str]
    groups: Sequence[str]
    metadata: tuple[Sequence[str], ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    has_labels: bool = True

    def place(self, row: int) -> str:
        """Where the user finds a row: table and line, or the id if Foldline wrote the table."""
        made = self.columns.made_of
        return f"{made}: id {self.ids[row]!r}" if made else f"{self.raw.path}, {self.raw.unit} {self.raw.lines[row]}"

    @property
    def spellings(self) -> dict[str, str]:
        """Ids that the table spells differently -> their cells, see `sample_ids.id_of`."""
        cells = self.raw.columns[self.columns.id]
        return dict(zip(self.ids, cells, strict=True)) if cells is not self.ids else {}

    @property
    def most_groups(self) -> int:
        """Number of groups if every row without a group gets one of its own."""
        cells = self.raw.columns.get(self.columns.group or self.columns.id, self.ids)
        groups = Counter(_mapped(cells, self.columns.value))
        return len(groups) + max(0, groups[""] - 1)

    def label_cells(self) -> dict[str, str]:
        """Every label cell that is not missing, with the place where it occurs first.

        None in a test table, and none of labels in own words, which say nothing about the cells of other tables.
        """
        if not self.has_labels or not self.columns.target or self.columns.own_labels is not None:
            return {}
        first: dict[str, int] = {}
        for row, text in enumerate(self.raw.columns[self.columns.target]):
            first.setdefault(text, row)
        missing = self.columns.missing
        return {text: self.place(row) for text, row in first.items() if not is_missing(text, missing)}

    def label_counts(self) -> Counter[str]:
        """Number of rows of each text of `label_cells`."""
        cells, column = self.label_cells(), self.columns.target
        return Counter(text for text in self.raw.columns[column] if text in cells) if column and cells else Counter()

    def rows(self, labels: Labels) -> RowColumns:
        """The rows with label codes, in the order of the table.

        Args:
            labels: `columns.labels` with the reading of the cells, see `label_reading.resolve`.

        Raises:
            FoldlineError: labels are not allowed, or the target column is one of several class columns.
        """
        targets: Sequence[str] = [""] * len(self.ids)
        if self.columns.target and self.has_labels:
            columns = self.columns
            if not columns.target_columns and not columns.row_per_class and columns.own_labels is None:
                check_target(self.raw.path, self.raw.header, self.columns.target, labels)
            targets = self._codes(self.columns.target, labels)
        return RowColumns(self.raw.lines, self.ids, targets, self.groups, self.metadata)

    def unlabeled(self) -> RowColumns:
        """The rows without labels, some of which may have the `problems`."""
        return RowColumns(self.raw.lines, self.ids, [""] * len(self.ids), self.groups, self.metadata)

    def _codes(self, column: str, labels: Labels) -> list[str]:
        cells = self.raw.columns[column]
        codes, problems = cell_codes(cells, self.columns, labels)
        if problems:
            rows, first = Counter(cells), dict[str, tuple[int, str]]()
            for line, name, text in zip(self.raw.lines, self.ids, cells, strict=True):
                first.setdefault(text, (line, name))
            places = {text: (*first[text], _of_others(rows[text] - 1)) for text in problems}
            # The user knows no column of a table that Foldline wrote.
            made = self.columns.made_of
            in_table = "" if made else f" (column {self.columns.in_table(column)})"
            wrong = [
                (line, f"label {text!r}{in_table} of id {name!r}{others} {problems[text]}")
                for text, (line, name, others) in places.items()
            ]
            source = "the table" if not made else "the records" if made.endswith("records") else "the folders"
            raise self.raw.error(wrong, label_remedy(self.columns, labels, list(problems), source=source))
        if labels.kind == SOFT and self.columns.own_labels is None:
            log_soft_labels(self.raw.path, cells, codes, labels.separator if labels.classes else None)
        return [codes[text] for text in cells]


def _of_others(count: int) -> str:
    """How many other rows have a problem, as a part of its message; "" if none has."""
    return f" and of {counted(count, 'more row')}" if count else ""


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
    table = open_sample_table(path, columns)
    table.problems.check()
    return table


def open_sample_table(path: str | Path, columns: Columns) -> SampleTable:
    """Read a table as `read_sample_table` does, but leave its problems to the caller, who looks for others too.

    Args:
        path: path or URL of the table.
        columns: the meaning of its columns.

    Raises:
        FoldlineError: the rows cannot be told apart, as `raw_table.read_raw_table`.
    """
    problems = Problems()
    raw, left_out = _without_left_out(_read_named(path, columns, problems), columns)
    ids = ids_of(raw, raw.columns[columns.id], columns.in_table(columns.id))
    groups: Sequence[str] = ids
    with problems.collected():
        check_ids(raw, ids, columns.in_table(columns.id))
    fill_target(raw, columns, problems)
    if columns.group and columns.group in raw.columns:
        with problems.collected():
            groups = _groups(raw, ids, columns, columns.group)
    metadata = [_mapped(raw.columns.get(name, [""] * len(ids)), columns.value) for name in columns.metadata]
    has_labels = columns.target is not None and columns.target in raw.columns
    return SampleTable(raw, columns, ids, groups, tuple(metadata), left_out, problems, has_labels)


def _groups(raw: RawTable, ids: Sequence[str], columns: Columns, group_column: str) -> list[str]:
    cells = raw.columns[group_column]
    groups = _mapped(cells, columns.value)
    if columns.external:
        groups = [group or own_group(columns, name) for group, name in zip(groups, ids, strict=True)]
    column = columns.in_table(group_column)
    wrong = [
        (line, f"the group (column {column}) of id {name!r} is {cell!r}, which counts as missing")
        for line, name, cell, group in zip(raw.lines, ids, cells, groups, strict=True)
        if not group
    ]
    if wrong:
        raise raw.error(wrong, GROUP_REMEDY)
    return groups


def own_group(columns: Columns, name: str) -> str:
    """Group of an external row without one, which no other row has."""
    return f"{columns.external}/{name}"


def _without_left_out(raw: RawTable, columns: Columns) -> tuple[RawTable, dict[str, int]]:
    """The table without the rows whose labels leave them out, and how many there are of each word."""
    words = columns.own_labels
    if not columns.target or columns.target not in raw.columns or not words or None not in words.values():
        return raw, {}
    cells = raw.columns[columns.target]
    word_of = {text: left_out_by(text, words, columns.labels) for text in set(cells)}
    kept = [number for number, text in enumerate(cells) if word_of[text] is None]
    if not kept:
        raise FoldlineError(
            f"{raw.path}: dataset.external.{columns.external}.labels leaves out all rows; give a word a class, or "
            "remove the set"
        )
    left_out = Counter(word for text in cells if (word := word_of[text]) is not None)
    found: dict[str, Sequence[str]] = {
        name: [values[number] for number in kept] for name, values in raw.columns.items()
    }
    return replace(raw, lines=[raw.lines[number] for number in kept], columns=found), dict(sorted(left_out.items()))


def _read_named(path: str | Path, columns: Columns, problems: Problems) -> RawTable:
    """Read the columns of a table, by their names in the training table; an optional one that is absent is empty."""
    absent = columns.absent
    optional = [columns.in_table(name) for name in columns.optional if name not in absent]
    names_only = (columns.id, columns.group, *columns.of_paths)
    exact = [columns.in_table(name) for name in names_only if name and name not in absent]
    required, lost = columns.required(), set[str]()
    try:
        raw = read_raw_table(path, required, separator=columns.separator, optional=optional, exact=exact)
    except AbsentColumnsError as error:
        remedies = filter(None, (columns.absence(name, error.header) for name in error.absent))
        told = FoldlineError("; ".join([str(error), *remedies]))
        if columns.row_per_class or set(map(columns.in_table, (columns.id, *columns.of_paths))) & set(error.absent):
            raise told from error
        # The other columns may have problems of their own.
        problems.add([str(told)])
        lost = set(error.absent)
        required = [name for name in required if name not in lost]
        raw = read_raw_table(path, required, separator=columns.separator, optional=optional, exact=exact)
    names = dict.fromkeys([*columns.names(), *columns.target_columns, *columns.of_paths])
    empty = [""] * len(raw.lines)
    found = {
        name: empty if name in absent else raw.columns.get(columns.in_table(name), empty)
        for name in names
        if columns.in_table(name) not in lost
    }
    raw = replace(raw, columns=found, made_of=columns.made_of)
    if columns.row_per_class is None:
        return raw
    same = [name for name in names if name not in (columns.id, columns.target)]
    separator, form = columns.labels.separator, columns.row_per_class
    rows = JoinedColumns(columns.id, columns.target, separator, same)
    return join_rows(raw, form, rows, problems)


GROUP_REMEDY = (
    "give every sample a group, its own id if no other sample belongs to it, or set dataset.group_column to null "
    "(dataset.missing lists what counts as missing)"
)


def _mapped(cells: Sequence[str], change: Callable[[str], str]) -> list[str]:
    """`change` of each cell, called once for equal cells."""
    changed = {cell: change(cell) for cell in set(cells)}
    return [changed[cell] for cell in cells]
