"""The random affine transform against slow, obvious NumPy references; its parameters over many seeds."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from foldline.input_pipeline.affine import (
    MIN_ZOOM,
    AffineParameters,
    count_views,
    draw_affine,
    inverse_affine,
    random_affine,
    resample,
    view_parameters,
)
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.runtime.tensorflow import tf

OFF = AugmentConfig()
FLIPS = AugmentConfig(flip_horizontal=True, flip_vertical=True, quarter_turns=True)
# 16 and 8 pixels at 384 px.
MIXTURES = {"rotation": (15, 180), "shear": (5, 2), "zoom": (0.1, 0.125), "shift": (0.041667, 0.020833)}
CROP = {"crop": 0.7}
ALL = replace(FLIPS, **MIXTURES, **CROP)
SEEDS = [(number, 7) for number in range(8)]


def picture(size: int = 12, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (size, size, channels), dtype=np.uint8)


def parameters(**given: object) -> AffineParameters:
    """Parameters of the identity except for these."""
    identity = {
        "flips": [False, False],
        "quarter_turns": 0,
        "rotation": 0.0,
        "shear": 0.0,
        "zoom": [1.0, 1.0],
        "shift": [0.0, 0.0],
        "crop_size": 1.0,
        "crop_position": [0.5, 0.5],
    }
    return AffineParameters(**{name: tf.constant(value) for name, value in {**identity, **given}.items()})


def drawn(config: AugmentConfig, count: int = 4000) -> AffineParameters:
    """Parameters of many seeds, stacked."""
    seeds = tf.data.Dataset.range(count).map(lambda number: draw_affine(tf.stack([number, 1]), config))
    return next(seeds.batch(count).as_numpy_iterator())


def exact_inverse(one: AffineParameters, size: int) -> np.ndarray:
    """The inverse as a product of 3 x 3 matrices in float64, starting with the source."""
    one = AffineParameters(*(np.asarray(value, np.float64) for value in one))
    flips = np.diag([*np.where(one.flips > 0, -1, 1), 1])
    quarter = np.linalg.matrix_power(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), int(one.quarter_turns))
    rotation = np.eye(3)
    rotation[:2, :2] = [[np.cos(one.rotation), np.sin(one.rotation)], [-np.sin(one.rotation), np.cos(one.rotation)]]
    shear = np.array([[1, np.sin(one.shear), 0], [0, np.cos(one.shear), 0], [0, 0, 1]])
    zoom = np.diag([*(1 / one.zoom), 1])
    shift, crop = np.eye(3), np.diag([one.crop_size, one.crop_size, 1])
    shift[:2, 2] = one.shift * size
    crop[:2, 2] = (1 - one.crop_size) * (one.crop_position - 0.5) * size
    return (flips @ quarter @ rotation @ shear @ zoom @ shift @ crop)[:2]


def resampled(image: np.ndarray, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The transformed image pixel by pixel, and which of its pixels are not halfway between two source pixels."""
    size = len(image)
    center = (size - 1) / 2
    result, clear = np.empty_like(image), np.empty((size, size), bool)
    for row in range(size):
        for column in range(size):
            x, y = inverse @ [center - row, column - center, 1]
            source = np.array([center - x, center + y])
            clear[row, column] = np.all(np.abs(source % 1 - 0.5) > 1e-4)
            nearest = np.clip(np.floor(source + 0.5), 0, size - 1).astype(int)
            result[row, column] = image[tuple(nearest)]
    return result, clear


def flipped(image: np.ndarray, one: AffineParameters) -> np.ndarray:
    """Flips and quarter turns by NumPy."""
    image = np.flipud(image) if one.flips[0] else image
    image = np.fliplr(image) if one.flips[1] else image
    return np.rot90(image, int(one.quarter_turns))


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize(
    "config", [ALL, *(AugmentConfig(**{name: value}) for name, value in (MIXTURES | CROP).items())]
)
def test_pixels_equal_the_reference_eagerly_and_in_a_pipeline(config: AugmentConfig, size: int) -> None:
    """Row 6."""
    image = picture(size)
    eager = np.stack([random_affine(tf.constant(image), tf.constant(seed), config) for seed in SEEDS])
    pipeline = tf.data.Dataset.from_tensor_slices(SEEDS).map(
        lambda seed: random_affine(tf.constant(image), seed, config)
    )
    np.testing.assert_array_equal(eager, np.stack(list(pipeline.as_numpy_iterator())))
    for seed, found in zip(SEEDS, eager, strict=True):
        one = draw_affine(tf.constant(seed), config)
        inverse = exact_inverse(one, size)
        np.testing.assert_allclose(inverse_affine(one, size), inverse, atol=2e-5)
        expected, clear = resampled(image, inverse)
        assert clear.mean() > 0.95
        np.testing.assert_array_equal(found[clear], expected[clear])


def get_mat(rotation, shear, height_zoom, width_zoom, height_shift, width_shift):
    """The notebook's own definition, in NumPy: angles in degrees, shifts in pixels."""
    rotation, shear = np.pi * rotation / 180.0, np.pi * shear / 180.0
    c1, s1 = np.cos(rotation), np.sin(rotation)
    rotation_matrix = np.array([[c1, s1, 0], [-s1, c1, 0], [0, 0, 1]])
    c2, s2 = np.cos(shear), np.sin(shear)
    shear_matrix = np.array([[1, s2, 0], [0, c2, 0], [0, 0, 1]])
    zoom_matrix = np.array([[1 / height_zoom, 0, 0], [0, 1 / width_zoom, 0], [0, 0, 1]])
    shift_matrix = np.array([[1, 0, height_shift], [0, 1, width_shift], [0, 0, 1]])
    return rotation_matrix @ shear_matrix @ (zoom_matrix @ shift_matrix)


def test_the_matrix_is_that_of_the_notebook() -> None:
    """Row 6: for random parameters of its mixtures, at its size."""
    for seed in SEEDS:
        one = draw_affine(tf.constant(seed), AugmentConfig(**MIXTURES))
        angles = np.degrees([one.rotation, one.shear])
        expected = get_mat(*angles, *one.zoom.numpy(), *(384 * one.shift.numpy()))
        np.testing.assert_allclose(inverse_affine(one, 384), expected[:2], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("size", [12, 13])
def test_flips_and_turns_rearrange_the_pixels_exactly(size: int) -> None:
    """Row 5."""
    image = picture(size)
    pipeline = tf.data.Dataset.from_tensor_slices(SEEDS).map(
        lambda seed: random_affine(tf.constant(image), seed, FLIPS)
    )
    for seed, mapped in zip(SEEDS, pipeline.as_numpy_iterator(), strict=True):
        one = draw_affine(tf.constant(seed), FLIPS)
        expected = flipped(image, one)
        np.testing.assert_array_equal(mapped, expected)
        np.testing.assert_array_equal(random_affine(tf.constant(image), tf.constant(seed), FLIPS), expected)
        np.testing.assert_array_equal(resample(tf.constant(image), inverse_affine(one, size)), expected)


@pytest.mark.parametrize(
    ("horizontal", "vertical", "turns", "count"),
    [
        *[(True, True, True, 8), (False, True, True, 8), (True, False, True, 8), (False, False, True, 4)],
        *[(True, True, False, 4), (True, False, False, 2), (False, True, False, 2), (False, False, False, 1)],
    ],
)
def test_views_are_all_that_flips_and_turns_give(horizontal: bool, vertical: bool, turns: bool, count: int) -> None:
    image, config = picture(), AugmentConfig(horizontal, vertical, turns, views="cycle")
    possible = {
        np.rot90(image[:: -1 if up else 1, :: -1 if left else 1], number).tobytes()
        for up, left, number in itertools.product((False, vertical), (False, horizontal), range(4) if turns else (0,))
    }
    assert (count_views(config), len(possible)) == (count, count)

    def view_of(view: tf.Tensor) -> tf.Tensor:
        return random_affine(tf.constant(image), tf.constant(SEEDS[0]), config, view)

    views = list(tf.data.Dataset.range(3 * count).map(view_of).as_numpy_iterator())
    for start in (0, 1, count):
        assert {view.tobytes() for view in views[start : start + count]} == possible
    for number, view in enumerate(views):
        np.testing.assert_array_equal(view_of(tf.constant(number, tf.int64)), view)


def test_a_view_changes_nothing_but_flips_and_turns() -> None:
    image, config = picture(13), replace(ALL, views="cycle")
    for number, seed in enumerate(SEEDS):
        one = draw_affine(tf.constant(seed), config)
        flips, turned = view_parameters(tf.constant(number, tf.int64), config)
        expected = resample(tf.constant(image), inverse_affine(one._replace(flips=flips, quarter_turns=turned), 13))
        found = random_affine(tf.constant(image), tf.constant(seed), config, tf.constant(number, tf.int64))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_are_transformed_alike(channels: int) -> None:
    image = picture(12, channels)
    for config in (FLIPS, ALL):
        found = random_affine(tf.constant(image), tf.constant(SEEDS[0]), config)
        planes = [random_affine(tf.constant(image[..., [c]]), tf.constant(SEEDS[0]), config) for c in range(channels)]
        np.testing.assert_array_equal(found, np.concatenate(planes, axis=2))


def test_the_default_config_changes_nothing() -> None:
    for seed in SEEDS[:4]:
        np.testing.assert_array_equal(random_affine(tf.constant(picture()), tf.constant(seed), OFF), picture())


def test_transforms_have_their_documented_directions() -> None:
    """A positive angle turns clockwise, a positive shift moves the content down and left, a zoom over 1 enlarges."""
    dot = np.zeros((9, 9, 1), np.uint8)
    dot[2, 4] = 255
    dots = {}
    for name, given in {
        "rotation": {"rotation": np.float32(np.pi / 2)},
        "shift": {"shift": [2 / 9, 1 / 9]},
        "zoom": {"zoom": [2.0, 1.0]},
    }.items():
        found = resample(tf.constant(dot), inverse_affine(parameters(**given), 9)).numpy()[..., 0]
        dots[name] = np.argwhere(found).mean(axis=0).round().astype(int).tolist()
    assert dots == {"rotation": [4, 6], "shift": [4, 3], "zoom": [0, 4]}


def test_pixels_outside_repeat_the_edge() -> None:
    image = picture()
    found = resample(tf.constant(image), inverse_affine(parameters(shift=[0.25, 0.0]), 12))
    np.testing.assert_array_equal(found, np.concatenate([image[:1]] * 3 + [image[:9]]))


def test_equal_seeds_give_equal_images_and_others_differ() -> None:
    same, *others = (
        random_affine(tf.constant(picture()), tf.constant(seed), ALL).numpy().tobytes()
        for seed in [(5, 6), (6, 5), (5, 7)]
    )
    assert same == random_affine(tf.constant(picture()), tf.constant([5, 6], tf.int64), ALL).numpy().tobytes()
    assert len({same, *others}) == 3


def test_flips_and_turns_are_independent_and_uniform() -> None:
    """Row 18: the two flips are independent; each of the 16 combinations has 1/16 of 4000 seeds, +- 5 sigma."""
    found = drawn(FLIPS)
    combinations = found.flips[:, 0] * 8 + found.flips[:, 1] * 4 + found.quarter_turns
    assert np.all(np.abs(np.bincount(combinations, minlength=16) - 250) < 5 * np.sqrt(250))


def test_parameters_are_mixtures_of_two_normals() -> None:
    """Row 6: the standard deviation, and the fourth moment, which a single normal does not have."""
    found = drawn(ALL, 20000)
    drawn_values = {
        "rotation": np.degrees(found.rotation),
        "shear": np.degrees(found.shear),
        "zoom": found.zoom - 1,
        "shift": found.shift,
    }
    for name, values in drawn_values.items():
        squares = np.square(MIXTURES[name])
        assert np.std(values) == pytest.approx(np.sqrt(np.mean(squares)), rel=0.05)
        assert np.mean(values**4) == pytest.approx(3 * np.mean(squares**2), rel=0.15)
        assert abs(np.mean(values)) < 5 * np.std(values) / np.sqrt(values.size)
    for pair in (found.zoom, found.shift):
        assert abs(np.corrcoef(pair.T)[0, 1]) < 0.03
        assert abs(np.corrcoef(np.square(pair - pair.mean(axis=0)).T)[0, 1]) < 0.03


def test_crops_are_uniform_and_inside_the_image() -> None:
    found = drawn(AugmentConfig(crop=0.6))
    for values, low in ((found.crop_size, 0.6), *((position, 0.0) for position in found.crop_position.T)):
        assert np.all((values >= low) & (values <= 1))
        np.testing.assert_allclose(
            np.quantile(values, [0.25, 0.5, 0.75]), np.interp([1, 2, 3], [0, 4], [low, 1]), atol=0.03
        )
    size = 20
    for position in ([0.0, 0.0], [1.0, 1.0], [0.0, 1.0]):
        inverse = inverse_affine(parameters(crop_size=0.5, crop_position=position), size).numpy()
        corners = np.array([[9.5, -9.5, 1], [-9.5, 9.5, 1]]) @ inverse.T
        assert np.all(np.abs(corners) <= 10)


def test_a_wide_zoom_has_a_minimum() -> None:
    found = drawn(AugmentConfig(zoom=(0.8,)), 500)
    assert found.zoom.min() == np.float32(MIN_ZOOM)
