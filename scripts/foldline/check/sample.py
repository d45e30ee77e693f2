"""Which rows the check tries, and the folds that these rows get in it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldline.dataset.label_arrays import label_array
from foldline.dataset.soft_labels import hard_code
from foldline.splits.fold_membership import NO_FOLD, TRAIN, WITHHELD, external_rows

MOST_ROWS = 64
# Of these, rows of the test split and of all external sets together, but one of each set.
TEST_ROWS, EXTERNAL_ROWS = 16, 8


def labeled_sample(folds: pd.DataFrame, *, has_test: bool) -> pd.DataFrame:
    """Some rows of every label: the first of each label by id, then the second of each label, and so on.

    A soft label counts as the class with its largest share.

    Args:
        folds: fold table (`tables.FOLDS`).
        has_test: whether test rows are tried as well.

    Returns:
        Rows of the fold table, train and external, at most `MOST_ROWS`.
    """
    external = external_rows(folds)
    external = external.groupby("split").head(max(1, EXTERNAL_ROWS // max(1, external["split"].nunique())))
    count = MOST_ROWS - len(external) - (TEST_ROWS if has_test else 0)
    train = folds[folds["split"] == TRAIN].sort_values("id", kind="stable")
    train = train.assign(hard=train["target"].map(hard_code))
    turn = train.groupby("hard").cumcount()
    chosen = train.assign(turn=turn).sort_values(["turn", "hard"], kind="stable").head(count)
    return pd.concat([chosen.drop(columns=["turn", "hard"]), external]).sort_values("id", ignore_index=True)


def trial_folds(sample: pd.DataFrame, *, fold: int, other: int, class_names: Sequence[str]) -> pd.DataFrame:
    """The sample as a fold table in which half of the train rows are held out, with both labels of a class.

    Args:
        sample: see `labeled_sample`.
        fold: the fold that is tried.
        other: number of another fold.
        class_names: (n_classes,).
    """
    train = sample[sample["split"] == TRAIN]
    positive = label_array(list(train["target"]), class_names) >= 0.5
    # Of each label of the class with the most of the rarer label, every second row.
    rarer = np.minimum(positive.sum(axis=0), (~positive).sum(axis=0))
    order = np.argsort(positive[:, rarer.argmax()], kind="stable")
    held_out = set(train["id"].to_numpy()[order[::2]])
    table = sample.assign(fold=[fold if name in held_out else other for name in sample["id"]])
    table.loc[table["split"] != TRAIN, "fold"] = NO_FOLD
    return table.astype({"fold": "int64"}).drop(columns=WITHHELD, errors="ignore")


def sample_of_test(ids: Sequence[str]) -> list[str]:
    """Ids of the test rows that are tried."""
    return sorted(ids)[:TEST_ROWS]
