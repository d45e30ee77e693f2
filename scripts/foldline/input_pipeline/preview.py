"""A picture of training images as the network gets them: to see at a glance whether the augmentation goes too far."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from foldline.dataset.input_spec import IMAGE, InputSpec
from foldline.dataset.metadata import Encoding
from foldline.images.composite import composite
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.augmentation import augment
from foldline.input_pipeline.batches import ordered_batches
from foldline.input_pipeline.color_jitter import apply_color_jitter, draw_color_jitter, has_color_jitter
from foldline.input_pipeline.mixup import has_mixing, mix
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import Shards

ROWS, COLUMNS = 4, 8
# Side of a picture at most, and the gap between two, in pixels.
SIDE, GAP = 128, 4


def augmented_samples(
    shards: Shards, ids: Sequence[str], *, input_spec: InputSpec, augmentation: AugmentConfig, seed: int
) -> bytes:
    """PNG of some images, one in each line: as it is first, then changed in different ways; channels in colors.

    Args:
        shards: shards that hold the images.
        ids: ids to choose from; the first ones are taken.
        input_spec: what the model sees; its images are shown.
        augmentation: the `augment` section of a model.
        seed: of the changes.
    """
    shown = sorted(ids)[:ROWS]
    input_spec = InputSpec(input_spec.image_size, Encoding(()), input_spec.channels)
    batches = ordered_batches(shards, shown, input_spec=input_spec, batch_size=ROWS, labeled=True, threads=1)
    images = tf.concat([inputs[IMAGE] for _, inputs, _ in batches], axis=0)
    columns = [
        images,
        *(_changed(images, augmentation, seed + column, input_spec.channels) for column in range(1, COLUMNS)),
    ]
    edge = min(SIDE, input_spec.image_size)
    grid = np.full((len(images) * (edge + GAP) - GAP, COLUMNS * (edge + GAP) - GAP, 3), 255, np.uint8)
    for place, column in enumerate(columns):
        for line, picture in enumerate(composite(column.numpy(), input_spec.channels)):
            row, left = line * (edge + GAP), place * (edge + GAP)
            grid[row : row + edge, left : left + edge] = np.asarray(Image.fromarray(picture).resize((edge, edge)))
    return _png(grid)


def no_samples() -> bytes:
    """PNG of one white pixel, for a model without images."""
    return _png(np.full((1, 1, 3), 255, np.uint8))


def _changed(images: tf.Tensor, augmentation: AugmentConfig, seed: int, channels: Sequence[str]) -> tf.Tensor:
    """Images (n, S, S, C) after all steps of the training pipeline, in its order."""
    seeds = [tf.constant([seed, row], tf.int64) for row in range(len(images))]
    changed = tf.stack([augment(image, pair, augmentation) for image, pair in zip(images, seeds, strict=True)])
    if has_mixing(augmentation):
        changed, _, _ = mix(changed, None, tf.zeros([len(images), 1]), seeds[0], augmentation)
    if has_color_jitter(augmentation):
        changed = apply_color_jitter(
            changed, tf.stack([draw_color_jitter(pair, augmentation, channels) for pair in seeds])
        )
    return changed


def _png(pixels: np.ndarray) -> bytes:
    handle = io.BytesIO()
    Image.fromarray(pixels).save(handle, "PNG")
    return handle.getvalue()
