"""Train one model on all folds but one, so that its scores on that fold are those of rows it never saw.

Inputs: shards, manifests (of the training part, of the model's image size), folds, class_weights (of the fold).
Outputs: weights, history (one row per epoch), provenance (what the weights were made from), events (for TensorBoard).
Parameters: settings (the model's section of the config), class_names, accelerator.
"""

import logging
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from foldline.backbones import build_backbone, freeze
from foldline.datasets import check_ids, check_read, open_shards, ordered_batches, reading, training_batches
from foldline.devices import Device, use_device
from foldline.engine import tf, tf_keras
from foldline.errors import FoldlineError
from foldline.files import digest_of, read_json, sha256_of_file, write_json, written_whole
from foldline.forward import make_forward
from foldline.heads import build_model
from foldline.losses import make_loss
from foldline.model_weights import save_weights
from foldline.schedules import make_schedule
from foldline.step import step
from foldline.tables import FOLDS, read_table, write_table
from foldline.training import HISTORY, Plan, Result, fit

logger = logging.getLogger(__name__)

VALIDATION_BATCH = 64


def train_fold(
    *,
    shards: Sequence[str | Path],
    manifests: Sequence[str | Path],
    folds: str | Path,
    class_weights: str | Path,
    weights: str | Path,
    history: str | Path,
    provenance: str | Path,
    events: str | Path,
    threads: int,
    model: str,
    fold: int,
    settings: Mapping[str, Any],
    class_names: Sequence[str],
    accelerator: str,
) -> None:
    """Train a fold and write its weights, history and provenance.

    Args:
        shards: TFRecord files of the training part.
        manifests: manifest of each.
        folds: fold table.
        class_weights: weights of the labels from the fold's training rows.
        weights: where the weights go.
        history: where the history goes, columns `training.HISTORY`.
        provenance: where the provenance goes.
        events: where the TensorBoard file goes.
        threads: CPU threads.
        model: name of the model.
        fold: the fold that is held out.
        settings: the model's section of the config.
        class_names: names of the classes.
        accelerator: see `devices.use_device`.

    Raises:
        FoldlineError: shards, table and settings do not fit together, or the training fails.
    """
    device = use_device(accelerator, threads=threads)
    train_ids, validation_ids = _split(folds, fold)
    source = open_shards(shards, manifests, image_size=settings["image_size"])
    check_ids(source, train_ids + validation_ids)
    weighing = read_json(class_weights)
    seed = settings["seed"] + fold
    tf_keras.utils.set_random_seed(seed % 2**32)
    network = _build(settings, len(class_names), device)
    plan = _plan(settings, len(train_ids), device)
    batches = training_batches(
        source,
        train_ids,
        image_size=settings["image_size"],
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        seed=seed,
        augmentation=settings["augment"],
        threads=threads,
    )
    validation_batch = device.replicas * max(1, VALIDATION_BATCH // device.replicas)
    validation = ordered_batches(
        source,
        validation_ids,
        image_size=settings["image_size"],
        batch_size=validation_batch,
        labelled=True,
        threads=threads,
    )
    forward = make_forward(network, device, batch_size=validation_batch)

    def validate() -> tuple[np.ndarray, np.ndarray]:
        parts = [(names.numpy(), labels.numpy(), forward(images)) for names, images, labels in validation]
        names, labels, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
        check_read([name.decode() for name in names], validation_ids, source=f"fold {fold}")
        return labels, logits

    with reading(source):
        result = fit(
            network,
            batches,
            plan=plan,
            loss=make_loss(settings["loss"], weighing["classes"]),
            device=device,
            validate=validate,
            name=f"{model} fold {fold}",
        )
    save_weights(network, weights)
    write_table(pd.DataFrame(result.history), history, HISTORY, key=("epoch",))
    write_events(events, result)
    write_json(
        provenance,
        {
            "model": model,
            "fold": fold,
            "settings": dict(settings),
            "class_names": list(class_names),
            "class_weights": weighing,
            "train_rows": len(train_ids),
            "train_ids_sha256": digest_of(train_ids),
            "validation_rows": len(validation_ids),
            "validation_ids_sha256": digest_of(validation_ids),
            "device": device.kind,
            "device_reason": device.reason,
            "replicas": device.replicas,
            "parameters": network.count_params(),
            "trained_parameters": int(sum(np.prod(variable.shape) for variable in network.trainable_variables)),
            "epochs_run": len(result.history),
            "selected_epoch": result.selected_epoch,
            "weights_sha256": sha256_of_file(weights),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "tf_keras": tf_keras.__version__,
                "numpy": np.__version__,
            },
        },
    )


def _split(folds: str | Path, fold: int) -> tuple[list[str], list[str]]:
    """Ids of the training and of the validation rows of a fold, sorted.

    Raises:
        FoldlineError: the fold has no rows, or its rows have one label only.
    """
    table = read_table(folds, FOLDS).sort_values("id")
    held_out = table["fold"] == fold
    labels = sorted(table.loc[held_out, "target"].unique())
    if len(labels) < 2:
        raise FoldlineError(
            f"{folds}: fold {fold} has {int(held_out.sum())} rows of labels {labels}; an AUC needs both labels, take "
            "fewer folds"
        )
    return list(table.loc[~held_out, "id"]), list(table.loc[held_out, "id"])


def _build(settings: Mapping[str, Any], n_classes: int, device: Device) -> tf_keras.Model:
    with device.strategy.scope():
        backbone = build_backbone(settings["backbone"], weights=settings["weights"], image_size=settings["image_size"])
        freeze(backbone, trainable=settings["trainable"])
        return build_model(
            backbone, class_count=n_classes, hidden_units=settings["hidden_units"], dropout=settings["dropout"]
        )


def _plan(settings: Mapping[str, Any], rows: int, device: Device) -> Plan:
    batch_size, epochs = settings["batch_size"], settings["epochs"]
    device.check_batch_size(batch_size)
    rate = make_schedule(
        settings["schedule"],
        learning_rate=settings["learning_rate"],
        epochs=epochs,
        steps_per_epoch=rows / batch_size,
    )
    return Plan(rows, batch_size, epochs, rate, settings["early_stopping_patience"], settings["select_epoch"])


def write_events(path: str | Path, result: Result) -> None:
    """Write the history as a TensorBoard file, in a folder aside: the writer chooses the file's name itself.

    `tf.summary.scalar` would need TensorBoard installed; it writes what is written here.
    """
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        with writer.as_default():
            for row in result.history:
                for key in ("learning_rate", "loss", "val_loss", "val_auc"):
                    tf.summary.write(key, tf.constant(row[key], tf.float32), step=row["epoch"], metadata=metadata)
        writer.close()
        (written,) = Path(folder).iterdir()
        with written_whole(path) as handle:
            handle.write(written.read_bytes())


if __name__ == "__main__":
    with step(snakemake):
        train_fold(
            shards=snakemake.input.shards,
            manifests=snakemake.input.manifests,
            folds=snakemake.input.folds,
            class_weights=snakemake.input.class_weights,
            weights=snakemake.output.weights,
            history=snakemake.output.history,
            provenance=snakemake.output.provenance,
            events=snakemake.output.events,
            threads=snakemake.threads,
            model=snakemake.wildcards.model,
            fold=int(snakemake.wildcards.fold),
            **snakemake.params.settings,
        )
