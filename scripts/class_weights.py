"""Weight the labels for the loss of one fold, by the rows that the fold trains on.

Inputs: folds (fold table).
Outputs: weights (JSON: method, and per class the counts and weights).
Parameters: fold; the fields of `ClassWeightsConfig`.
"""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
from foldline.dataset.label_arrays import label_array, share_array
from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, listing
from foldline.io.files import write_json
from foldline.io.result_paths import member_of
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table
from foldline.splits.class_weights import ClassWeightsConfig, label_weights
from foldline.splits.fold_membership import scored_rows, training_rows, training_weights
from foldline.step import step

logger = logging.getLogger(__name__)


def class_weights(*, folds: str | Path, weights: str | Path, fold: int | None, config: ClassWeightsConfig) -> None:
    """Write the label weights of a fold, from its training rows and their weights, external ones included.

    Args:
        folds: fold table.
        weights: where the JSON file is written.
        fold: the fold that is held out; its rows, and the external rows that it withholds, do not count. None for the
            final model.
        config: how labels are weighted.

    Raises:
        FoldlineError: the fold is not in the table, or the only class has no positive or no negative.
    """
    table = read_table(folds, FOLDS)
    present = sorted(scored_rows(table)["fold"].unique())
    if fold is not None and fold not in present:
        numbers = listing([str(number) for number in present])
        raise FoldlineError(f"{folds}: no fold {fold}; the table has {numbers}; run the workflow again")
    rows = training_rows(table, fold)
    if rows.empty:
        raise FoldlineError(
            f"{folds}: no row with a weight above 0 is left to train on while fold {fold} is held out; correct the "
            "weights in the training table (dataset.weight_column), or the folds if they are given"
        )
    codes = list(rows["target"])
    shares = share_array(codes, config.class_names)
    labels = label_array(codes, config.class_names) if shares is None else shares.astype(np.float64)
    classes = label_weights(labels, config, training_weights(rows))
    member = "final" if fold is None else f"fold {fold}"
    words = ("positives", "negatives") if len(classes) == 1 else ("rows", "without it")
    for row in classes:
        text = f"{row.positives:g} {words[0]} with weight {row.positive_weight:.4f}"
        # Of classes that exclude each other, the loss knows the weight of the right one alone.
        if config.activation != SOFTMAX:
            text += f", {row.negatives:g} {words[1]} with weight {row.negative_weight:.4f}"
        logger.info("%s, class %s: %s", member, row.name, text)
    write_json(weights, {"method": config.method, "classes": [asdict(row) for row in classes]})


if __name__ == "__main__":
    with step(snakemake):
        class_weights(
            folds=snakemake.input.folds,
            weights=snakemake.output.weights,
            fold=member_of(snakemake.wildcards.member).held_out,
            config=build(ClassWeightsConfig, snakemake.params.settings),
        )
