"""Which rows of the fold table a fold trains on, holds out and scores.

A row is in the split "train" or in an external set. External rows are trained on, and never held out or scored. An
external row that shares a group with train rows, or duplicates one, has their fold and is withheld from the models that
are scored on that fold. Every other external row has the fold `NO_FOLD`. Rows with the weight 0 are not trained on.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

TRAIN, TEST = "train", "test"
# Fold of external rows that are related to no train row: all models are trained on them.
NO_FOLD = -1


def training_rows(table: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Select the rows that the models of a fold are trained on: train and external rows of all other folds.

    Rows with the weight 0 are left out.

    Args:
        table: fold table (`tables.FOLDS`).
        fold: the fold that is held out.

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[(table["fold"] != fold) & (table["row_weight"] > 0)])


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
    """Select the rows that are scored by the models that were not trained on them: the train rows of all folds.

    Args:
        table: fold table (`tables.FOLDS`).

    Returns:
        The rows, sorted by id.
    """
    return _sorted(table[table["split"] == TRAIN])


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
