"""Predict the test split with the model of one fold; the mean over the folds becomes the submission.

Inputs: shards, manifests (of the test split), weights and metadata (of the fold's model).
Outputs: predictions (a row per id of the test split).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

from pathlib import Path

from foldline.inference.predictions import Prediction, RowSelection, ShardFiles, write_predictions
from foldline.inference.trained_model import TrainedModel
from foldline.io.result_paths import member_of
from foldline.step import step


def predict_test(prediction: Prediction, *, predictions: str | Path) -> None:
    """Write the probabilities of all test rows, sorted by id.

    Args:
        prediction: the model of a fold, and shards of the test split.
        predictions: file to write, see `evaluation.prediction_files`.

    Raises:
        FoldlineError: the shards do not hold the rows of their manifests, or the weights do not fit.
    """
    write_predictions(prediction, RowSelection("test split"), predictions)


if __name__ == "__main__":
    files, settings = snakemake.input, snakemake.params.settings
    member = member_of(snakemake.wildcards.member)
    with step(snakemake):
        predict_test(
            Prediction.of_settings(
                TrainedModel.of_settings(snakemake.wildcards.model, member, files.weights, files.metadata, settings),
                ShardFiles(files.shards, files.manifests),
                settings,
                threads=snakemake.threads,
            ),
            predictions=snakemake.output.predictions,
        )
