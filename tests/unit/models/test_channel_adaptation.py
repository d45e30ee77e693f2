"""Pretrained weights and input scaling for images with other channels than red, green and blue."""

from pathlib import Path

import numpy as np
import pytest
from foldline.models.backbones import build_backbone
from foldline.models.channel_adaptation import IMAGENET_MEAN, IMAGENET_STD, RGB, per_channel
from foldline.runtime.tensorflow import tf_keras

SIZE = 32
FOUR = (*RGB, "yellow")


@pytest.fixture(scope="module")
def lite0() -> tf_keras.Model:
    return build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)


def stem_kernel(model: tf_keras.Model) -> np.ndarray:
    """Kernel of the first convolution, (height, width, channels, filters)."""
    return next(value for value in model.get_weights() if value.ndim == 4)


def test_colors_keep_their_value_and_other_channels_get_the_mean() -> None:
    values = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, 60.0]])
    assert per_channel(values, ("blue", "dapi", "red")).tolist() == [[6, 60], [3, 30], [1, 10]]


def test_a_fourth_channel_gets_the_mean_of_the_stem_kernels(lite0: tf_keras.Model, images: np.ndarray) -> None:
    """Row 17: yellow uses ImageNet weights; red, green and blue keep theirs, yellow gets their mean."""
    model = build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE, channels=FOUR)
    rgb, four = stem_kernel(lite0), stem_kernel(model)
    np.testing.assert_allclose(four[:, :, :3], rgb * 3 / 4, rtol=1e-6)
    np.testing.assert_allclose(four[:, :, 3], rgb.mean(axis=2) * 3 / 4, rtol=1e-5, atol=1e-7)
    for one, other in zip(model.get_weights()[1:], lite0.get_weights()[1:], strict=True):
        np.testing.assert_array_equal(one, other)
    gray = images[..., :1]
    np.testing.assert_allclose(model(gray.repeat(4, 3)), lite0(gray.repeat(3, 3)), rtol=1e-3, atol=1e-4)
    assert np.abs(model(gray.repeat(4, 3)).numpy() - model(images[..., [0, 1, 2, 0]]).numpy()).max() > 0.1


def test_stem_kernels_follow_the_order_of_the_channels(lite0: tf_keras.Model) -> None:
    channels = ("blue", "dapi", "red")
    model = build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE, channels=channels)
    rgb = stem_kernel(lite0)
    expected = np.stack([rgb[:, :, 2], rgb.mean(axis=2), rgb[:, :, 0]], axis=2)
    np.testing.assert_allclose(stem_kernel(model), expected, rtol=1e-5, atol=1e-7)


def test_a_single_channel_gets_the_sum_of_the_stem_kernels(lite0: tf_keras.Model) -> None:
    model = build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE, channels=("dapi",))
    np.testing.assert_allclose(stem_kernel(model)[:, :, 0], stem_kernel(lite0).sum(axis=2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["efficientnet-b0", "keras-efficientnet-b0", "keras-efficientnetv2-b0"])
def test_every_family_scales_and_fits_four_channels(name: str, tmp_path: Path, images: np.ndarray) -> None:
    rgb_model = build_backbone(name, weights="none", image_size=SIZE)
    network = next((layer for layer in rgb_model.layers if isinstance(layer, tf_keras.Model)), rgb_model)
    network.save_weights(tmp_path / "published.h5")
    model = build_backbone(name, weights=str(tmp_path / "published.h5"), image_size=SIZE, channels=FOUR)
    mean, deviation = (np.append(values, values.mean()) for values in (IMAGENET_MEAN, IMAGENET_STD))
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
    scaled = tf_keras.Model(model.input, layer.output)(np.full((1, SIZE, SIZE, 4), 51, np.uint8))[0, 0, 0]
    np.testing.assert_allclose(scaled, (0.2 - mean) / deviation, rtol=1e-4)
    kernel = stem_kernel(rgb_model)
    expected = np.concatenate([kernel, kernel.mean(axis=2, keepdims=True)], axis=2) * 3 / 4
    np.testing.assert_allclose(stem_kernel(model), expected, rtol=1e-5, atol=1e-7)
    rest = [[v for v in one.get_weights() if v.ndim and v.shape[-1] > 4] for one in (rgb_model, model)]
    assert len(rest[0]) > 100
    for one, other in zip(*(values[1:] for values in rest), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(model(images[..., [0, 1, 2, 0]])).all()


def test_large_networks_of_version_2_scale_other_channels_to_minus_one_to_one() -> None:
    model = build_backbone("keras-efficientnetv2-s", weights="none", image_size=SIZE, channels=FOUR)
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Rescaling))
    assert (layer.scale, layer.offset) == (1 / 128, -1)
    assert not any(isinstance(layer, tf_keras.layers.Normalization) for layer in model.layers)
