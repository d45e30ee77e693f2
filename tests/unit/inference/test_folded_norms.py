"""A network without batch normalization gives the logits of the network with it."""

from typing import Any

import numpy as np
import pytest
from fixtures.settings import model_config
from foldline.dataset.metadata import MetadataColumnConfig, fit_encoding
from foldline.inference.folded_norms import fold_batch_norms
from foldline.models.networks import build_network, flat_layers, input_spec_of
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras

SITE = fit_encoding({"site": MetadataColumnConfig("categorical", ("arm", "leg"))}, {"site": ["arm", "leg"]})


def random_norms(network: tf_keras.Model, random: np.random.Generator) -> int:
    """Give every batch normalization statistics and parameters as after training; return their number."""
    norms = [layer for layer in flat_layers(network) if isinstance(layer, tf_keras.layers.BatchNormalization)]
    for norm in norms:
        variables = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
        for variable, middle in zip(variables, (1.0, 0.0, 0.0, 1.0), strict=True):
            variable.assign(random.uniform(middle - 0.3, middle + 0.3, variable.shape))
    return len(norms)


@pytest.mark.parametrize(
    ("backbone", "kept"),
    [("efficientnet-lite0", 1), ("efficientnet-b0", 1), ("keras-efficientnet-b0", 1), ("keras-efficientnetv2-b0", 1)],
)
def test_logits_stay_the_same(backbone: str, kept: int) -> None:
    """Only the batch normalization after a hidden layer with ReLU stays."""
    config = model_config(
        backbone=backbone,
        image_size=64,
        inputs=["image", "metadata"],
        metadata_units=[5],
        hidden=[{"units": 7, "dropout": 0.1}],
    )
    device = use_device("cpu", threads=1)
    network = build_network(config, input_spec_of(config, SITE), weights="none", n_classes=3, device=device)
    random = np.random.default_rng(1)
    count = random_norms(network, random)
    inputs: dict[str, Any] = {
        "image": tf.constant(random.integers(0, 256, (2, 64, 64, 3)), tf.uint8),
        "metadata": tf.constant(random.normal(size=(2, 3)), tf.float32),
    }
    expected = network(inputs, training=False).numpy()
    assert fold_batch_norms(network, device) == count - kept
    found = tf.function(network)(inputs, training=False).numpy()
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
