"""The forward pass of a network, for batches of any size."""

import numpy as np
from foldline.inference.forward_pass import make_forward
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras


def test_a_network_is_traced_once_for_batches_of_all_sizes() -> None:
    """The last batch of a job is smaller; a second trace would cost as much as a batch."""
    traces = []

    class Counted(tf_keras.layers.Layer):
        def call(self, features: tf.Tensor) -> tf.Tensor:
            if isinstance(features, tf.Tensor):
                traces.append(features.shape)
            return tf.reduce_mean(features, axis=[1, 2])

    pixels = tf_keras.Input((4, 4, 3), dtype=tf.uint8)
    model = tf_keras.Model({"image": pixels}, Counted()(tf_keras.layers.Rescaling(1 / 255)(pixels)))
    forward = make_forward(model, use_device("cpu", threads=1), batch_size=5)
    images = np.random.default_rng(2).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    traces.clear()
    for size in (5, 5, 3, 1):
        found = forward({"image": tf.constant(images[:size])})
        np.testing.assert_allclose(found, images[:size].mean(axis=(1, 2)) / 255, atol=1e-6)
    assert [shape.as_list() for shape in traces] == [[None, 4, 4, 3]]
