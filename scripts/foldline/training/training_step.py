"""One step of a training, on one device or on several: loss, gradients, loss scaling and the optimizer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from foldline.dataset.input_spec import COLOR, IMAGE, ROW, ROW_WEIGHT
from foldline.input_pipeline.color_jitter import YIQ, apply_color_jitter
from foldline.input_pipeline.decode import Inputs
from foldline.models.shrinking import shrink
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.losses import Loss
from foldline.training.running_metrics import StepCounts, count_rows, no_counts

Batches = Iterator[tuple[Inputs, tf.Tensor]]


@dataclass(frozen=True)
class StepConfig:
    """Settings of a step.

    Attributes:
        batch_size: rows of the whole batch, over all replicas.
        activation: how logits become probabilities; see `labels.Labels`.
        reduction: "mean", or "sum", whose gradients are those of the mean times the batch size.
        color_space: where colors are changed; see `color_jitter.apply_color_jitter`.
        image_size: side to which images are shrunk; None to leave them as they are.
        parts: parts of a replica's share of the batch that are computed one after the other.
        offsets: added to the logits of the classes in the loss, see `sampling.prior_offsets`; empty to add nothing.
    """

    batch_size: int
    activation: str
    reduction: str = "mean"
    color_space: str = YIQ
    image_size: int | None = None
    parts: int = 1
    offsets: tuple[float, ...] = ()


class RowLosses(NamedTuple):
    """Losses of single rows.

    Attributes:
        rows: (..., batch), int32: numbers of the rows.
        losses: (..., batch), float32.
    """

    rows: tf.Tensor
    losses: tf.Tensor


class StepSums(NamedTuple):
    """What a replica adds to the sums of a step.

    Attributes:
        loss: (), float32: the losses of its rows divided by the size of the whole batch.
        counts: counts of its rows.
        rows: losses of its rows; None if the inputs have no numbers of rows.
    """

    loss: tf.Tensor
    counts: StepCounts
    rows: RowLosses | None = None


class StepsResult(NamedTuple):
    """Results of several steps.

    Attributes:
        losses: (n_steps,), float32: mean loss of each batch.
        counts: counts of all their rows.
        rows: losses of their rows, (n_steps, batch); None if the inputs have no numbers of rows.
    """

    losses: tf.Tensor
    counts: StepCounts
    rows: RowLosses | None = None


Step = Callable[[Inputs, tf.Tensor], StepSums]
Steps = Callable[[Batches, tf.Tensor], StepsResult]


def make_step(
    network: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer, loss: Loss, config: StepConfig
) -> Step:
    """Training step of one replica.

    Args:
        network: gives logits.
        optimizer: sums gradients over the replicas.
        loss: loss of single samples.
        config: settings of the step.

    Returns:
        Function of the replica's inputs and labels, float32 (n, n_classes). The results of all replicas add up to the
        mean loss and the counts of the batch. Losses are multiplied by the weights of the rows, if inputs have them;
        counts are not.
    """
    variables = network.trainable_variables
    scale = config.batch_size if config.reduction == "sum" else 1
    scaling = isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer)

    def add_gradients(inputs: Inputs, labels: tf.Tensor) -> tuple[list[tf.Tensor], StepSums]:
        """Gradients and sums of some rows."""
        seen = network_inputs_of(inputs, config)
        # By default the tape watches frozen variables too, and builds a backward pass for them.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = network(seen, training=True)
            losses = loss(labels, logits + config.offsets if config.offsets else logits)
            weighted = losses * inputs[ROW_WEIGHT] if ROW_WEIGHT in inputs else losses
            share = tf.reduce_sum(weighted) / config.batch_size
            objective = share * scale
            if scaling:
                objective = optimizer.get_scaled_loss(objective)
        # Scales of folded normalization have no gradient.
        gradients = tape.gradient(objective, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        counts = count_rows(labels, logits, activation=config.activation)
        return gradients, StepSums(share, counts, RowLosses(inputs[ROW], losses) if ROW in inputs else None)

    def step(inputs: Inputs, labels: tf.Tensor) -> StepSums:
        gradients, sums = in_parts(add_gradients, inputs, labels, config.parts)
        if scaling:
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return sums

    return step


def network_inputs_of(inputs: Inputs, config: StepConfig) -> Inputs:
    """What the network reads of the inputs of a batch, with images of the right size and changed colors."""
    seen = {name: values for name, values in inputs.items() if name not in (COLOR, ROW, ROW_WEIGHT)}
    if config.image_size is not None:
        seen[IMAGE] = shrink(seen[IMAGE], config.image_size)
    if COLOR in inputs:
        seen[IMAGE] = apply_color_jitter(seen[IMAGE], inputs[COLOR], config.color_space)
    return seen


def in_parts(
    compute: Callable[[Inputs, tf.Tensor], tuple[list[tf.Tensor], StepSums]],
    inputs: Inputs,
    labels: tf.Tensor,
    parts: int,
) -> tuple[list[tf.Tensor], StepSums]:
    """Gradients and sums of a batch, from those of equal parts that are computed one after the other."""
    if parts == 1:
        return compute(inputs, labels)
    inputs_of, labels_of = {name: tf.split(values, parts) for name, values in inputs.items()}, tf.split(labels, parts)
    totals: list[tf.Tensor] = []
    rows = []
    for number in range(parts):
        own = {name: values[number] for name, values in inputs_of.items()}
        # Without this, all parts would be computed at once, in the memory of the whole batch.
        with tf.control_dependencies(totals):
            gradients, sums = compute(own, labels_of[number])
            rows.append(sums.rows)
            added = [*gradients, sums.loss, *sums.counts]
            totals = [old + new for old, new in zip(totals, added, strict=True)] if totals else added
    *gradients, share, correct, bins = totals
    joined = None if rows[0] is None else RowLosses(*(tf.concat(values, axis=0) for values in zip(*rows, strict=True)))
    return gradients, StepSums(share, StepCounts(correct, bins), joined)


def compile_steps(
    step: Step, optimizer: tf_keras.optimizers.Optimizer, device: Device, batch_spec: tuple[Inputs, tf.TensorSpec]
) -> Steps:
    """Compile several steps on all devices into one call from Python.

    Args:
        step: step of one replica, from `make_step`.
        optimizer: its optimizer, whose learning rate is set before each step.
        device: where to compute.
        batch_spec: shapes and types of a whole batch.

    Returns:
        Function of an iterator of batches and the learning rates of n steps, float32 (n,).
    """
    n_classes, wants_rows = batch_spec[1].shape[-1], ROW in batch_spec[0]

    def total(values: tf.Tensor) -> tf.Tensor:
        return device.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

    def joined(values: tf.Tensor) -> tf.Tensor:
        return device.strategy.gather(values, axis=0) if device.replicas > 1 else values

    def steps(batches: Batches, rates: tf.Tensor) -> StepsResult:
        # The loop runs on the host, so that devices get programs of one step, with shapes that do not depend on n.
        losses, counts = tf.TensorArray(tf.float32, tf.size(rates)), no_counts(n_classes)
        arrays = [tf.TensorArray(kind, tf.size(rates)) for kind in (tf.int32, tf.float32)] if wants_rows else []
        for number in tf.range(tf.size(rates)):
            optimizer.learning_rate.assign(rates[number])
            sums = device.strategy.run(step, args=device.spread(next(batches)))
            losses = losses.write(number, total(sums.loss))
            counts = StepCounts(*(old + total(new) for old, new in zip(counts, sums.counts, strict=True)))
            if wants_rows:
                arrays = [one.write(number, joined(new)) for one, new in zip(arrays, sums.rows, strict=True)]
        return StepsResult(losses.stack(), counts, RowLosses(*(one.stack() for one in arrays)) if wants_rows else None)

    signature = [tf.data.IteratorSpec(batch_spec), tf.TensorSpec([None], tf.float32)]
    compiled: Steps = tf.function(steps, input_signature=signature)
    return compiled


@contextmanager
def averaged_weights(network: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer) -> Iterator[None]:
    """Give the network the optimizer's averaged weights for the duration of the context.

    Statistics of batch normalization are running means already and are not averaged.
    """
    current = [variable.numpy() for variable in network.trainable_variables]
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(network.trainable_variables, current, strict=True):
            variable.assign(value)
