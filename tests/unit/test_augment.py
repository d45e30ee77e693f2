"""Augmentation against a slow NumPy twin, eager and inside tf.data."""

import numpy as np
import pytest
from foldline.augment import augment
from foldline.engine import tf

ALL = {"flip_horizontal": True, "flip_vertical": True, "quarter_turns": True, "brightness": 0.2, "contrast": 0.3}
NONE = {"flip_horizontal": False, "flip_vertical": False, "quarter_turns": False, "brightness": 0, "contrast": 0}
SEEDS = [(number, 7) for number in range(24)]


def image() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def twin(image: np.ndarray, seed: tuple[int, int], settings: dict) -> np.ndarray:
    draws = tf.random.stateless_uniform([5], seed).numpy()
    if settings["flip_horizontal"] and draws[0] < 0.5:
        image = image[:, ::-1]
    if settings["flip_vertical"] and draws[1] < 0.5:
        image = image[::-1]
    if settings["quarter_turns"]:
        image = np.rot90(image, int(draws[2] * 4))
    mean = np.float32(image.mean())
    factor = np.float32(1 + settings["contrast"] * (2 * draws[3] - 1))
    shift = np.float32(255 * settings["brightness"] * (2 * draws[4] - 1))
    changed = np.empty_like(image)
    for place in np.ndindex(image.shape):
        changed[place] = np.clip(np.round(mean + factor * (np.float32(image[place]) - mean) + shift), 0, 255)
    return changed


@pytest.mark.parametrize("settings", [ALL, NONE, *({**NONE, name: ALL[name]} for name in ALL)])
def test_eager_and_in_a_pipeline_it_is_its_twin(settings: dict) -> None:
    expected = np.stack([twin(image(), seed, settings) for seed in SEEDS])
    eager = np.stack([augment(tf.constant(image()), tf.constant(seed), settings) for seed in SEEDS])
    pipeline = tf.data.Dataset.from_tensor_slices(SEEDS).map(lambda seed: augment(tf.constant(image()), seed, settings))
    mapped = np.stack(list(pipeline.as_numpy_iterator()))
    assert eager.dtype == np.uint8
    np.testing.assert_array_equal(eager, mapped)
    # float32 rounds a few values at the middle between two levels another way.
    difference = np.abs(eager.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_the_draws_are_independent() -> None:
    turned = {
        augment(tf.constant(image()), tf.constant(seed), {**ALL, "brightness": 0, "contrast": 0}).numpy().tobytes()
        for seed in [(number, 1) for number in range(64)]
    }
    assert len(turned) == 8


def test_off_is_off() -> None:
    for seed in SEEDS[:4]:
        np.testing.assert_array_equal(augment(tf.constant(image()), tf.constant(seed), NONE), image())
