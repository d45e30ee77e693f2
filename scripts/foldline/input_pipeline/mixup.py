"""CutMix and MixUp: an image takes a share of another image of the batch, and the same share of labels and metadata.

CutMix copies a box (Yun et al. 2019, arxiv.org/abs/1905.04899); MixUp blends all pixels (Zhang et al. 2017,
arxiv.org/abs/1710.09412).
"""

from typing import NamedTuple

from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.runtime.tensorflow import tf

# Every module draws from the seed of a batch with a number of its own.
_STREAM = 4


class MixPlan(NamedTuple):
    """What to mix in a batch of B images.

    Attributes:
        cutmix: (B,), bool: images that take a box of their partner.
        mixup: (B,), bool: images that are blended with their partner; never together with `cutmix`.
        partners: (B,), int32: row of the other image, maybe the image itself.
        boxes: (B, 4), int32: top, bottom, left and right of the box of CutMix; the ends are excluded.
        shares: (B,), float32, in [0, 1]: the partner's share of labels and metadata; 0 for unchanged images.
    """

    cutmix: tf.Tensor
    mixup: tf.Tensor
    partners: tf.Tensor
    boxes: tf.Tensor
    shares: tf.Tensor


def has_mixing(config: AugmentConfig) -> bool:
    """Whether the augmentation mixes images."""
    return bool(config.cutmix.probability or config.mixup.probability)


def mix(
    images: tf.Tensor, metadata: tf.Tensor | None, labels: tf.Tensor, seed: tf.Tensor, config: AugmentConfig
) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
    """Mix images of a batch with each other.

    Args:
        images: (B, S, S, C), uint8.
        metadata: (B, W), float32, or None.
        labels: (B, n_classes), float32.
        seed: (2,), int64, of the batch.
        config: the augmentation; only CutMix and MixUp are used. Their probabilities sum to at most 1.

    Returns:
        Images, metadata and labels of the same shapes and types; blended pixels are rounded.
    """
    plan = draw_mix_plan(seed, tf.shape(images)[0], images.shape[1], config)
    mixed = images
    if config.cutmix.probability:
        rows = tf.where(plan.cutmix)[:, 0]
        mixed = _replace(mixed, rows, _paste_boxes(*_pairs(images, plan, rows), tf.gather(plan.boxes, rows)))
    if config.mixup.probability:
        rows = tf.where(plan.mixup)[:, 0]
        mixed = _replace(mixed, rows, _blend_images(*_pairs(images, plan, rows), tf.gather(plan.shares, rows)))
    return mixed, None if metadata is None else _blend_rows(metadata, plan), _blend_rows(labels, plan)


def draw_mix_plan(seed: tf.Tensor, count: tf.Tensor | int, size: int, config: AugmentConfig) -> MixPlan:
    """Draw which images are mixed, with which partners (uniform in the batch), and how much.

    The center of a box is uniform in the image, its side is S sqrt(1 - b) with b from beta(alpha, alpha), and the edge
    of the image clips it; the share is that of the pixels in the clipped box. The share of MixUp is from
    beta(alpha, alpha), folded to at most 0.5, so that an image keeps the larger share of itself.

    Args:
        seed: (2,), int64.
        count: number of images B.
        size: side S of the images in pixels.
        config: the augmentation.
    """
    stream = tf.random.fold_in(tf.cast(seed, tf.int64), tf.constant(_STREAM, tf.int64))
    seeds = tf.unstack(tf.random.split(stream, 5))
    decision = tf.random.stateless_uniform([count], seeds[0])
    cutmix = decision < config.cutmix.probability
    mixup = (decision < config.cutmix.probability + config.mixup.probability) & ~cutmix

    side = size * tf.sqrt(1 - _beta(seeds[1], count, config.cutmix.alpha))
    half = tf.cast(side, tf.int32)[:, tf.newaxis] // 2
    centers = tf.random.stateless_uniform([count, 2], seeds[2], maxval=size, dtype=tf.int32)
    starts, ends = tf.maximum(centers - half, 0), tf.minimum(centers + half, size)
    box_share = tf.cast(tf.reduce_prod(ends - starts, axis=1), tf.float32) / size**2

    share = _beta(seeds[3], count, config.mixup.alpha)
    share = tf.minimum(share, 1 - share)
    return MixPlan(
        cutmix=cutmix,
        mixup=mixup,
        partners=tf.random.stateless_uniform([count], seeds[4], maxval=count, dtype=tf.int32),
        boxes=tf.reshape(tf.stack([starts, ends], axis=2), [-1, 4]),
        shares=tf.where(cutmix, box_share, tf.where(mixup, share, 0.0)),
    )


def _beta(seed: tf.Tensor, count: tf.Tensor | int, alpha: float) -> tf.Tensor:
    """Random numbers from beta(alpha, alpha), (count,), float32: a / (a + b) with a and b from gamma(alpha).

    A gamma(alpha) number is a gamma(alpha + 1) number times u ** (1 / alpha) with u uniform (Marsaglia and Tsang 2000).
    Logarithms keep both from underflowing in float32 for a small alpha.
    """
    seeds = tf.random.split(seed, 2)
    gammas = tf.random.stateless_gamma([2, count], seeds[0], alpha + 1)
    uniform = 1 - tf.random.stateless_uniform([2, count], seeds[1])
    logarithms = tf.math.log(gammas) + tf.math.log(uniform) / alpha
    return tf.sigmoid(logarithms[0] - logarithms[1])


def _pairs(images: tf.Tensor, plan: MixPlan, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The images of these rows, and their partners."""
    return tf.gather(images, rows), tf.gather(images, tf.gather(plan.partners, rows))


def _replace(images: tf.Tensor, rows: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    """Images with these rows replaced."""
    return tf.tensor_scatter_nd_update(images, rows[:, tf.newaxis], new)


def _paste_boxes(own: tf.Tensor, other: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Images with a box of other images; (n, S, S, C) twice and (n, 4)."""
    _, size, _, channels = own.shape
    top, bottom, left, right = tf.split(boxes, 4, axis=1)
    indices = tf.range(size)
    rows = (indices >= top) & (indices < bottom)
    # Repeating the columns avoids a broadcast over channels, which is slow.
    columns = tf.repeat((indices >= left) & (indices < right), channels, axis=1)
    inside = rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
    return tf.where(tf.reshape(inside, [-1, size, size, channels]), other, own)


def _blend_images(own: tf.Tensor, other: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Weighted means of images, rounded half to even; (n, S, S, C) twice, uint8, and (n,)."""
    shares = shares[:, tf.newaxis, tf.newaxis, tf.newaxis]
    blended = (1 - shares) * tf.cast(own, tf.float32) + shares * tf.cast(other, tf.float32)
    return tf.cast(tf.round(blended), tf.uint8)


def _blend_rows(rows: tf.Tensor, plan: MixPlan) -> tf.Tensor:
    """Labels or metadata with the plan's shares of their partners; (B, n), float32."""
    shares = plan.shares[:, tf.newaxis]
    return (1 - shares) * rows + shares * tf.gather(rows, plan.partners)
