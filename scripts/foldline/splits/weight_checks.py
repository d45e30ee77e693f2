"""Labels that a fold cannot learn, because all rows that have them there weigh nothing."""

from collections.abc import Sequence

import pandas as pd

from foldline.dataset.row_weights import unweighted_labels
from foldline.errors import FoldlineError
from foldline.splits.fold_membership import TRAIN, training_rows


def check_weighted_labels(table: pd.DataFrame, class_names: Sequence[str]) -> None:
    """Refuse weights that leave a fold without a label that its training rows have.

    Args:
        table: fold table (`tables.FOLDS`).
        class_names: (n_classes,).

    Raises:
        FoldlineError: names all folds and labels.
    """
    if (table["row_weight"] > 0).all():
        return
    alike, problems = table.assign(row_weight=1.0), []
    for fold in sorted(set(table["fold"][(table["split"] == TRAIN) & (table["fold"] >= 0)])):
        every, weighted = (set(training_rows(rows, fold)["target"]) for rows in (alike, table))
        if lost := unweighted_labels(every, weighted, class_names):
            problems.append(f"fold {fold} trains on no row with {lost}")
    if problems:
        raise FoldlineError(
            f"folds: {'; '.join(problems)}: all such rows have the weight 0 (dataset.weight_column); give some of them "
            "a weight, or choose other folds"
        )
