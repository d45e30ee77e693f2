"""The folds of train and external rows, by the method of the configuration."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, listing
from foldline.splits.file_folds import assign_folds_by_files
from foldline.splits.fold_audit import IntArray, Samples
from foldline.splits.fold_membership import NO_FOLD, TRAIN, WITHHELD
from foldline.splits.folds_config import FILES, GIVEN, LEAVE_ONE_GROUP_OUT, FoldsConfig
from foldline.splits.given_folds import copies_across, copies_warning, keep_apart, split_groups
from foldline.splits.group_folds import assign_folds, external_folds

logger = logging.getLogger(__name__)

# Column of the fold table with the name of a fold where it is no number, for people.
FOLD_NAME = "fold_name"


def fold_rows(
    rows: pd.DataFrame,
    labels: IntArray,
    pairs: Sequence[tuple[str, str]],
    cells: Mapping[str, Sequence[str]],
    config: FoldsConfig,
) -> pd.DataFrame:
    """Give each row its fold.

    Args:
        rows: train rows, then external rows: id, split, target, path, group (as the tables have it), merged (the group
            after groups with duplicates are merged) and the metadata columns.
        labels: labels of the train rows, 0 or 1, (n_train, n_classes).
        pairs: duplicates as (id, other id).
        cells: cells that decide folds, (n_rows,) each, by column; see `fold_cells.FoldCells`.
        config: the method.

    Returns:
        A row for each row: group and fold, and as far as needed `FOLD_NAME` and the other columns of
        `fold_membership`.

    Raises:
        FoldlineError: the rows cannot fill the folds, or folds that are given split a group.
    """
    if config.method in GIVEN:
        names = list(rows["group"]) if config.method == LEAVE_ONE_GROUP_OUT else cells[config.column or ""]
        table = _given(rows, pairs, names, config)
        _log_constant(labels, table["fold"].to_numpy()[: len(labels)], config)
        return table
    train = rows[rows["split"] == TRAIN]
    samples = Samples(list(train["id"]), list(train["merged"]), labels)
    folds = _assign(samples, train, config)
    others = external_folds(list(rows["merged"][len(train) :]), groups=samples.groups, folds=folds)
    return pd.DataFrame({"group": rows["merged"], "fold": np.concatenate([folds, others])})


def _assign(samples: Samples, train: pd.DataFrame, config: FoldsConfig) -> IntArray:
    """Assign a fold to each train row, (n_samples,)."""
    if config.method == FILES:
        if config.stratify_by:
            names = listing(list(config.stratify_by))
            logger.warning("folds.method is files, so folds.stratify_by (%s) has no effect", names)
        return assign_folds_by_files(samples, list(train["path"]), count=config.count, seed=config.seed)
    labels = train["target"].map(hard_code)
    strata = train[["target", *config.stratify_by]].assign(target=labels).agg("\0".join, axis=1)
    columns = [list(train[name]) for name in config.stratify_by]
    return assign_folds(samples, list(strata), count=config.count, seed=config.seed, columns=columns)


def _given(
    rows: pd.DataFrame, pairs: Sequence[tuple[str, str]], cells: Sequence[str], config: FoldsConfig
) -> pd.DataFrame:
    """Give each train row the fold that its cell names, and external rows that of the rows they are related to."""
    names = [name if split == TRAIN else "" for split, name in zip(rows["split"], cells, strict=True)]
    ids, groups = list(rows["id"]), list(rows["group"])
    if broken := split_groups(ids, groups, names):
        raise FoldlineError(f"folds: more than one fold has rows of {listing(broken)}; give each group one fold")
    fold_of_id = {name: fold for name, fold in zip(ids, names, strict=True) if fold}
    if copies := copies_across(pairs, fold_of_id):
        logger.warning("%s", copies_warning(copies, f"the column {config.column}" if config.column else "the groups"))
    number_of = dict(zip(config.names, config.numbers, strict=True))
    kept = keep_apart(groups, list(rows["merged"]), [number_of.get(name) for name in names])
    folds = [NO_FOLD if fold is None else fold for fold in kept.folds]
    table = pd.DataFrame({"group": kept.groups, "fold": np.array(folds, dtype=np.int64)})
    if list(config.names) != [str(number) for number in config.numbers]:
        name_of = dict(zip(config.numbers, config.names, strict=True))
        table[FOLD_NAME] = [name_of.get(fold, "") for fold in folds]
    if any(kept.related):
        table[WITHHELD] = [" ".join(map(str, related)) for related in kept.related]
    return table


def _log_constant(labels: IntArray, folds: IntArray, config: FoldsConfig) -> None:
    """Say which folds have no score of their own, because no class has both labels in them."""
    constant = [str(fold) for fold in config.numbers if (np.ptp(labels[folds == fold], axis=0) == 0).all()]
    if constant:
        logger.warning(
            "fold %s has no class with both labels, so it has no AUC of its own; its rows count in the pooled AUC",
            listing(constant),
        )
