"""Files of a trained fold beside its weights: provenance, and the history for TensorBoard."""

import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from foldline.io.files import atomic_write, digest_of, sha256_of_file
from foldline.models.networks import network_stages
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.fold_training import FoldData, FoldSettings, TrainedFold

# Columns of the history that TensorBoard shows.
SCALARS = ("learning_rate", "loss", "auc", "accuracy", "val_loss", "val_auc", "val_accuracy")


def provenance(
    settings: FoldSettings,
    data: FoldData,
    device: Device,
    trained: TrainedFold,
    *,
    class_weights: Mapping[str, Any],
    weights: str | Path,
) -> dict[str, Any]:
    """What the weights of a fold were made from.

    Args:
        settings: settings of the fold.
        data: its data.
        device: where it was trained.
        trained: the trained network.
        class_weights: content of the file of class weights.
        weights: the weights file.
    """
    network, state = trained.network, trained.state
    return {
        "model": settings.model,
        **settings.member.as_json(),
        "settings": asdict(settings.model_config) | asdict(settings.training_config),
        "class_names": list(settings.class_names),
        "activation": settings.activation,
        "class_weights": class_weights,
        "train_rows": len(data.training),
        "train_ids_sha256": digest_of(data.training_ids),
        "row_weights": None if data.row_weights is None else [data.row_weights.min(), data.row_weights.max()],
        "validation_rows": len(data.held_out),
        "validation_ids_sha256": digest_of(data.held_out_ids),
        "device": device.kind,
        "device_reason": device.reason,
        "replicas": device.replicas,
        "precision": state.precision.name,
        "precision_trial": state.precision.trial,
        "parameters": network.count_params(),
        "stages": [asdict(stage) for stage in network_stages(network)],
        "trained_parameters": int(sum(np.prod(variable.shape) for variable in network.trainable_variables)),
        **({"epochs_of_folds": settings.epochs_of_folds} if settings.epochs_of_folds else {}),
        "epochs_run": len(state.history),
        "selected_epoch": state.selected_epoch,
        "weights_sha256": sha256_of_file(weights),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "tf_keras": tf_keras.__version__,
            "numpy": np.__version__,
        },
    }


def write_events(path: str | Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write a history as a TensorBoard file.

    `tf.summary.scalar` needs TensorBoard installed; the records written here are the same.
    """
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    # TensorFlow chooses the file's name itself, so it writes into a temporary folder.
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        with writer.as_default():
            for row in history:
                for key in filter(row.__contains__, SCALARS):
                    tf.summary.write(key, tf.constant(row[key], tf.float32), step=row["epoch"], metadata=metadata)
        writer.close()
        (events,) = Path(folder).iterdir()
        with atomic_write(path) as handle:
            handle.write(events.read_bytes())
