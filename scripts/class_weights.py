"""Weigh the labels for the loss of one fold, from the rows that the fold trains on.

Inputs: folds.
Outputs: weights (JSON: method, and per class the counts and weights).
Parameters: fold, method, rank, beta, class_names, activation.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from foldline.dataset.label_arrays import label_array
from foldline.errors import FoldlineError, listing
from foldline.io.files import write_json
from foldline.io.tables import FOLDS, read_table
from foldline.splits.class_weights import label_weights
from foldline.splits.fold_membership import scored_rows, training_rows
from foldline.step import step

log = logging.getLogger(__name__)


def class_weights(
    *,
    folds: str | Path,
    weights: str | Path,
    fold: int,
    method: str,
    rank: int,
    beta: float,
    class_names: Sequence[str],
    activation: str,
) -> None:
    """Write the label weights of a fold, from its training rows, external ones included.

    Args:
        folds: fold table.
        weights: where the JSON file goes.
        fold: the fold held out; its rows, and external rows that are tied to them, do not count.
        method: see `weights.label_weights`, as for the rest.
        rank: of the count that is the threshold of "capped".
        beta: of "effective_number".
        class_names: names of the classes, (n_classes,).
        activation: see `labels.Labels`.

    Raises:
        FoldlineError: the fold is not in the table, or the only class lacks a label in the training rows.
    """
    table = read_table(folds, FOLDS)
    present = sorted(scored_rows(table)["fold"].unique())
    if fold not in present:
        raise FoldlineError(f"{folds}: no fold {fold}; the table has {listing([str(number) for number in present])}")
    labels = label_array(list(training_rows(table, fold)["target"]), class_names)
    classes = label_weights(labels, method=method, rank=rank, beta=beta, class_names=class_names, activation=activation)
    for row in classes:
        log.info(
            "fold %d, class %s: %d positives of weight %.4f, %d negatives of weight %.4f",
            fold,
            row["name"],
            row["positives"],
            row["positive_weight"],
            row["negatives"],
            row["negative_weight"],
        )
    write_json(weights, {"method": method, "classes": classes})


if __name__ == "__main__":
    with step(snakemake):
        class_weights(
            folds=snakemake.input.folds,
            weights=snakemake.output.weights,
            fold=int(snakemake.wildcards.fold),
            **snakemake.params.settings,
        )
