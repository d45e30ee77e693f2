"""Logits of a network on any device; apart from test-time augmentation, whose change trains nothing again."""

from collections.abc import Callable

import numpy as np

from foldline.devices import Device
from foldline.engine import tf, tf_keras

Forward = Callable[[tf.Tensor], np.ndarray]


def make_forward(model: tf_keras.Model, device: Device, *, batch_size: int) -> Forward:
    """Function of images, uint8 (n, S, S, 3) with n <= batch_size, that gives their logits, float32 (n, n_classes)."""
    compute = tf.function(
        lambda images: device.strategy.run(model, args=(images,), kwargs={"training": False}), reduce_retracing=True
    )

    def forward(images: tf.Tensor) -> np.ndarray:
        count = len(images)
        if device.kind == "tpu" or device.replicas > 1:
            images = tf.pad(images, [[0, batch_size - count], [0, 0], [0, 0], [0, 0]])
        return device.gather(compute(*device.spread(images)))[:count]

    return forward
