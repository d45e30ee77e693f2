"""Assign a fold to every training row, once for all models.

Inputs: inventory (tables of the train split), leaks (duplicates in it), external_inventory and external_leaks (the same
    for the external sets, duplicates of the splits before each included; none without such a set), test_leaks (of the
    test split, if the policy drops rows that are copied there).
Outputs: folds (table id -> fold with group, target, split, weight and the metadata columns), dropped (rows that the
    policy drops, and why).
Parameters: the fields of `FoldsConfig`; weights, see `RowWeights`, and cells, see `FoldCells`: raw tables whose digest
    is in the key of the job, so they are no inputs; none if every row has the weight 1, or folds need no column.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from foldline.dataset.fold_cells import FoldCells, RowCells
from foldline.dataset.label_arrays import is_label_code, label_array, label_names, share_array
from foldline.dataset.row_weights import RowWeights
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, counted, listing
from foldline.io.result_paths import by_split
from foldline.io.settings import build
from foldline.io.tables import DROPPED as DROPPED_COLUMNS
from foldline.io.tables import FOLDS, INVENTORY, LEAKS, read_table, read_tables, write_table
from foldline.splits.connected_groups import connected_groups
from foldline.splits.duplicates import merged_groups
from foldline.splits.fold_audit import IntArray, Samples, groups_per_label, oversized_groups
from foldline.splits.fold_membership import DROPPED, HOLDOUT, NO_FOLD, NO_OOF, TEST, TRAIN, WITHHELD, external_rows
from foldline.splits.fold_methods import FOLD_NAME, fold_rows, with_rows
from foldline.splits.folds_config import FILES, METHODS, FoldsConfig
from foldline.splits.leak_policy import EXTERNAL, GROUP_ALL, Pair, Treatment, treat
from foldline.splits.weight_checks import check_weighted_labels
from foldline.step import step

logger = logging.getLogger(__name__)

# Column of the fold table with the names of the classes, for people; steps read the label code in `target`.
LABEL = "label"
# What logs call the rows that have no fold.
WITHOUT_FOLD = {NO_FOLD: "held out by no fold", HOLDOUT: "holdout"}


@dataclass(frozen=True)
class Inputs:
    """Tables that are read.

    Attributes:
        inventory: tables of the train images (`tables.INVENTORY` and metadata columns).
        leaks: table of the duplicates in the train split; their groups are merged.
        external_inventory: external set -> tables of its images, with the same columns; may be empty.
        external_leaks: tables of the duplicates of external images; may be empty.
        test_leaks: tables of the duplicates of test images, if some of them are dropped; may be empty.
    """

    inventory: Sequence[str | Path]
    leaks: str | Path
    external_inventory: Mapping[str, Sequence[str | Path]]
    external_leaks: Sequence[str | Path]
    test_leaks: Sequence[str | Path] = ()


def make_folds(
    inputs: Inputs,
    folds: str | Path,
    config: FoldsConfig,
    *,
    dropped: str | Path | None = None,
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
        dropped: where the table of dropped rows is written; None for nowhere.
        weights: weights of the rows, which change no fold; None if each is 1.
        cells: cells that decide folds; None if the method needs none.

    Raises:
        FoldlineError: a label or a column is missing, the data cannot fill the folds, or weights or cells changed.
    """
    if config.method not in METHODS:
        raise FoldlineError(f"folds.method is {config.method!r}; allowed: {listing(list(METHODS))}")
    train = _read_inventory(inputs.inventory, config)
    metadata = [name for name in train.columns if name not in INVENTORY]
    _check_columns(metadata, config.stratify_by)
    external = [
        _read_inventory(paths, config)[list(train.columns)].assign(split=name)
        for name, paths in sorted(inputs.external_inventory.items())
    ]
    rows = pd.concat([train.assign(split=TRAIN), *external], ignore_index=True)
    given = cells.of_rows(list(rows["split"]), list(rows["id"])) if cells else RowCells({}, [""] * len(rows))
    further = [given.columns[name] for name in config.group_columns]
    rows["group"] = connected_groups(list(rows["group"]), further)
    treatment = _treat(rows, inputs, config)
    groups = merged_groups(list(rows["group"]), list(rows["id"]), treatment.links)
    labels = label_array(list(train["target"]), config.class_names)
    folded = _fold_those_that_stay(rows.assign(merged=groups), labels, treatment, given, config)
    rows = rows.assign(label=label_names(list(rows["target"]), config.class_names))
    table = rows[["id", "split", "target", LABEL, *metadata]].assign(
        **{name: folded[name].to_numpy() for name in folded},
        row_weight=weights.of_rows(list(rows["split"]), list(rows["id"])) if weights else 1.0,
    )
    check_weighted_labels(table, config.class_names)
    stays = (folded["fold"] != DROPPED).to_numpy()[: len(train)]
    own = rows.assign(merged=groups)[: len(train)][stays]
    _log_groups(own, len(treatment.links))
    _log_folds(table, config.class_names)
    samples = Samples(list(own["id"]), list(own["merged"]), labels[stays])
    _log_rare_classes(samples, config)
    _log_oversized_groups(samples, config)
    # Rows of each split are sorted by id already, which a stable sort makes use of.
    write_table(table.sort_values("id", kind="stable"), folds, FOLDS)
    if dropped is not None:
        paired = rows[rows["id"].isin({name for row in treatment.dropped for name in (row.id, row.kept_id)})]
        _write_dropped(treatment, dict(zip(paired["id"], paired["split"], strict=True)), dropped)


def _read_inventory(paths: Sequence[str | Path], config: FoldsConfig) -> pd.DataFrame:
    used, class_names = {"id", "target", "group"} | ({"path"} if config.method == FILES else set()), config.class_names
    table = read_tables(paths, INVENTORY, skipped=INVENTORY.keys() - used)
    wrong = [target for target in table["target"].unique() if not is_label_code(target, len(class_names))]
    if wrong:
        unlabeled = list(table.loc[table["target"].isin(wrong), "id"])
        raise FoldlineError(
            f"{Path(paths[0]).parent}: target of id {listing(unlabeled)} is not a 0 or 1, or a share, for each of "
            f"{counted(len(class_names), 'class', 'classes')}; remove the inventory and run the workflow again"
        )
    return table


def _treat(rows: pd.DataFrame, inputs: Inputs, config: FoldsConfig) -> Treatment:
    """Read the duplicates and decide what happens to them."""
    pairs = []
    for split, paths in ((TRAIN, [inputs.leaks]), (EXTERNAL, inputs.external_leaks), (TEST, inputs.test_leaks)):
        for table in (read_table(path, LEAKS, key=("id", "other_split", "other_id")) for path in paths):
            table = table[table["other_split"] != TEST]
            pairs += [Pair(*cells, split) for cells in zip(table["id"], table["other_id"], table["kind"], strict=True)]
    named = {pair.other_id for pair in pairs} | {pair.id for pair in pairs if pair.split != TEST}
    if foreign := named - set(rows["id"]):
        raise FoldlineError(
            f"leaks table: id {listing(sorted(foreign))} is not in the inventory; run the workflow again"
        )
    # Few of many rows are in a pair.
    paired = rows[rows["id"].isin(named)]
    labels = dict(zip(paired["id"], paired["target"].map(hard_code), strict=True))
    return treat(pairs, labels, paired["id"][paired["split"] == TRAIN], config.leak_policy or GROUP_ALL)


def _fold_those_that_stay(
    rows: pd.DataFrame, labels: IntArray, treatment: Treatment, cells: RowCells, config: FoldsConfig
) -> pd.DataFrame:
    """Give each row its fold, as `fold_rows` does, and `DROPPED` to the rows that are dropped."""
    stays = ~rows["id"].isin({row.id for row in treatment.dropped}).to_numpy()
    if stays.all():
        return fold_rows(rows, labels, treatment.links, cells, config)
    own, of_train = rows[stays].reset_index(drop=True), stays[: len(labels)]
    folded = fold_rows(own, labels[of_train], treatment.links, cells.of(stays.tolist()), config)
    reason_of = {row.id: row.reason for row in treatment.dropped}
    reasons = [reason_of[name] for name in rows["id"][~stays]]
    return with_rows(folded, stays, list(rows["merged"]), fold=DROPPED, reasons=reasons)


def _write_dropped(treatment: Treatment, split_of: Mapping[str, str], path: str | Path) -> None:
    """Write the dropped rows, and say how many there are."""
    lines = []
    for row in treatment.dropped:
        # A test image may have the id of a train image.
        kept_split = TEST if row.kept_split == TEST else split_of[row.kept_id]
        lines.append((row.id, split_of[row.id], row.kept_id, kept_split, row.kind, row.reason))
    write_table(pd.DataFrame(lines, columns=list(DROPPED_COLUMNS), dtype=object), path, DROPPED_COLUMNS)
    for reason, count in sorted(Counter(row.reason for row in treatment.dropped).items()):
        logger.warning("%s %s; %s lists them", counted(count, "row"), reason, path)


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


def _log_groups(train: pd.DataFrame, n_links: int) -> None:
    n_groups = train["merged"].nunique()
    logger.info(
        "%s in %s (%s merged into others by %s of duplicates)",
        counted(len(train), "row"),
        counted(n_groups, "group"),
        counted(train["group"].nunique() - n_groups, "group"),
        counted(n_links, "pair"),
    )


def _log_folds(table: pd.DataFrame, class_names: Sequence[str]) -> None:
    for fold, rows in table[(table["split"] == TRAIN) & (table["fold"] != DROPPED)].groupby("fold"):
        positives = label_array(list(rows["target"]), class_names).sum(axis=0)
        counts = ", ".join(f"{name} {number}" for name, number in zip(class_names, positives, strict=True))
        shares = share_array(list(rows["target"]), class_names)
        if shares is not None:
            sums = zip(class_names, shares.sum(axis=0, dtype=np.float64), strict=True)
            counts += "; sums of soft labels: " + ", ".join(f"{name} {total:.1f}" for name, total in sums)
        size, groups = counted(len(rows), "row"), counted(rows["group"].nunique(), "group")
        word = "positives" if len(class_names) == 1 else "images of each class"
        name = f" ({rows[FOLD_NAME].iloc[0]})" if FOLD_NAME in table else ""
        called = WITHOUT_FOLD.get(fold, f"fold {fold}{name}")
        logger.info("%s: %s in %s; %s: %s", called, size, groups, word, counts)
    for name, rows in external_rows(table).groupby("split"):
        withheld = (~rows["fold"].isin((NO_FOLD, DROPPED))).sum()
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
                test_leaks=snakemake.input.test_leaks,
            ),
            snakemake.output.folds,
            build(FoldsConfig, settings),
            dropped=snakemake.output.dropped,
            weights=build(RowWeights, weights) if weights else None,
            cells=build(FoldCells, cells) if cells else None,
        )
