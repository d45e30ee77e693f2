"""Assign a fold to every training row, once for all models.

Inputs: inventory (tables of the train split), leaks (duplicates in it), external_inventory and external_leaks (the same
    for the external sets, duplicates of the splits before each included; none without such a set).
Outputs: folds (table id -> fold with group, target, split, weight and the metadata columns).
Parameters: the fields of `FoldsConfig`; weights, see `RowWeights`, and cells, see `FoldCells`: raw tables whose digest
    is in the key of the job, so they are no inputs; none if every row has the weight 1, or folds need no column.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from foldline.dataset.fold_cells import FoldCells, RowCells
from foldline.dataset.label_arrays import is_label_code, label_array, label_names, share_array
from foldline.dataset.row_weights import RowWeights
from foldline.errors import FoldlineError, counted, listing
from foldline.io.result_paths import by_split
from foldline.io.settings import build
from foldline.io.tables import FOLDS, INVENTORY, LEAKS, read_table, read_tables, write_table
from foldline.splits.connected_groups import connected_groups
from foldline.splits.duplicates import merged_groups
from foldline.splits.fold_audit import Samples, groups_per_label, oversized_groups
from foldline.splits.fold_membership import NO_FOLD, NO_OOF, TEST, TRAIN, WITHHELD, external_rows
from foldline.splits.fold_methods import FOLD_NAME, fold_rows
from foldline.splits.folds_config import METHODS, FoldsConfig
from foldline.step import step

logger = logging.getLogger(__name__)

# Column of the fold table with the names of the classes, for people; steps read the label code in `target`.
LABEL = "label"


@dataclass(frozen=True)
class Inputs:
    """Tables that are read.

    Attributes:
        inventory: tables of the train images (`tables.INVENTORY` and metadata columns).
        leaks: table of the duplicates in the train split; their groups are merged.
        external_inventory: external set -> tables of its images, with the same columns; may be empty.
        external_leaks: tables of the duplicates of external images; may be empty.
    """

    inventory: Sequence[str | Path]
    leaks: str | Path
    external_inventory: Mapping[str, Sequence[str | Path]]
    external_leaks: Sequence[str | Path]


def make_folds(
    inputs: Inputs,
    folds: str | Path,
    config: FoldsConfig,
    *,
    weights: RowWeights | None = None,
    cells: FoldCells | None = None,
) -> None:
    """Write the fold table of the train and external rows, sorted by id.

    External rows can merge groups of train rows; they count neither for the size of a fold nor for its labels. Rare
    classes, which cannot be in every fold, and groups that are larger than a fold are logged.

    Args:
        inputs: tables to read.
        folds: where the fold table is written; its `group` is the group after merging.
        config: how folds are assigned.
        weights: weights of the rows, which change no fold; None if each is 1.
        cells: cells that decide folds; None if the method needs none.

    Raises:
        FoldlineError: a label or a column is missing, the data cannot fill the folds, or weights or cells changed.
    """
    if config.method not in METHODS:
        raise FoldlineError(f"folds.method is {config.method!r}; allowed: {listing(list(METHODS))}")
    train = _read_inventory(inputs.inventory, config.class_names)
    metadata = [name for name in train.columns if name not in INVENTORY]
    _check_columns(metadata, config.stratify_by)
    external = [
        _read_inventory(paths, config.class_names)[list(train.columns)].assign(split=name)
        for name, paths in sorted(inputs.external_inventory.items())
    ]
    rows = pd.concat([train.assign(split=TRAIN), *external], ignore_index=True)
    given = cells.of_rows(list(rows["split"]), list(rows["id"])) if cells else RowCells({}, [""] * len(rows))
    further = [given.columns[name] for name in config.group_columns]
    rows["group"] = connected_groups(list(rows["group"]), further)
    pairs = _read_pairs(inputs)
    groups = merged_groups(list(rows["group"]), list(rows["id"]), pairs)
    labels = label_array(list(train["target"]), config.class_names)
    folded = fold_rows(rows.assign(merged=groups), labels, pairs, given, config)
    rows = rows.assign(label=label_names(list(rows["target"]), config.class_names))
    table = rows[["id", "split", "target", LABEL, *metadata]].assign(
        **{name: folded[name].to_numpy() for name in folded},
        row_weight=weights.of_rows(list(rows["split"]), list(rows["id"])) if weights else 1.0,
    )
    samples = Samples(list(train["id"]), groups[: len(train)], labels)
    n_groups = len(set(samples.groups))
    logger.info(
        "%s in %s (%s merged into others by %s of duplicates)",
        counted(len(train), "row"),
        counted(n_groups, "group"),
        counted(rows["group"][: len(train)].nunique() - n_groups, "group"),
        counted(len(pairs), "pair"),
    )
    _log_folds(table, config.class_names)
    _log_rare_classes(samples, config)
    _log_oversized_groups(samples, config)
    write_table(table.sort_values("id"), folds, FOLDS)


def _read_inventory(paths: Sequence[str | Path], class_names: Sequence[str]) -> pd.DataFrame:
    table = read_tables(paths, INVENTORY)
    labeled = [is_label_code(target, len(class_names)) for target in table["target"]]
    unlabeled = [name for name, valid in zip(table["id"], labeled, strict=True) if not valid]
    if unlabeled:
        raise FoldlineError(
            f"{Path(paths[0]).parent}: target of id {listing(unlabeled)} is not a 0 or 1, or a share, for each of "
            f"{counted(len(class_names), 'class', 'classes')}; remove the inventory and run the workflow again"
        )
    return table


def _read_pairs(inputs: Inputs) -> list[tuple[str, str]]:
    """Read the duplicates among train and external rows, as (id, other id)."""
    pairs = read_table(inputs.leaks, LEAKS, key=("id", "other_id"))
    if inputs.external_inventory:
        external = read_tables(inputs.external_leaks, LEAKS, key=("id", "other_split", "other_id"))
        pairs = pd.concat([pairs, external])
    pairs = pairs[pairs["other_split"] != TEST]
    return list(zip(pairs["id"], pairs["other_id"], strict=True))


def _check_columns(metadata: Sequence[str], stratify_by: Sequence[str]) -> None:
    missing = [name for name in stratify_by if name not in metadata]
    if missing:
        raise FoldlineError(
            f"folds.stratify_by: {listing(missing)} is not one of dataset.metadata_columns "
            f"({listing(list(metadata)) or 'none'}); add it there"
        )
    taken = sorted(set(metadata) & {*FOLDS, LABEL, FOLD_NAME, WITHHELD, NO_OOF})
    if taken:
        raise FoldlineError(
            f"dataset.metadata_columns: {listing(taken)} is a column of the fold table; rename the column in your table"
        )


def _log_folds(table: pd.DataFrame, class_names: Sequence[str]) -> None:
    for fold, rows in table[table["split"] == TRAIN].groupby("fold"):
        positives = label_array(list(rows["target"]), class_names).sum(axis=0)
        counts = ", ".join(f"{name} {number}" for name, number in zip(class_names, positives, strict=True))
        shares = share_array(list(rows["target"]), class_names)
        if shares is not None:
            sums = zip(class_names, shares.sum(axis=0, dtype=np.float64), strict=True)
            counts += "; sums of soft labels: " + ", ".join(f"{name} {total:.1f}" for name, total in sums)
        size, groups = counted(len(rows), "row"), counted(rows["group"].nunique(), "group")
        logger.info("fold %d: %s in %s; positives: %s", fold, size, groups, counts)
    for name, rows in external_rows(table).groupby("split"):
        withheld = (rows["fold"] != NO_FOLD).sum()
        size = counted(len(rows), "external row")
        logger.info("%s: %s, %d of them withheld while a fold is held out", name, size, withheld)


def _log_rare_classes(samples: Samples, config: FoldsConfig) -> None:
    counts = zip(config.class_names, groups_per_label(samples.groups, samples.labels), strict=True)
    rare = [
        f"{name} ({positives} with it, {negatives} without)"
        for name, (negatives, positives) in counts
        if min(negatives, positives) < config.count
    ]
    if rare:
        logger.warning(
            "%s in too few groups for %d folds, so some folds have no AUC of every class; groups: %s",
            counted(len(rare), "class", "classes"),
            config.count,
            listing(rare, limit=50),
        )


def _log_oversized_groups(samples: Samples, config: FoldsConfig) -> None:
    """Warn if folds cannot be of equal size, because a group, maybe merged by duplicates, is larger than a fold."""
    total = len(samples.groups)
    large = oversized_groups(samples.groups, config.count)
    if large:
        shown = [f"{group} ({rows} of {total} rows)" for group, rows in large]
        logger.warning(
            "%s larger than a fold of %d rows, so folds differ in size: %s; check dataset.group_column and "
            "results/leaks/train.csv, or lower folds.count",
            counted(len(large), "group"),
            total // config.count,
            listing(shown, limit=5),
        )


if __name__ == "__main__":
    settings = dict(snakemake.params.settings)
    weights, cells = settings.pop("weights", None), settings.pop("cells", None)
    with step(snakemake):
        make_folds(
            Inputs(
                inventory=snakemake.input.inventory,
                leaks=snakemake.input.leaks,
                external_inventory=by_split(snakemake.input.external_inventory),
                external_leaks=snakemake.input.external_leaks,
            ),
            snakemake.output.folds,
            build(FoldsConfig, settings),
            weights=build(RowWeights, weights) if weights else None,
            cells=build(FoldCells, cells) if cells else None,
        )
