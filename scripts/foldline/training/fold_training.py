"""Train one model on all folds but one: open the data, choose the precision, train, validate on the held-out fold."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.dataset.input_spec import InputSpec
from foldline.dataset.label_arrays import label_array
from foldline.dataset.metadata import Encoding, MetadataColumnConfig, fit_encoding
from foldline.errors import FoldlineError, counted
from foldline.inference.forward_pass import Forward, make_forward
from foldline.input_pipeline.batches import TrainingStream, ordered_batches, reading, training_batches
from foldline.input_pipeline.preview import augmented_samples, no_samples
from foldline.io.result_paths import Member
from foldline.io.tables import FOLDS, read_table
from foldline.models.model_config import ModelConfig
from foldline.models.networks import build_network, freeze_norms, input_spec_of, set_norm_momentum
from foldline.runtime.devices import Device
from foldline.runtime.precision import AUTO, FLOAT32, Precision, check_precision, fastest_precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.splits.fold_membership import TRAIN, held_out_rows, training_rows, training_weights
from foldline.tfrecords.open_shards import Shards, check_ids, check_read, open_shards
from foldline.training.checkpoints import Checkpoints
from foldline.training.folded_training import fold_before_training, reset_scales
from foldline.training.losses import Loss
from foldline.training.sampling import Rows, RowSampler, make_sampler
from foldline.training.state import TrainingState, saved_precision
from foldline.training.trainer import Trainer
from foldline.training.training_config import FROZEN, NO_NORMS, CheckpointConfig, TrainingConfig
from foldline.training.training_task import TrainingTask

logger = logging.getLogger(__name__)

VALIDATION_BATCH = 64


@dataclass(frozen=True)
class FoldSettings:
    """Settings of a fold.

    Attributes:
        model: name of the model.
        member: the fold held out, or the final network.
        model_config: settings of the network.
        training_config: settings of the training, the overrides of the fold applied.
        metadata_columns: the metadata columns that the model reads; empty for a model of images alone.
        class_names: names of the classes, (n_classes,).
        activation: how logits become probabilities; see `labels.Labels`.
        accelerator: see `devices.use_device`.
        checkpoints: where and how often the training is saved.
        epochs_of_folds: of the final network, the selected epoch of each fold by its label; empty for a fold.
    """

    model: str
    member: Member
    model_config: ModelConfig
    training_config: TrainingConfig
    metadata_columns: dict[str, MetadataColumnConfig]
    class_names: tuple[str, ...]
    activation: str
    accelerator: str
    checkpoints: CheckpointConfig
    epochs_of_folds: dict[str, int] = field(default_factory=dict)

    @property
    def last_epoch(self) -> int | None:
        """The epoch after which the training of the final network ends; None for a fold.

        It is the median of those of the folds, rounded up: there are more rows to learn than in a fold.
        """
        return ceil(median(self.epochs_of_folds.values())) if self.epochs_of_folds else None

    @property
    def seed(self) -> int:
        """Seed of the fold's weights, order, dropout and augmentation."""
        return self.training_config.seed + self.member.seed

    def with_batch_for(self, rows: int, device: Device) -> "FoldSettings":
        """The settings with a batch of at most the training rows of the fold, in equal parts for all devices."""
        config = self.training_config
        parts = device.replicas * config.accumulate
        most = rows // parts * parts
        if config.batch_size <= rows or not most:
            return self
        logger.warning(
            "%s: batch_size is %d, but there are %s: a step trains on %d",
            self.member.title,
            config.batch_size,
            counted(rows, "training row"),
            most,
        )
        return replace(self, training_config=replace(config, batch_size=most))


@dataclass(frozen=True)
class FoldData:
    """The data of a fold.

    Attributes:
        shards: shards of the training split, and of the external split if there is one.
        training: rows of the fold table to train on.
        row_weights: their weights in the loss, see `fold_membership.training_weights`.
        held_out: rows of the fold table to validate on; none for the final network.
        encoding: how metadata become numbers, from the training rows.
        input_spec: what the model reads of a row.
    """

    shards: Shards
    training: pd.DataFrame
    row_weights: npt.NDArray[np.float64] | None
    held_out: pd.DataFrame
    encoding: Encoding
    input_spec: InputSpec

    @property
    def training_ids(self) -> list[str]:
        """Ids of the training rows."""
        return list(self.training["id"])

    @property
    def held_out_ids(self) -> list[str]:
        """Ids of the held-out rows."""
        return list(self.held_out["id"])


def open_fold(
    settings: FoldSettings, *, shards: Sequence[str | Path], manifests: Sequence[str | Path], folds: str | Path
) -> FoldData:
    """Open the data of a fold.

    Args:
        settings: settings of the fold.
        shards: TFRecord files of the training split, and of the external split if there is one.
        manifests: manifest of each.
        folds: fold table.

    Raises:
        FoldlineError: shards, table and settings do not fit together, or the fold holds out no row.
    """
    table = read_table(folds, FOLDS)
    training = training_rows(table, settings.member.held_out)
    held_out = table.iloc[:0] if settings.member.is_final else _held_out(table, settings, folds)
    opened = open_shards(shards, manifests, image_size=settings.model_config.image_size)
    for split, rows in table.groupby("split"):
        check_ids(opened.split(str(split)), list(rows["id"]))
    columns = settings.metadata_columns
    encoding = fit_encoding(columns, {name: list(training[name]) for name in columns})
    input_spec = input_spec_of(settings.model_config, encoding)
    return FoldData(opened, training, training_weights(training), held_out, encoding, input_spec)


def _held_out(table: pd.DataFrame, settings: FoldSettings, folds: str | Path) -> pd.DataFrame:
    """The rows that a fold holds out, of which there must be some."""
    held_out = held_out_rows(table, settings.member.fold)
    if held_out.empty:
        raise FoldlineError(f"{folds}: no rows in {settings.member.title}; remove the file and run the workflow again")
    labels = label_array(list(held_out["target"]), settings.class_names)
    if not ((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any():
        logger.warning(
            "%s holds out %s, in which no class has both labels, so there is no AUC: the loss of these rows is "
            "monitored instead, and the history has an AUC of 0.5",
            settings.member.title,
            counted(len(held_out), "row"),
        )
    return held_out


@dataclass(frozen=True)
class TrainedFold:
    """A trained network and the end of its training."""

    network: tf_keras.Model
    state: TrainingState


class FoldTraining:
    """The training of one fold."""

    TRAINER = Trainer

    def __init__(
        self,
        settings: FoldSettings,
        data: FoldData,
        device: Device,
        *,
        loss: Loss,
        checkpoints: Checkpoints,
        threads: int,
    ):
        """Prepare the training.

        Args:
            settings: settings of the fold.
            data: its data.
            device: where to compute.
            loss: loss of single samples.
            checkpoints: where the training is saved and resumed from.
            threads: CPU threads of the input pipeline.
        """
        self._settings, self._data, self._device = settings, data, device
        self._loss, self._checkpoints, self._threads = loss, checkpoints, threads
        # Rows of an epoch, and passes over the rows that the shards hold.
        self._rows, self._passes = len(data.training), settings.training_config.epochs
        self._validation_batch = device.replicas * max(1, VALIDATION_BATCH // device.replicas)
        if data.held_out_ids:
            self._validation = ordered_batches(
                data.shards.split(TRAIN),
                data.held_out_ids,
                input_spec=data.input_spec,
                batch_size=self._validation_batch,
                labeled=True,
                threads=threads,
            )

    def run(self) -> TrainedFold:
        """Train to the end, or resume.

        Raises:
            FoldlineError: shards cannot be read, or the training fails.
            StoppedError: a stop request came; the training is saved.
        """
        with reading(self._data.shards):
            precision = self._choose_precision()
        network = self._build_network(precision.name)
        with reading(self._data.shards):
            state = self._trainer(network, precision).run()
        if self._settings.training_config.normalization == NO_NORMS:
            reset_scales(network)
        return TrainedFold(network, state)

    def augmented_samples(self) -> bytes:
        """PNG of some training images with random augmentations; one white pixel for a model without images."""
        if self._data.input_spec.image_size is None:
            return no_samples()
        training = self._data.training
        with reading(self._data.shards):
            return augmented_samples(
                self._data.shards.split(TRAIN),
                list(training.loc[training["split"] == TRAIN, "id"]),
                input_spec=self._data.input_spec,
                augment=self._settings.training_config.augment,
                seed=self._settings.seed,
            )

    def _choose_precision(self) -> Precision:
        """The precision of the settings; for "auto" that of the newest checkpoint, or the fastest in a short trial."""
        name = self._settings.training_config.precision
        if name != AUTO:
            check_precision(name, self._device)
            return Precision(name)
        if (saved := saved_precision(self._checkpoints)) is not None:
            logger.info("precision %s, as before the interruption", saved.name)
            return saved
        if self._data.input_spec.image_size is None:
            # The head, which is all of this network, always computes in float32.
            return Precision(FLOAT32)
        return fastest_precision(self._device, self._images_per_second)

    def _images_per_second(self, precision: str) -> float:
        return self._trainer(self._build_network(precision), Precision(precision)).images_per_second()

    def _build_network(self, precision: str) -> tf_keras.Model:
        config = self._settings.training_config
        tf_keras.utils.set_random_seed(self._settings.seed % 2**32)
        network = build_network(
            self._settings.model_config,
            self._data.input_spec,
            weights=config.weights,
            n_classes=len(self._settings.class_names),
            device=self._device,
            trainable=config.trainable,
            precision=precision,
        )
        set_norm_momentum(network, config.batch_norm_momentum)
        if config.normalization == FROZEN:
            freeze_norms(network)
        elif config.normalization == NO_NORMS:
            fold_before_training(network, self._device)
        return network

    def _trainer(self, network: tf_keras.Model, precision: Precision) -> Trainer:
        forward = make_forward(network, self._device, batch_size=self._validation_batch)
        sampler = self._sampler
        task = TrainingTask(
            name=f"{self._settings.model} {self._settings.member.title}",
            rows=self._rows if sampler is None else sampler.rows_per_epoch,
            batches=self._batches,
            loss=self._loss,
            validate=(lambda: self._validate(forward)) if self._data.held_out_ids else None,
            activation=self._settings.activation,
            sampler=sampler,
            epochs=self._settings.last_epoch,
        )
        return self.TRAINER(
            network,
            task,
            self._settings.training_config,
            self._device,
            precision=precision,
            checkpoints=self._checkpoints,
        )

    @cached_property
    def _sampler(self) -> RowSampler | None:
        settings, targets = self._settings, list(self._data.training["target"])
        return make_sampler(targets, settings.class_names, settings.training_config, settings.activation, settings.seed)

    def _batches(self, first: int, drawn: Rows | None = None) -> tf.data.Dataset:
        """Batches from the first one on; if rows are drawn, of these rows and to the end of their epoch."""
        config, epochs = self._settings.training_config, self._passes
        ids, weights, numbers = self._data.training_ids, self._data.row_weights, None
        if drawn is not None:
            ids, epochs = [ids[row] for row in drawn], first * config.batch_size // len(drawn) + 1
            weights = None if weights is None else weights[drawn]
            numbers = drawn if self._sampler is not None and self._sampler.prefers_hard else None
        stream = TrainingStream(
            input_spec=self._data.input_spec,
            batch_size=config.batch_size,
            epochs=epochs,
            seed=self._settings.seed,
            augment=config.augment,
            threads=self._threads,
        )
        return training_batches(self._data.shards, ids, stream, weights=weights, numbers=numbers, first=first)

    def _validate(self, forward: Forward) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Labels and logits of the held-out rows, both (n_validation, n_classes).

        Raises:
            FoldlineError: the shards lack rows or repeat them.
            StoppedError: a stop request came.
        """
        batches = []
        for ids, inputs, labels in self._validation:
            batches.append((ids.numpy(), labels.numpy(), forward(inputs)))
            self._checkpoints.check_stop()
        ids, labels, logits = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        read = [name.decode() for name in ids]
        check_read(read, self._data.held_out_ids, source=self._settings.member.title)
        return labels, logits
