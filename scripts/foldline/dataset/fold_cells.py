"""Cells that decide folds, and nothing else: a column of folds, of times, of a holdout, or of further groups.

They are in no shard and in no inventory. The step that makes the fold table reads them from the user's tables, so that
a changed cell makes no image stale.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foldline.dataset.columns import Columns
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
        digest: digest of the cells, as the run was planned; "" before they are known.
    """

    columns: tuple[str, ...]
    tables: Mapping[str, CellTable]
    digest: str = ""

    def read(self) -> dict[str, SampleTable]:
        """The tables, with the cells as metadata in canonical spelling, "" if missing.

        Raises:
            FoldlineError: tables cannot be read; names all problems.
        """
        problems, found = Problems(), dict[str, SampleTable]()
        for split, table in self.tables.items():
            with problems.collected():
                found[split] = read_sample_table(table.table, table.columns)
        problems.check()
        return found

    @staticmethod
    def digest_of(tables: Mapping[str, SampleTable]) -> str:
        """Digest of what `read` returned, whatever the order of the rows."""
        rows = {split: sorted(zip(of.ids, *of.metadata, strict=True)) for split, of in sorted(tables.items())}
        return files.digest_of(rows)

    def of_rows(self, splits: Sequence[str], ids: Sequence[str]) -> dict[str, list[str]]:
        """Cells of each column, (n_rows,), "" if missing.

        Args:
            splits: split of each row, (n_rows,).
            ids: id of each row, (n_rows,).

        Raises:
            FoldlineError: the tables are not those that were planned with.
        """
        tables = self.read()
        if self.digest_of(tables) != self.digest:
            raise FoldlineError(
                f"{listing([table.table for table in self.tables.values()])}: the column {listing(self.columns)} "
                "changed after the run was planned; leave tables alone while a workflow runs, and run the same command "
                "again"
            )
        cells_of = {
            split: dict(zip(of.ids, zip(*of.metadata, strict=True), strict=True)) for split, of in tables.items()
        }
        missing = ("",) * len(self.columns)
        rows = [cells_of.get(split, {}).get(name, missing) for split, name in zip(splits, ids, strict=True)]
        return {column: [cells[index] for cells in rows] for index, column in enumerate(self.columns)}
