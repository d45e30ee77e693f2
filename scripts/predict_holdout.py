"""Predict the rows of the holdout, which no model was trained on, with the model of one fold.

Inputs: shards, manifests (of the training split), folds, weights and metadata (of the fold's model).
Outputs: predictions (a row per id of the holdout).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

from pathlib import Path

from foldline.errors import FoldlineError
from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.predictions import RowSelection, ShardFiles, write_predictions
from foldline.inference.trained_model import TrainedModel
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table
from foldline.models.model_config import ModelConfig
from foldline.splits.fold_membership import holdout_rows, train_rows
from foldline.step import step


def predict_holdout(
    model: TrainedModel,
    shard_files: ShardFiles,
    *,
    folds: str | Path,
    predictions: str | Path,
    config: PredictionConfig,
    accelerator: str,
    threads: int,
) -> None:
    """Write the probabilities of the rows of the holdout, sorted by id.

    Args:
        model: the model of a fold.
        shard_files: shards of the training split.
        folds: fold table.
        predictions: file to write, see `evaluation.prediction_files`.
        config: views of each image and images per step.
        accelerator: see `devices.use_device`.
        threads: CPU threads.

    Raises:
        FoldlineError: there is no holdout, a row is missing, repeated or unexpected, or the weights do not fit.
    """
    table = read_table(folds, FOLDS)
    ids = list(holdout_rows(table)["id"])
    if not ids:
        raise FoldlineError(f"{folds}: no rows in the holdout; remove the file and run the workflow again")
    rows = RowSelection("the holdout", ids, split_ids=list(train_rows(table)["id"]))
    write_predictions(model, shard_files, rows, predictions, config=config, accelerator=accelerator, threads=threads)


if __name__ == "__main__":
    settings = snakemake.params.settings
    with step(snakemake):
        predict_holdout(
            TrainedModel(
                name=snakemake.wildcards.model,
                fold=int(snakemake.wildcards.fold),
                weights=snakemake.input.weights,
                metadata=snakemake.input.metadata,
                config=build(ModelConfig, settings["model_config"]),
                class_names=settings["class_names"],
                activation=settings["activation"],
            ),
            ShardFiles(snakemake.input.shards, snakemake.input.manifests),
            folds=snakemake.input.folds,
            predictions=snakemake.output.predictions,
            config=build(PredictionConfig, settings["prediction_config"]),
            accelerator=settings["accelerator"],
            threads=snakemake.threads,
        )
