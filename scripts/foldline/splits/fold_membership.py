"""Which rows of the fold table a fold trains on, holds out and scores.

A row is in the split "train" or in an external set. External rows are trained on, and never held out or scored. An
external row that shares a group with train rows, or duplicates one, has their fold and is withheld from the models that
are scored on that fold. Every other external row has the fold `NO_FOLD`. Rows with the weight 0 are not trained on.

The table may have two more columns. `withheld` lists further folds, with spaces between their numbers, whose models are
not trained on the row. `no_oof` says why a train row is not held out by any fold, and so has no out-of-fold prediction;
its fold is `NO_FOLD`, `HOLDOUT` if no model is trained on it, or `DROPPED` if it is a copy of another row.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

TRAIN, TEST = "train", "test"
# Fold of rows that no fold holds out: all models are trained on them but those of the folds in `WITHHELD`.
NO_FOLD = -1
# Fold of rows that no model is trained on, and of external rows that are related to them.
HOLDOUT = -2
# Fold of rows that are left out, because a copy of them stays (`leaks.policy`).
DROPPED = -3
WITHHELD, NO_OOF = "withheld", "no_oof"


def training_rows(table: pd.DataFrame, fold: int | None) -> pd.DataFrame:
    """Select the rows that the models of a fold are trained on: train and external rows of all other folds.

    Rows with the weight 0 are left out, and so are those that are withheld from the fold.

    Args:
        table: fold table (`tables.FOLDS`).
        fold: the fold that is held out; None for the final models, which are trained on all rows but those of the
            holdout and the dropped ones.

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[~withheld_from(table, fold) & (table["row_weight"] > 0)])


def withheld_from(table: pd.DataFrame, fold: int | None) -> npt.NDArray[np.bool_]:
    """Whether the models of a fold must not be trained on each row, (n_rows,): it holds the row out or a related one.

    Args:
        table: fold table (`tables.FOLDS`).
        fold: see `training_rows`.
    """
    never = (HOLDOUT, DROPPED)
    if fold is None:
        return np.isin(table["fold"].to_numpy(), never)
    is_withheld: npt.NDArray[np.bool_] = np.isin(table["fold"].to_numpy(), (fold, *never))
    if WITHHELD in table:
        of_text = {text: str(fold) in text.split() for text in table[WITHHELD].unique()}
        is_withheld |= table[WITHHELD].map(of_text).to_numpy(np.bool_)
    return is_withheld


def training_weights(rows: pd.DataFrame) -> npt.NDArray[np.float64] | None:
    """Weights of training rows, scaled to a mean of 1 so that the learning rate keeps its meaning; None if all are 1.

    Args:
        rows: see `training_rows`; their weights are above 0.

    Returns:
        (n_rows,).
    """
    weights = rows["row_weight"].to_numpy(np.float64)
    return None if (weights == weights[:1]).all() else weights / weights.mean()


def held_out_rows(table: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Select the rows that the models of a fold are validated and scored on: its train rows.

    Args:
        table: fold table (`tables.FOLDS`).
        fold: the fold that is held out.

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[(table["split"] == TRAIN) & (table["fold"] == fold)])


def scored_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows that are scored by the models that were not trained on them: the train rows that have a fold.

    Args:
        table: fold table (`tables.FOLDS`).

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[(table["split"] == TRAIN) & (table["fold"] >= 0)])


def train_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the train split: those that a fold holds out, and all others.

    Args:
        table: fold table (`tables.FOLDS`).

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[table["split"] == TRAIN])


def holdout_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Select the train rows that no model is trained on, and that are scored apart from the others.

    Args:
        table: fold table (`tables.FOLDS`).

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[(table["split"] == TRAIN) & (table["fold"] == HOLDOUT)])


def rows_without_oof(table: pd.DataFrame) -> pd.DataFrame:
    """Select the train rows that no fold holds out; the reasons are in the column `NO_OOF`.

    Args:
        table: fold table (`tables.FOLDS`).

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[(table["split"] == TRAIN) & (table["fold"] < 0)])


def external_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows that are only trained on; those with a fold are withheld while it is held out.

    Args:
        table: fold table (`tables.FOLDS`).

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[table["split"] != TRAIN])


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("id", ignore_index=True)
