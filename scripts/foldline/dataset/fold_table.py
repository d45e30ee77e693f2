"""An old fold table, whose rows keep their folds.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from dataclasses import dataclass

from foldline.dataset.columns import Columns
from foldline.dataset.raw_table import read_raw_table
from foldline.dataset.sample_table import read_sample_table
from foldline.errors import FoldlineError, listing

# Column of a fold table that Foldline wrote; its other rows are external.
SPLIT, TRAIN = "split", "train"


@dataclass(frozen=True)
class FoldTable:
    """A table with the folds of ids.

    Attributes:
        path: path or URL of the table.
        id_columns: possible names of the column of the ids; the first that the table has is read.
        column: column of the folds.
    """

    path: str
    id_columns: tuple[str, ...]
    column: str

    def read(self) -> dict[str, str]:
        """Name of the fold of each id; ids without one, with a negative one, or of external rows are left out.

        Raises:
            FoldlineError: the table cannot be read.
        """
        header = read_raw_table(self.path, [self.column]).header
        name = next((name for name in self.id_columns if name in header), "")
        if not name:
            names = " or ".join(dict.fromkeys(self.id_columns))
            raise FoldlineError(
                f"{self.path}: no column {names}; the table has {listing(header)}; call the column of its ids id, or "
                "correct folds.table"
            )
        table = read_sample_table(
            self.path, Columns(id=name, target=None, group=None, metadata=(self.column, SPLIT), optional=(SPLIT,))
        )
        folds, splits = table.metadata
        return {
            name: fold
            for name, fold, split in zip(table.ids, folds, splits, strict=True)
            if fold and not fold.startswith("-") and split in ("", TRAIN)
        }
