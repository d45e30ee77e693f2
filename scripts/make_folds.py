"""Decide once, for every model, which fold each training sample belongs to.

Inputs: inventory (shards of the train split), leaks (duplicate pairs within it), external_inventory and external_leaks
    (the same of the external split, duplicates of train rows included; none where there is no such split).
Outputs: folds (table id -> fold with group, target, split and the metadata columns).
Parameters: method, count, seed, stratify_by, class_names.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from foldline.dataset.label_arrays import label_array
from foldline.dataset.labels import is_code
from foldline.errors import FoldlineError, listing
from foldline.io.tables import FOLDS, INVENTORY, LEAKS, read_table, read_tables, write_table
from foldline.splits.duplicates import merged_groups
from foldline.splits.fold_membership import EXTERNAL, NO_FOLD, TRAIN
from foldline.splits.group_folds import assign_folds, assign_folds_by_files, external_folds, groups_with
from foldline.step import step

log = logging.getLogger(__name__)

METHODS = ("grouped", "files")


def make_folds(
    *,
    inventory: Sequence[str | Path],
    leaks: str | Path,
    external_inventory: Sequence[str | Path],
    external_leaks: Sequence[str | Path],
    folds: str | Path,
    method: str,
    count: int,
    seed: int,
    stratify_by: Sequence[str],
    class_names: Sequence[str],
) -> None:
    """Write the fold table of the train and external rows, sorted by id.

    External rows tie groups of train rows together; they count neither for the size of a fold nor for its labels. Of
    several classes the rare ones, which cannot be in every fold, are told in the log.

    Args:
        inventory: tables of the train images (`tables.INVENTORY` and metadata columns).
        leaks: table of duplicate pairs; pairs within the train split tie groups together.
        external_inventory: tables of the external images, with the same columns; may be empty.
        external_leaks: tables of the duplicate pairs of external images, which tie groups too; may be empty.
        folds: where the fold table goes. Its `group` is the group after duplicates were tied together.
        method: "grouped" spreads whole groups evenly, "files" gives each record file a fold.
        count: number of folds.
        seed: seed of the split.
        stratify_by: metadata columns spread evenly over the folds, jointly with the target; method "grouped" only.
        class_names: (n_classes,).

    Raises:
        FoldlineError: a label or a column is missing, or the data cannot fill the folds.
    """
    if method not in METHODS:
        raise FoldlineError(f"folds.method is {method!r}; allowed: {listing(list(METHODS))}")
    samples = _read_part(inventory, class_names)
    metadata = [name for name in samples.columns if name not in INVENTORY]
    _check_columns(metadata, stratify_by)
    external = samples.iloc[:0]
    if external_inventory:
        external = _read_part(external_inventory, class_names)[list(samples.columns)]
    pairs = read_table(leaks, LEAKS, key=("id", "other_id"))
    if external_inventory:
        pairs = pd.concat([pairs, read_tables(external_leaks, LEAKS, key=("id", "other_split", "other_id"))])
    pairs = pairs[pairs["other_split"].isin([TRAIN, EXTERNAL])]
    every = pd.concat([samples.assign(split=TRAIN), external.assign(split=EXTERNAL)], ignore_index=True)
    groups = merged_groups(list(every["group"]), list(every["id"]), zip(pairs["id"], pairs["other_id"], strict=True))
    own, foreign = groups[: len(samples)], groups[len(samples) :]
    labels = label_array(list(samples["target"]), class_names)
    placed = _assign(samples, own, labels, method=method, count=count, seed=seed, stratify_by=stratify_by)
    table = every[["id", "split", "target", *metadata]].assign(
        group=groups,
        fold=np.concatenate([placed, external_folds(foreign, groups=own, folds=placed)]),
    )
    merged = samples["group"].nunique() - len(set(own))
    log.info(
        "%d rows in %d groups (%d groups joined another through %d duplicate pairs)",
        len(own),
        len(set(own)),
        merged,
        len(pairs),
    )
    _log_folds(table, class_names)
    _log_rare(own, labels, count, class_names)
    write_table(table.sort_values("id"), folds, FOLDS)


def _read_part(paths: Sequence[str | Path], class_names: Sequence[str]) -> pd.DataFrame:
    table = read_tables(paths, INVENTORY)
    known = [is_code(target, len(class_names)) for target in table["target"]]
    unlabeled = [name for name, good in zip(table["id"], known, strict=True) if not good]
    if unlabeled:
        raise FoldlineError(
            f"{Path(paths[0]).parent}: target of id {listing(unlabeled)} is no 0 or 1 for each of "
            f"{len(class_names)} classes"
        )
    return table


def _check_columns(metadata: Sequence[str], stratify_by: Sequence[str]) -> None:
    absent = [name for name in stratify_by if name not in metadata]
    if absent:
        raise FoldlineError(
            f"folds.stratify_by names {listing(absent)}, which is not among dataset.metadata_columns: "
            f"{listing(list(metadata)) or 'none'}"
        )
    taken = sorted(set(metadata) & set(FOLDS))
    if taken:
        raise FoldlineError(
            f"dataset.metadata_columns names {listing(taken)}, which is a column of the fold table; rename the column"
        )


def _assign(
    samples: pd.DataFrame,
    groups: Sequence[str],
    labels: np.ndarray,
    *,
    method: str,
    count: int,
    seed: int,
    stratify_by: Sequence[str],
) -> np.ndarray:
    """Fold of each train row, int64, (n_samples,)."""
    common = {"ids": list(samples["id"]), "groups": groups, "labels": labels, "count": count, "seed": seed}
    if method == "files":
        if stratify_by:
            log.warning("folds.method is files: folds.stratify_by (%s) has no effect", listing(list(stratify_by)))
        return assign_folds_by_files(**common, paths=list(samples["path"]))
    strata = samples[["target", *stratify_by]].agg("\0".join, axis=1)
    return assign_folds(**common, strata=list(strata))


def _log_folds(table: pd.DataFrame, class_names: Sequence[str]) -> None:
    external = table[table["split"] == EXTERNAL]
    for fold, rows in table[table["split"] == TRAIN].groupby("fold"):
        positives = label_array(list(rows["target"]), class_names).sum(axis=0)
        log.info(
            "fold %d: %d rows in %d groups; positives: %s",
            fold,
            len(rows),
            rows["group"].nunique(),
            ", ".join(f"{name} {number}" for name, number in zip(class_names, positives, strict=True)),
        )
    if len(external):
        tied = (external["fold"] != NO_FOLD).sum()
        log.info("%d external rows, %d of them withheld while a fold is held out", len(external), tied)


def _log_rare(groups: Sequence[str], labels: np.ndarray, count: int, class_names: Sequence[str]) -> None:
    rare = [
        f"{name} ({positives} with it, {negatives} without)"
        for name, (negatives, positives) in zip(class_names, groups_with(groups, labels), strict=True)
        if min(negatives, positives) < count
    ]
    if rare:
        log.warning(
            "%d classes are in too few groups for %d folds, so some folds have no AUC of them: %s",
            len(rare),
            count,
            listing(rare, limit=50),
        )


if __name__ == "__main__":
    with step(snakemake):
        make_folds(
            inventory=snakemake.input.inventory,
            leaks=snakemake.input.leaks,
            external_inventory=snakemake.input.external_inventory,
            external_leaks=snakemake.input.external_leaks,
            folds=snakemake.output.folds,
            **snakemake.params.settings,
        )
