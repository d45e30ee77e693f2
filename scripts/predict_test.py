"""Predict the test split with the model of one fold; the mean over the folds becomes the submission.

Inputs: shards, manifests (of the test split), weights and metadata (of the fold's model).
Outputs: predictions (one row per id and class of the test split).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.tta import predict_shards, prediction_table
from foldline.io.settings import build
from foldline.io.tables import PREDICTIONS, write_table
from foldline.models.model_config import ModelConfig
from foldline.runtime.devices import use_device
from foldline.step import step
from foldline.tfrecords.open_shards import check_ids, check_read, open_shards

logger = logging.getLogger(__name__)


def predict_test(
    *,
    shards: Sequence[str | Path],
    manifests: Sequence[str | Path],
    weights: str | Path,
    metadata: str | Path,
    predictions: str | Path,
    threads: int,
    model: str,
    fold: int,
    model_config: ModelConfig,
    prediction_config: PredictionConfig,
    class_names: Sequence[str],
    activation: str,
    accelerator: str,
) -> None:
    """Write the probabilities of all test rows, sorted by id.

    Args:
        shards: TFRecord files of the test split.
        manifests: manifest of each.
        weights: weights of the fold's model.
        metadata: how that model reads metadata.
        predictions: where the table goes, columns `tables.PREDICTIONS`.
        threads: CPU threads.
        model: name of the model.
        fold: the fold that the model did not see.
        model_config: settings of the network.
        prediction_config: views of each image and images in a step.
        class_names: names of the classes.
        activation: how logits become probabilities; see `labels.Labels`.
        accelerator: see `devices.use_device`.

    Raises:
        FoldlineError: the shards do not hold the rows of their manifests, or the weights do not fit.
    """
    device = use_device(accelerator, threads=threads)
    source = open_shards(shards, manifests, image_size=model_config.image_size)
    names, probabilities = predict_shards(
        source,
        None,
        weights=weights,
        metadata=metadata,
        model_config=model_config,
        prediction_config=prediction_config,
        n_classes=len(class_names),
        activation=activation,
        device=device,
        labeled=False,
        threads=threads,
    )
    check_read(names, names, source="test split")
    check_ids(source, names)
    result = prediction_table(
        names, probabilities, class_names=class_names, model=model, fold=fold, views=prediction_config.views
    )
    write_table(result, predictions, PREDICTIONS, key=("id", "class"))
    logger.info(
        "%s fold %d: predicted %d test rows from %d views each", model, fold, len(names), prediction_config.views
    )


if __name__ == "__main__":
    settings = dict(snakemake.params.settings)
    with step(snakemake):
        predict_test(
            shards=snakemake.input.shards,
            manifests=snakemake.input.manifests,
            weights=snakemake.input.weights,
            metadata=snakemake.input.metadata,
            predictions=snakemake.output.predictions,
            threads=snakemake.threads,
            model=snakemake.wildcards.model,
            fold=int(snakemake.wildcards.fold),
            model_config=build(ModelConfig, settings.pop("model_config")),
            prediction_config=build(PredictionConfig, settings.pop("prediction_config")),
            **settings,
        )
