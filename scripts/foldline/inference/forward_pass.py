"""Logits of a network on any device; apart from test-time augmentation, whose change trains nothing again."""

from collections.abc import Callable

import numpy as np

from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras

Forward = Callable[[dict[str, tf.Tensor]], np.ndarray]


def make_forward(model: tf_keras.Model, device: Device, *, batch_size: int) -> Forward:
    """Function of a network's inputs, each (n, ...) with n <= batch_size, that gives logits, float32 (n, n_classes)."""

    def computed(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return device.strategy.run(model, args=(device.spread(inputs),), kwargs={"training": False})

    compute = tf.function(computed, reduce_retracing=True)

    def forward(inputs: dict[str, tf.Tensor]) -> np.ndarray:
        count = len(next(iter(inputs.values())))
        if device.wants_full_batches:
            inputs = {name: _padded(values, batch_size - count) for name, values in inputs.items()}
        return device.gather(compute(inputs))[:count]

    return forward


def _padded(values: tf.Tensor, rows: int) -> tf.Tensor:
    return tf.pad(values, [[0, rows], *([0, 0] for _ in values.shape[1:])])
