"""Random hue, saturation, contrast and brightness, in YIQ as one matrix and one offset per image, or in HSV.

Named channels are intensities, not colors: each gets its own contrast and brightness, and channels are never mixed.

The input pipeline draws the parameters; the pixels are changed there or on the device, with equal results.
"""

import math
from collections.abc import Sequence

import numpy as np

from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.hsv import adjust_hue_and_saturation
from foldline.input_pipeline.operations import draw_operations
from foldline.runtime.tensorflow import tf

# Color spaces of hue and saturation.
YIQ, HSV = "yiq", "hsv"
# Every module draws from the seed of an image with a number of its own.
_STREAM = 3
# Red, green and blue to the YIQ of NTSC television: the luma of ITU-R BT.601, then two axes of chroma.
_RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
# Matrices on (red, green, blue): the gray of equal luma; the chroma, which is the difference to that gray; and the
# chroma rotated by 90 degrees from red towards yellow.
_GRAY = np.tile(_RGB_TO_YIQ[0], (3, 1))
_CHROMA = np.eye(3) - _GRAY
_ROTATED_CHROMA = np.linalg.inv(_RGB_TO_YIQ) @ [[0, 0, 0], [0, 0, 1], [0, -1, 0]] @ _RGB_TO_YIQ
# Factors of pixels are multiples of 1 / _FINE (an error of at most 0.05 levels): products with 0..255 and their sums
# are exact in float32 in any order. _COARSE splits them into two halves of 8 bits, which are exact too on devices that
# multiply matrices in bfloat16 or TF32.
_FINE, _COARSE = 8192, 32
# Means of changed pixels are taken of multiples of 1 / _FRACTION, whose sums are exact in any order.
_FRACTION = 16
# Pixels multiplied at a time: matrices of 3 x 3 take twice the time on a CPU.
_BLOCK = 8


def has_color_jitter(config: AugmentConfig) -> bool:
    """Whether the augmentation changes colors."""
    return any((config.hue, config.saturation, config.contrast, config.brightness))


def draw_color_jitter(seed: tf.Tensor, config: AugmentConfig, channels: Sequence[str] = ()) -> tf.Tensor:
    """Draw the parameters of one image.

    Args:
        seed: (2,), int64.
        config: the augmentation; only colors are used.
        channels: names of the C channels; empty for an RGB image.

    Returns:
        float32. For an RGB image (4,): angle of the hue in radians, factor of the saturation, factor of the contrast,
        and brightness to add in levels of 0..255. For channels (2, C): contrast and brightness of each.
    """
    widths = [2 * math.pi * config.hue, config.saturation, config.contrast, 255 * config.brightness]
    if config.operations is not None:
        drawn = draw_operations(seed, config)
        names = ("hue", "saturation", "contrast", "brightness")
        widths = tf.stack([width * drawn[name] for width, name in zip(widths, names, strict=True)])
    stream = tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64))
    if channels:
        uniform = tf.random.stateless_uniform([2, len(channels)], stream, -1.0, 1.0)
        return tf.constant([[1.0], [0.0]]) + tf.convert_to_tensor(widths[2:])[:, tf.newaxis] * uniform
    return tf.constant([0.0, 1.0, 1.0, 0.0]) + widths * tf.random.stateless_uniform([4], stream, -1.0, 1.0)


def apply_color_jitter(images: tf.Tensor, parameters: tf.Tensor, color_space: str = YIQ) -> tf.Tensor:
    """Rotate the hue, scale the saturation, scale the contrast, and add the brightness, in this order.

    In YIQ, hue is an angle in the plane of I and Q, positive from red towards yellow, and saturation is the distance
    from the luma. In HSV, both are as in `tf.image`; see `hsv`. Contrast is the distance from the mean of each channel
    over the image, after hue and saturation.

    Args:
        images: (B, S, S, C), uint8.
        parameters: float32, from `draw_color_jitter`: (B, 4) for RGB images; (B, 2, C) for channels, where only
            contrast and brightness change.
        color_space: `YIQ` or `HSV`, for RGB images.

    Returns:
        (B, S, S, C), uint8, rounded half to even and clipped to 0..255.
    """
    if parameters.shape.rank == 3:
        return _adjust_channels(images, parameters)
    if color_space == HSV:
        return _adjust_in_hsv(images, parameters)
    size = images.shape[1]
    hue, saturation, contrast, brightness = _split(parameters)
    cos, sin = _cos_and_sin(hue)
    colors = _GRAY + saturation * (cos * _CHROMA + sin * _ROTATED_CHROMA)
    pixels = tf.cast(images, tf.float32)
    means = tf.reduce_sum(colors * _channel_means(pixels)[:, tf.newaxis], axis=2)
    offsets = (1 - contrast[..., 0]) * means + brightness[..., 0]
    factors = tf.round(_FINE * contrast * colors) / _FINE
    coarse = tf.round(_COARSE * factors) / _COARSE

    block = math.gcd(size * size, _BLOCK)
    rows = tf.reshape(pixels, [-1, size * size // block, 3 * block])
    changed = rows @ _block_diagonal(coarse, block) + rows @ _block_diagonal(factors - coarse, block)
    changed += tf.tile(offsets, [1, block])[:, tf.newaxis]
    changed = tf.cast(tf.clip_by_value(tf.round(changed), 0.0, 255.0), tf.uint8)
    return tf.reshape(changed, [-1, size, size, 3])


def _split(parameters: tf.Tensor) -> list[tf.Tensor]:
    """Hue, saturation, contrast and brightness, (B, 1, 1) each."""
    return [parameter[:, :, tf.newaxis] for parameter in tf.split(parameters, 4, axis=1)]


def _adjust_in_hsv(images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
    """`apply_color_jitter` in HSV."""
    hue, saturation, contrast, brightness = _split(parameters)
    changed = adjust_hue_and_saturation(tf.cast(images, tf.float32), hue / (2 * math.pi), saturation)
    means = _channel_means(tf.round(_FRACTION * changed)) / _FRACTION
    offsets = (1 - contrast[..., 0]) * means + brightness[..., 0]
    changed = contrast[..., tf.newaxis] * changed + offsets[:, tf.newaxis, tf.newaxis]
    return tf.cast(tf.clip_by_value(tf.round(changed), 0.0, 255.0), tf.uint8)


def _adjust_channels(images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
    """Scale the distance of each channel from its mean over the image, and add its brightness."""
    _, size, _, count = images.shape
    pixels = tf.cast(images, tf.float32)
    contrast, brightness = tf.unstack(parameters, axis=1)
    factors = tf.round(_FINE * contrast) / _FINE
    offsets = (1 - factors) * _channel_means(pixels) + brightness
    # Multiplies whole rows of pixels: broadcasts over a few channels are slow.
    rows = tf.reshape(pixels, [-1, size, size * count])
    changed = rows * tf.tile(factors, [1, size])[:, tf.newaxis] + tf.tile(offsets, [1, size])[:, tf.newaxis]
    changed = tf.cast(tf.clip_by_value(tf.round(changed), 0.0, 255.0), tf.uint8)
    return tf.reshape(changed, [-1, size, size, count])


def _cos_and_sin(angles: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cosine and sine of angles in [-pi, pi] by their Taylor series, to 1e-6.

    TensorFlow's own functions differ in the last bit between one number and a vector; sums and products do not.
    """
    terms = [(-1) ** (order // 2) / math.factorial(order) for order in range(20)]
    squares = angles * angles
    return tf.math.polyval(terms[18::-2], squares), angles * tf.math.polyval(terms[19::-2], squares)


def _channel_means(pixels: tf.Tensor) -> tf.Tensor:
    """Mean of each channel over each image, exact up to the last rounding; (B, S, S, C), float32, gives (B, C).

    The pixels are whole numbers below `_FRACTION` * 256.
    """
    _, size, _, count = pixels.shape
    # Sums of integers below 2 ** 24 are exact in float32, larger ones in int64.
    columns = tf.reduce_sum(tf.reshape(pixels, [-1, size, size * count]), axis=1)
    sums = tf.reduce_sum(tf.cast(tf.reshape(columns, [-1, size, count]), tf.int64), axis=1)
    return tf.cast(sums, tf.float32) / (size * size)


def _block_diagonal(matrices: tf.Tensor, count: int) -> tf.Tensor:
    """Matrices for rows of `count` pixels, with transposed copies on the diagonal; (B, 3, 3) gives (B, 3n, 3n)."""
    diagonal = tf.eye(count)[:, tf.newaxis, :, tf.newaxis]
    copies = diagonal * tf.linalg.matrix_transpose(matrices)[:, tf.newaxis, :, tf.newaxis, :]
    return tf.reshape(copies, [-1, 3 * count, 3 * count])
