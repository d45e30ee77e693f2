"""Settings of a training; see `models.MODEL` in `config/config.schema.yaml` for units and ranges."""

from dataclasses import dataclass

from foldline.input_pipeline.augment_config import AugmentConfig


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate over the training steps; see `models.MODEL.schedule`."""

    name: str
    warmup_epochs: float
    initial_fraction: float
    hold_epochs: float
    stepped: bool
    final_fraction: float
    decay: float
    decay_from: str
    factor: float
    patience: int
    min_delta: float
    monitor: str


@dataclass(frozen=True)
class LossConfig:
    """Loss of a sample; see `models.MODEL.loss`."""

    name: str
    label_smoothing: float
    gamma: float
    alpha: float
    hard_labels: bool
    reduction: str


@dataclass(frozen=True)
class EarlyStoppingConfig:
    """When a training ends before its last epoch; see `models.MODEL.early_stopping`."""

    patience: int | None
    min_delta: float
    monitor: str


@dataclass(frozen=True)
class CheckpointConfig:
    """Where and how often a training is saved; see `checkpoints`."""

    folder: str
    seconds: float
    share: float


@dataclass(frozen=True)
class TrainingConfig:
    """A training of one fold, its overrides applied; the network itself is a `models.model_config.ModelConfig`.

    Attributes:
        weights: where the backbone's weights start.
        trainable: layers that are trained: "all", "upper" or "head".
        epochs: passes over the training rows.
        batch_size: images per step, over all devices together.
        precision: what the backbone computes in, or "auto".
        learning_rate: highest rate of the schedule.
        schedule: the rate over the steps.
        loss: loss of a sample.
        augment: random changes of the images.
        early_stopping: when the training ends early.
        ema_decay: share of the averaged weights that stays in a step; None to keep no average.
        select_epoch: whose weights are the result, "last" or "best".
        seed: seed of weights, order, dropout and augmentation; the fold's number is added.
    """

    weights: str
    trainable: str
    epochs: int
    batch_size: int
    precision: str
    learning_rate: float
    schedule: ScheduleConfig
    loss: LossConfig
    augment: AugmentConfig
    early_stopping: EarlyStoppingConfig
    ema_decay: float | None
    select_epoch: str
    seed: int
