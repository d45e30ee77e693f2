"""Images in a smaller size, by exact area averages that any device can compute: as two products of matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.runtime.tensorflow import tf, tf_keras


def shrink(images: tf.Tensor, size: int) -> tf.Tensor:
    """Shrink images: each pixel is the mean over the area that it covers.

    Args:
        images: (B, S, S, C), uint8.
        size: new side s in pixels, at most S.

    Returns:
        (B, s, s, C), uint8, rounded half to even; images of that size already stay as they are.
    """
    _, old, _, channels = images.shape
    if old == size:
        return images
    shares = tf.constant(area_shares(old, size))
    rows = shares @ tf.reshape(tf.cast(images, tf.float32), [-1, old, old * channels])
    pixels = tf.einsum("tj,bsjc->bstc", shares, tf.reshape(rows, [-1, size, old, channels]))
    return tf.cast(tf.round(pixels), tf.uint8)


def area_shares(old: int, new: int) -> npt.NDArray[np.float32]:
    """Share of each of `old` pixels in each of `new` pixels of the same line, (new, old); rows sum to 1."""
    edges = np.arange(new + 1) * old / new
    pixels = np.arange(old)
    overlaps = np.minimum(edges[1:, np.newaxis], pixels + 1) - np.maximum(edges[:-1, np.newaxis], pixels)
    shares: npt.NDArray[np.float32] = (np.maximum(overlaps, 0) * new / old).astype(np.float32)
    return shares


class PredictionSize(tf_keras.layers.Layer):
    """Gives images the size of predictions; in training they keep theirs."""

    def __init__(self, size: int, **options: Any) -> None:
        """As a layer of Keras; `size` is the side in pixels."""
        super().__init__(**options)
        self._size = size

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Images (B, S, S, C), uint8; as they are in training, else (B, s, s, C)."""
        return images if training else shrink(images, self._size)


def shrunk_for_predictions(backbone: tf_keras.Model, image_size: int) -> tf_keras.Model:
    """A backbone that gets larger images, which it shrinks to its own size except in training.

    Args:
        backbone: a model of `backbones.build_backbone`.
        image_size: side of the images that it gets, at least its own.
    """
    own, channels = backbone.input_shape[1], backbone.input_shape[3]
    # It is called on larger images in training.
    accept_other_sizes(backbone, [image_size])
    images = tf_keras.Input((image_size, image_size, channels), dtype="uint8", name="images")
    features = backbone(PredictionSize(own, name="prediction_size")(images))
    return tf_keras.Model(images, features)


def accept_other_sizes(network: tf_keras.Model, sizes: Sequence[object]) -> None:
    """Let a network be called on images of other sizes than it was built for, if there are such sizes.

    Its weights do not depend on the size, and its convolutions pad by the size it was built for, which moves features
    by half a pixel at most.
    """
    if sizes:
        for model in (network, *network.submodules):
            if isinstance(model, tf_keras.Model):
                model.input_spec = None
