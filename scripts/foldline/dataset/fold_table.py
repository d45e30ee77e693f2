"""An old fold table, whose rows keep their folds.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

import logging
from collections import Counter
from dataclasses import dataclass

from foldline.dataset.columns import Columns
from foldline.dataset.raw_table import read_raw_table
from foldline.dataset.sample_table import read_sample_table
from foldline.errors import FoldlineError, listing

logger = logging.getLogger(__name__)

# Column of a fold table that Foldline wrote; its other rows are external.
SPLIT, TRAIN = "split", "train"
# What folds below 0 are in such a table, see `fold_membership`.
MEANINGS = {"-1": " (held out by no fold)", "-2": " (the holdout)", "-3": " (dropped as copies)"}


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
        rows = [row for row in zip(table.ids, *table.metadata, strict=True) if row[2] in ("", TRAIN)]
        if without := Counter(fold for _, fold, _ in rows if fold.startswith("-")):
            told = [f"{count} with {fold}{MEANINGS.get(fold, '')}" for fold, count in sorted(without.items())]
            logger.warning(
                "%s: rows with a fold below 0 have none: %s; those that are training rows now get folds as new rows "
                "do, so set folds.holdout.column if they are to stay out",
                self.path,
                ", ".join(told),
            )
        return {name: fold for name, fold, _ in rows if fold and not fold.startswith("-")}
