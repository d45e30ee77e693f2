"""Probabilities from a trained network, averaged over views of each image; one code for validation, OOF and test."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from foldline.dataset.input_spec import IMAGE
from foldline.dataset.metadata import Encoding
from foldline.errors import FoldlineError
from foldline.evaluation.activations import probabilities
from foldline.inference.forward_pass import Forward, make_forward
from foldline.inference.prediction_config import PredictionConfig
from foldline.input_pipeline.batches import ordered_batches, reading
from foldline.input_pipeline.decode import Inputs
from foldline.io.files import read_json
from foldline.io.tables import PREDICTIONS
from foldline.models.model_config import ModelConfig
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import load_weights
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import Shards

# The symmetries of a square: exchange rows and columns, then turn top and bottom, then left and right. So 1 view is the
# image, 2 add its mirror image, 4 are all without quarter turns.
VIEWS = tuple(itertools.product((False, True), repeat=3))


def view(images: tf.Tensor, number: int) -> tf.Tensor:
    """View `number` of `VIEWS` of square images (batch, S, S, channels)."""
    transpose, rows, columns = VIEWS[number]
    if transpose:
        images = tf.transpose(images, (0, 2, 1, 3))
    axes = [axis for axis, turned in ((1, rows), (2, columns)) if turned]
    return tf.reverse(images, axes) if axes else images


def predict(
    forward: Forward, batches: Iterable[tuple[Any, ...]], *, views: int, activation: str
) -> tuple[list[str], np.ndarray]:
    """Predict every row.

    Args:
        forward: function of `make_forward`.
        batches: dataset of `datasets.ordered_batches`.
        views: 1, 2, 4 or 8, the first so many of `VIEWS`.
        activation: see `links.probabilities`.

    Returns:
        Ids in the order of the dataset, and probabilities (n_samples, n_classes): means over the views.

    Raises:
        FoldlineError: there is no such number of views, or a logit is not finite.
    """
    if views not in (1, 2, 4, 8):
        raise FoldlineError(f"views is {views}; allowed: 1, 2, 4, 8")
    ids: list[str] = []
    parts: list[np.ndarray] = []
    for names, inputs, _ in batches:
        logits = np.stack([forward(_seen(inputs, number)) for number in range(views)])
        ids += [name.decode() for name in names.numpy()]
        parts.append(probabilities(logits, activation).mean(axis=0))
        if not np.isfinite(logits).all():
            raise FoldlineError(
                f"the network gives numbers that are not finite for rows near {ids[-1]}; train it again"
            )
    return ids, np.concatenate(parts)


def _seen(inputs: Inputs, number: int) -> Inputs:
    return {**inputs, IMAGE: view(inputs[IMAGE], number)} if IMAGE in inputs else inputs


def predict_shards(
    shards: Shards,
    ids: Sequence[str] | None,
    *,
    weights: str,
    metadata: str,
    model_config: ModelConfig,
    prediction_config: PredictionConfig,
    n_classes: int,
    activation: str,
    device: Device,
    labeled: bool,
    threads: int,
) -> tuple[list[str], np.ndarray]:
    """Predict rows of shards with a stored network; see `predict` and `datasets.ordered_batches`.

    Args:
        shards: the shards.
        ids: the rows wanted; None for all.
        weights: the network's weights file.
        metadata: JSON file of the network's `metadata.Encoding`.
        model_config: settings of the network.
        prediction_config: how rows are predicted.
        n_classes: number of classes.
        activation: how logits become probabilities; see `labels.Labels`.
        device: where to compute.
        labeled: whether the records carry labels.
        threads: CPU threads of the input pipeline.

    Returns:
        See `predict`.
    """
    batch_size = prediction_config.batch_size
    device.check_batch_size(batch_size)
    input_spec = input_spec_of(model_config, Encoding.from_json(read_json(metadata)["columns"]))
    network = build_network(model_config, input_spec, weights="none", class_count=n_classes, device=device)
    load_weights(network, weights)
    batches = ordered_batches(
        shards, ids, input_spec=input_spec, batch_size=batch_size, labeled=labeled, threads=threads
    )
    with reading(shards):
        # A model without images would give the same logits for every view.
        seen = prediction_config.views if input_spec.image_size is not None else 1
        return predict(make_forward(network, device, batch_size=batch_size), batches, views=seen, activation=activation)


def prediction_table(
    ids: Sequence[str], probabilities: np.ndarray, *, class_names: Sequence[str], model: str, fold: int, views: int
) -> pd.DataFrame:
    """Predictions as a table with one row per id and class, sorted by both; columns `tables.PREDICTIONS`.

    Args:
        ids: (n_samples,).
        probabilities: (n_samples, n_classes), in [0, 1].
        class_names: (n_classes,).
        model: name of the model.
        fold: the fold that the model did not see.
        views: how many views went into each probability.
    """
    table = pd.DataFrame(
        {
            "id": np.repeat(np.array(ids, dtype=object), len(class_names)),
            "class": np.tile(np.array(class_names, dtype=object), len(ids)),
            "probability": probabilities.ravel(),
            "model": model,
            "fold": np.full(probabilities.size, fold, np.int64),
            "views": np.full(probabilities.size, views, np.int64),
        }
    )
    return table[list(PREDICTIONS)].sort_values(["id", "class"], ignore_index=True)
