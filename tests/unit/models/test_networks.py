"""Networks from their settings, and the stages that the report draws."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.settings import model_config
from foldline.dataset.metadata import MetadataColumnConfig, fit_encoding
from foldline.errors import FoldlineError
from foldline.models.networks import (
    build_network,
    flat_layers,
    freeze_norms,
    input_spec_of,
    network_stages,
    set_norm_momentum,
)
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf_keras

SITE = fit_encoding({"site": MetadataColumnConfig("categorical", ("arm", "leg"))}, {"site": ["arm", "leg"]})


def test_a_model_reads_only_its_inputs() -> None:
    image = input_spec_of(model_config(inputs=["image"], image_size=64, channels=["a", "b"]), SITE)
    assert (image.image_size, image.channels, image.encoding.width) == (64, ("a", "b"), 0)
    metadata = input_spec_of(model_config(inputs=["metadata"]), SITE)
    assert (metadata.image_size, metadata.encoding) == (None, SITE)


@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "efficientnet-b0", "keras-efficientnet-b0"])
def test_stages_follow_the_resolution_of_the_image(backbone: str) -> None:
    """Row 25."""
    config = model_config(
        backbone=backbone,
        image_size=64,
        channels=["a", "b"],
        inputs=["image", "metadata"],
        metadata_units=[5],
        hidden=[{"units": 7, "dropout": 0.1}],
    )
    input_spec = input_spec_of(config, SITE)
    network = build_network(
        config, input_spec, weights="none", n_classes=3, device=use_device("cpu", threads=1), trainable="all"
    )
    stages = network_stages(network)
    shapes = [stage.shape for stage in stages if not stage.metadata]
    assert shapes[0] == (64, 64, 2)
    assert [shape[0] for shape in shapes if len(shape) == 3] == [64, 32, 16, 8, 4, 2]
    assert shapes[-4:] == [(1280,), (1285,), (7,), (3,)]
    assert [stage.shape for stage in stages if stage.metadata] == [(3,), (5,)]
    assert sum(stage.parameters for stage in stages) == network.count_params()
    assert sum(stage.layers for stage in stages) > 100


@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "efficientnet-b0", "keras-efficientnet-b0"])
def test_the_momentum_is_that_of_every_batch_normalization(backbone: str) -> None:
    """Rows 9 and 19: the notebooks leave Keras's 0.99 everywhere, also inside the backbone."""
    config = model_config(
        backbone=backbone,
        image_size=32,
        inputs=["image", "metadata"],
        metadata_units=[5],
        hidden=[{"units": 7, "dropout": 0.1}],
    )
    device = use_device("cpu", threads=1)
    network = build_network(config, input_spec_of(config, SITE), weights="none", n_classes=1, device=device)
    norms = [layer for layer in network.submodules if isinstance(layer, tf_keras.layers.BatchNormalization)]
    assert len(norms) > 40
    assert {layer.momentum for layer in norms} == {0.99}
    set_norm_momentum(network, 0.5)
    assert {layer.momentum for layer in norms} == {0.5}


def test_frozen_norms_of_the_backbone_stay_and_those_of_the_head_learn() -> None:
    config = model_config(
        backbone="efficientnet-lite0", image_size=32, hidden=[{"units": 5, "dropout": 0}], dropout=0, inputs=["image"]
    )
    device = use_device("cpu", threads=1)
    network = build_network(config, input_spec_of(config, SITE), weights="none", n_classes=1, device=device)
    norms = [layer for layer in flat_layers(network) if isinstance(layer, tf_keras.layers.BatchNormalization)]
    freeze_norms(network)
    assert [layer.name for layer in norms if layer.trainable] == ["hidden_0_norm"]
    before = {layer.name: layer.get_weights() for layer in norms}
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    features = tf_keras.Model(network.inputs, network.get_layer("pool").output)
    np.testing.assert_array_equal(features(images, training=True), features(images, training=False))
    network({"image": images}, training=True)
    changed = [
        layer.name
        for layer in norms
        if any((old != new).any() for old, new in zip(before[layer.name], layer.get_weights(), strict=True))
    ]
    assert changed == ["hidden_0_norm"]


def test_a_model_of_images_without_backbone_is_an_error() -> None:
    config = replace(model_config(inputs=["image"]), backbone=None)
    device = use_device("cpu", threads=1)
    with pytest.raises(FoldlineError, match="has no backbone; set its backbone"):
        build_network(config, input_spec_of(config, SITE), weights="none", n_classes=1, device=device)
