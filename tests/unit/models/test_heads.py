"""The head of a network: pooling, metadata, dense layers, logits."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.models.heads import build_model
from foldline.models.model_config import HiddenLayer
from foldline.models.networks import set_norm_momentum
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


def chain(layer: tf_keras.layers.Layer) -> list[str]:
    """Names of a layer and of all before it, up to the first with several inputs or none."""
    before = layer.inbound_nodes[0].inbound_layers
    return [layer.name] if isinstance(before, list) else [layer.name, *chain(before)]


def test_the_layers_of_the_head_are_in_the_order_of_the_notebook() -> None:
    """Row 9: dense, ReLU, batch norm, dropout; for the metadata dense, batch norm, ReLU."""
    hidden = [HiddenLayer(512, 0.2), HiddenLayer(182, 0.3)]
    model = build_model(backbone(), metadata_width=9, n_classes=1, metadata_units=[50], hidden=hidden, dropout=0.0)
    layers = [[f"hidden_{number}_dropout", f"hidden_{number}_norm", f"hidden_{number}"] for number in (1, 0)]
    assert chain(model.get_layer("logits")) == ["logits", "dropout", *layers[0], *layers[1], "join"]
    assert chain(model.get_layer("metadata_0_relu")) == ["metadata_0_relu", "metadata_0_norm", "metadata_0", "metadata"]
    joined = model.get_layer("join").inbound_nodes[0].inbound_layers
    assert [layer.name for layer in joined] == ["pool", "metadata_0_relu"]


def notebook_layers(base: tf_keras.Model, weights: list[np.ndarray]) -> tf_keras.Model:
    """The notebook's `get_model` on another backbone, without dropout; the weights are in the order of its layers."""
    layers = tf_keras.layers
    image, table = tf_keras.Input((8, 8, 3)), tf_keras.Input((9,))
    weighted = [layers.Dense(50), layers.BatchNormalization()]
    x1 = layers.Activation("relu")(weighted[1](weighted[0](table)))
    concat = layers.concatenate([layers.GlobalAveragePooling2D()(base(image)), x1])
    for units in (512, 182):
        weighted += [layers.Dense(units, activation="relu"), layers.BatchNormalization()]
        concat = weighted[-1](weighted[-2](concat))
    weighted.append(layers.Dense(1, activation="sigmoid"))
    model = tf_keras.Model([image, table], weighted[-1](concat))
    remaining = iter(weights)
    for layer in weighted:
        layer.set_weights([next(remaining) for _ in layer.weights])
    assert next(remaining, None) is None
    return model


def test_the_head_computes_what_that_of_the_notebook_does() -> None:
    """Row 9: in training and in prediction, and the statistics of batch normalization after a training step."""
    random = np.random.default_rng(2)
    base = backbone()
    hidden = [HiddenLayer(512, 0.0), HiddenLayer(182, 0.0)]
    model = build_model(base, metadata_width=9, n_classes=1, metadata_units=[50], hidden=hidden, dropout=0.0)
    set_norm_momentum(model, 0.99)
    names = ["metadata_0", "metadata_0_norm", "hidden_0", "hidden_0_norm", "hidden_1", "hidden_1_norm", "logits"]
    for name in names:
        layer = model.get_layer(name)
        layer.set_weights([random.uniform(0.1, 0.3, array.shape) for array in layer.get_weights()])

    def weights() -> list[np.ndarray]:
        found = [array for name in names for array in model.get_layer(name).get_weights()]
        # The notebook's first layer has a bias, which the batch normalization behind it makes superfluous.
        return [found[0], np.zeros(50), *found[1:]]

    theirs = notebook_layers(base, weights())
    images, table = random.random((16, 8, 8, 3), np.float32), random.normal(size=(16, 9)).astype(np.float32)
    for training in (False, True, False):
        logits = model({"image": images, "metadata": table}, training=training)
        expected = theirs([images, table], training=training)
        np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, rtol=1e-4)
    for found, expected in zip(weights(), notebook_weights(theirs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def notebook_weights(model: tf_keras.Model) -> list[np.ndarray]:
    """Weights of `notebook_layers`, in its order; the backbone is the model's only nested model."""
    weighted = [layer for layer in model.layers if layer.weights and not isinstance(layer, tf_keras.Model)]
    return [array for layer in weighted for array in layer.get_weights()]


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
