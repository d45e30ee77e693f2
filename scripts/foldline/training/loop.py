"""The training of one network: steps, epochs, validation, and when to stop."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from foldline.dataset.input_spec import COLOR, IMAGE
from foldline.errors import FoldlineError
from foldline.evaluation.activations import accuracy, ordering
from foldline.evaluation.roc_auc import macro_auc
from foldline.input_pipeline.color_jitter import apply_color_jitter
from foldline.input_pipeline.decode import Inputs
from foldline.runtime.devices import Device
from foldline.runtime.precision import MIXED_FLOAT16, Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.checkpoints import Checkpoints
from foldline.training.losses import Loss
from foldline.training.schedules import AUC, LOSS, Progress, Schedule
from foldline.training.state import Keeper, State

logger = logging.getLogger(__name__)

# Losses are looked at after so many steps or more: a look waits for the device, no look lets a lost training go on.
STEPS_BETWEEN_LOOKS = 50
# The speed of a training is the best of some calls of some steps each, after one call that builds it.
SPEED_CALLS, SPEED_STEPS = 3, 2

HISTORY = {
    "epoch": "int64",
    "learning_rate": "float64",
    "loss": "float64",
    "val_loss": "float64",
    "val_auc": "float64",
    "val_accuracy": "float64",
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
        schedule: learning rate of a step.
        activation: how logits become probabilities; see `labels.Labels`.
        patience: stop after so many epochs without a better score; None never.
        min_delta: by how much a score must be higher to be better, for `patience`.
        monitor: whose score it is: `schedules.AUC`, on the validation rows, mean over the classes, or `schedules.LOSS`.
        select: "last" or "best", the epoch whose weights stay.
        reduction: "mean" of the losses of a batch, or their "sum", is what is made small.
        ema_decay: share of the averaged weights that stays in a step; the averages are validated and kept. None: the
            weights as they are.
        precision: what the network was built to compute in.
    """

    rows: int
    batch_size: int
    epochs: int
    schedule: Schedule
    activation: str
    patience: int | None
    min_delta: float
    monitor: str
    select: str
    reduction: str
    ema_decay: float | None
    precision: Precision

    def end(self, epoch: int) -> int:
        """First step behind an epoch (counted from 0); an epoch's last rows may stand in a batch of the next."""
        return (epoch + 1) * self.rows // self.batch_size

    def check(self, device: Device) -> None:
        """Refuse a batch larger than an epoch, or one that the device's replicas cannot share.

        Raises:
            FoldlineError: it is one of these.
        """
        device.check_batch_size(self.batch_size)
        if self.batch_size > self.rows:
            raise FoldlineError(
                f"batch_size {self.batch_size} is more than the fold's {self.rows} training rows; give a smaller one"
            )


def fit(
    network: tf_keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    *,
    plan: Plan,
    loss: Loss,
    device: Device,
    validate: Callable[[], tuple[np.ndarray, np.ndarray]],
    name: str,
    checkpoints: Checkpoints | None = None,
) -> State:
    """Train a network in place.

    Args:
        network: gives logits (batch, n_classes).
        batches: gives the batches from a step on, by `datasets.training_batches`, up to `plan.end(plan.epochs - 1)`.
        plan: how it goes.
        loss: loss of single samples.
        device: where to compute; the network was made in the scope of its strategy.
        validate: gives labels and logits, both (n_validation, n_classes), of the network as it is.
        name: what the log calls this training.
        checkpoints: where the training is kept, and where it goes on from; None keeps nothing.

    Returns:
        The state at the end, with its history.

    Raises:
        FoldlineError: the loss is not finite, or the rows end early.
        StoppedError: the training was asked to stop; its state was kept.
    """
    plan.check(device)
    averaging = plan.ema_decay is not None
    optimizer = _make_optimizer(network, plan, device)
    state = State(stopping=Progress(plan.min_delta, plan.monitor), schedule=plan.schedule, precision=plan.precision)
    keeper = Keeper(network, optimizer, state, device, checkpoints)
    keeper.resume(name)
    dataset = batches(state.step)
    compute = _make_call(network, optimizer, loss, plan, device, dataset.element_spec)
    source = iter(dataset)
    with keeper.interruptible():
        while len(state.history) < plan.epochs:
            if plan.patience is not None and state.stopping.waited >= plan.patience:
                logger.info("%s  stops: no better %s in %d epochs", name, plan.monitor, plan.patience)
                break
            epoch = len(state.history)
            _run_epoch(epoch, source, compute, state, keeper, plan, device, name)
            start = time.monotonic()
            with _averaged(network, optimizer if averaging else None):
                row = _epoch_row(epoch, np.array(state.losses), validate, loss, plan)
                scores = {AUC: row["val_auc"], LOSS: -row["loss"]}
                for observer in (state.best, state.stopping, state.schedule):
                    observer.observe(scores[observer.monitor])
                if plan.select == "best" and state.best.waited == 0:
                    state.kept, state.selected_epoch = network.get_weights(), epoch + 1
            row["seconds"] = round(state.seconds + time.monotonic() - start, 3)
            state.history.append(row)
            _log_epoch(name, row, plan, state.seconds)
            state.losses, state.seconds = [], 0.0
            keeper.keep(ending=True)
    if plan.select == "best":
        network.set_weights(state.kept)
    else:
        state.selected_epoch = len(state.history)
        if averaging:
            optimizer.finalize_variable_values(network.trainable_variables)
    return state


def images_per_second(
    network: tf_keras.Model, batches: tf.data.Dataset, *, plan: Plan, loss: Loss, device: Device
) -> float:
    """Measure how fast a network is trained; it is another one afterwards.

    Args:
        network: see `fit`.
        batches: as many as are asked for, at no cost.
        plan: how it would be trained.
        loss: loss of single samples.
        device: where to compute.
    """
    plan.check(device)
    steps = SPEED_STEPS * device.steps_per_call
    compute = _make_call(network, _make_optimizer(network, plan, device), loss, plan, device, batches.element_spec)
    source, rates = iter(batches), tf.fill([steps], plan.schedule.rate(0))
    seconds = []
    for _ in range(1 + SPEED_CALLS):
        start = time.monotonic()
        compute(source, rates).numpy()
        seconds.append(time.monotonic() - start)
    return steps * plan.batch_size / min(seconds[1:])


def _make_optimizer(network: tf_keras.Model, plan: Plan, device: Device) -> tf_keras.optimizers.Optimizer:
    averaging = plan.ema_decay is not None
    with device.strategy.scope():
        optimizer = tf_keras.optimizers.Adam(
            plan.schedule.rate(0), use_ema=averaging, ema_momentum=plan.ema_decay if averaging else 0.99
        )
        if plan.precision.name == MIXED_FLOAT16:
            # Small gradients would become 0 in 16 bits: the loss is multiplied by a factor that follows their size.
            optimizer = tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
        optimizer.build(network.trainable_variables)
    return optimizer


def _make_call(
    network: tf_keras.Model,
    optimizer: tf_keras.optimizers.Optimizer,
    loss: Loss,
    plan: Plan,
    device: Device,
    batch: tuple[dict[str, tf.TensorSpec], tf.TensorSpec],
) -> Callable[[Iterator[tuple[Inputs, tf.Tensor]], tf.Tensor], tf.Tensor]:
    """Steps on all devices in one call from Python: a function of batches and the rates (n,) of n steps, losses (n,).

    The loop runs on the host, so that devices get programs of one step, and shapes that do not depend on n.
    """
    step = make_step(network, optimizer, loss, batch_size=plan.batch_size, reduction=plan.reduction)

    def call(batches: Iterator[tuple[Inputs, tf.Tensor]], rates: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, tf.size(rates))
        for number in tf.range(tf.size(rates)):
            optimizer.learning_rate.assign(rates[number])
            shares = device.strategy.run(step, args=device.spread(next(batches)))
            losses = losses.write(number, device.strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None))
        return losses.stack()

    return tf.function(call, input_signature=[tf.data.IteratorSpec(batch), tf.TensorSpec([None], tf.float32)])


@contextmanager
def _averaged(network: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer | None) -> Iterator[None]:
    """Give the network the optimizer's averaged weights for a while; without an optimizer it stays as it is.

    Statistics of batch normalization are running means already and are not averaged.
    """
    if optimizer is None:
        yield
        return
    before = [variable.numpy() for variable in network.trainable_variables]
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(network.trainable_variables, before, strict=True):
            variable.assign(value)


def make_step(
    network: tf_keras.Model,
    optimizer: tf_keras.optimizers.Optimizer,
    loss: Loss,
    *,
    batch_size: int,
    reduction: str = "mean",
) -> Callable[[Inputs, tf.Tensor], tf.Tensor]:
    """Training step of one replica on its part of a batch, which gives its share of the mean loss of the whole batch.

    Args:
        network: gives logits.
        optimizer: sums gradients over the replicas.
        loss: loss of single samples.
        batch_size: rows of the whole batch, by which the sum of losses is divided, once.
        reduction: "mean", or "sum", whose gradients are those of the mean times the batch size.
    """
    variables = network.trainable_variables
    scale = batch_size if reduction == "sum" else 1
    scaling = isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer)

    def step(inputs: Inputs, labels: tf.Tensor) -> tf.Tensor:
        seen = {name: values for name, values in inputs.items() if name != COLOR}
        if COLOR in inputs:
            seen[IMAGE] = apply_color_jitter(inputs[IMAGE], inputs[COLOR])
        # By itself the tape watches frozen variables too, and builds a backward pass for them.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            share = tf.reduce_sum(loss(labels, network(seen, training=True))) / batch_size
            objective = share * scale
            if scaling:
                objective = optimizer.get_scaled_loss(objective)
        gradients = tape.gradient(objective, variables)
        if scaling:
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return share

    return step


def _run_epoch(
    epoch: int,
    source: Iterator[tuple[Inputs, tf.Tensor]],
    compute: Callable[..., tf.Tensor],
    state: State,
    keeper: Keeper,
    plan: Plan,
    device: Device,
    name: str,
) -> None:
    """Run the steps of an epoch that are left."""
    first, end = plan.end(epoch - 1), plan.end(epoch)
    waiting: list[tf.Tensor] = []
    looked, clock = state.step, time.monotonic()
    while state.step < end:
        following = min(state.step + device.steps_per_call, end)
        rates = [plan.schedule.rate(step) for step in range(state.step, following)]
        try:
            waiting.append(compute(source, tf.constant(rates, tf.float32)))
        except tf.errors.OutOfRangeError as error:
            raise FoldlineError(f"{name}: the rows end before step {following - 1}; build the shards again") from error
        state.step = following
        wanted = keeper.is_wanted()
        if state.step - looked >= STEPS_BETWEEN_LOOKS or state.step == end or wanted:
            state.losses += np.concatenate(waiting).tolist()
            waiting.clear()
            looked = state.step
            if not np.isfinite(state.losses).all():
                lost = first + int(np.flatnonzero(~np.isfinite(state.losses))[0])
                raise FoldlineError(
                    f"{name}: the loss is not finite in step {lost} (learning rate {plan.schedule.rate(lost):.3g}); "
                    "lower learning_rate or lengthen schedule.warmup_epochs"
                )
        clock, state.seconds = time.monotonic(), state.seconds + time.monotonic() - clock
        if wanted:
            keeper.keep(ending=False)


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
        "learning_rate": plan.schedule.rate(plan.end(epoch) - 1),
        "loss": float(losses.mean()),
        "val_loss": float(val_losses.mean(dtype=np.float64)),
        "val_auc": macro_auc(labels, ordering(logits, plan.activation)),
        "val_accuracy": accuracy(labels, logits, plan.activation),
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
