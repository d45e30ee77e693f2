"""Predict the rows of one fold with the model that was not trained on them: the out-of-fold predictions.

Inputs: shards, manifests (of the training split), folds, weights and metadata (of the fold's model).
Outputs: predictions (a row per id of the fold).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

from pathlib import Path

from foldline.inference.predictions import Prediction, RowSelection, ShardFiles, write_predictions
from foldline.inference.trained_model import TrainedModel
from foldline.io.result_paths import Member
from foldline.splits.fold_membership import held_out_rows
from foldline.step import step


def predict_oof(prediction: Prediction, *, folds: str | Path, predictions: str | Path) -> None:
    """Write the probabilities of the rows of a model's fold, sorted by id.

    Args:
        prediction: the model that was trained without the fold, and shards of the training split.
        folds: fold table.
        predictions: file to write, see `evaluation.prediction_files`.

    Raises:
        FoldlineError: the fold has no rows, a row is missing, repeated or unexpected, or the weights do not fit.
    """
    member = prediction.model.member
    rows = RowSelection.of_table(member.title, folds, lambda table: held_out_rows(table, member.fold))
    write_predictions(prediction, rows, predictions)


if __name__ == "__main__":
    files, settings = snakemake.input, snakemake.params.settings
    member = Member.parse(snakemake.wildcards.fold)
    with step(snakemake):
        predict_oof(
            Prediction.of_settings(
                TrainedModel.of_settings(snakemake.wildcards.model, member, files.weights, files.metadata, settings),
                ShardFiles(files.shards, files.manifests),
                settings,
                threads=snakemake.threads,
            ),
            folds=files.folds,
            predictions=snakemake.output.predictions,
        )
