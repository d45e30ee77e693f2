"""Score the holdout, rows that no model was trained on, once and apart from the out-of-fold scores.

Nothing is chosen by these rows: how models are blended and from which score a class is predicted were decided on
out-of-fold rows.

Inputs: holdout_predictions (a file per model and fold), folds (fold table), recipe (of the blend), metrics (of the
    out-of-fold rows, for the thresholds).
Outputs: holdout_metrics (JSON, as that of the test scores; a value that is not defined is null, with the reason).
Parameters: the fields of `EvaluationConfig`.
"""

from pathlib import Path

from foldline.evaluation.scores import EvaluationConfig
from foldline.io.files import write_json
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table
from foldline.splits.fold_membership import holdout_rows
from foldline.step import step
from score_test import Inputs, scores_apart


def score_holdout(inputs: Inputs, *, folds: str | Path, holdout_metrics: str | Path, config: EvaluationConfig) -> None:
    """Score every model and the blend on the holdout; the prediction of a model is the mean over its folds.

    Args:
        inputs: files to read; the predictions are those of the holdout.
        folds: fold table, which has the labels and groups.
        holdout_metrics: where the JSON file is written.
        config: what is scored, and how; `metadata_columns` is empty.

    Raises:
        FoldlineError: predictions, fold table and out-of-fold scores do not fit together.
    """
    table = holdout_rows(read_table(folds, FOLDS))
    codes = dict(zip(table["id"], table["target"], strict=True))
    write_json(holdout_metrics, scores_apart(inputs, codes, list(table["group"]), config, split="holdout"))


if __name__ == "__main__":
    with step(snakemake):
        score_holdout(
            Inputs(
                test_predictions=snakemake.input.holdout_predictions,
                recipe=snakemake.input.recipe,
                metrics=snakemake.input.metrics,
            ),
            folds=snakemake.input.folds,
            holdout_metrics=snakemake.output.holdout_metrics,
            config=build(EvaluationConfig, snakemake.params.settings),
        )
