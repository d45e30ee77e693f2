"""Assign the folds of a further repeat: the rows and groups of the first, with another seed.

Inputs: folds (fold table of the first repeat).
Outputs: repeated (fold table of the repeat, with the same rows and columns).
Parameters: the fields of `RepeatConfig`.
"""

import logging
from pathlib import Path

from foldline.errors import counted
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.splits.fold_membership import scored_rows
from foldline.splits.folds_config import RepeatConfig
from foldline.splits.repeats import folds_of_repeat
from foldline.step import step

logger = logging.getLogger(__name__)


def repeat_folds(folds: str | Path, repeated: str | Path, *, repeat: int, config: RepeatConfig) -> None:
    """Write the fold table of a repeat, sorted by id.

    Args:
        folds: fold table of the first repeat.
        repeated: where that of the repeat is written.
        repeat: its number, from 2.
        config: how folds are assigned.

    Raises:
        FoldlineError: the table is damaged, or cannot fill the folds.
    """
    table = folds_of_repeat(read_table(folds, FOLDS), repeat, config)
    for fold, rows in scored_rows(table).groupby("fold"):
        size, groups = counted(len(rows), "row"), counted(rows["group"].nunique(), "group")
        logger.info("repeat %d, fold %d: %s in %s", repeat, fold, size, groups)
    write_table(table, repeated, FOLDS)


if __name__ == "__main__":
    with step(snakemake):
        repeat_folds(
            snakemake.input.folds,
            snakemake.output.repeated,
            repeat=int(snakemake.wildcards.repeat),
            config=build(RepeatConfig, snakemake.params.settings),
        )
