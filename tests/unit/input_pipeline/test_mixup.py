"""CutMix and MixUp against slow NumPy references, eagerly and inside tf.data; labels against counted pixels."""

import numpy as np
import pytest
from foldline.input_pipeline.augment_config import AugmentConfig, CutMixConfig, MixUpConfig
from foldline.input_pipeline.mixup import MixPlan, draw_mix_plan, has_mixing, mix
from foldline.runtime.tensorflow import tf

SIZE, COUNT = 12, 10
OFF = AugmentConfig()
CUTMIX = AugmentConfig(cutmix=CutMixConfig(probability=1.0, alpha=1.0))
MIXUP = AugmentConfig(mixup=MixUpConfig(probability=1.0, alpha=1.0))
BOTH = AugmentConfig(cutmix=CutMixConfig(probability=0.4, alpha=1.0), mixup=MixUpConfig(probability=0.4, alpha=0.2))
SEEDS = [(number, 7) for number in range(12)]


def batch(channels: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, metadata and labels."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (COUNT, SIZE, SIZE, channels), dtype=np.uint8)
    return images, random.normal(size=(COUNT, 9)).astype(np.float32), np.eye(COUNT, dtype=np.float32)


def mixed(config: AugmentConfig, *arrays: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """The batch as every seed mixes it inside tf.data."""
    tensors = tuple(tf.constant(array) for array in arrays)
    pipeline = tf.data.Dataset.from_tensor_slices(SEEDS).map(lambda seed: mix(*tensors, seed, config))
    return list(pipeline.as_numpy_iterator())


def drawn(config: AugmentConfig, count: int = 20000) -> MixPlan:
    """The plan of one large batch."""
    return MixPlan(*(value.numpy() for value in draw_mix_plan(tf.constant([1, 2]), count, SIZE, config)))


def reference(arrays: tuple[np.ndarray, ...], seed: tuple[int, int], config: AugmentConfig) -> tuple[np.ndarray, ...]:
    """Image by image and pixel by pixel."""
    plan = MixPlan(*(value.numpy() for value in draw_mix_plan(tf.constant(seed), COUNT, SIZE, config)))
    images, metadata, labels = (array.copy() for array in arrays)
    for row in range(COUNT):
        other, share = int(plan.partners[row]), np.float32(plan.shares[row])
        for index in np.ndindex(images.shape[1:]):
            own, its = arrays[0][row][index], arrays[0][other][index]
            top, bottom, left, right = plan.boxes[row]
            if plan.cutmix[row] and top <= index[0] < bottom and left <= index[1] < right:
                images[row][index] = its
            if plan.mixup[row]:
                images[row][index] = np.round((1 - share) * np.float32(own) + share * np.float32(its))
        if plan.cutmix[row] or plan.mixup[row]:
            metadata[row] = (1 - share) * arrays[1][row] + share * arrays[1][other]
            labels[row] = (1 - share) * arrays[2][row] + share * arrays[2][other]
    return images, metadata, labels


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("config", [OFF, CUTMIX, MIXUP, BOTH])
def test_batches_equal_the_reference_eagerly_and_in_a_pipeline(config: AugmentConfig, channels: int) -> None:
    """Row 7, for RGB images and for four channels."""
    arrays = batch(channels)
    for seed, found in list(zip(SEEDS, mixed(config, *arrays), strict=True))[:4]:
        eager = mix(*(tf.constant(array) for array in arrays), tf.constant(seed), config)
        for one, same, expected in zip(found, eager, reference(arrays, seed, config), strict=True):
            assert one.dtype == expected.dtype
            np.testing.assert_array_equal(one, same)
            np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-6)


def test_labels_and_metadata_get_the_share_of_counted_pixels() -> None:
    """Row 7: the share is that of the clipped box."""
    numbers = np.arange(COUNT, dtype=np.uint8)
    images = np.tile(numbers[:, None, None, None], (1, SIZE, SIZE, 3))
    metadata = 10.0 * numbers[:, None].astype(np.float32)
    clipped = 0
    for found, table, labels in mixed(CUTMIX, images, metadata, np.eye(COUNT, dtype=np.float32)):
        counted = np.stack([(found[..., 0] == number).mean(axis=(1, 2)) for number in numbers], axis=1)
        np.testing.assert_allclose(labels, counted, atol=1e-6)
        np.testing.assert_allclose(table[:, 0], 10 * counted @ numbers, atol=1e-4)
        clipped += sum(
            (rows := np.nonzero((image[..., 0] != number).any(axis=1))[0]).size > 0 and rows[0] == 0
            for number, image in zip(numbers, found, strict=True)
        )
    assert clipped > 10


def test_blended_labels_get_the_share_of_the_pixel_values() -> None:
    images = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    images[1] = 200
    shares = []
    for found, _, labels in mixed(MIXUP, images, np.zeros((2, 1), np.float32), np.eye(2, dtype=np.float32)):
        np.testing.assert_array_equal(found[:, 0, 0, 0], np.round(200 * labels[:, 1]))
        np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1, :1, :1], found.shape))
        shares += [labels[0, 1], labels[1, 0]]
    assert 0.3 < max(shares) <= 0.5


def test_images_and_labels_are_mixed_without_metadata() -> None:
    images, _, labels = batch()
    seed = tf.constant(SEEDS[0])
    found = mix(tf.constant(images), None, tf.constant(labels), seed, BOTH)
    assert found[1] is None
    expected = mix(tf.constant(images), tf.zeros([COUNT, 1]), tf.constant(labels), seed, BOTH)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[2], expected[2])


def test_shapes_stay_static() -> None:
    batches = tf.data.Dataset.from_tensors(batch())
    mixed = batches.map(lambda *tensors: mix(*tensors, tf.constant(SEEDS[0], tf.int64), BOTH))
    assert [spec.shape for spec in mixed.element_spec] == [spec.shape for spec in batches.element_spec]


def test_equal_seeds_give_equal_batches_and_others_differ() -> None:
    found = [images.tobytes() for images, _, _ in mixed(CUTMIX, *batch())]
    assert found == [images.tobytes() for images, _, _ in mixed(CUTMIX, *batch())]
    assert len(set(found)) == len(SEEDS)


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.0), (0.0, 0.3), (0.3, 0.5), (0.7, 0.3)])
def test_each_has_its_probability_and_no_image_has_both(first: float, second: float) -> None:
    plan = drawn(AugmentConfig(cutmix=CutMixConfig(first), mixup=MixUpConfig(second)))
    for chosen, probability in ((plan.cutmix, first), (plan.mixup, second)):
        assert chosen.mean() == pytest.approx(probability, abs=5 * np.sqrt(probability * (1 - probability) / 20000))
    assert not (plan.cutmix & plan.mixup).any()
    assert np.all(plan.shares[~plan.cutmix & ~plan.mixup] == 0)


def test_partners_are_uniform_in_the_batch() -> None:
    plans = tf.data.Dataset.range(300).map(lambda number: draw_mix_plan(tf.stack([number, 3]), COUNT, SIZE, CUTMIX))
    found = np.concatenate([plan.partners for plan in plans.as_numpy_iterator()])
    assert np.all(np.abs(np.bincount(found, minlength=COUNT) - 300) < 5 * np.sqrt(300))


@pytest.mark.parametrize("alpha", [0.001, 0.2, 1.0, 4.0])
def test_shares_have_a_folded_beta_distribution(alpha: float) -> None:
    """A folded share has the second moment about 1/2 of the beta, 1 / (4 (2 alpha + 1))."""
    plan = drawn(AugmentConfig(mixup=MixUpConfig(probability=1.0, alpha=alpha)))
    assert np.all((plan.shares >= 0) & (plan.shares <= 0.5))
    assert np.mean((plan.shares - 0.5) ** 2) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_boxes_have_uniform_centers_and_the_drawn_area() -> None:
    """With beta(1, 1) an unclipped box has the share 1 - b of the image, uniform: half of it on average."""
    size = 1000
    plan = draw_mix_plan(tf.constant([1, 2]), 20000, size, CUTMIX)
    top, bottom, left, right = plan.boxes.numpy().T
    assert np.all((top >= 0) & (top <= bottom) & (bottom <= size) & (left >= 0) & (left <= right) & (right <= size))
    np.testing.assert_allclose(plan.shares, (bottom - top) * (right - left) / size**2, rtol=1e-6)
    unclipped = (top > 0) & (bottom < size)
    # A side of s touches no edge with probability 1 - s. The area is uniform, so P(side <= s) = s * s, and the mean of
    # these sides is the integral of s (1 - s) 2 s over that of (1 - s) 2 s: 1/2.
    assert (bottom - top)[unclipped].mean() == pytest.approx(size / 2, rel=0.02)
    assert unclipped.mean() == pytest.approx(1 / 3, abs=0.02)
    for start, end in ((top, bottom), (left, right)):
        inside = (start > 0) & (end < size)
        assert ((start + end) / 2)[inside].mean() == pytest.approx(size / 2, rel=0.02)


def test_either_probability_switches_mixing_on() -> None:
    assert not has_mixing(OFF)
    assert has_mixing(CUTMIX)
    assert has_mixing(MIXUP)
