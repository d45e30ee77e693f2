"""Predict the rows of the holdout, which no model was trained on, with the model of one fold.

Inputs: shards, manifests (of the training split), folds, weights and metadata (of the fold's model).
Outputs: predictions (a row per id of the holdout).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

from pathlib import Path

from foldline.inference.predictions import Prediction, RowSelection, ShardFiles, write_predictions
from foldline.inference.trained_model import TrainedModel
from foldline.io.result_paths import member_of
from foldline.splits.fold_membership import holdout_rows
from foldline.step import step


def predict_holdout(prediction: Prediction, *, folds: str | Path, predictions: str | Path) -> None:
    """Write the probabilities of the rows of the holdout, sorted by id.

    Args:
        prediction: the model of a fold, and shards of the training split.
        folds: fold table.
        predictions: file to write, see `evaluation.prediction_files`.

    Raises:
        FoldlineError: there is no holdout, a row is missing, repeated or unexpected, or the weights do not fit.
    """
    write_predictions(prediction, RowSelection.of_table("the holdout", folds, holdout_rows), predictions)


if __name__ == "__main__":
    files, settings = snakemake.input, snakemake.params.settings
    member = member_of(snakemake.wildcards.member)
    with step(snakemake):
        predict_holdout(
            Prediction.of_settings(
                TrainedModel.of_settings(snakemake.wildcards.model, member, files.weights, files.metadata, settings),
                ShardFiles(files.shards, files.manifests),
                settings,
                threads=snakemake.threads,
            ),
            folds=files.folds,
            predictions=snakemake.output.predictions,
        )
