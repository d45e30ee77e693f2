"""The head on a backbone."""

import numpy as np
from foldline.engine import tf_keras
from foldline.heads import build_model


def backbone() -> tf_keras.Model:
    images = tf_keras.Input((8, 8, 3))
    return tf_keras.Model(images, tf_keras.layers.Conv2D(4, 3, strides=2)(images))


def test_without_hidden_layers_it_is_a_linear_map_of_the_mean() -> None:
    base = backbone()
    model = build_model(base, class_count=2, hidden_units=[], dropout=0.5)
    images = np.random.default_rng(1).random((5, 8, 8, 3), np.float32)
    kernel, bias = model.get_layer("logits").get_weights()
    expected = base(images).numpy().mean(axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(model(images), expected, rtol=1e-5, atol=1e-6)


def test_hidden_layers_are_there() -> None:
    model = build_model(backbone(), class_count=1, hidden_units=[7, 5], dropout=0.0)
    assert model.get_layer("hidden_0").units == 7
    assert model.get_layer("logits").get_weights()[0].shape == (5, 1)
    assert model.output_shape == (None, 1)
