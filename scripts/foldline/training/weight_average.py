"""The average of the weights at the ends of the last epochs, with statistics of batch normalization of its own.

Izmailov et al. 2018, Averaging weights leads to wider optima and better generalization (arXiv 1803.05407). No step was
done with the averaged weights, so the running means and variances are computed anew with them, in a pass over the
training rows (section 3.2 there): each is the mean over the batches, as in `torch.optim.swa_utils.update_bn`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from foldline.input_pipeline.decode import Inputs
from foldline.models.networks import flat_layers
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.training_step import StepConfig, network_inputs_of

Values = list[npt.NDArray[np.float64]]


def with_epoch(averages: Sequence[npt.NDArray[np.float64]], network: tf_keras.Model, count: int) -> Values:
    """The averages of the trained variables with one more epoch.

    Args:
        averages: averages so far; empty before the first epoch.
        network: the network at the end of the epoch.
        count: number of epochs that are averaged, this one included.
    """
    current = [variable.numpy().astype(np.float64) for variable in network.trainable_variables]
    if count == 1:
        return current
    return [average + (value - average) / count for average, value in zip(averages, current, strict=True)]


def set_averages(
    network: tf_keras.Model,
    averages: Sequence[npt.NDArray[np.float64]],
    batches: Iterable[tuple[Inputs, tf.Tensor]],
    device: Device,
    config: StepConfig,
) -> None:
    """Give a network averaged weights, and the statistics of batch normalization that they have.

    Args:
        network: the network.
        averages: of its trained variables.
        batches: inputs and labels of the training rows, once, as in a training step.
        device: where to compute.
        config: how a step changes images.
    """
    for variable, average in zip(network.trainable_variables, averages, strict=True):
        variable.assign(average.astype(variable.dtype.as_numpy_dtype))
    norms = [layer for layer in flat_layers(network) if _is_trained_norm(layer)]
    if not norms:
        return
    variables = [variable for layer in norms for variable in (layer.moving_mean, layer.moving_variance)]
    with _statistics_of_one_batch(norms):
        compiled = tf.function(
            lambda inputs: device.strategy.run(
                lambda own: network(network_inputs_of(own, config), training=True), args=(device.spread(inputs),)
            )
        )
        count, sums = 0, [np.zeros(variable.shape) for variable in variables]
        for inputs, _ in batches:
            compiled(inputs)
            count += 1
            for total, variable in zip(sums, variables, strict=True):
                total += variable.numpy()
    for total, variable in zip(sums, variables, strict=True):
        variable.assign((total / count).astype(np.float32))


def _is_trained_norm(layer: tf_keras.layers.Layer) -> bool:
    return isinstance(layer, tf_keras.layers.BatchNormalization) and layer.trainable


@contextmanager
def _statistics_of_one_batch(norms: Sequence[tf_keras.layers.BatchNormalization]) -> Iterator[None]:
    """Let the running means and variances be those of the last batch, in what is traced in the context."""
    before = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(norms, before, strict=True):
            layer.momentum = momentum
