"""A backbone without batch normalization learns as one whose convolutions have a bias."""

from pathlib import Path

import numpy as np
from fixtures.normalized_training import IMAGES, normalized_network, trained
from fixtures.settings import training_config
from fixtures.small_training import BATCH
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf_keras
from foldline.training.folded_training import fold_before_training, reset_scales

SETTINGS = {"batch_size": BATCH, "epochs": 3, "learning_rate": 0.02, "schedule": {"name": "cosine"}}


def with_statistics(network: tf_keras.Model) -> tf_keras.Model:
    """Give the normalization means, variances, scales and offsets that are not those of a new network."""
    random = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return network


def test_a_folded_network_is_the_same_and_learns_as_one_with_biases(tmp_path: Path) -> None:
    original, network, reference = (
        with_statistics(normalized_network()),
        with_statistics(normalized_network()),
        normalized_network(bias=True),
    )
    fold_before_training(network, use_device("cpu", threads=1))
    np.testing.assert_allclose(network({"image": IMAGES}), original({"image": IMAGES}), rtol=1e-4, atol=1e-5)
    # The slow version: a network with biases, of the same kernels.
    kernels = [layer.get_weights() for layer in network.layers if "conv" in layer.name]
    offsets = [layer.get_weights()[1] for layer in network.layers if "batch" in layer.name]
    dense = network.layers[-1].get_weights()
    reference.set_weights([*kernels[0], offsets[0], *kernels[1], offsets[1], *dense])
    for averages in ({}, {"ema_decay": 0.9}):
        for one in (network, reference):
            trained(one, training_config(**SETTINGS, **averages))
        for found, expected in (
            (network.layers[-1].kernel, reference.layers[-1].kernel),
            (network.get_layer(index=2).kernel, reference.get_layer(index=2).kernel),
            (network.get_layer(index=3).beta, reference.get_layer(index=2).bias),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert (network.get_layer(index=3).beta.numpy() != offsets[0]).any()
    # Its weights are those of a network with normalization, which predicts the same.
    reset_scales(network)
    save_weights(network, tmp_path / "small.weights.h5")
    load_weights(original, tmp_path / "small.weights.h5")
    np.testing.assert_allclose(original({"image": IMAGES}), network({"image": IMAGES}), rtol=1e-4, atol=1e-5)


def test_layers_that_are_not_trained_are_folded_too(tmp_path: Path) -> None:
    network, original, again = (with_statistics(normalized_network()) for _ in range(3))
    network.get_layer(index=6).trainable = False
    fold_before_training(network, use_device("cpu", threads=1))
    save_weights(network, tmp_path / "small.weights.h5")
    load_weights(again, tmp_path / "small.weights.h5")
    for one in (network, again):
        np.testing.assert_allclose(one({"image": IMAGES}), original({"image": IMAGES}), rtol=1e-4, atol=1e-5)
