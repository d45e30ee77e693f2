"""Random changes of training images, drawn from a seed of their own for every image, on whole numbers to the end."""

from foldline.input_pipeline import affine
from foldline.input_pipeline.augment_config import AugmentConfig, CoarseDropoutConfig
from foldline.runtime.tensorflow import tf

# Other modules draw from the same seeds under other numbers.
_STREAM = 2


def augment(image: tf.Tensor, seed: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Move the pixels of an image, then black out squares of it.

    Args:
        image: (S, S, C), uint8.
        seed: (2,), int64; equal seeds give equal changes.
        config: the `augment` section of a model; see `affine.move` and `coarse_dropout`.

    Returns:
        (S, S, C), uint8.
    """
    return coarse_dropout(affine.move(image, seed, config), seed, config.coarse_dropout)


def coarse_dropout(image: tf.Tensor, seed: tf.Tensor, config: CoarseDropoutConfig) -> tf.Tensor:
    """Set squares of an image to 0: coarse dropout.

    Args:
        image: (S, S, C), uint8.
        seed: (2,), int64.
        config: probability in [0, 1] that the image is changed; holes, the number of squares; size, their side as a
            share of S (at least a pixel). Their centers are uniform in the image, and its edge clips them.

    Returns:
        (S, S, C), uint8.
    """
    if not config.probability:
        return image
    size, _, channels = image.shape
    side = max(1, round(config.size * size))
    seeds = tf.random.split(tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64)), 2)

    def dropped() -> tf.Tensor:
        centers = tf.random.stateless_uniform([2, config.holes, 1], seeds[1], maxval=size, dtype=tf.int32)
        distance = tf.range(size) - (centers - side // 2)
        rows, columns = tf.unstack(tf.cast((distance >= 0) & (distance < side), tf.float32))
        # (S, S * C): how many squares cover each value; without broadcasts over channels, which are slow.
        covers = tf.matmul(rows, tf.repeat(columns, channels, axis=1), transpose_a=True)
        return image * tf.cast(tf.reshape(covers == 0, image.shape), tf.uint8)

    chosen = tf.random.stateless_uniform([], seeds[0]) < config.probability
    return tf.cond(chosen, dropped, lambda: image)
