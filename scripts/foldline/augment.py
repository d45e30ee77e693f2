"""Random changes of training images, drawn from a seed of their own for every image, on whole numbers to the end."""

from collections.abc import Mapping
from typing import Any

from foldline.engine import tf


def augment(image: tf.Tensor, seed: tf.Tensor, settings: Mapping[str, Any]) -> tf.Tensor:
    """Change an image.

    In this order, each with a draw of its own: mirror left and right, mirror top and bottom, quarter turns, contrast
    and brightness. The last two are one table of 256 values: x -> m + c (x - m) + 255 b, rounded to the nearest even
    and clipped to 0..255, with m the mean of the image after the turns, c uniform in 1 +- contrast, b uniform in
    +- brightness.

    Args:
        image: (size, size, channels), uint8.
        seed: (2,), integers; equal seeds give equal changes.
        settings: the `augment` section of a model's settings: flip_horizontal, flip_vertical, quarter_turns, each on or
            off; brightness in [0, 1]; contrast in [0, 1).

    Returns:
        Image of the same shape, uint8.
    """
    shape = image.shape
    draws = tf.unstack(tf.random.stateless_uniform([5], seed))
    if settings["flip_horizontal"]:
        image = tf.cond(draws[0] < 0.5, lambda: tf.reverse(image, [1]), lambda: image)
    if settings["flip_vertical"]:
        image = tf.cond(draws[1] < 0.5, lambda: tf.reverse(image, [0]), lambda: image)
    if settings["quarter_turns"]:
        image = tf.image.rot90(image, tf.cast(draws[2] * 4, tf.int32))
    if settings["brightness"] or settings["contrast"]:
        mean = tf.reduce_mean(tf.cast(image, tf.float32))
        factor = 1 + settings["contrast"] * (2 * draws[3] - 1)
        shift = 255 * settings["brightness"] * (2 * draws[4] - 1)
        levels = mean + factor * (tf.range(256, dtype=tf.float32) - mean) + shift
        table = tf.cast(tf.clip_by_value(tf.round(levels), 0, 255), tf.uint8)
        image = tf.gather(table, tf.cast(image, tf.int32))
    return tf.ensure_shape(image, shape)
