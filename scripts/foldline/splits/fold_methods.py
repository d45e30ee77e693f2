"""The folds of train and external rows, by the method of the configuration."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldline.dataset.fold_cells import RowCells
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, counted, listing
from foldline.splits.file_folds import assign_folds_by_files
from foldline.splits.fold_audit import IntArray, Samples
from foldline.splits.fold_membership import NO_FOLD, TRAIN, WITHHELD
from foldline.splits.folds_config import FILES, GIVEN, LEAVE_ONE_GROUP_OUT, TABLE, FoldsConfig
from foldline.splits.given_folds import copies_across, copies_warning, keep_apart, split_groups
from foldline.splits.group_folds import assign_folds, external_folds, place_groups

logger = logging.getLogger(__name__)

# Column of the fold table with the name of a fold where it is no number, for people.
FOLD_NAME = "fold_name"


def fold_rows(
    rows: pd.DataFrame,
    labels: IntArray,
    pairs: Sequence[tuple[str, str]],
    cells: RowCells,
    config: FoldsConfig,
) -> pd.DataFrame:
    """Give each row its fold.

    Args:
        rows: train rows, then external rows: id, split, target, path, group (as the tables have it), merged (the group
            after groups with duplicates are merged) and the metadata columns.
        labels: labels of the train rows, 0 or 1, (n_train, n_classes).
        pairs: duplicates as (id, other id).
        cells: cells that decide folds.
        config: the method.

    Returns:
        A row for each row: group and fold, and as far as needed `FOLD_NAME` and the other columns of
        `fold_membership`.

    Raises:
        FoldlineError: the rows cannot fill the folds, or folds that are given split a group.
    """
    if config.method in GIVEN:
        table = _given(rows, labels, pairs, _names(rows, cells, config), config)
        _log_constant(labels, table["fold"].to_numpy()[: len(labels)], config)
        return table
    train = rows[rows["split"] == TRAIN]
    samples = Samples(list(train["id"]), list(train["merged"]), labels)
    folds = _assign(samples, train, config)
    others = external_folds(list(rows["merged"][len(train) :]), groups=samples.groups, folds=folds)
    return pd.DataFrame({"group": rows["merged"], "fold": np.concatenate([folds, others])})


def _names(rows: pd.DataFrame, cells: RowCells, config: FoldsConfig) -> Sequence[str]:
    """Name of the fold of each row, "" if it has none, (n_rows,)."""
    if config.method == LEAVE_ONE_GROUP_OUT:
        return list(rows["group"])
    return cells.old if config.method == TABLE else cells.columns[config.column or ""]


def _assign(samples: Samples, train: pd.DataFrame, config: FoldsConfig) -> IntArray:
    """Assign a fold to each train row, (n_samples,)."""
    if config.method == FILES:
        if config.stratify_by:
            names = listing(list(config.stratify_by))
            logger.warning("folds.method is files, so folds.stratify_by (%s) has no effect", names)
        return assign_folds_by_files(samples, list(train["path"]), count=config.count, seed=config.seed)
    strata, columns = _strata(train, config)
    return assign_folds(samples, strata, count=config.count, seed=config.seed, columns=columns)


def _strata(train: pd.DataFrame, config: FoldsConfig) -> tuple[list[str], list[list[str]]]:
    """Stratum of each train row, (n_samples,), and columns to spread, (n_columns, n_samples)."""
    labels = train["target"].map(hard_code)
    strata = train[["target", *config.stratify_by]].assign(target=labels).agg("\0".join, axis=1)
    return list(strata), [list(train[name]) for name in config.stratify_by]


def _given(
    rows: pd.DataFrame,
    labels: IntArray,
    pairs: Sequence[tuple[str, str]],
    cells: Sequence[str],
    config: FoldsConfig,
) -> pd.DataFrame:
    """Give each train row the fold that its cell names, and other rows that of the rows they are related to.

    Groups of train rows whose cells are empty get folds as in `assign_folds`.
    """
    is_train = (rows["split"] == TRAIN).to_numpy()
    names = [name if own else "" for own, name in zip(is_train, cells, strict=True)]
    ids, groups = list(rows["id"]), list(rows["group"])
    if broken := split_groups(ids, groups, names):
        raise FoldlineError(f"folds: more than one fold has rows of {listing(broken)}; give each group one fold")
    fold_of_id = {name: fold for name, fold in zip(ids, names, strict=True) if fold}
    if copies := copies_across(pairs, fold_of_id):
        logger.warning("%s", copies_warning(copies, config.table or config.column or "the groups"))
    index_of = {name: index for index, name in enumerate(config.names)}
    kept = keep_apart(groups, list(rows["merged"]), [index_of.get(name) for name in names])
    folds = np.array([NO_FOLD if fold is None else fold for fold in kept.folds], dtype=np.int64)
    is_new = is_train & (folds == NO_FOLD)
    if is_new.any():
        train = rows[is_train]
        samples = Samples(list(train["id"]), kept.groups[: len(train)], labels)
        strata, columns = _strata(train, config)
        known = folds[is_train]
        folds[is_train] = place_groups(samples, strata, known, count=config.count, seed=config.seed, columns=columns)
        fold_of_group = dict(zip(samples.groups, folds[is_train].tolist(), strict=True))
        related = [fold_of_group.get(group, NO_FOLD) for group in kept.groups]
        folds = np.where(is_train | (folds != NO_FOLD), folds, related)
        logger.info("%s are new beside those of %s", counted(is_new.sum(), "row"), config.table)
    numbers = np.array([*config.numbers, NO_FOLD], dtype=np.int64)
    table = pd.DataFrame({"group": kept.groups, "fold": numbers[folds]})
    if list(config.names) != [str(number) for number in config.numbers]:
        table[FOLD_NAME] = np.array([*config.names, ""], dtype=object)[folds]
    if any(kept.related):
        table[WITHHELD] = [" ".join(str(config.numbers[index]) for index in found) for found in kept.related]
    return table


def _log_constant(labels: IntArray, folds: IntArray, config: FoldsConfig) -> None:
    """Say which folds have no score of their own, because no class has both labels in them."""
    constant = [str(fold) for fold in config.numbers if (np.ptp(labels[folds == fold], axis=0) == 0).all()]
    if constant:
        logger.warning(
            "fold %s has no class with both labels, so it has no AUC of its own; its rows count in the pooled AUC",
            listing(constant),
        )
