"""Decide once, for every model, which fold each training sample belongs to.

Inputs: inventory (pieces of the training part), leaks (duplicate pairs within it).
Outputs: folds (table id -> fold with group, target and the metadata columns).
Parameters: count, seed, stratify_by.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from foldline.errors import FoldlineError, listing
from foldline.folds import assign_folds
from foldline.leaks import merged_groups
from foldline.step import step
from foldline.tables import FOLDS, INVENTORY, LEAKS, read_table, read_tables, write_table

log = logging.getLogger(__name__)


def make_folds(
    *,
    inventory: Sequence[str | Path],
    leaks: str | Path,
    folds: str | Path,
    count: int,
    seed: int,
    stratify_by: Sequence[str],
) -> None:
    """Write the fold table of the training part, sorted by id.

    Args:
        inventory: tables of the training images (`tables.INVENTORY` and metadata columns).
        leaks: table of duplicate pairs; pairs within the training part tie groups together.
        folds: where the fold table goes. Its `group` is the group after duplicates were tied together.
        count: number of folds.
        seed: seed of the split.
        stratify_by: metadata columns spread evenly over the folds, jointly with the target.

    Raises:
        FoldlineError: a label or a column is missing, or the data cannot fill the folds.
    """
    samples = read_tables(inventory, INVENTORY)
    metadata = [name for name in samples.columns if name not in INVENTORY]
    absent = [name for name in stratify_by if name not in metadata]
    if absent:
        raise FoldlineError(
            f"folds.stratify_by names {listing(absent)}, which is not among dataset.metadata_columns: "
            f"{listing(metadata) or 'none'}"
        )
    unlabelled = samples.loc[~samples["target"].isin(["0", "1"]), "id"]
    if len(unlabelled):
        raise FoldlineError(f"{Path(inventory[0]).parent}: target of id {listing(list(unlabelled))} is not 0 or 1")
    pairs = read_table(leaks, LEAKS, key=("id", "other_id"))
    pairs = pairs[pairs["other_part"] == "train"]
    groups = merged_groups(
        list(samples["group"]), list(samples["id"]), zip(pairs["id"], pairs["other_id"], strict=True)
    )
    target = samples["target"].astype("int64").to_numpy()
    strata = samples[["target", *stratify_by]].agg("\0".join, axis=1)
    table = pd.DataFrame({"id": samples["id"], "group": groups, "target": target})
    table["fold"] = assign_folds(
        ids=list(samples["id"]), groups=groups, labels=target[:, None], strata=list(strata), count=count, seed=seed
    )
    table[metadata] = samples[metadata]
    merged = samples["group"].nunique() - table["group"].nunique()
    log.info(
        "%d rows in %d groups (%d groups joined another through %d duplicate pairs)",
        len(table),
        table["group"].nunique(),
        merged,
        len(pairs),
    )
    for fold, rows in table.groupby("fold"):
        log.info(
            "fold %d: %d rows, %d positives (%.2f %%), %d groups",
            fold,
            len(rows),
            rows["target"].sum(),
            100 * np.mean(rows["target"]),
            rows["group"].nunique(),
        )
    write_table(table, folds, FOLDS)


if __name__ == "__main__":
    with step(snakemake):
        make_folds(
            inventory=snakemake.input.inventory,
            leaks=snakemake.input.leaks,
            folds=snakemake.output.folds,
            **snakemake.params.settings,
        )
