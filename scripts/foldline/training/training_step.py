"""One step of a training, on one device or on several: loss, gradients, loss scaling and the optimizer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from foldline.dataset.input_spec import COLOR, IMAGE
from foldline.input_pipeline.color_jitter import apply_color_jitter
from foldline.input_pipeline.decode import Inputs
from foldline.runtime.devices import Device
from foldline.runtime.precision import MIXED_FLOAT16, Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.losses import Loss
from foldline.training.training_config import TrainingConfig

Batches = Iterator[tuple[Inputs, tf.Tensor]]
Step = Callable[[Inputs, tf.Tensor], tf.Tensor]
Steps = Callable[[Batches, tf.Tensor], tf.Tensor]


def make_optimizer(
    network: tf_keras.Model, config: TrainingConfig, precision: Precision, device: Device
) -> tf_keras.optimizers.Optimizer:
    """Adam for the trained variables, with averaged weights if `ema_decay` is set and a loss scale in float16."""
    with device.strategy.scope():
        averages = {} if config.ema_decay is None else {"use_ema": True, "ema_momentum": config.ema_decay}
        optimizer = tf_keras.optimizers.Adam(config.learning_rate, **averages)
        if precision.name == MIXED_FLOAT16:
            # Small gradients would become 0 in 16 bits: the loss is multiplied by a factor that follows their size.
            optimizer = tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
        optimizer.build(network.trainable_variables)
    return optimizer


def make_step(
    network: tf_keras.Model,
    optimizer: tf_keras.optimizers.Optimizer,
    loss: Loss,
    *,
    batch_size: int,
    reduction: str = "mean",
) -> Step:
    """Training step of one replica.

    Args:
        network: gives logits.
        optimizer: sums gradients over the replicas.
        loss: loss of single samples.
        batch_size: rows of the whole batch, over all replicas.
        reduction: "mean", or "sum", whose gradients are those of the mean times the batch size.

    Returns:
        Function of the replica's inputs and labels, float32 (n, n_classes). It gives the sum of their losses divided by
        the batch size, so that the results of all replicas add up to the mean loss of the batch.
    """
    variables = network.trainable_variables
    scale = batch_size if reduction == "sum" else 1
    scaling = isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer)

    def step(inputs: Inputs, labels: tf.Tensor) -> tf.Tensor:
        seen = {name: values for name, values in inputs.items() if name != COLOR}
        if COLOR in inputs:
            seen[IMAGE] = apply_color_jitter(inputs[IMAGE], inputs[COLOR])
        # By default the tape watches frozen variables too, and builds a backward pass for them.
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
        Function of an iterator of batches and the learning rates of n steps, float32 (n,). It gives the mean losses of
        their batches, float32 (n,).
    """

    def steps(batches: Batches, rates: tf.Tensor) -> tf.Tensor:
        # The loop runs on the host, so that devices get programs of one step, with shapes that do not depend on n.
        losses = tf.TensorArray(tf.float32, tf.size(rates))
        for number in tf.range(tf.size(rates)):
            optimizer.learning_rate.assign(rates[number])
            shares = device.strategy.run(step, args=device.spread(next(batches)))
            losses = losses.write(number, device.strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None))
        return losses.stack()

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
