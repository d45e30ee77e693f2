"""Of the operations that are switched on, an image gets as many as it should, each equally often."""

import numpy as np
import pytest
from fixtures.settings import augment_config
from foldline.dataset.augment_operations import OPERATIONS
from foldline.input_pipeline.affine import draw_affine
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.color_jitter import draw_color_jitter
from foldline.input_pipeline.operations import draw_operations
from foldline.runtime.tensorflow import tf

RANGES = {
    "rotation": [30],
    "shear": [10],
    "zoom": [0.2],
    "shift": [0.1],
    "hue": 0.1,
    "saturation": 0.3,
    "contrast": 0.3,
    "brightness": 0.2,
}
SEEDS = np.stack([np.full(600, 7), np.arange(600)], axis=1)


def changed(config: AugmentConfig) -> np.ndarray:
    """Which operations change each image, (n_seeds, 8), from the parameters of the transforms."""

    def parameters(seed: tf.Tensor) -> tf.Tensor:
        affine, color = draw_affine(seed, config), draw_color_jitter(seed, config)
        values = [affine.rotation, affine.shear, affine.zoom[0] - 1, affine.shift[0], *tf.unstack(color - [0, 1, 1, 0])]
        return tf.stack(values) != 0

    mapped = tf.function(lambda seeds: tf.map_fn(parameters, seeds, fn_output_signature=tf.bool))
    return np.asarray(mapped(tf.constant(SEEDS)).numpy())


@pytest.mark.parametrize(("names", "count"), [(OPERATIONS, 1), (OPERATIONS, 3), (("shear", "hue", "brightness"), 2)])
def test_an_image_gets_so_many_operations(names: tuple[str, ...], count: int) -> None:
    found = changed(augment_config(**{name: RANGES[name] for name in names}, operations=count))
    assert set(found.sum(axis=1)) == {count}
    shares = dict(zip(OPERATIONS, found.mean(axis=0), strict=True))
    for name in OPERATIONS:
        # Four standard deviations of a share of 600 draws are at most 0.08.
        assert shares[name] == pytest.approx(count / len(names) if name in names else 0, abs=0.08)


def test_without_a_number_an_image_gets_all_of_them_with_the_same_draws() -> None:
    assert changed(augment_config(**RANGES)).all()
    seed = tf.constant([7, 3], tf.int64)
    few, every = augment_config(**RANGES, operations=8), augment_config(**RANGES)
    for one, other in zip(draw_affine(seed, few), draw_affine(seed, every), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(draw_color_jitter(seed, few), draw_color_jitter(seed, every))


def test_channels_get_operations_too() -> None:
    config = augment_config(contrast=0.3, brightness=0.2, operations=1)
    values = np.array([draw_color_jitter(tf.constant(seed), config, ("a", "b")).numpy() for seed in SEEDS[:40]])
    with_contrast, with_brightness = (values[:, 0] != 1).all(axis=1), (values[:, 1] != 0).all(axis=1)
    assert (with_contrast != with_brightness).all()
    assert 0 < with_contrast.mean() < 1


def test_operations_depend_on_the_seed_alone() -> None:
    config = augment_config(**RANGES, operations=2)

    def drawn(seed: np.ndarray) -> list[float]:
        return [float(value) for value in draw_operations(tf.constant(seed), config).values()]

    assert drawn(SEEDS[1]) == drawn(SEEDS[1])
    assert len({tuple(drawn(seed)) for seed in SEEDS[:40]}) > 10
