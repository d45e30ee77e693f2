"""Cells that decide folds, and nothing else: a column of folds, of times, of a holdout, or of further groups.

They are in no shard and in no inventory. The step that makes the fold table reads them from the user's tables, so that
a changed cell makes no image stale.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from foldline.dataset.columns import Columns
from foldline.dataset.fold_table import FoldTable
from foldline.dataset.sample_table import SampleTable, read_sample_table
from foldline.errors import FoldlineError, Problems, listing
from foldline.io import files


@dataclass(frozen=True)
class CellTable:
    """Where the cells of a split are.

    Attributes:
        table: path or URL of the table of the split.
        columns: how to read it; its metadata columns hold the cells, some of which may be absent.
    """

    table: str
    columns: Columns


@dataclass(frozen=True)
class FoldCells:
    """The cells of all rows that decide folds.

    Attributes:
        columns: names of the columns, as in the training table, (n_columns,).
        tables: split -> its table; the cells of other splits are missing.
        old: an old fold table, whose rows keep their folds; None if there is none.
        digest: digest of the cells, as the run was planned; "" before they are known.
    """

    columns: tuple[str, ...]
    tables: Mapping[str, CellTable]
    old: FoldTable | None = None
    digest: str = ""

    def read(self) -> "ReadCells":
        """Read the tables.

        Raises:
            FoldlineError: tables cannot be read; names all problems.
        """
        problems, found, old = Problems(), dict[str, SampleTable](), dict[str, str]()
        for split, table in self.tables.items():
            with problems.collected():
                found[split] = read_sample_table(table.table, table.columns)
        with problems.collected():
            old = self.old.read() if self.old else {}
        problems.check()
        return ReadCells(found, old)

    def of_rows(self, splits: Sequence[str], ids: Sequence[str]) -> "RowCells":
        """The cells of some rows.

        Args:
            splits: split of each row, (n_rows,).
            ids: id of each row, (n_rows,).

        Raises:
            FoldlineError: the tables are not those that were planned with.
        """
        found = self.read()
        if found.digest != self.digest:
            paths = [table.table for table in self.tables.values()] + ([self.old.path] if self.old else [])
            raise FoldlineError(
                f"{listing(paths)}: folds or groups of rows changed after the run was planned; leave tables alone "
                "while a workflow runs, and run the same command again"
            )
        cells_of = {
            split: dict(zip(of.ids, zip(*of.metadata, strict=True), strict=True)) for split, of in found.tables.items()
        }
        missing = ("",) * len(self.columns)
        rows = [cells_of.get(split, {}).get(name, missing) for split, name in zip(splits, ids, strict=True)]
        columns = {column: [cells[index] for cells in rows] for index, column in enumerate(self.columns)}
        return RowCells(columns, [found.old.get(name, "") for name in ids])


@dataclass(frozen=True)
class ReadCells:
    """What `FoldCells.read` returns.

    Attributes:
        tables: split -> its table, with the cells as metadata in canonical spelling, "" if missing.
        old: name of the old fold of each id that has one.
    """

    tables: Mapping[str, SampleTable]
    old: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of the cells and the old folds, whatever the order of the rows."""
        rows = {split: sorted(zip(of.ids, *of.metadata, strict=True)) for split, of in sorted(self.tables.items())}
        return files.digest_of([rows, sorted(self.old.items())])

    def column(self, split: str, name: str) -> Sequence[str]:
        """Cells of a column, in the order of the table."""
        table = self.tables[split]
        return table.metadata[table.columns.metadata.index(name)]

    def of_ids(self, split: str, name: str, ids: Sequence[str]) -> list[str]:
        """Cells of a column of some rows."""
        cell_of = dict(zip(self.tables[split].ids, self.column(split, name), strict=True))
        return [cell_of[name] for name in ids]


@dataclass(frozen=True)
class RowCells:
    """The cells of some rows.

    Attributes:
        columns: column -> cell of each row, "" if missing, (n_rows,).
        old: name of the old fold of each row, "" if it has none, (n_rows,).
    """

    columns: Mapping[str, Sequence[str]]
    old: Sequence[str]

    def of(self, chosen: Sequence[bool]) -> "RowCells":
        """The cells of the chosen rows, (n_rows,)."""
        columns = {name: list(compress(cells, chosen)) for name, cells in self.columns.items()}
        return RowCells(columns, list(compress(self.old, chosen)))
