"""The function that a SavedModel serves, before it is saved."""

import numpy as np
import pytest
from fixtures.channels import CHANNELS, cells
from fixtures.pictures import photograph, saved
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding
from foldline.errors import FoldlineError
from foldline.evaluation.activations import probabilities
from foldline.inference.saved_model import ServingModule
from foldline.inference.trained_model import LoadedNetwork
from foldline.input_pipeline.decode import decode_image
from foldline.runtime.tensorflow import tf, tf_keras

SIZE = 32
CLASSES = ["er", "golgi"]


def channel_means(channels: tuple[str, ...]) -> LoadedNetwork:
    """A network whose logits are the means of its channels, in [0, 1]."""
    count = len(channels) or 3
    means = tf_keras.Sequential([tf_keras.Input((SIZE, SIZE, count)), tf_keras.layers.GlobalAveragePooling2D()])
    network = tf_keras.Model({"image": means.input}, tf_keras.layers.Rescaling(1 / 255)(means.output))
    return LoadedNetwork(network, InputSpec(SIZE, Encoding(()), channels))


def test_models_may_read_different_channels() -> None:
    module = ServingModule(
        [[channel_means(("red", "yellow"))], [channel_means(("yellow", "blue"))]],
        views=1,
        activation="sigmoid",
        class_names=CLASSES,
    )
    images = np.stack([cells(number, number % 2, edge=SIZE) for number in range(3)])
    planes = {name: images[..., index] for index, name in enumerate(CHANNELS)}
    encoded = {name: tf.constant([saved(row, "PNG") for row in planes[name]]) for name in ("red", "yellow", "blue")}
    red, yellow, blue = (
        probabilities(planes[name].mean(axis=(1, 2)) / 255, "sigmoid") for name in ("red", "yellow", "blue")
    )
    expected = np.stack([(red + yellow) / 2, (yellow + blue) / 2], axis=1)
    np.testing.assert_allclose(module.serve(**encoded)["probabilities"], expected, atol=1e-6)


def test_an_rgb_image_is_one_input_of_the_size_of_the_model() -> None:
    module = ServingModule([[channel_means(())]], views=4, activation="softmax", class_names=["r", "g", "b"])
    data = saved(photograph(SIZE, SIZE), "JPEG")
    answer = module.serve(image=tf.constant([data, data]))
    means = decode_image([tf.constant(data)], SIZE, channels=3).numpy().mean(axis=(0, 1)) / 255
    expected = np.tile(probabilities(means, "softmax"), (2, 1))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)
    assert [name.decode() for name in answer["classes"].numpy()] == ["r", "g", "b"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[40,32,3\]"):
        module.serve(image=tf.constant([saved(photograph(40, SIZE), "JPEG")]))


def test_models_of_different_image_sizes_are_an_error() -> None:
    networks = [LoadedNetwork(tf_keras.Sequential(), InputSpec(size, Encoding(()))) for size in (32, 64)]
    with pytest.raises(FoldlineError, match=r"different sizes \(32 px, 64 px\).* export each model by itself"):
        ServingModule([[each] for each in networks], views=1, activation="sigmoid", class_names=CLASSES)
