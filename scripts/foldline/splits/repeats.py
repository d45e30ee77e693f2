"""Folds of further repeats: the same rows and groups as in the first, assigned with another seed."""

import numpy as np
import pandas as pd

from foldline.dataset.label_arrays import label_array
from foldline.splits.fold_audit import Samples
from foldline.splits.fold_membership import NO_FOLD, TRAIN
from foldline.splits.fold_methods import strata_of
from foldline.splits.folds_config import RepeatConfig
from foldline.splits.group_folds import assign_folds, external_folds


def folds_of_repeat(table: pd.DataFrame, repeat: int, config: RepeatConfig) -> pd.DataFrame:
    """Assign the folds of a repeat.

    Args:
        table: fold table of the first repeat. Rows that no fold holds out and that are never trained on, such as those
            of the holdout, stay what they are.
        repeat: number of the repeat, from 2.
        config: how folds are assigned.

    Returns:
        The table with other folds: those of the seed `config.seed + repeat - 1`.

    Raises:
        FoldlineError: as for `assign_folds`.
    """
    is_train = (table["split"] == TRAIN).to_numpy()
    folds = table["fold"].to_numpy(np.int64)
    train = table[is_train & (folds >= 0)]
    samples = Samples(list(train["id"]), list(train["group"]), label_array(list(train["target"]), config.class_names))
    strata, columns = strata_of(train, config.stratify_by)
    found = assign_folds(samples, strata, count=config.count, seed=config.seed + repeat - 1, columns=columns)
    assigned = folds.copy()
    assigned[is_train & (folds >= 0)] = found
    is_external = ~is_train & (folds >= NO_FOLD)
    assigned[is_external] = external_folds(list(table["group"][is_external]), groups=samples.groups, folds=found)
    return table.assign(fold=assigned)
