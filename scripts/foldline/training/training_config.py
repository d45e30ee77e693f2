"""Settings of a training; `models.MODEL` in `config/config.schema.yaml` has the defaults."""

from dataclasses import dataclass

from foldline.input_pipeline.augment_config import AugmentConfig

# Batch normalization of the backbone that is not trained, and one that is folded into convolutions before training.
FROZEN, NO_NORMS = "frozen", "none"


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate over the training steps; see `schedules.make_schedule`.

    Attributes:
        name: "constant", "cosine", "exponential" or "plateau".
        warmup_epochs: epochs of linear rise, at least 0.
        initial_fraction: fraction of the highest rate at the start of the rise, in [0, 1].
        hold_epochs: epochs at the highest rate after the rise, at least 0.
        stepped: whether the rate changes between epochs only.
        final_fraction: fraction of the highest rate at the last step of "cosine", in [0, 1].
        decay: factor per epoch of "exponential", in (0, 1].
        decay_from: where the epochs of "exponential" begin: "hold", at its end, or "warmup".
        reduce_on_plateau: whether a plateau lowers the rate of other schedules than "plateau" too.
        factor: factor of the rate at a plateau, in (0, 1).
        patience: epochs without a better score that make a plateau, at least 1.
        min_delta: smallest rise of the score that counts, at least 0.
        monitor: the score, "auc" of the held-out fold or "loss" of the training rows.
    """

    name: str
    warmup_epochs: float
    initial_fraction: float
    hold_epochs: float
    stepped: bool
    final_fraction: float
    decay: float
    decay_from: str
    reduce_on_plateau: bool
    factor: float
    patience: int
    min_delta: float
    monitor: str


@dataclass(frozen=True)
class SizeStage:
    """Epochs with images of one size, one after the other.

    Attributes:
        epochs: number of epochs, at least 1.
        image_size: side of the images in pixels, at most that of the shards.
    """

    epochs: int
    image_size: int


@dataclass(frozen=True)
class SamplingConfig:
    """Which rows an epoch has; see `sampling.RowSampler`.

    Attributes:
        share: rows of a class in an epoch, at most, as a share of the most frequent class, in (0, 1]; 1 for all rows.
        hardest: share of the drawn rows that are those with the highest loss, in [0, 1]; the others are random.
    """

    share: float
    hardest: float


@dataclass(frozen=True)
class LossConfig:
    """Loss of a sample; see `losses.make_loss` for the formulas.

    Attributes:
        name: "cross_entropy" or "focal".
        label_smoothing: smoothing s of the labels, in [0, 1).
        gamma: exponent of "focal", at least 0.
        alpha: weight of the positives in "focal", in (0, 1); the negatives have 1 - alpha.
        hard_labels: whether a label between 0 and 1, after smoothing, has no loss.
        reduction: "mean" or "sum" of the losses of a batch is minimized.
    """

    name: str
    label_smoothing: float
    gamma: float
    alpha: float
    hard_labels: bool
    reduction: str


@dataclass(frozen=True)
class OptimizerConfig:
    """What is added to Adam; see `optimizer.make_optimizer`.

    Attributes:
        weight_decay: share of the weights of kernels that a step with the learning rate 1 would remove, at least 0.
        layer_decay: factor of the learning rate for each block further below the logits, in (0, 1].
        clip_norm: largest norm of the gradient of all variables together, above 0; None for any.
    """

    weight_decay: float
    layer_decay: float
    clip_norm: float | None


@dataclass(frozen=True)
class EarlyStoppingConfig:
    """When a training ends before its last epoch.

    Attributes:
        patience: epochs without a better score, at least 1; None to never stop early.
        min_delta: smallest rise of the score that counts, at least 0.
        monitor: the score, "auc" of the held-out fold or "loss" of the training rows.
    """

    patience: int | None
    min_delta: float
    monitor: str


@dataclass(frozen=True)
class CheckpointConfig:
    """Where and how often a training is saved: the section `checkpoints` of the configuration.

    Attributes:
        folder: folder or URL for the checkpoints of all jobs.
        seconds: time between two saves within an epoch, at least 0; the end of an epoch is saved as well.
        share: largest share of the training's time that saving may take, in (0, 1].
    """

    folder: str
    seconds: float
    share: float


@dataclass(frozen=True)
class TrainingConfig:
    """The training of one fold, its overrides applied; the network has a `models.model_config.ModelConfig`.

    Attributes:
        weights: initial weights of the backbone: a name, a path of a weights file, or "none".
        trainable: layers that are trained: "all", "upper" or "head".
        epochs: passes over the training rows.
        head_epochs: the first of these, in which the head alone is trained.
        sampling: which rows an epoch has.
        size_schedule: sizes of the images in the first epochs; the others have that of the shards.
        batch_size: images per step, over all devices together.
        accumulate: parts of a batch on each device that are computed one after the other, at least 1.
        precision: number format of the backbone, or "auto".
        learning_rate: highest rate of the schedule.
        optimizer: what is added to Adam.
        schedule: the rate over the steps.
        loss: loss of a sample.
        augment: random augmentation of the images.
        early_stopping: when the training ends early.
        batch_norm_momentum: share of its running mean and variance that batch normalization keeps in a step, in [0, 1).
        normalization: "train", "frozen" for batch normalization of the backbone that stays as it is, or "none" to fold
            it into the convolutions.
        ema_decay: decay of the exponential moving average of the weights per step, in (0, 1); None for no average.
        ema_warmup: whether the decay is smaller in the first steps.
        swa_epochs: number of last epochs at whose ends weights are averaged; 0 for none.
        select_epoch: the epoch whose weights are the result: "last", "best" by the AUC of the held-out fold, or
            "best_loss" by the loss of the training rows.
        seed: seed of weights, order, dropout and augmentation; the fold's number is added.
    """

    weights: str
    trainable: str
    epochs: int
    head_epochs: int
    sampling: SamplingConfig
    size_schedule: tuple[SizeStage, ...]
    batch_size: int
    accumulate: int
    precision: str
    learning_rate: float
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    loss: LossConfig
    augment: AugmentConfig
    early_stopping: EarlyStoppingConfig
    batch_norm_momentum: float
    normalization: str
    ema_decay: float | None
    ema_warmup: bool
    swa_epochs: int
    select_epoch: str
    seed: int
