"""Color jitter against a slow NumPy reference in float64, eagerly, inside tf.data and compiled."""

import colorsys

import numpy as np
import pytest
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.color_jitter import HSV, YIQ, apply_color_jitter, draw_color_jitter, has_color_jitter
from foldline.runtime.tensorflow import tf

OFF = AugmentConfig()
# The melanoma notebook's ranges.
RANGES = {"hue": 0.01, "saturation": 0.3, "contrast": 0.2, "brightness": 0.1}
CONFIG = AugmentConfig(**RANGES)
EACH = [AugmentConfig(**{name: value}) for name, value in RANGES.items()]
WIDE = AugmentConfig(hue=0.5, saturation=1.0, contrast=1.0, brightness=1.0)
NONE = np.array([[0, 1, 1, 0]], np.float32)


def pictures(count: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def drawn(config: AugmentConfig, count: int) -> np.ndarray:
    seeds = tf.data.Dataset.range(count).map(lambda number: draw_color_jitter(tf.stack([number, 5]), config))
    return np.stack(list(seeds.as_numpy_iterator()))


def reference(image: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Step by step and pixel by pixel, before rounding and clipping; float64."""
    hue, saturation, contrast, brightness = map(float, parameters)
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    changed = np.empty(image.shape)
    for index in np.ndindex(image.shape[:2]):
        y, i, q = to_yiq @ image[index]
        i, q = np.cos(hue) * i + np.sin(hue) * q, np.cos(hue) * q - np.sin(hue) * i
        rotated = np.linalg.solve(to_yiq, [y, i, q])
        changed[index] = y + saturation * (rotated - y)
    means = changed.mean(axis=(0, 1))
    return means + contrast * (changed - means) + brightness


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("config", [CONFIG, WIDE, *EACH])
def test_pixels_equal_the_reference(config: AugmentConfig, size: int) -> None:
    """Row 5."""
    images, parameters = pictures(6, size), drawn(config, 6)
    found = apply_color_jitter(tf.constant(images), tf.constant(parameters)).numpy()
    assert found.dtype == np.uint8
    for image, one, changed in zip(images, parameters, found, strict=True):
        # Factors are rounded to 1 / 8192: three of them and 255 levels make 0.05 levels.
        assert np.abs(changed - np.clip(reference(image, one), 0, 255)).max() < 0.5 + 0.05


def test_pixels_are_equal_one_by_one_in_a_pipeline_and_in_a_compiled_batch() -> None:
    images, parameters = pictures(40), drawn(CONFIG, 40)
    batch = tf.function(apply_color_jitter)(tf.constant(images), tf.constant(parameters)).numpy()
    pipeline = tf.data.Dataset.from_tensor_slices((images, parameters)).map(
        lambda image, one: apply_color_jitter(image[tf.newaxis], one[tf.newaxis])[0]
    )
    assert pipeline.element_spec == tf.TensorSpec((12, 12, 3), tf.uint8)
    np.testing.assert_array_equal(batch, list(pipeline.as_numpy_iterator()))
    np.testing.assert_array_equal(batch, apply_color_jitter(tf.constant(images), tf.constant(parameters)))
    single = [apply_color_jitter(tf.constant(images[[row]]), tf.constant(parameters[[row]]))[0] for row in range(40)]
    np.testing.assert_array_equal(batch, single)


def test_identity_parameters_change_no_pixel() -> None:
    values = np.random.default_rng(4).permutation(256 * 3).reshape(1, 16, 16, 3) % 256
    images = np.concatenate([values.astype(np.uint8), pictures(1, 16)])
    np.testing.assert_array_equal(apply_color_jitter(tf.constant(images), tf.constant(np.repeat(NONE, 2, 0))), images)


def test_values_are_rounded_half_to_even_and_clipped() -> None:
    image = np.full((1, 2, 2, 3), 100, np.uint8)
    for brightness, expected in ((0.5, 100), (1.5, 102), (0.51, 101), (-101, 0), (156, 255)):
        found = apply_color_jitter(tf.constant(image), tf.constant(NONE + np.float32([0, 0, 0, brightness])))
        np.testing.assert_array_equal(found, np.full_like(image, expected))


def test_hue_saturation_and_contrast_have_their_usual_meaning() -> None:
    image = tf.constant(pictures(1))
    gray = apply_color_jitter(image, tf.constant([[0.0, 0, 1, 0]])).numpy().astype(int)
    assert np.ptp(gray, axis=3).max() == 0
    luma = image.numpy() @ [0.299, 0.587, 0.114]
    assert np.abs(gray[..., 0] - luma).max() < 0.55
    flat = apply_color_jitter(image, tf.constant([[0.0, 1, 0, 0]])).numpy()
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1
    red = tf.constant(np.full((1, 2, 2, 3), (160, 80, 80), np.uint8))
    angles = []
    for turns in (-0.1, 0.1):
        found = apply_color_jitter(red, tf.constant([[2 * np.pi * turns, 1, 1, 0]], tf.float32)).numpy()[0, 0, 0]
        angles.append((colorsys.rgb_to_hsv(*(found / 255.0))[0] + 0.5) % 1 - 0.5)
    # Yellow is at a sixth of the hue circle of HSV; rotations in YIQ are slightly different there.
    np.testing.assert_allclose(angles, [-0.1, 0.1], atol=0.05)


def test_parameters_are_uniform_in_their_ranges_and_independent() -> None:
    parameters = drawn(CONFIG, 4000)
    assert parameters.dtype == np.float32
    for values, middle, width in zip(parameters.T, NONE[0], (2 * np.pi * 0.01, 0.3, 0.2, 25.5), strict=True):
        scaled = (values - middle) / width
        assert np.all(np.abs(scaled) <= 1 + 1e-5)
        np.testing.assert_allclose(np.quantile(scaled, [0.25, 0.5, 0.75]), [-0.5, 0, 0.5], atol=0.06)
    assert np.abs(np.corrcoef(parameters.T) - np.eye(4)).max() < 0.06
    np.testing.assert_array_equal(drawn(OFF, 5), np.repeat(NONE, 5, 0))


def test_equal_seeds_give_equal_parameters_and_others_differ() -> None:
    first, *others = (
        draw_color_jitter(tf.constant(seed), CONFIG).numpy().tobytes() for seed in [(5, 6), (6, 5), (5, 7)]
    )
    assert first == draw_color_jitter(tf.constant([5, 6], tf.int64), CONFIG).numpy().tobytes()
    assert len({first, *others}) == 3


def test_any_color_setting_switches_the_jitter_on() -> None:
    assert not has_color_jitter(OFF)
    assert all(has_color_jitter(config) for config in EACH)


def by_tensorflow(image: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """The steps of the melanoma notebook, on pixels in [0, 1], before rounding and clipping; in levels."""
    hue, saturation, contrast, brightness = map(float, parameters)
    floats = tf.image.adjust_hue(tf.constant(image, tf.float32) / 255, hue / (2 * np.pi))
    floats = tf.image.adjust_contrast(tf.image.adjust_saturation(floats, saturation), contrast)
    return 255 * tf.image.adjust_brightness(floats, brightness / 255).numpy()


def special_pictures() -> np.ndarray:
    """All grays, all pure colors, pairs of equal channels, and random pixels: 4 images."""
    gray = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    pure = gray * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], np.uint8)[np.arange(16) % 4]
    equal = pictures(1, 16)[0]
    equal[..., 1] = equal[..., 0]
    return np.stack([gray, pure, equal, pictures(1, 16)[0]])


@pytest.mark.parametrize("config", [CONFIG, WIDE, *EACH])
def test_hsv_equals_tensorflow(config: AugmentConfig) -> None:
    """Row 5: hue and saturation as the notebook changes them."""
    images = np.concatenate([special_pictures()] * 4)
    parameters = drawn(config, len(images))
    found = apply_color_jitter(tf.constant(images), tf.constant(parameters), HSV).numpy()
    assert found.dtype == np.uint8
    for image, one, changed in zip(images, parameters, found, strict=True):
        assert np.abs(changed - np.clip(by_tensorflow(image, one), 0, 255)).max() < 0.5 + 0.01
    difference = np.abs(apply_color_jitter(tf.constant(images), tf.constant(parameters)).numpy().astype(int) - found)
    assert (difference.max() > 1) == bool(config.hue or config.saturation)


def test_hsv_is_equal_one_by_one_in_a_pipeline_and_in_a_compiled_batch() -> None:
    images, parameters = pictures(40, 13), drawn(CONFIG, 40)
    eager = apply_color_jitter(tf.constant(images), tf.constant(parameters), HSV).numpy()
    pipeline = tf.data.Dataset.from_tensor_slices((images, parameters)).map(
        lambda image, one: apply_color_jitter(image[tf.newaxis], one[tf.newaxis], HSV)[0]
    )
    assert pipeline.element_spec == tf.TensorSpec((13, 13, 3), tf.uint8)
    np.testing.assert_array_equal(list(pipeline.as_numpy_iterator()), eager)
    graph = tf.function(apply_color_jitter)(tf.constant(images), tf.constant(parameters), HSV)
    np.testing.assert_array_equal(graph, eager)
    compiled = tf.function(apply_color_jitter, jit_compile=True)(tf.constant(images), tf.constant(parameters), HSV)
    # XLA may keep a product exact before it is added, which matters for a value halfway between two levels only.
    assert np.abs(compiled.numpy().astype(int) - eager).max() <= 1
    assert (compiled.numpy() != eager).mean() < 1e-3


def test_identity_parameters_change_no_pixel_in_hsv() -> None:
    images = special_pictures()
    found = apply_color_jitter(tf.constant(images), tf.constant(np.repeat(NONE, len(images), 0)), HSV)
    np.testing.assert_array_equal(found, images)


def test_the_mean_of_a_large_image_is_exact() -> None:
    """A contrast of 0 leaves the mean of each channel; sums of 2,048 x 2,048 pixels are beyond 32 bits."""
    images = np.full((1, 2048, 2048, 3), 255, np.uint8)
    images[:, ::2, :, 0] = 1
    for color_space in (YIQ, HSV):
        found = apply_color_jitter(tf.constant(images), tf.constant([[0.0, 1, 0, 0]]), color_space).numpy()
        assert (found == np.array([128, 255, 255])).all()


CHANNELS = ("red", "green", "blue", "yellow", "far red")


def channel_pictures(count: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, size, size, len(CHANNELS)), dtype=np.uint8)


def channel_parameters(config: AugmentConfig, count: int) -> np.ndarray:
    seeds = tf.data.Dataset.range(count).map(lambda number: draw_color_jitter(tf.stack([number, 5]), config, CHANNELS))
    return np.stack(list(seeds.as_numpy_iterator()))


@pytest.mark.parametrize("size", [12, 13])
def test_each_channel_has_its_own_jitter(size: int) -> None:
    """Row 18: intensity per channel, eagerly, compiled and inside tf.data, against a slow reference."""
    images, parameters = channel_pictures(6, size), channel_parameters(WIDE, 6)
    found = apply_color_jitter(tf.constant(images), tf.constant(parameters)).numpy()
    for image, (contrast, brightness), changed in zip(images, parameters, found, strict=True):
        for channel in range(len(CHANNELS)):
            values = image[..., channel].astype(float)
            wanted = values.mean() + contrast[channel] * (values - values.mean()) + brightness[channel]
            assert np.abs(changed[..., channel] - np.clip(wanted, 0, 255)).max() < 0.5 + 0.05
    compiled = tf.function(apply_color_jitter)(tf.constant(images), tf.constant(parameters))
    np.testing.assert_array_equal(compiled, found)
    pipeline = tf.data.Dataset.from_tensor_slices((images, parameters)).map(
        lambda image, one: apply_color_jitter(image[tf.newaxis], one[tf.newaxis])[0]
    )
    assert pipeline.element_spec == tf.TensorSpec((size, size, len(CHANNELS)), tf.uint8)
    np.testing.assert_array_equal(list(pipeline.as_numpy_iterator()), found)


def test_channels_are_never_mixed() -> None:
    """Row 18: the seed's saturation step mixed fluorescence channels."""
    images, parameters = channel_pictures(4), channel_parameters(WIDE, 4)
    together = apply_color_jitter(tf.constant(images), tf.constant(parameters)).numpy()
    images[..., 1:] = 0
    alone = apply_color_jitter(tf.constant(images), tf.constant(parameters)).numpy()
    np.testing.assert_array_equal(alone[..., 0], together[..., 0])


def test_parameters_of_channels_are_uniform_in_their_ranges_and_independent() -> None:
    parameters = channel_parameters(CONFIG, 2000)
    assert parameters.shape == (2000, 2, len(CHANNELS))
    scaled = (parameters - [[1.0], [0.0]]) / [[0.2], [25.5]]
    assert np.abs(scaled).max() <= 1 + 1e-5
    np.testing.assert_allclose(
        np.quantile(scaled, [0.25, 0.5, 0.75], axis=0), np.full((3, 2, 5), [[[-0.5]], [[0]], [[0.5]]]), atol=0.09
    )
    flat = scaled.reshape(2000, -1).T
    assert np.abs(np.corrcoef(flat) - np.eye(len(flat))).max() < 0.09
