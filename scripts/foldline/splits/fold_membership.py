"""Which rows of the fold table a fold trains on, holds out and scores.

A row belongs to the split "train" or "external". External rows are trained on, and never held out or scored. An
external row that shares a group or is a duplicate of train rows has their fold, and is withheld from the models that
are scored on that fold. Every other external row has the fold -1.
"""

import pandas as pd

TRAIN, EXTERNAL = "train", "external"
# Fold of external rows that are tied to no train row: they are trained on whichever fold is held out.
NO_FOLD = -1


def training_rows(table: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Rows that the models of a fold are trained on: train and external rows of all other folds, sorted by id.

    Args:
        table: fold table (`tables.FOLDS`).
        fold: the fold held out.
    """
    return _sorted(table[table["fold"] != fold])


def held_out_rows(table: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Rows that the models of a fold are validated and scored on: its train rows, sorted by id.

    Args:
        table: fold table (`tables.FOLDS`).
        fold: the fold held out.
    """
    return _sorted(table[(table["split"] == TRAIN) & (table["fold"] == fold)])


def scored_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that are scored, each by the models that did not see it: the train rows of all folds, sorted by id.

    Args:
        table: fold table (`tables.FOLDS`).
    """
    return _sorted(table[table["split"] == TRAIN])


def external_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that are trained on only, sorted by id; those with a fold are withheld when it is held out.

    Args:
        table: fold table (`tables.FOLDS`).
    """
    return _sorted(table[table["split"] == EXTERNAL])


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("id", ignore_index=True)
