"""What a network learns from, and how it is validated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from foldline.runtime.tensorflow import tf
from foldline.training.losses import Loss
from foldline.training.sampling import RowSampler

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingTask:
    """What a network learns, and how it is validated.

    Attributes:
        name: name of the training in the log, such as "b3 fold 0".
        rows: number of training rows of an epoch.
        batches: function of a step that gives all batches from it to the end of the training; see
            `batches.training_batches`. With a sampler it also gets the numbers of the rows of an epoch, and gives the
            batches to the end of that epoch.
        loss: loss of single samples.
        validate: gives labels and logits, both (n_validation, n_classes), of the network as it is; None without
            held-out rows.
        activation: how logits become probabilities; see `labels.Labels`.
        clock: gives seconds, for the lines of `ProgressLog`.
        sampler: draws the rows of each epoch; None for all rows.
        epochs: the epoch after which the training ends, with the learning rates of all epochs of the settings; None
            for the last of these.
    """

    name: str
    rows: int
    batches: Callable[..., tf.data.Dataset]
    loss: Loss
    validate: Callable[[], tuple[Array, Array]] | None
    activation: str
    sampler: RowSampler | None = None
    clock: Callable[[], float] = time.monotonic
    epochs: int | None = None
