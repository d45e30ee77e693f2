"""The head of a network: pooling, metadata, dense layers, logits."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.models.heads import build_model
from foldline.models.model_config import HiddenLayer
from foldline.runtime.tensorflow import tf_keras


def backbone() -> tf_keras.Model:
    """A convolution from images (batch, 8, 8, 3) to features (batch, 3, 3, 4)."""
    images = tf_keras.Input((8, 8, 3))
    return tf_keras.Model(images, tf_keras.layers.Conv2D(4, 3, strides=2)(images))


def test_without_hidden_layers_logits_are_linear_in_the_mean_features() -> None:
    base = backbone()
    model = build_model(base, metadata_width=0, n_classes=2, metadata_units=[], hidden=[], dropout=0.5)
    images = np.random.default_rng(1).random((5, 8, 8, 3), np.float32)
    kernel, bias = model.get_layer("logits").get_weights()
    expected = base(images).numpy().mean(axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(model({"image": images}), expected, rtol=1e-5, atol=1e-6)


def test_the_head_of_the_notebook() -> None:
    """Rows 4 and 9: 9 tabular values through 50 units, joined, 512 and 182 units with batch norm and dropout."""
    hidden = [HiddenLayer(512, 0.2), HiddenLayer(182, 0.3)]
    model = build_model(backbone(), metadata_width=9, n_classes=1, metadata_units=[50], hidden=hidden, dropout=0.0)
    assert model.get_layer("metadata_0").get_weights()[0].shape == (9, 50)
    assert model.get_layer("join").output_shape == (None, 4 + 50)
    assert model.get_layer("hidden_0").get_weights()[0].shape == (54, 512)
    assert [model.get_layer(f"hidden_{number}_dropout").rate for number in (0, 1)] == [0.2, 0.3]
    assert model.get_layer("logits").get_weights()[0].shape == (182, 1)
    # The order of a hidden layer is dense, ReLU, batch norm, dropout; that of the metadata dense, batch norm, ReLU.
    names = [layer.name for layer in model.layers]
    assert model.get_layer("hidden_0").activation.__name__ == "relu"
    assert names.index("metadata_0_norm") < names.index("metadata_0_relu")


def test_both_inputs_change_the_logits() -> None:
    # Of three rectified units all may be off for both rows; with this seed they are not.
    tf_keras.utils.set_random_seed(1)
    model = build_model(backbone(), metadata_width=2, n_classes=1, metadata_units=[3], hidden=[], dropout=0.0)
    images, metadata = np.ones((2, 8, 8, 3), np.float32), np.array([[1, 0], [1, 0]], np.float32)
    first = model({"image": images, "metadata": metadata}).numpy()
    images[1] = 0
    second = model({"image": images, "metadata": metadata}).numpy()
    metadata[0] = [-3, 5]
    third = model({"image": images, "metadata": metadata}).numpy()
    assert first[0] == first[1] == second[0] != second[1]
    assert third[0] != second[0]


def test_a_model_of_metadata_alone_gives_logits() -> None:
    model = build_model(None, metadata_width=2, n_classes=1, metadata_units=[3], hidden=[], dropout=0.0)
    assert model({"metadata": np.zeros((4, 2), np.float32)}).shape == (4, 1)


def test_a_model_without_inputs_is_an_error() -> None:
    with pytest.raises(FoldlineError, match="images, metadata or both"):
        build_model(None, metadata_width=0, n_classes=1, metadata_units=[3], hidden=[], dropout=0.0)
