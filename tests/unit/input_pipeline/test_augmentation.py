"""Augmentation of an image, and coarse dropout against a slow NumPy reference, eagerly and inside tf.data."""

from dataclasses import replace

import numpy as np
import pytest
from foldline.input_pipeline.affine import random_affine
from foldline.input_pipeline.augment_config import AugmentConfig, CoarseDropoutConfig
from foldline.input_pipeline.augmentation import augment_image, coarse_dropout
from foldline.runtime.tensorflow import tf

DROPOUT = CoarseDropoutConfig(probability=1.0, holes=3, size=0.3)
CONFIG = AugmentConfig(
    flip_horizontal=True,
    flip_vertical=True,
    quarter_turns=True,
    rotation=(15, 180),
    shear=(5, 2),
    zoom=(0.1, 0.125),
    shift=(0.041667, 0.020833),
    crop=0.8,
    coarse_dropout=DROPOUT,
)
SEEDS = [(number, 7) for number in range(12)]


def picture(size: int = 12, channels: int = 3) -> np.ndarray:
    """No value is 0, unlike dropped pixels."""
    return np.random.default_rng(3).integers(1, 256, (size, size, channels), dtype=np.uint8)


def dropped(seeds: list[tuple[int, int]], config: CoarseDropoutConfig, size: int = 12) -> np.ndarray:
    """Whether each seed drops each pixel of an image: bool, (seeds, size, size)."""
    image = tf.constant(picture(size))
    pipeline = tf.data.Dataset.from_tensor_slices(seeds).map(lambda seed: coarse_dropout(image, seed, config))
    found = np.stack(list(pipeline.as_numpy_iterator()))
    holes = (found == 0).any(axis=3)
    np.testing.assert_array_equal(found, np.where(holes[..., None], 0, picture(size)))
    return holes


def square(center: tuple[int, int], side: int, size: int) -> np.ndarray:
    """One hole, pixel by pixel; bool, (size, size)."""
    inside = np.zeros((size, size), bool)
    for row in range(center[0] - side // 2, center[0] - side // 2 + side):
        for column in range(center[1] - side // 2, center[1] - side // 2 + side):
            if 0 <= row < size and 0 <= column < size:
                inside[row, column] = True
    return inside


@pytest.mark.parametrize("channels", [3, 4])
def test_equal_seeds_give_equal_images_eagerly_and_in_a_pipeline(channels: int) -> None:
    image = tf.constant(picture(12, channels))
    eager = [augment_image(image, tf.constant(seed, tf.int64), CONFIG).numpy() for seed in SEEDS]
    pipeline = tf.data.Dataset.from_tensor_slices(SEEDS).map(lambda seed: augment_image(image, seed, CONFIG))
    assert pipeline.element_spec == tf.TensorSpec((12, 12, channels), tf.uint8)
    np.testing.assert_array_equal(eager, list(pipeline.as_numpy_iterator()))
    np.testing.assert_array_equal(eager[1], augment_image(image, tf.constant(SEEDS[1]), CONFIG))
    assert len({found.tobytes() for found in eager}) == len(SEEDS)


def test_dropout_follows_the_affine_transform() -> None:
    image, seed = tf.constant(picture()), tf.constant(SEEDS[0], tf.int64)
    expected = coarse_dropout(random_affine(image, seed, CONFIG), seed, DROPOUT)
    np.testing.assert_array_equal(augment_image(image, seed, CONFIG), expected)


@pytest.mark.parametrize("size", [12, 13])
def test_a_hole_is_one_of_the_clipped_squares(size: int) -> None:
    squares = {square((row, column), 4, size).tobytes() for row in range(size) for column in range(size)}
    found = dropped(
        [(number, 1) for number in range(2000)], CoarseDropoutConfig(probability=1.0, holes=1, size=0.3), size
    )
    seen = [holes.tobytes() for holes in found]
    assert set(seen) <= squares
    assert len(set(seen)) > 0.95 * len(squares)


def test_several_holes_are_independent() -> None:
    """Eight holes of one pixel in 144 drop on average 144 (1 - (143/144)**8) = 7.81 pixels; +- 5 sigma of 0.42."""
    found = dropped([(number, 2) for number in range(500)], CoarseDropoutConfig(probability=1.0, holes=8, size=0.05))
    counts = found.sum(axis=(1, 2))
    assert counts.mean() == pytest.approx(7.81, abs=5 * 0.42 / np.sqrt(500))
    chance = found.mean(axis=0)
    assert chance.min() > 0.02 and chance.max() < 0.11


@pytest.mark.parametrize("probability", [0, 0.3, 1.0])
def test_the_probability_is_the_share_of_changed_images(probability: float) -> None:
    found = dropped([(number, 3) for number in range(1000)], replace(DROPOUT, probability=probability))
    spread = 5 * np.sqrt(probability * (1 - probability) / 1000)
    assert found.any(axis=(1, 2)).mean() == pytest.approx(probability, abs=spread)
