"""Predict the test split with the model of one fold; the mean over the folds becomes the submission.

Inputs: shards, manifests (of the test split), weights and metadata (of the fold's model).
Outputs: predictions (a row per id of the test split).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

from pathlib import Path

from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.predictions import RowSelection, ShardFiles, write_predictions
from foldline.inference.trained_model import TrainedModel
from foldline.io.settings import build
from foldline.models.model_config import ModelConfig
from foldline.step import step


def predict_test(
    model: TrainedModel,
    shard_files: ShardFiles,
    *,
    predictions: str | Path,
    config: PredictionConfig,
    accelerator: str,
    threads: int,
) -> None:
    """Write the probabilities of all test rows, sorted by id.

    Args:
        model: the model of a fold.
        shard_files: shards of the test split.
        predictions: file to write, see `evaluation.prediction_files`.
        config: views of each image and images per step.
        accelerator: see `devices.use_device`.
        threads: CPU threads.

    Raises:
        FoldlineError: the shards do not hold the rows of their manifests, or the weights do not fit.
    """
    rows = RowSelection("test split")
    write_predictions(model, shard_files, rows, predictions, config=config, accelerator=accelerator, threads=threads)


if __name__ == "__main__":
    settings = snakemake.params.settings
    with step(snakemake):
        predict_test(
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
            predictions=snakemake.output.predictions,
            config=build(PredictionConfig, settings["prediction_config"]),
            accelerator=settings["accelerator"],
            threads=snakemake.threads,
        )
