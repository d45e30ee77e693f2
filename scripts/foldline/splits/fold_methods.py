"""The folds of train and external rows, by the method of the configuration."""

import logging
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.dataset.fold_cells import RowCells
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, counted, listing
from foldline.splits.file_folds import assign_folds_by_files
from foldline.splits.fold_audit import IntArray, Samples
from foldline.splits.fold_membership import HOLDOUT, NO_FOLD, NO_OOF, TRAIN, WITHHELD
from foldline.splits.folds_config import FILES, GIVEN, LEAVE_ONE_GROUP_OUT, TABLE, TIME, FoldsConfig
from foldline.splits.given_folds import copies_across, copies_warning, keep_apart, split_groups
from foldline.splits.group_folds import assign_folds, external_folds, place_groups
from foldline.splits.time_folds import folds_by_time, period_starts, read_times

logger = logging.getLogger(__name__)

# Column of the fold table with the name of a fold where it is no number, for people.
FOLD_NAME = "fold_name"
# The share of a holdout is rounded to parts of at most this fineness.
MOST_PARTS = 40
# Added to the seed of the folds; another number would choose other holdout groups.
HOLDOUT_SEED = 1_000_000_007


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
    is_train = (rows["split"] == TRAIN).to_numpy()
    held_out = _holdout(rows[is_train], labels, cells, config)
    if not held_out.any():
        return _fold_rows(rows, labels, pairs, cells, config)
    others = np.concatenate([~held_out, np.ones(len(rows) - len(held_out), dtype=np.bool_)])
    table = _fold_rows(rows[others].reset_index(drop=True), labels[~held_out], pairs, cells.of(others.tolist()), config)
    whole = with_rows(table, others, list(rows["merged"]), fold=HOLDOUT, reasons=["holdout"] * held_out.sum())
    is_related = ~is_train & rows["merged"].isin(set(rows["merged"][~others])).to_numpy()
    whole.loc[is_related, "fold"] = HOLDOUT
    return whole


def with_rows(
    table: pd.DataFrame, own: npt.NDArray[np.bool_], groups: Sequence[str], *, fold: int, reasons: Sequence[str]
) -> pd.DataFrame:
    """The folds of all rows, from those of the rows that have any, as `fold_rows` returns them.

    Args:
        table: folds of some rows.
        own: whether each row is one of them, (n_rows,).
        groups: group of each row, (n_rows,).
        fold: fold of the other rows.
        reasons: why each of the other rows is not held out.
    """
    whole = pd.DataFrame({"group": groups, "fold": fold})
    for name in dict.fromkeys([*table, NO_OOF]):
        if name not in whole:
            whole[name] = ""
    whole.loc[own, list(table)] = table.to_numpy(dtype=object)
    whole.loc[~own, NO_OOF] = list(reasons)
    return whole.astype({"fold": np.int64})


def _holdout(train: pd.DataFrame, labels: IntArray, cells: RowCells, config: FoldsConfig) -> npt.NDArray[np.bool_]:
    """Whether each train row is in the holdout, (n_train,)."""
    holdout = config.holdout
    if holdout.column is not None:
        of_rows = cells.columns[holdout.column][: len(train)]
        chosen = np.array([cell in holdout.values for cell in of_rows], dtype=np.bool_)
        names = ["holdout" if is_chosen else "others" for is_chosen in chosen]
        if broken := split_groups(list(train["id"]), list(train["group"]), names):
            raise FoldlineError(f"folds.holdout: {listing(broken)}; give each group one value of {holdout.column}")
        both = set(train["merged"][chosen]) & set(train["merged"][~chosen])
        if both:
            logger.warning(
                "duplicates of holdout rows are trained on, so the score of the holdout may be better than on new "
                "images; their groups: %s",
                listing(sorted(both)),
            )
        return chosen
    if holdout.share == 0:
        return np.zeros(len(train), dtype=np.bool_)
    # The share as parts of equal size, some of which are the holdout; the seed differs from that of the folds.
    share = Fraction(holdout.share).limit_denominator(max(MOST_PARTS, round(1 / holdout.share)))
    samples = Samples(list(train["id"]), list(train["merged"]), labels)
    strata, columns = strata_of(train, config.stratify_by)
    known = np.full(len(train), NO_FOLD)
    parts = place_groups(
        samples, strata, known, count=share.denominator, seed=config.seed + HOLDOUT_SEED, columns=columns
    )
    if not (parts < share.numerator).any():
        raise FoldlineError(
            f"folds.holdout.share is {holdout.share:g}, but no group of images is as small; set a larger share, or "
            "folds.holdout.column to a column that names the holdout"
        )
    held_out: npt.NDArray[np.bool_] = parts < share.numerator
    lost: npt.NDArray[np.bool_] = (labels.sum(axis=0) > 0) & (labels[~held_out].sum(axis=0) == 0)
    if lost.any():
        names = [name for name, is_lost in zip(config.class_names, lost, strict=True) if is_lost]
        logger.warning(
            "all rows of %s are in the holdout, so no model learns them; lower folds.holdout.share, or set another "
            "folds.seed",
            listing(names),
        )
    return held_out


def _fold_rows(
    rows: pd.DataFrame, labels: IntArray, pairs: Sequence[tuple[str, str]], cells: RowCells, config: FoldsConfig
) -> pd.DataFrame:
    """As `fold_rows`, for the rows that are not in the holdout."""
    if config.method in GIVEN:
        table = _given(rows, labels, pairs, _names(rows, cells, config), config)
        _log_constant(labels, table["fold"].to_numpy()[: len(labels)], config.numbers)
        return table
    if config.method == TIME:
        table = _by_time(rows, cells.columns[config.column or ""], config)
        _log_constant(labels, table["fold"].to_numpy()[: len(labels)], range(config.count))
        return table
    train = rows[rows["split"] == TRAIN]
    samples = Samples(list(train["id"]), list(train["merged"]), labels)
    folds = _assign(samples, train, config)
    others = external_folds(list(rows["merged"][len(train) :]), groups=samples.groups, folds=folds)
    return pd.DataFrame({"group": rows["merged"], "fold": np.concatenate([folds, others])})


def _by_time(rows: pd.DataFrame, cells: Sequence[str], config: FoldsConfig) -> pd.DataFrame:
    """Hold out periods, and train on the rows before them."""
    is_train = (rows["split"] == TRAIN).to_numpy()
    of_train = read_times([cell for cell, own in zip(cells, is_train, strict=True) if own])
    times = [*of_train, *[None] * (len(rows) - len(of_train))]
    starts = period_starts([time for time in of_train if time is not None], config.count)
    found = folds_by_time(times, list(rows["merged"]), starts, config.gap)
    first = dict(zip(of_train, cells, strict=False))
    early = is_train & np.array([fold is None for fold in found.folds])
    logger.info("%s before the first period are held out by no fold", counted(early.sum(), "row"))
    return pd.DataFrame(
        {
            "group": rows["merged"],
            "fold": np.array([NO_FOLD if fold is None else fold for fold in found.folds], dtype=np.int64),
            FOLD_NAME: ["" if fold is None else f"from {first[starts[fold]]}" for fold in found.folds],
            WITHHELD: [" ".join(map(str, folds)) for folds in found.withheld],
            NO_OOF: np.where(early, f"before the first period of {config.column} that is held out", ""),
        }
    )


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
    strata, columns = strata_of(train, config.stratify_by)
    return assign_folds(samples, strata, count=config.count, seed=config.seed, columns=columns)


def strata_of(train: pd.DataFrame, stratify_by: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """What is spread evenly over folds.

    Args:
        train: train rows: target and the metadata columns.
        stratify_by: see `FoldsConfig`.

    Returns:
        Stratum of each row, (n_samples,), and columns, (n_columns, n_samples).
    """
    hard = {code: hard_code(code) for code in train["target"].unique()}
    columns = [list(train[name]) for name in stratify_by]
    return ["\0".join(cells) for cells in zip(train["target"].map(hard), *columns, strict=True)], columns


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
        strata, columns = strata_of(train, config.stratify_by)
        known = folds[is_train]
        folds[is_train] = place_groups(samples, strata, known, count=config.count, seed=config.seed, columns=columns)
        fold_of_group = dict(zip(samples.groups, folds[is_train].tolist(), strict=True))
        related = [fold_of_group.get(group, NO_FOLD) for group in kept.groups]
        folds = np.where(is_train | (folds != NO_FOLD), folds, related)
        logger.info("%s are new beside those of %s", counted(is_new.sum(), "row"), config.table)
    if empty := [name for index, name in enumerate(config.names) if index not in folds[is_train]]:
        raise FoldlineError(
            f"folds: fold {listing(empty)} has no rows, because leaks.policy drops all of them as copies of others; "
            "set it to group for their kind, or change the folds"
        )
    numbers = np.array([*config.numbers, NO_FOLD], dtype=np.int64)
    table = pd.DataFrame({"group": kept.groups, "fold": numbers[folds]})
    if list(config.names) != [str(number) for number in config.numbers]:
        table[FOLD_NAME] = np.array([*config.names, ""], dtype=object)[folds]
    if any(kept.related):
        table[WITHHELD] = [" ".join(str(config.numbers[index]) for index in found) for found in kept.related]
    return table


def _log_constant(labels: IntArray, folds: IntArray, numbers: Sequence[int]) -> None:
    """Say which folds have no score of their own, because no class has both labels in them."""
    constant = [str(fold) for fold in numbers if (np.ptp(labels[folds == fold], axis=0) == 0).all()]
    if constant:
        logger.warning(
            "fold %s has no class with both labels, so it has no AUC of its own; its rows count in the pooled AUC",
            listing(constant),
        )
