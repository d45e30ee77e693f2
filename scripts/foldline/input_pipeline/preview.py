"""A grid of augmented training images, as the network reads them, to see whether the augmentation is too strong."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from foldline.dataset.input_spec import IMAGE, InputSpec
from foldline.dataset.metadata import Encoding
from foldline.images.composite import composite
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.augmentation import augment_image
from foldline.input_pipeline.batches import ordered_batches
from foldline.input_pipeline.color_jitter import apply_color_jitter, draw_color_jitter, has_color_jitter
from foldline.input_pipeline.mixup import has_mixing, mix
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import Shards

ROWS, COLUMNS = 4, 8
# Largest side of an image in the grid, and the gap between two, in pixels.
MAX_SIDE, GAP = 128, 4


def augmented_samples(
    shards: Shards, ids: Sequence[str], *, input_spec: InputSpec, augment: AugmentConfig, seed: int
) -> bytes:
    """PNG of some images, one per row: first unchanged, then augmented in different ways; channels in colors.

    Args:
        shards: shards with the images.
        ids: ids to choose from; the first ones in sorted order are shown.
        input_spec: what the model reads, images among it.
        augment: the augmentation.
        seed: of the augmentation.
    """
    if input_spec.image_size is None:
        return no_samples()
    shown = sorted(ids)[:ROWS]
    images_only = InputSpec(input_spec.image_size, Encoding(()), input_spec.channels)
    batches = ordered_batches(shards, shown, input_spec=images_only, batch_size=ROWS, labeled=True, threads=1)
    images = tf.concat([inputs[IMAGE] for _, inputs, _ in batches], axis=0)
    columns = [images, *(_augment(images, augment, seed + column, input_spec.channels) for column in range(1, COLUMNS))]
    side = min(MAX_SIDE, input_spec.image_size)
    grid = np.full((len(images) * (side + GAP) - GAP, COLUMNS * (side + GAP) - GAP, 3), 255, np.uint8)
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(composite(pictures.numpy(), input_spec.channels)):
            top, left = row * (side + GAP), column * (side + GAP)
            grid[top : top + side, left : left + side] = np.asarray(Image.fromarray(picture).resize((side, side)))
    return _png(grid)


def no_samples() -> bytes:
    """PNG of one white pixel, for a model without images."""
    return _png(np.full((1, 1, 3), 255, np.uint8))


def _augment(images: tf.Tensor, augment: AugmentConfig, seed: int, channels: Sequence[str]) -> tf.Tensor:
    """All steps of the training pipeline on images (n, S, S, C), in its order."""
    seeds = [tf.constant([seed, row], tf.int64) for row in range(len(images))]
    augmented = tf.stack([augment_image(image, pair, augment) for image, pair in zip(images, seeds, strict=True)])
    if has_mixing(augment):
        augmented, _, _ = mix(augmented, None, tf.zeros([len(images), 1]), seeds[0], augment)
    if has_color_jitter(augment):
        jitter = tf.stack([draw_color_jitter(pair, augment, channels) for pair in seeds])
        augmented = apply_color_jitter(augmented, jitter, augment.color_space)
    return augmented


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    handle = io.BytesIO()
    Image.fromarray(pixels).save(handle, "PNG")
    return handle.getvalue()
