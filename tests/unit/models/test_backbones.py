"""Backbones: input scaling, weights files, failed downloads, and frozen layers."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.models import backbones
from foldline.models.backbone_registry import BACKBONES
from foldline.models.backbones import build_backbone, freeze, inner_features
from foldline.models.channel_adaptation import IMAGENET_MEAN, IMAGENET_STD
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.tensorflow import tf_keras

SIZE = 32


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def package_b0() -> tf_keras.Model:
    """A network of the `efficientnet` package; tests do not change it."""
    return build_backbone("efficientnet-b0", weights="none", image_size=SIZE)


def scaled_pixel(model: tf_keras.Model) -> np.ndarray:
    """Output of the normalization layer for pixels of 51, a fifth of the full scale."""
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
    return tf_keras.Model(model.input, layer.output)(np.full((1, SIZE, SIZE, 3), 51, np.uint8))[0, 0, 0].numpy()


def test_a_network_of_the_package_scales_its_input(package_b0: tf_keras.Model) -> None:
    np.testing.assert_allclose(scaled_pixel(package_b0), (0.2 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-4)


def test_a_network_of_the_package_loads_published_and_saved_weights(
    package_b0: tf_keras.Model, tmp_path: Path, images: np.ndarray
) -> None:
    features = package_b0(images).numpy()
    assert features.shape == (2, 1, 1, 1280)
    package_b0.layers[-1].save_weights(tmp_path / "published.h5")
    loaded = build_backbone("efficientnet-b0", weights=str(tmp_path / "published.h5"), image_size=SIZE)
    np.testing.assert_array_equal(loaded(images), features)
    save_weights(package_b0, tmp_path / "saved.weights.h5")
    load_weights(loaded, tmp_path / "saved.weights.h5")
    np.testing.assert_array_equal(loaded(images), features)


def test_the_standard_deviation_in_the_keras_file_does_not_change_the_scaling(tmp_path: Path) -> None:
    model = build_backbone("keras-efficientnet-b0", weights="none", image_size=SIZE)
    np.testing.assert_allclose(scaled_pixel(model), (0.2 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-4)
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
    layer.set_weights([IMAGENET_MEAN, IMAGENET_STD, 0])
    kernel = model.get_layer("top_conv").get_weights()[0]
    model.save_weights(tmp_path / "published.h5")
    loaded = build_backbone("keras-efficientnet-b0", weights=str(tmp_path / "published.h5"), image_size=SIZE)
    np.testing.assert_allclose(scaled_pixel(loaded), (0.2 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-4)
    np.testing.assert_array_equal(loaded.get_layer("top_conv").get_weights()[0], kernel)
    with pytest.raises(FoldlineError, match="do not fit efficientnet-lite0"):
        build_backbone("efficientnet-lite0", weights=str(tmp_path / "published.h5"), image_size=SIZE)


class BuiltError(Exception):
    """Raised in place of building a network, with the name of its function."""


@pytest.mark.parametrize("name", [name for name in BACKBONES if "lite" not in name])
def test_every_name_builds_the_network_of_that_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 19."""
    family, _, variant = name.rpartition("-")
    function = ("EfficientNetV2" if family.endswith("v2") else "EfficientNet") + variant.upper()
    packages = import_module("efficientnet.model"), tf_keras.applications

    def fail(function: str) -> Callable[..., None]:
        def build(**_arguments: Any) -> None:
            raise BuiltError(function)

        return build

    for package in packages:
        for found in [attribute for attribute in dir(package) if attribute.startswith("EfficientNet")]:
            monkeypatch.setattr(package, found, fail(f"{package.__name__} {found}"))
    with pytest.raises(BuiltError) as caught:
        build_backbone(name, weights="none", image_size=SIZE)
    assert str(caught.value) == f"{packages[family.startswith('keras')].__name__} {function}"


def test_a_missing_weights_file_is_an_error() -> None:
    with pytest.raises(FoldlineError, match=r"nowhere\.h5: no such weights file for efficientnet-lite0"):
        build_backbone("efficientnet-lite0", weights="nowhere.h5", image_size=SIZE)


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(backbone, weights, image_size, channels):
        if weights:
            raise Exception("URL fetch failure on https://somewhere: None -- no network")
        return tf_keras.Sequential([tf_keras.Input((SIZE, SIZE, 3))])

    monkeypatch.setattr(backbones, "_build_package", fail)
    with pytest.raises(FoldlineError, match="download the file on a machine with internet access"):
        build_backbone("efficientnet-b0", weights="imagenet", image_size=SIZE)


def trained_layers(name: str, trainable: str) -> list[str]:
    """Names of the layers with trainable weights, in order."""
    model = build_backbone(name, weights="none", image_size=SIZE)
    freeze(model, trainable=trainable)
    network = next((layer for layer in model.layers if isinstance(layer, tf_keras.Model)), model)
    return [layer.name for layer in network.layers if layer.trainable_weights]


def test_upper_trains_the_layers_at_a_sixteenth_of_the_image_or_less() -> None:
    everything = trained_layers("efficientnet-lite0", "all")
    assert "conv_stem" in everything
    assert set(trained_layers("efficientnet-lite0", "upper")) == {
        name
        for name in everything
        if name in ("conv_head", "bn1") or (name.startswith("blocks_") and int(name.split("_")[1]) >= 5)
    } - {"blocks_5_expand_conv", "blocks_5_bn0"}
    package = trained_layers("efficientnet-b0", "upper")
    assert (package[0], package[-1]) == ("block4a_dwconv", "top_bn")


def test_head_trains_no_layer_of_the_backbone() -> None:
    assert trained_layers("efficientnet-lite0", "head") == []


def test_frozen_layers_have_no_dropout() -> None:
    model = build_backbone("keras-efficientnet-b0", weights="none", image_size=SIZE)
    rates = [layer.rate for layer in model.layers if isinstance(layer, tf_keras.layers.Dropout)]
    freeze(model, trainable="head")
    assert max(rates) > 0
    assert {layer.rate for layer in model.layers if isinstance(layer, tf_keras.layers.Dropout)} == {0}


def test_an_unknown_choice_of_layers_is_an_error() -> None:
    model = build_backbone("efficientnet-lite0", weights="none", image_size=SIZE)
    with pytest.raises(FoldlineError, match="trainable is 'some'; set it to one of all, head, upper"):
        freeze(model, trainable="some")


def test_inner_features_are_residual_sums_on_scaled_images(package_b0: tf_keras.Model, images: np.ndarray) -> None:
    """Of a network that is nested behind its input scaling."""
    inner = inner_features(package_b0, (8, 16))
    assert [shape[1:] for shape in inner.output_shape] == [(4, 4, 40), (2, 2, 112)]
    network = next(layer for layer in package_b0.layers if isinstance(layer, tf_keras.Model))
    direct = tf_keras.Model(network.input, network.get_layer("block5c_add").output)
    scaled = next(layer for layer in package_b0.layers if isinstance(layer, tf_keras.layers.Normalization))(images)
    np.testing.assert_allclose(inner(images)[1], direct(scaled), atol=1e-5)
