"""Predict rows of shards with a trained model, and write the predictions."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.errors import FoldlineError, counted
from foldline.evaluation.prediction_files import PredictionFile, write_prediction_file
from foldline.inference.forward_pass import make_forward
from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.trained_model import TrainedModel, load_network
from foldline.inference.tta import predict
from foldline.input_pipeline.batches import ordered_batches, reading
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table
from foldline.runtime.devices import Device, use_device
from foldline.splits.fold_membership import train_rows
from foldline.tfrecords.open_shards import Shards, check_ids, check_read, open_shards

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShardFiles:
    """Shards of one split: TFRecord files, and the manifest of each in the same order."""

    paths: Sequence[str | Path]
    manifests: Sequence[str | Path]


@dataclass(frozen=True)
class RowSelection:
    """Rows to predict.

    Attributes:
        name: name of the selection in messages, such as "fold 2".
        ids: ids of the rows; None for all rows of the shards.
        split_ids: ids of all rows that the shards must hold; None if only the manifests know them.
    """

    name: str
    ids: Sequence[str] | None = None
    split_ids: Sequence[str] | None = None

    @classmethod
    def of_table(cls, name: str, folds: str | Path, select: Callable[[pd.DataFrame], pd.DataFrame]) -> "RowSelection":
        """Some train rows of a fold table.

        Args:
            name: see the attribute.
            folds: fold table.
            select: selects them, such as `fold_membership.holdout_rows`.

        Raises:
            FoldlineError: there are none.
        """
        table = read_table(folds, FOLDS)
        ids = list(select(table)["id"])
        if not ids:
            raise FoldlineError(f"{folds}: no rows in {name}; remove the file and run the workflow again")
        return cls(name, ids, split_ids=list(train_rows(table)["id"]))


@dataclass(frozen=True)
class Prediction:
    """What a model predicts from, and how.

    Attributes:
        model: the model of a fold.
        shard_files: shards that hold the rows.
        config: views of each image and images per step.
        accelerator: see `devices.use_device`.
        threads: CPU threads.
    """

    model: TrainedModel
    shard_files: ShardFiles
    config: PredictionConfig
    accelerator: str
    threads: int

    @classmethod
    def of_settings(
        cls, model: TrainedModel, shard_files: ShardFiles, settings: Mapping[str, Any], *, threads: int
    ) -> "Prediction":
        """The prediction whose settings a step gets: `prediction_config` and `accelerator`; see the attributes."""
        config = build(PredictionConfig, settings["prediction_config"])
        return cls(model, shard_files, config, settings["accelerator"], threads)


def write_predictions(prediction: Prediction, rows: RowSelection, predictions: str | Path) -> None:
    """Predict rows of shards and write a file of predictions, sorted by id.

    Args:
        prediction: what the model predicts from, and how.
        rows: the rows to predict.
        predictions: file to write; see `evaluation.prediction_files`.

    Raises:
        FoldlineError: a row is missing, repeated or unexpected, a shard is damaged, or the weights do not fit.
    """
    model, config, threads = prediction.model, prediction.config, prediction.threads
    device = use_device(prediction.accelerator, threads=threads)
    files = prediction.shard_files
    shards = open_shards(files.paths, files.manifests, image_size=model.config.image_size)
    if rows.split_ids is not None:
        check_ids(shards, rows.split_ids)
    ids, probabilities = predict_rows(model, shards, rows.ids, config=config, device=device, threads=threads)
    check_read(ids, ids if rows.ids is None else rows.ids, source=rows.name)
    if rows.split_ids is None:
        check_ids(shards, ids)
    file = PredictionFile(
        Path(predictions), model.name, model.member, config.views, shared_views=config.split is not None
    )
    write_prediction_file(file, ids, probabilities, class_names=model.class_names)
    logger.info(
        "model %s, %s: predicted %s (%s), %s each",
        model.name,
        model.member.title,
        counted(len(ids), "row"),
        rows.name,
        counted(len(config.view_numbers), "view"),
    )


def predict_rows(
    model: TrainedModel,
    shards: Shards,
    ids: Sequence[str] | None,
    *,
    config: PredictionConfig,
    device: Device,
    threads: int,
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Predict rows of shards with a trained model.

    Args:
        model: the model.
        shards: shards that hold the rows.
        ids: ids of the rows; None for all.
        config: views of each image and images per step.
        device: device to compute on.
        threads: CPU threads of the input pipeline.

    Returns:
        Ids and probabilities; see `tta.predict`.

    Raises:
        FoldlineError: a shard cannot be read, the weights do not fit, or the batch size does not fit the device.
    """
    device.check_batch_size(config.batch_size)
    loaded = load_network(model, device)
    batches = ordered_batches(
        shards, ids, input_spec=loaded.input_spec, batch_size=config.batch_size, labeled=False, threads=threads
    )
    # All views of a model without images have the same logits.
    views = config.view_numbers if loaded.input_spec.image_size is not None else (0,)
    forward = make_forward(loaded.network, device, batch_size=config.batch_size)
    with reading(shards):
        return predict(forward, batches, views=views, activation=model.activation)
