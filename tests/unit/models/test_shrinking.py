"""Shrunk images are means over areas, and networks accept images of several sizes."""

import cv2
import numpy as np
import pytest
from fixtures.settings import model_config
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding
from foldline.models.networks import build_network, flat_layers
from foldline.models.shrinking import accept_other_sizes, area_shares, shrink
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras


def slow_shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Each pixel by repeating every old one `size` times, and averaging blocks of the old size."""
    old = images.shape[1]
    large = images.astype(np.float64).repeat(size, axis=1).repeat(size, axis=2)
    blocks = large.reshape(len(images), size, old, size, old, images.shape[3])
    return blocks.mean(axis=(2, 4))


@pytest.mark.parametrize(("old", "size", "channels"), [(8, 4, 3), (10, 7, 3), (12, 5, 1), (9, 8, 4), (6, 6, 3)])
def test_pixels_are_means_over_areas(old: int, size: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, old, old, channels), np.uint8)
    expected = slow_shrink(images, size)
    for found in (shrink(tf.constant(images), size), tf.function(shrink)(tf.constant(images), size)):
        assert found.dtype == tf.uint8
        assert np.abs(found.numpy() - expected).max() <= 0.5 + 1e-4
    np.testing.assert_allclose(area_shares(old, size).sum(axis=1), 1, rtol=1e-6)


def test_shrunk_images_are_those_of_opencv() -> None:
    image = np.random.default_rng(1).integers(0, 256, (160, 160, 3), np.uint8)
    expected = cv2.resize(image, (112, 112), interpolation=cv2.INTER_AREA)
    difference = np.abs(shrink(tf.constant(image[np.newaxis]), 112)[0].numpy().astype(int) - expected)
    assert difference.max() <= 1


@pytest.mark.usefixtures("short_lite0")
@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "keras-efficientnet-b0"])
def test_a_network_predicts_in_another_size_than_it_is_trained_in(backbone: str, tmp_path) -> None:
    device, spec = use_device("cpu", threads=1), InputSpec(64, Encoding(()))
    config = model_config(backbone=backbone, image_size=64, prediction_size=32, hidden=[], dropout=0)
    network = build_network(config, spec, weights="none", n_classes=2, device=device)
    accept_other_sizes(network, [48])
    plain = build_network(
        model_config(backbone=backbone, image_size=32, hidden=[], dropout=0),
        InputSpec(32, Encoding(())),
        weights="none",
        n_classes=2,
        device=device,
    )
    plain.set_weights(network.get_weights())
    images = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), np.uint8)
    expected = plain({"image": shrink(tf.constant(images), 32)})
    np.testing.assert_allclose(network({"image": images}), expected, rtol=1e-5, atol=1e-6)
    # In training an image keeps its size.
    norms = [layer for layer in flat_layers(network) if isinstance(layer, tf_keras.layers.BatchNormalization)]
    for layer in norms:
        layer.trainable = False
    for layer in (layer for layer in flat_layers(network) if isinstance(layer, tf_keras.layers.Dropout)):
        layer.rate = 0
    accept_other_sizes(plain, [64])
    for size in (64, 48):
        seen = shrink(tf.constant(images), size)
        np.testing.assert_allclose(
            network({"image": seen}, training=True), plain({"image": seen}), rtol=1e-4, atol=1e-5
        )
    save_weights(network, tmp_path / "small.weights.h5")
    again = build_network(config, spec, weights="none", n_classes=2, device=device)
    load_weights(again, tmp_path / "small.weights.h5")
    np.testing.assert_array_equal(again({"image": images}), network({"image": images}))
