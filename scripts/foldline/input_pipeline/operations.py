"""Which operations of the augmentation an image gets, if it gets only some of them.

One of many, with strengths that are drawn too, is TrivialAugment (Mueller and Hutter 2021, arXiv 2103.10158), several
are RandAugment (Cubuk et al. 2020, arXiv 1909.13719).
"""

from foldline.dataset.augment_operations import OPERATIONS
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.runtime.tensorflow import tf

# Every module draws from the seed of an image with a number of its own.
_STREAM = 5


def draw_operations(seed: tf.Tensor, config: AugmentConfig) -> dict[str, tf.Tensor | float]:
    """Draw `config.operations` of the operations that are switched on, each with the same probability.

    Args:
        seed: (2,), int64, of the image; affine transform and color draw the same operations from it.
        config: the augmentation.

    Returns:
        For each of `OPERATIONS` 1 if the image gets it, else 0: (), float32; always 1 without a number of operations.
    """
    if config.operations is None:
        return dict.fromkeys(OPERATIONS, 1.0)
    used = [name for name in OPERATIONS if getattr(config, name)]
    stream = tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64))
    numbers = tf.random.stateless_uniform([len(used)], stream)
    ranks = tf.reduce_sum(tf.cast(numbers[:, tf.newaxis] > numbers, tf.int32), axis=1)
    drawn = tf.unstack(tf.cast(ranks < config.operations, tf.float32))
    return {**dict.fromkeys(OPERATIONS, 0.0), **dict(zip(used, drawn, strict=True))}
