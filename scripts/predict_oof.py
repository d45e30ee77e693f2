"""Predict the rows of one fold with the model that did not see them: these scores can be believed.

Inputs: shards, manifests (of the training split), folds, weights and metadata (of the fold's model).
Outputs: predictions (one row per id and class of the fold).
Parameters: model_config (`ModelConfig`), prediction_config (`PredictionConfig`), class_names, activation, accelerator.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from foldline.errors import FoldlineError
from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.tta import predict_shards, prediction_table
from foldline.io.settings import build
from foldline.io.tables import FOLDS, PREDICTIONS, read_table, write_table
from foldline.models.model_config import ModelConfig
from foldline.runtime.devices import use_device
from foldline.splits.fold_membership import held_out_rows, scored_rows
from foldline.step import step
from foldline.tfrecords.open_shards import check_ids, check_read, open_shards

logger = logging.getLogger(__name__)


def predict_oof(
    *,
    shards: Sequence[str | Path],
    manifests: Sequence[str | Path],
    folds: str | Path,
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
    """Write the probabilities of a fold's rows, sorted by id.

    Args:
        shards: TFRecord files of the training split.
        manifests: manifest of each.
        folds: fold table.
        weights: weights of the model that was trained without the fold.
        metadata: how that model reads metadata.
        predictions: where the table goes, columns `tables.PREDICTIONS`.
        threads: CPU threads.
        model: name of the model.
        fold: the fold.
        model_config: settings of the network.
        prediction_config: views of each image and images in a step.
        class_names: names of the classes.
        activation: how logits become probabilities; see `labels.Labels`.
        accelerator: see `devices.use_device`.

    Raises:
        FoldlineError: a row of the fold is missing, repeated or foreign, or the weights do not fit.
    """
    device = use_device(accelerator, threads=threads)
    table = read_table(folds, FOLDS)
    ids = list(held_out_rows(table, fold)["id"])
    if not ids:
        raise FoldlineError(f"{folds}: no rows in fold {fold}; run the workflow again with the config's folds.count")
    source = open_shards(shards, manifests, image_size=model_config.image_size)
    check_ids(source, list(scored_rows(table)["id"]))
    names, probabilities = predict_shards(
        source,
        ids,
        weights=weights,
        metadata=metadata,
        model_config=model_config,
        prediction_config=prediction_config,
        n_classes=len(class_names),
        activation=activation,
        device=device,
        labeled=True,
        threads=threads,
    )
    check_read(names, ids, source=f"fold {fold}")
    result = prediction_table(
        names, probabilities, class_names=class_names, model=model, fold=fold, views=prediction_config.views
    )
    write_table(result, predictions, PREDICTIONS, key=("id", "class"))
    logger.info("%s fold %d: predicted %d rows from %d views each", model, fold, len(names), prediction_config.views)


if __name__ == "__main__":
    settings = dict(snakemake.params.settings)
    with step(snakemake):
        predict_oof(
            shards=snakemake.input.shards,
            manifests=snakemake.input.manifests,
            folds=snakemake.input.folds,
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
