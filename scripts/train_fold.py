"""Train one model on all folds but one, so that its scores on that fold are those of rows it never saw.

Inputs: shards, manifests (of the training and the external split, of the model's image size), folds, class_weights (of
    the fold).
Outputs: weights, metadata (how the network reads metadata), history (one row per epoch), provenance (what the weights
    were made from), samples (picture of augmented images), events (for TensorBoard).
Parameters: model_config (`ModelConfig`), training_config (`TrainingConfig`), metadata_columns (the `dataset.metadata`
    section, empty for a model of images alone), class_names, activation, accelerator, checkpoints (`CheckpointConfig`).
"""

import logging
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.label_arrays import label_array
from foldline.dataset.metadata import MetadataColumnConfig, fit_encoding
from foldline.errors import FoldlineError
from foldline.inference.forward_pass import make_forward
from foldline.input_pipeline.batches import TrainingStream, ordered_batches, reading, training_batches
from foldline.input_pipeline.preview import augmented_samples, no_samples
from foldline.io.files import atomic_write, digest_of, read_json, sha256_of_file, write_json
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.models.model_config import ModelConfig
from foldline.models.networks import build_network, input_spec_of, network_stages
from foldline.models.weights_file import save_weights
from foldline.runtime.devices import Device, use_device
from foldline.runtime.precision import AUTO, FLOAT32, Precision, check_precision, fastest_precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.splits.fold_membership import held_out_rows, training_rows
from foldline.step import step
from foldline.tfrecords.open_shards import check_ids, check_read, open_shards
from foldline.training.checkpoints import Checkpoints
from foldline.training.loop import HISTORY, Plan, fit, images_per_second
from foldline.training.losses import make_loss
from foldline.training.schedules import make_schedule
from foldline.training.state import State, kept_precision
from foldline.training.training_config import CheckpointConfig, TrainingConfig

logger = logging.getLogger(__name__)

VALIDATION_BATCH = 64


def train_fold(
    *,
    shards: Sequence[str | Path],
    manifests: Sequence[str | Path],
    folds: str | Path,
    class_weights: str | Path,
    weights: str | Path,
    metadata: str | Path,
    history: str | Path,
    provenance: str | Path,
    samples: str | Path,
    events: str | Path,
    threads: int,
    model: str,
    fold: int,
    model_config: ModelConfig,
    training_config: TrainingConfig,
    metadata_columns: Mapping[str, Mapping[str, Any]],
    class_names: Sequence[str],
    activation: str,
    accelerator: str,
    checkpoints: CheckpointConfig,
    key: str,
    when_built: Callable[[Callable[[], None]], None],
) -> None:
    """Train a fold and write its weights, history and provenance.

    Args:
        shards: TFRecord files of the training split, and of the external split if there is one.
        manifests: manifest of each.
        folds: fold table.
        class_weights: weights of the labels from the fold's training rows.
        weights: where the weights go.
        metadata: where the encoding of metadata goes.
        history: where the history goes, columns `training.HISTORY`.
        provenance: where the provenance goes.
        samples: where the picture of augmented images goes.
        events: where the TensorBoard file goes.
        threads: CPU threads.
        model: name of the model.
        fold: the fold that is held out.
        model_config: settings of the network.
        training_config: settings of the training of this fold.
        metadata_columns: see `metadata.fit_encoding`.
        class_names: names of the classes.
        activation: how logits become probabilities; see `labels.Labels`.
        accelerator: see `devices.use_device`.
        checkpoints: where and how often the training is saved.
        key: digest of all that defines the fold.
        when_built: takes what is to be done when the outputs count as built.

    Raises:
        StoppedError: the training was asked to stop; done again, it goes on from there.
        FoldlineError: shards, table and settings do not fit together, or the training fails.
    """
    device = use_device(accelerator, threads=threads)
    table = read_table(folds, FOLDS)
    training, held_out = training_rows(table, fold), held_out_rows(table, fold)
    _check_labels(folds, held_out, fold, class_names)
    train_ids, validation_ids = list(training["id"]), list(held_out["id"])
    source = open_shards(shards, manifests, image_size=model_config.image_size)
    for split, rows in table.groupby("split"):
        check_ids(source.split(str(split)), list(rows["id"]))
    configs = {name: MetadataColumnConfig.from_config(section) for name, section in metadata_columns.items()}
    encoding = fit_encoding(configs, {name: list(training[name]) for name in metadata_columns})
    input_spec = input_spec_of(model_config, encoding)
    weighing = read_json(class_weights)
    seed = training_config.seed + fold
    loss = make_loss(training_config.loss, weighing["classes"], activation=activation)
    kept = Checkpoints(
        checkpoints.folder,
        f"{model}.fold{fold}",
        key,
        seconds=checkpoints.seconds,
        share=checkpoints.share,
    )
    when_built(kept.remove)

    def network_in(precision: str) -> tf_keras.Model:
        tf_keras.utils.set_random_seed(seed % 2**32)
        return build_network(
            model_config,
            input_spec,
            weights=training_config.weights,
            n_classes=len(class_names),
            device=device,
            trainable=training_config.trainable,
            precision=precision,
        )

    def batches(first: int) -> tf.data.Dataset:
        stream = TrainingStream(
            input_spec=input_spec,
            batch_size=training_config.batch_size,
            epochs=training_config.epochs,
            seed=seed,
            augment=training_config.augment,
            threads=threads,
        )
        return training_batches(source, train_ids, stream, first=first)

    def plan_in(precision: Precision) -> Plan:
        return _plan(training_config, len(train_ids), activation, precision)

    def speed_in(name: str) -> float:
        one = batches(0).take(1).cache().repeat()
        return images_per_second(network_in(name), one, plan=plan_in(Precision(name)), loss=loss, device=device)

    with reading(source):
        precision = _precision(training_config.precision, input_spec, device, kept, speed_in)
    network, plan = network_in(precision.name), plan_in(precision)
    validation_batch = device.replicas * max(1, VALIDATION_BATCH // device.replicas)
    validation = ordered_batches(
        source.split("train"),
        validation_ids,
        input_spec=input_spec,
        batch_size=validation_batch,
        labeled=True,
        threads=threads,
    )
    forward = make_forward(network, device, batch_size=validation_batch)

    def validate() -> tuple[np.ndarray, np.ndarray]:
        parts = []
        for names, inputs, labels in validation:
            parts.append((names.numpy(), labels.numpy(), forward(inputs)))
            kept.check_stop()
        names, labels, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
        check_read([name.decode() for name in names], validation_ids, source=f"fold {fold}")
        return labels, logits

    with reading(source):
        result = fit(
            network,
            batches,
            plan=plan,
            loss=loss,
            device=device,
            validate=validate,
            name=f"{model} fold {fold}",
            checkpoints=kept,
        )
        picture = no_samples()
        if input_spec.image_size is not None:
            picture = augmented_samples(
                source.split("train"),
                list(training.loc[training["split"] == "train", "id"]),
                input_spec=input_spec,
                augment=training_config.augment,
                seed=seed,
            )
    save_weights(network, weights)
    write_json(metadata, {"columns": encoding.as_json()})
    with atomic_write(samples) as handle:
        handle.write(picture)
    write_table(pd.DataFrame(result.history), history, HISTORY, key=("epoch",))
    write_events(events, result)
    write_json(
        provenance,
        {
            "model": model,
            "fold": fold,
            "settings": asdict(model_config) | asdict(training_config),
            "class_names": list(class_names),
            "activation": activation,
            "class_weights": weighing,
            "train_rows": len(train_ids),
            "train_ids_sha256": digest_of(train_ids),
            "validation_rows": len(validation_ids),
            "validation_ids_sha256": digest_of(validation_ids),
            "device": device.kind,
            "device_reason": device.reason,
            "replicas": device.replicas,
            "precision": precision.name,
            "precision_trial": precision.trial,
            "parameters": network.count_params(),
            "stages": [asdict(stage) for stage in network_stages(network)],
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


def _check_labels(folds: str | Path, held_out: pd.DataFrame, fold: int, class_names: Sequence[str]) -> None:
    """Refuse a fold whose held-out rows have no AUC.

    Raises:
        FoldlineError: it has no rows, or no class has both labels in its rows.
    """
    labels = label_array(list(held_out["target"]), class_names)
    if not ((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any():
        raise FoldlineError(
            f"{folds}: fold {fold} has {len(held_out)} rows of labels {sorted(held_out['target'].unique())}; an AUC "
            "needs both labels of a class, take fewer folds"
        )


def _precision(
    wanted: str, input_spec: InputSpec, device: Device, kept: Checkpoints, images_per_second: Callable[[str], float]
) -> Precision:
    """What the fold computes in: what it has computed in so far, what the settings name, or what is fastest here."""
    if wanted != AUTO:
        check_precision(wanted, device)
        return Precision(wanted)
    if (before := kept_precision(kept)) is not None:
        logger.info("computes in %s, as it has so far", before.name)
        return before
    # The head, all that a model without images has, computes in float32 anyway.
    return Precision(FLOAT32) if input_spec.image_size is None else fastest_precision(device, images_per_second)


def _plan(config: TrainingConfig, rows: int, activation: str, precision: Precision) -> Plan:
    batch_size, epochs = config.batch_size, config.epochs
    schedule = make_schedule(
        config.schedule,
        learning_rate=config.learning_rate,
        epochs=epochs,
        steps_per_epoch=rows / batch_size,
    )
    return Plan(
        rows=rows,
        batch_size=batch_size,
        epochs=epochs,
        schedule=schedule,
        activation=activation,
        patience=config.early_stopping.patience,
        min_delta=config.early_stopping.min_delta,
        monitor=config.early_stopping.monitor,
        select=config.select_epoch,
        reduction=config.loss.reduction,
        ema_decay=config.ema_decay,
        precision=precision,
    )


def write_events(path: str | Path, result: State) -> None:
    """Write the history as a TensorBoard file, in a folder aside: the writer chooses the file's name itself.

    `tf.summary.scalar` would need TensorBoard installed; it writes what is written here.
    """
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        with writer.as_default():
            for row in result.history:
                for key in ("learning_rate", "loss", "val_loss", "val_auc", "val_accuracy"):
                    tf.summary.write(key, tf.constant(row[key], tf.float32), step=row["epoch"], metadata=metadata)
        writer.close()
        (written,) = Path(folder).iterdir()
        with atomic_write(path) as handle:
            handle.write(written.read_bytes())


if __name__ == "__main__":
    settings = dict(snakemake.params.settings)
    with step(snakemake, resumable=True) as job:
        train_fold(
            shards=snakemake.input.shards,
            manifests=snakemake.input.manifests,
            folds=snakemake.input.folds,
            class_weights=snakemake.input.class_weights,
            weights=snakemake.output.weights,
            metadata=snakemake.output.metadata,
            history=snakemake.output.history,
            provenance=snakemake.output.provenance,
            samples=snakemake.output.samples,
            events=snakemake.output.events,
            threads=snakemake.threads,
            model=snakemake.wildcards.model,
            fold=int(snakemake.wildcards.fold),
            key=job.key,
            when_built=job.when_built,
            model_config=build(ModelConfig, settings.pop("model_config")),
            training_config=build(TrainingConfig, settings.pop("training_config")),
            checkpoints=build(CheckpointConfig, settings.pop("checkpoints")),
            **settings,
        )
