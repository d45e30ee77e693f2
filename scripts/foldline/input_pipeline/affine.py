"""Flips, turns, rotation, shear, zoom, shift and crop of an image as one map from its pixels to source pixels.

Coordinates have their origin in the middle of the image, at (size - 1) / 2; x points up the rows and y along the
columns, both in pixels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.runtime.tensorflow import tf

AFFINE = ("rotation", "shear", "zoom", "shift")
# A deviation of .125 never draws as low a zoom; a wide one could reach zero, where the map has no end.
LEAST_ZOOM = 0.1

# Other modules draw from the same seeds under other numbers.
_STREAM = 1
_QUARTERS = ([[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]])


class Changes(NamedTuple):
    """What is done to one image; pairs are in the order height, width.

    Attributes:
        mirrored: (2,), bool: top and bottom change places, left and right change places.
        turns: (), int32, quarter turns to the left, 0..3.
        rotation: (), float32, radians; positive turns to the right.
        shear: (), float32, radians.
        zoom: (2,), float32, factors, at least `LEAST_ZOOM`.
        shift: (2,), float32, shares of the side.
        window: (), float32, side of the window cut out as a share of the image's.
        place: (2,), float32, in [0, 1): where the window lies in the room that it has.
    """

    mirrored: tf.Tensor
    turns: tf.Tensor
    rotation: tf.Tensor
    shear: tf.Tensor
    zoom: tf.Tensor
    shift: tf.Tensor
    window: tf.Tensor
    place: tf.Tensor


def move(image: tf.Tensor, seed: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Flip, turn, rotate, shear, zoom, shift and crop an image, in this order, with one copy of its pixels.

    Args:
        image: (S, S, C), uint8.
        seed: (2,), int64.
        config: the `augment` section of a model.

    Returns:
        (S, S, C), uint8; places outside of the source take the nearest pixel of its edge. Flips and turns alone
        rearrange the pixels and lose none.
    """
    changes = draw_changes(seed, config)
    if config.crop < 1 or any(getattr(config, name) for name in AFFINE):
        return sample(image, inverse_map(changes, image.shape[0]))
    shape = image.shape
    for axis, name in enumerate(("flip_vertical", "flip_horizontal")):
        if getattr(config, name):
            image = tf.cond(changes.mirrored[axis], lambda i=image, a=axis: tf.reverse(i, [a]), lambda i=image: i)
    if config.quarter_turns:
        image = tf.image.rot90(image, changes.turns)
    return tf.ensure_shape(image, shape)


def draw_changes(seed: tf.Tensor, config: AugmentConfig) -> Changes:
    """Draw what is done to one image; what the config switches off is drawn as no change."""
    seeds = tf.random.split(tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64)), 2)
    uniform = tf.random.stateless_uniform([12], seeds[0])
    normal = tf.random.stateless_normal([6], seeds[1])
    angles = [
        _deviation(getattr(config, name), uniform[3 + place]) * normal[place] for place, name in enumerate(AFFINE[:2])
    ]
    return Changes(
        mirrored=(uniform[:2] < 0.5) & [config.flip_vertical, config.flip_horizontal],
        turns=tf.cast(4 * uniform[2], tf.int32) * config.quarter_turns,
        rotation=angles[0] * (math.pi / 180),
        shear=angles[1] * (math.pi / 180),
        zoom=tf.maximum(1 + _deviation(config.zoom, uniform[5:7]) * normal[2:4], LEAST_ZOOM),
        shift=_deviation(config.shift, uniform[7:9]) * normal[4:6],
        window=1 - (1 - config.crop) * uniform[9],
        place=uniform[10:12],
    )


def inverse_map(changes: Changes, size: int) -> tf.Tensor:
    """Affine map from the coordinates of a changed image to those of its source.

    Rotation a, shear b, zoom h, w and shift u, v (pixels) are the product
    [[cos a, sin a], [-sin a, cos a]] [[1, sin b], [0, cos b]] [[1/h, 0], [0, 1/w]] on (x + u, y + v).

    Args:
        changes: what `draw_changes` gives.
        size: edge S in pixels.

    Returns:
        (2, 3), float32: x and y of the source from x, y and 1.
    """
    cos, sin = tf.cos(changes.rotation), tf.sin(changes.rotation)
    rotation = tf.stack([tf.stack([cos, sin]), tf.stack([-sin, cos])])
    shear = tf.stack([tf.stack([1.0, tf.sin(changes.shear)]), tf.stack([0.0, tf.cos(changes.shear)])])
    quarter = tf.gather(tf.constant(_QUARTERS, tf.float32), changes.turns)
    signs = tf.where(changes.mirrored, -1.0, 1.0)[:, tf.newaxis]
    # Dividing the columns multiplies from the right by a diagonal matrix of 1 / zoom.
    linear = signs * (quarter @ (rotation @ shear / changes.zoom))
    offset = size * (changes.shift + (1 - changes.window) * (changes.place - 0.5))
    return tf.concat([linear * changes.window, linear @ offset[:, tf.newaxis]], axis=1)


def sample(image: tf.Tensor, inverse: tf.Tensor) -> tf.Tensor:
    """Read every pixel of a changed image at the nearest pixel of its source.

    Args:
        image: (S, S, C), uint8.
        inverse: (2, 3), float32, as `inverse_map` gives it.

    Returns:
        (S, S, C), uint8.
    """
    size, _, channels = image.shape
    middle = (size - 1) / 2
    steps = tf.range(size, dtype=tf.float32) - middle
    # Rows count downwards, x upwards. A coordinate is the sum of a part of the row and a part of the column.
    rows = _nearest(inverse[0, 0] * steps - inverse[0, 2], -inverse[0, 1] * steps, size)
    columns = _nearest(-inverse[1, 0] * steps + inverse[1, 2], inverse[1, 1] * steps, size)
    places = rows * size + columns
    # At 384 px gather_nd takes 1.2 ms, gather 1.7 ms, and packing pixels into single numbers around it 2 ms and more.
    return tf.gather_nd(tf.reshape(image, [size * size, channels]), places[..., tf.newaxis])


def _nearest(of_row: tf.Tensor, of_column: tf.Tensor, size: int) -> tf.Tensor:
    """Numbers of the nearest lines for coordinates from the middle that are sums; (S,) and (S,) give (S, S), int32."""
    places = (of_row + size / 2)[:, tf.newaxis] + of_column
    # Conversion to whole numbers cuts; the half that rounds to nearest is in size / 2 = (size - 1) / 2 + 1 / 2.
    return tf.cast(tf.clip_by_value(places, 0.0, size - 0.5), tf.int32)


def _deviation(deviations: Sequence[float], uniform: tf.Tensor) -> tf.Tensor:
    """Pick standard deviations by numbers in [0, 1), all with equal chance; 0 where there are none."""
    if not deviations:
        return tf.zeros_like(uniform)
    return tf.gather(tf.constant(deviations, tf.float32), tf.cast(len(deviations) * uniform, tf.int32))
