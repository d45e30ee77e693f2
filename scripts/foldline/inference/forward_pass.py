"""Logits of a network on any device.

A module of its own, because training uses it too: changes of test-time augmentation then retrain nothing.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from foldline.input_pipeline.decode import Inputs
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras

Forward = Callable[[Inputs], npt.NDArray[np.float32]]


def make_forward(model: tf_keras.Model, device: Device, *, batch_size: int) -> Forward:
    """Compile the forward pass of a network.

    Args:
        model: the network.
        device: device to compute on.
        batch_size: maximum number of rows in a batch.

    Returns:
        Function from the inputs of a batch, each (n, ...) with n <= `batch_size`, to logits, float32 (n, n_classes).
    """

    def replica_logits(inputs: Inputs) -> tf.Tensor:
        return device.strategy.run(model, args=(device.spread(inputs),), kwargs={"training": False})

    compiled = tf.function(replica_logits)

    def forward(inputs: Inputs) -> npt.NDArray[np.float32]:
        count = len(next(iter(inputs.values())))
        if device.wants_full_batches:
            inputs = {name: _padded(values, batch_size - count) for name, values in inputs.items()}
            found = compiled(inputs)
        else:
            # Traced once for batches of any size: a trace of a small network costs as much as a batch.
            found = compiled.get_concrete_function(_of_any_size(inputs))(inputs)
        logits: npt.NDArray[np.float32] = device.gather(found)[:count]
        return logits

    return forward


def _of_any_size(inputs: Inputs) -> dict[str, tf.TensorSpec]:
    """What inputs look like, without the number of their rows."""
    return {name: tf.TensorSpec([None, *values.shape[1:]], values.dtype) for name, values in inputs.items()}


def _padded(values: tf.Tensor, rows: int) -> tf.Tensor:
    """The values of a batch with `rows` rows of zeros appended."""
    return tf.pad(values, [[0, rows], *([0, 0] for _ in values.shape[1:])])
