"""CutMix and MixUp: images of a batch that take a part of another one, and the same part of its labels and metadata."""

from typing import NamedTuple

from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.runtime.tensorflow import tf

# Other modules draw from the same seeds under other numbers.
_STREAM = 4


class Plan(NamedTuple):
    """What is mixed in a batch of B images.

    Attributes:
        cut: (B,), bool: images that take a box of their partner.
        blended: (B,), bool: images that take a share of every pixel; none is both.
        partners: (B,), int32: the row that each image would take from, maybe its own.
        boxes: (B, 4), int32: top, bottom, left and right of the box of an image that is cut, ends excluded.
        shares: (B,), float32, in [0, 1]: the partner's share of labels and metadata; 0 for images that stay.
    """

    cut: tf.Tensor
    blended: tf.Tensor
    partners: tf.Tensor
    boxes: tf.Tensor
    shares: tf.Tensor


def has_mixing(config: AugmentConfig) -> bool:
    """Whether the config mixes images at all."""
    return bool(config.cutmix.probability or config.mixup.probability)


def mix(
    images: tf.Tensor, metadata: tf.Tensor | None, labels: tf.Tensor, seed: tf.Tensor, config: AugmentConfig
) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
    """Mix images of a batch with others of it.

    Args:
        images: (B, S, S, C), uint8.
        metadata: (B, W), float32, or None.
        labels: (B, n_classes), float32.
        seed: (2,), int64; one for the batch.
        config: the `augment` section of a model: cutmix and mixup, each with a probability, their sum at
            most 1, and alpha > 0.

    Returns:
        Images, metadata and labels as they came. A CutMix box holds the partner's pixels (Yun et al. 2019,
        arxiv.org/abs/1905.04899), MixUp blends all pixels, rounded (Zhang et al. 2017, arxiv.org/abs/1710.09412).
    """
    plan = draw_plan(seed, tf.shape(images)[0], images.shape[1], config)
    mixed = images
    if config.cutmix.probability:
        rows = tf.where(plan.cut)[:, 0]
        mixed = _put(mixed, rows, _cut(*_pairs(images, plan, rows), tf.gather(plan.boxes, rows)))
    if config.mixup.probability:
        rows = tf.where(plan.blended)[:, 0]
        mixed = _put(mixed, rows, _blend_images(*_pairs(images, plan, rows), tf.gather(plan.shares, rows)))
    return mixed, None if metadata is None else _blend(metadata, plan), _blend(labels, plan)


def draw_plan(seed: tf.Tensor, count: tf.Tensor | int, size: int, config: AugmentConfig) -> Plan:
    """Draw what is mixed: whether and which, partners uniform in the batch, and how much.

    A box has its center uniform in the image and the side S sqrt(1 - b) with b from beta(alpha, alpha), and the edge
    clips it; the share is that of the pixels left in it. A blend's share is from beta(alpha, alpha), folded to 0.5 at
    most, so that an image keeps the larger part of itself.

    Args:
        seed: (2,), int64.
        count: images B in the batch.
        size: edge S in pixels.
        config: as for `mix`.
    """
    stream = tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64))
    seeds = tf.unstack(tf.random.split(stream, 5))
    decision = tf.random.stateless_uniform([count], seeds[0])
    cutmix, mixup = config.cutmix, config.mixup
    cut = decision < cutmix.probability
    blended = (decision < cutmix.probability + mixup.probability) & ~cut

    side = size * tf.sqrt(1 - _beta(seeds[1], count, cutmix.alpha))
    half = tf.cast(side, tf.int32)[:, tf.newaxis] // 2
    centers = tf.random.stateless_uniform([count, 2], seeds[2], maxval=size, dtype=tf.int32)
    starts, ends = tf.maximum(centers - half, 0), tf.minimum(centers + half, size)
    boxed = tf.cast(tf.reduce_prod(ends - starts, axis=1), tf.float32) / size**2

    part = _beta(seeds[3], count, mixup.alpha)
    part = tf.minimum(part, 1 - part)
    return Plan(
        cut=cut,
        blended=blended,
        partners=tf.random.stateless_uniform([count], seeds[4], maxval=count, dtype=tf.int32),
        boxes=tf.reshape(tf.stack([starts, ends], axis=2), [-1, 4]),
        shares=tf.where(cut, boxed, tf.where(blended, part, 0.0)),
    )


def _beta(seed: tf.Tensor, count: tf.Tensor | int, alpha: float) -> tf.Tensor:
    """Numbers from beta(alpha, alpha), (count,), float32: a / (a + b) with a and b from gamma(alpha).

    A gamma(alpha) number is one of gamma(alpha + 1) times u ** (1 / alpha) with u uniform (Marsaglia and Tsang 2000),
    and all stays logarithms: for a small alpha both would vanish in float32.
    """
    seeds = tf.random.split(seed, 2)
    gammas = tf.random.stateless_gamma([2, count], seeds[0], alpha + 1)
    uniform = 1 - tf.random.stateless_uniform([2, count], seeds[1])
    logarithms = tf.math.log(gammas) + tf.math.log(uniform) / alpha
    return tf.sigmoid(logarithms[0] - logarithms[1])


def _pairs(images: tf.Tensor, plan: Plan, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The images of these rows and their partners."""
    return tf.gather(images, rows), tf.gather(images, tf.gather(plan.partners, rows))


def _put(images: tf.Tensor, rows: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
    """Images with these rows replaced."""
    return tf.tensor_scatter_nd_update(images, rows[:, tf.newaxis], changed)


def _cut(own: tf.Tensor, other: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Images with a box of others; (n, S, S, C) twice and (n, 4)."""
    _, size, _, channels = own.shape
    top, bottom, left, right = tf.split(boxes, 4, axis=1)
    lines = tf.range(size)
    rows = (lines >= top) & (lines < bottom)
    # Repeating columns spares a broadcast over channels, which is slow.
    columns = tf.repeat((lines >= left) & (lines < right), channels, axis=1)
    inside = rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
    return tf.where(tf.reshape(inside, [-1, size, size, channels]), other, own)


def _blend_images(own: tf.Tensor, other: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Weighted means of images, rounded to the nearest even; (n, S, S, C) twice, uint8, and (n,)."""
    shares = shares[:, tf.newaxis, tf.newaxis, tf.newaxis]
    blended = (1 - shares) * tf.cast(own, tf.float32) + shares * tf.cast(other, tf.float32)
    return tf.cast(tf.round(blended), tf.uint8)


def _blend(rows: tf.Tensor, plan: Plan) -> tf.Tensor:
    """Rows of labels or metadata with the plan's shares of their partners; (B, n), float32."""
    shares = plan.shares[:, tf.newaxis]
    return (1 - shares) * rows + shares * tf.gather(rows, plan.partners)
