"""Random affine transform: flips, quarter turns, rotation, shear, zoom, shift and crop as one gather of pixels.

Coordinates have their origin in the center of the image, at (size - 1) / 2; x points up the rows and y along the
columns, both in pixels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.operations import draw_operations
from foldline.runtime.tensorflow import tf

# Zoom is at least this. A deviation of .125 never reaches it; a wide one could reach zero, which has no inverse.
MIN_ZOOM = 0.1

# Views of an image by flips and quarter turns: the symmetries of the square.
MOST_VIEWS = 8

# Every module draws from the seed of an image with a number of its own.
_STREAM = 1
_QUARTER_TURNS = ([[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]])


class AffineParameters(NamedTuple):
    """Parameters of the transform of one image; pairs are height, width.

    Attributes:
        flips: (2,), bool: whether to mirror top and bottom, left and right.
        quarter_turns: (), int32, counterclockwise, 0..3.
        rotation: (), float32, radians, clockwise.
        shear: (), float32, radians.
        zoom: (2,), float32, factors, at least `MIN_ZOOM`.
        shift: (2,), float32, shares of the side.
        crop_size: (), float32, side of the crop as a share of the image's side.
        crop_position: (2,), float32, in [0, 1): from one end of the range of the crop to the other.
    """

    flips: tf.Tensor
    quarter_turns: tf.Tensor
    rotation: tf.Tensor
    shear: tf.Tensor
    zoom: tf.Tensor
    shift: tf.Tensor
    crop_size: tf.Tensor
    crop_position: tf.Tensor


def random_affine(image: tf.Tensor, seed: tf.Tensor, config: AugmentConfig, view: tf.Tensor | None = None) -> tf.Tensor:
    """Flip, turn, rotate, shear, zoom, shift and crop an image, in this order.

    Args:
        image: (S, S, C), uint8.
        seed: (2,), int64.
        config: the augmentation; color and dropout are ignored.
        view: number of the flips and quarter turns, (), int64, see `view_parameters`; None to draw them.

    Returns:
        (S, S, C), uint8. Pixels outside of the source repeat its edge. Flips and quarter turns alone rearrange the
        pixels exactly.
    """
    parameters = draw_affine(seed, config)
    if view is not None:
        flips, quarter_turns = view_parameters(view, config)
        parameters = parameters._replace(flips=flips, quarter_turns=quarter_turns)
    if config.crop < 1 or config.rotation or config.shear or config.zoom or config.shift:
        return resample(image, inverse_affine(parameters, image.shape[0]))
    shape = image.shape
    for axis, flip in enumerate((config.flip_vertical, config.flip_horizontal)):
        if flip:
            image = tf.cond(parameters.flips[axis], lambda i=image, a=axis: tf.reverse(i, [a]), lambda i=image: i)
    if config.quarter_turns:
        image = tf.image.rot90(image, parameters.quarter_turns)
    return tf.ensure_shape(image, shape)


def draw_affine(seed: tf.Tensor, config: AugmentConfig) -> AffineParameters:
    """Draw the parameters of one image; a transform that is switched off gets the parameters of the identity."""
    seeds = tf.random.split(tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64)), 2)
    uniform = tf.random.stateless_uniform([12], seeds[0])
    normal = tf.random.stateless_normal([6], seeds[1])
    drawn = draw_operations(seed, config)
    return AffineParameters(
        flips=(uniform[:2] < 0.5) & [config.flip_vertical, config.flip_horizontal],
        quarter_turns=tf.cast(4 * uniform[2], tf.int32) * config.quarter_turns,
        rotation=_pick(config.rotation, uniform[3]) * normal[0] * (math.pi / 180) * drawn["rotation"],
        shear=_pick(config.shear, uniform[4]) * normal[1] * (math.pi / 180) * drawn["shear"],
        zoom=tf.maximum(1 + _pick(config.zoom, uniform[5:7]) * normal[2:4] * drawn["zoom"], MIN_ZOOM),
        shift=_pick(config.shift, uniform[7:9]) * normal[4:6] * drawn["shift"],
        crop_size=1 - (1 - config.crop) * uniform[9],
        crop_position=uniform[10:12],
    )


def count_views(config: AugmentConfig) -> int:
    """Number of different views that flips and quarter turns give, 1 to 8."""
    flips = (config.flip_vertical, config.flip_horizontal)
    # With quarter turns, both flips give the same views as one.
    return 4 * (1 + any(flips)) if config.quarter_turns else 2 ** sum(flips)


def view_parameters(view: tf.Tensor, config: AugmentConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Flips and quarter turns of a view, as in `AffineParameters`.

    Args:
        view: (), int64, at least 0; numbers that are equal modulo `count_views` are the same view.
        config: which flips and turns there are.
    """
    if config.quarter_turns:
        flipped = tf.bitwise.bitwise_and(view, 4) > 0
        vertical = config.flip_vertical
        flips = tf.stack([flipped & vertical, flipped & (config.flip_horizontal and not vertical)])
        return flips, tf.cast(tf.bitwise.bitwise_and(view, 3), tf.int32)
    both = config.flip_vertical and config.flip_horizontal
    bits = tf.stack([tf.bitwise.bitwise_and(view, 1), tf.bitwise.bitwise_and(view, 2 if both else 1)])
    return (bits > 0) & [config.flip_vertical, config.flip_horizontal], tf.zeros([], tf.int32)


def inverse_affine(parameters: AffineParameters, size: int) -> tf.Tensor:
    """Matrix from the coordinates of the transformed image to those of the source.

    Rotation a, shear b, zoom h, w and shift u, v (pixels) are the product
    [[cos a, sin a], [-sin a, cos a]] [[1, sin b], [0, cos b]] [[1/h, 0], [0, 1/w]] on (x + u, y + v).

    Args:
        parameters: of one image.
        size: side S of the image in pixels.

    Returns:
        (2, 3), float32: x and y of the source from x, y and 1.
    """
    cos, sin = tf.cos(parameters.rotation), tf.sin(parameters.rotation)
    rotation = tf.stack([tf.stack([cos, sin]), tf.stack([-sin, cos])])
    shear = tf.stack([tf.stack([1.0, tf.sin(parameters.shear)]), tf.stack([0.0, tf.cos(parameters.shear)])])
    quarter = tf.gather(tf.constant(_QUARTER_TURNS, tf.float32), parameters.quarter_turns)
    signs = tf.where(parameters.flips, -1.0, 1.0)[:, tf.newaxis]
    # Dividing the columns multiplies from the right by a diagonal matrix of 1 / zoom.
    linear = signs * (quarter @ (rotation @ shear / parameters.zoom))
    offset = size * (parameters.shift + (1 - parameters.crop_size) * (parameters.crop_position - 0.5))
    return tf.concat([linear * parameters.crop_size, linear @ offset[:, tf.newaxis]], axis=1)


def resample(image: tf.Tensor, inverse: tf.Tensor) -> tf.Tensor:
    """Transform an image: each pixel is the nearest pixel of the source.

    Args:
        image: (S, S, C), uint8.
        inverse: (2, 3), float32; see `inverse_affine`.

    Returns:
        (S, S, C), uint8.
    """
    size, _, channels = image.shape
    center = (size - 1) / 2
    steps = tf.range(size, dtype=tf.float32) - center
    # Rows count downwards, x upwards. A coordinate is the sum of a term of the row and a term of the column.
    rows = _nearest(inverse[0, 0] * steps - inverse[0, 2], -inverse[0, 1] * steps, size)
    columns = _nearest(-inverse[1, 0] * steps + inverse[1, 2], inverse[1, 1] * steps, size)
    indices = rows * size + columns
    # At 384 px gather_nd takes 1.2 ms, gather 1.7 ms, and packing each pixel into one number takes 2 ms or more.
    return tf.gather_nd(tf.reshape(image, [size * size, channels]), indices[..., tf.newaxis])


def _nearest(row_terms: tf.Tensor, column_terms: tf.Tensor, size: int) -> tf.Tensor:
    """Index of the nearest row or column of coordinates that are sums; (S,) and (S,) give (S, S), int32."""
    coordinates = (row_terms + size / 2)[:, tf.newaxis] + column_terms
    # The conversion to integers truncates; size / 2 = (size - 1) / 2 + 1 / 2 contains the half that rounds to nearest.
    return tf.cast(tf.clip_by_value(coordinates, 0.0, size - 0.5), tf.int32)


def _pick(deviations: Sequence[float], uniform: tf.Tensor) -> tf.Tensor:
    """Pick standard deviations with equal probability, by numbers in [0, 1); 0 if there are none."""
    if not deviations:
        return tf.zeros_like(uniform)
    return tf.gather(tf.constant(deviations, tf.float32), tf.cast(len(deviations) * uniform, tf.int32))
