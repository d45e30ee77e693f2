"""Hue and saturation of RGB pixels in the color space HSV (Smith 1978, doi.org/10.1145/800248.807361)."""

from foldline.runtime.tensorflow import tf


def adjust_hue_and_saturation(pixels: tf.Tensor, turns: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Rotate the hue and scale the saturation, as `tf.image.adjust_hue` and then `tf.image.adjust_saturation` do.

    The value, the largest of red, green and blue, does not change. The saturation is limited to 1.

    Args:
        pixels: (B, S, S, 3), float32, at least 0.
        turns: (B, 1, 1), float32 in [-0.5, 0.5]: share of the circle of hues, positive from red towards yellow.
        factors: (B, 1, 1), float32, at least 0.

    Returns:
        (B, S, S, 3), float32, in the range of the pixels.
    """
    red, green, blue = tf.unstack(pixels, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    # In sixths of the circle, from red. Gray pixels have no hue and no chroma, so any hue leaves them as they are.
    hue = tf.where(
        value == red,
        tf.math.divide_no_nan(green - blue, chroma),
        tf.where(
            value == green,
            2 + tf.math.divide_no_nan(blue - red, chroma),
            4 + tf.math.divide_no_nan(red - green, chroma),
        ),
    )
    hue += 6 * turns
    hue -= 6 * tf.floor(hue / 6)
    chroma = tf.minimum(factors * chroma, value)

    def channel(offset: float) -> tf.Tensor:
        """The channel whose complement has this hue: 5 for red, 3 for green, 1 for blue."""
        distance = hue + offset
        distance = tf.where(distance >= 6, distance - 6, distance)
        return value - chroma * tf.clip_by_value(tf.minimum(distance, 4 - distance), 0.0, 1.0)

    return tf.stack([channel(5.0), channel(3.0), channel(1.0)], axis=-1)
