"""Random changes of single training images as uint8: affine transform and coarse dropout, from a seed per image."""

from foldline.input_pipeline.affine import random_affine
from foldline.input_pipeline.augment_config import AugmentConfig, CoarseDropoutConfig
from foldline.runtime.tensorflow import tf

# Every module draws from the seed of an image with a number of its own.
_STREAM = 2


def augment_image(image: tf.Tensor, seed: tf.Tensor, config: AugmentConfig, view: tf.Tensor | None = None) -> tf.Tensor:
    """Apply the random affine transform, then coarse dropout.

    Args:
        image: (S, S, C), uint8.
        seed: (2,), int64; equal seeds give equal images.
        config: the augmentation; color is ignored.
        view: see `affine.random_affine`.

    Returns:
        (S, S, C), uint8.
    """
    return coarse_dropout(random_affine(image, seed, config, view), seed, config.coarse_dropout)


def coarse_dropout(image: tf.Tensor, seed: tf.Tensor, config: CoarseDropoutConfig) -> tf.Tensor:
    """Set random squares of an image to 0.

    Args:
        image: (S, S, C), uint8.
        seed: (2,), int64.
        config: probability that the image is changed, number of squares, and their side (at least one pixel). Centers
            are uniform in the image, whose edge clips the squares.

    Returns:
        (S, S, C), uint8.
    """
    if not config.probability:
        return image
    size, _, channels = image.shape
    side = max(1, round(config.size * size))
    seeds = tf.random.split(tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64)), 2)

    def with_holes() -> tf.Tensor:
        centers = tf.random.stateless_uniform([2, config.holes, 1], seeds[1], maxval=size, dtype=tf.int32)
        distance = tf.range(size) - (centers - side // 2)
        rows, columns = tf.unstack(tf.cast((distance >= 0) & (distance < side), tf.float32))
        # (S, S * C): number of squares that cover each value. Broadcasts over channels would be slow.
        covers = tf.matmul(rows, tf.repeat(columns, channels, axis=1), transpose_a=True)
        return image * tf.cast(tf.reshape(covers == 0, image.shape), tf.uint8)

    changed = tf.random.stateless_uniform([], seeds[0]) < config.probability
    return tf.cond(changed, with_holes, lambda: image)
