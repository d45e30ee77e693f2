"""The training of one network: steps, epochs, validation, and when to stop."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from foldline.devices import Device
from foldline.engine import tf, tf_keras
from foldline.errors import FoldlineError
from foldline.losses import Loss
from foldline.ranking import roc_auc

logger = logging.getLogger(__name__)

# Losses are looked at after so many steps: a look waits for the device, no look lets a lost training go on.
STEPS_BETWEEN_LOOKS = 50

HISTORY = {
    "epoch": "int64",
    "learning_rate": "float64",
    "loss": "float64",
    "val_loss": "float64",
    "val_auc": "float64",
    "images": "int64",
    "seconds": "float64",
}


@dataclass(frozen=True)
class Plan:
    """How a training goes.

    Attributes:
        rows: number of training rows.
        batch_size: rows in a step, over all devices.
        epochs: passes over the rows.
        rate: learning rate of a step.
        patience: stop after so many epochs without a better validation AUC; None never.
        select: "last" or "best", the epoch whose weights stay.
    """

    rows: int
    batch_size: int
    epochs: int
    rate: Callable[[int], float]
    patience: int | None
    select: str

    def end(self, epoch: int) -> int:
        """First step behind an epoch (counted from 0); an epoch's last rows may stand in a batch of the next."""
        return (epoch + 1) * self.rows // self.batch_size

    def check(self) -> None:
        """Refuse a batch larger than an epoch.

        Raises:
            FoldlineError: it is.
        """
        if self.batch_size > self.rows:
            raise FoldlineError(
                f"batch_size {self.batch_size} is more than the fold's {self.rows} training rows; give a smaller one"
            )


@dataclass
class Result:
    """What a training leaves besides the weights in the network.

    Attributes:
        history: a row of `HISTORY` for each epoch that was run.
        selected_epoch: the epoch, from 1, whose weights the network has.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    selected_epoch: int = 0


def fit(
    network: tf_keras.Model,
    batches: tf.data.Dataset,
    *,
    plan: Plan,
    loss: Loss,
    device: Device,
    validate: Callable[[], tuple[np.ndarray, np.ndarray]],
    name: str,
) -> Result:
    """Train a network in place.

    Args:
        network: gives logits (batch, n_classes).
        batches: dataset of `datasets.training_batches`, at least `plan.end(plan.epochs - 1)` batches.
        plan: how it goes.
        loss: loss of single samples.
        device: where to compute; the network was made in the scope of its strategy.
        validate: gives labels and logits, both (n_validation, n_classes), of the network as it is.
        name: what the log calls this training.

    Raises:
        FoldlineError: the loss is not finite, or the rows end early.
    """
    plan.check()
    with device.strategy.scope():
        optimizer = tf_keras.optimizers.Adam(plan.rate(0))
        optimizer.build(network.trainable_variables)
    step = make_step(network, optimizer, loss, batch_size=plan.batch_size)
    compute = tf.function(lambda images, labels: device.strategy.run(step, args=(images, labels)))
    source = iter(batches)
    result, best, best_weights = Result(), -np.inf, None
    for epoch in range(plan.epochs):
        first = plan.end(epoch - 1)
        start = time.monotonic()
        losses = _run_epoch(range(first, plan.end(epoch)), source, compute, optimizer, plan, device, name)
        train_seconds = time.monotonic() - start
        row = _epoch_row(epoch, losses, validate, loss, plan)
        row["seconds"] = round(time.monotonic() - start, 3)
        result.history.append(row)
        _log_epoch(name, row, plan, train_seconds)
        if row["val_auc"] > best:
            best, result.selected_epoch = row["val_auc"], epoch + 1
            best_weights = network.get_weights() if plan.select == "best" else None
        if plan.patience is not None and epoch + 1 - result.selected_epoch >= plan.patience:
            logger.info("%s  stops: no better AUC in %d epochs", name, plan.patience)
            break
    if plan.select == "best":
        network.set_weights(best_weights)
    else:
        result.selected_epoch = len(result.history)
    return result


def make_step(
    network: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer, loss: Loss, *, batch_size: int
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Training step of one replica on its part of a batch, which gives its share of the mean loss of the whole batch.

    Args:
        network: gives logits.
        optimizer: sums gradients over the replicas.
        loss: loss of single samples.
        batch_size: rows of the whole batch, by which the sum of losses is divided, once.
    """
    variables = network.trainable_variables

    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        # By itself the tape watches frozen variables too, and builds a backward pass for them.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            share = tf.reduce_sum(loss(labels, network(images, training=True))) / batch_size
        optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        return share

    return step


def _run_epoch(
    steps: Sequence[int],
    source: Iterator[tuple[tf.Tensor, tf.Tensor]],
    compute: Callable[..., tf.Tensor],
    optimizer: tf_keras.optimizers.Optimizer,
    plan: Plan,
    device: Device,
    name: str,
) -> np.ndarray:
    """Run the steps of an epoch; gives their losses."""
    waiting: list[tf.Tensor] = []
    losses: list[float] = []
    for step in steps:
        batch = next(source, None)
        if batch is None:
            raise FoldlineError(f"{name}: the rows end before step {step}; build the shards again")
        optimizer.learning_rate.assign(plan.rate(step))
        waiting.append(compute(*device.spread(*batch)))
        if len(waiting) == STEPS_BETWEEN_LOOKS or step == steps[-1]:
            losses += [float(sum(device.strategy.experimental_local_results(share))) for share in waiting]
            waiting.clear()
            if not np.isfinite(losses).all():
                lost = steps[0] + int(np.flatnonzero(~np.isfinite(losses))[0])
                raise FoldlineError(
                    f"{name}: the loss is not finite in step {lost} (learning rate {plan.rate(lost):.3g}); lower "
                    "learning_rate or lengthen schedule.warmup_epochs"
                )
    return np.array(losses)


def _epoch_row(
    epoch: int,
    losses: np.ndarray,
    validate: Callable[[], tuple[np.ndarray, np.ndarray]],
    loss: Loss,
    plan: Plan,
) -> dict[str, float]:
    labels, logits = validate()
    val_losses = loss(tf.constant(labels), tf.constant(logits)).numpy()
    return {
        "epoch": epoch + 1,
        "learning_rate": plan.rate(plan.end(epoch) - 1),
        "loss": float(losses.mean()),
        "val_loss": float(val_losses.mean(dtype=np.float64)),
        "val_auc": float(np.mean([roc_auc(*column) for column in zip(labels.T, logits.T, strict=True)])),
        "images": len(losses) * plan.batch_size,
    }


def _log_epoch(name: str, row: dict[str, float], plan: Plan, seconds: float) -> None:
    logger.info(
        "%s  epoch %d/%d  lr %s  loss %s  val loss %s  val AUC %s  %d images/s",
        name,
        row["epoch"],
        plan.epochs,
        f"{row['learning_rate']:.1e}".replace("e-0", "e-"),
        *(f"{row[key]:.3f}".removeprefix("0") for key in ("loss", "val_loss", "val_auc")),
        round(row["images"] / seconds),
    )
