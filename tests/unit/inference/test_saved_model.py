"""The function that a SavedModel serves, before it is saved."""

import numpy as np
import pytest
from fixtures.channels import CHANNELS, cells
from fixtures.pictures import photograph, saved
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding
from foldline.evaluation.activations import probabilities
from foldline.evaluation.blend_choice import Fit
from foldline.evaluation.calibration import NONE
from foldline.evaluation.calibrators import Calibrator
from foldline.evaluation.combination import PROBABILITY, Combination
from foldline.images.resizing import record_image
from foldline.inference.saved_model import ServedNetwork, ServingModule
from foldline.inference.serving_images import ServingImages
from foldline.inference.trained_model import LoadedNetwork
from foldline.input_pipeline.decode import decode_image
from foldline.runtime.tensorflow import tf, tf_keras

SIZE = 32
CLASSES = ["er", "golgi"]


def channel_means(channels: tuple[str, ...], *, size: int = SIZE) -> LoadedNetwork:
    """A network whose logits are the means of its channels, in [0, 1]."""
    count = len(channels) or 3
    means = tf_keras.Sequential([tf_keras.Input((size, size, count)), tf_keras.layers.GlobalAveragePooling2D()])
    network = tf_keras.Model({"image": means.input}, tf_keras.layers.Rescaling(1 / 255)(means.output))
    return LoadedNetwork(network, InputSpec(size, Encoding(()), channels))


def mean_of_two(classes: int) -> Fit:
    return Fit(Combination.equal(PROBABILITY, 2, classes), Calibrator(NONE))


def test_models_may_read_different_channels() -> None:
    module = ServingModule(
        [[ServedNetwork(channel_means(channels), [0])] for channels in (("red", "yellow"), ("yellow", "blue"))],
        images=ServingImages("stretch", 95),
        activation="sigmoid",
        class_names=CLASSES,
        blend=mean_of_two(len(CLASSES)),
    )
    images = np.stack([cells(number, number % 2, edge=SIZE) for number in range(3)])
    planes = {name: images[..., index] for index, name in enumerate(CHANNELS)}
    encoded = {name: tf.constant([saved(row, "PNG") for row in planes[name]]) for name in ("red", "yellow", "blue")}
    red, yellow, blue = (
        probabilities(planes[name].mean(axis=(1, 2)) / 255, "sigmoid") for name in ("red", "yellow", "blue")
    )
    expected = np.stack([(red + yellow) / 2, (yellow + blue) / 2], axis=1)
    np.testing.assert_allclose(module.serve(**encoded)["probabilities"], expected, atol=1e-6)


def test_models_of_different_sizes_read_one_image_of_any_size() -> None:
    module = ServingModule(
        [[ServedNetwork(channel_means((), size=size), range(4))] for size in (SIZE, 48)],
        images=ServingImages("crop", 95),
        activation="softmax",
        class_names=["r", "g", "b"],
        blend=mean_of_two(3),
    )
    files = [saved(photograph(*shape), name) for shape, name in (((100, 70), "JPEG"), ((48, 48), "PNG"))]
    answer = module.serve(image=tf.constant(files))
    means = []
    for size in (SIZE, 48):
        records = [record_image(data, size=size, aspect="crop", jpeg_quality=95) for data in files]
        pixels = [decode_image([tf.constant(record)], size, channels=3).numpy() for record in records]
        means.append(probabilities(np.mean(pixels, axis=(1, 2)) / 255, "softmax"))
    np.testing.assert_allclose(answer["probabilities"], np.mean(means, axis=0), atol=1e-4)
    assert [name.decode() for name in answer["classes"].numpy()] == ["r", "g", "b"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="image: image 1 of the batch: not a JPEG or PNG"):
        module.serve(image=tf.constant([files[0], b"no image"]))


def test_each_network_of_an_ensemble_has_its_own_views() -> None:
    """A network that sees one corner alone tells the views apart."""
    image = tf_keras.Input((SIZE, SIZE, 3))
    corner = tf_keras.layers.Cropping2D(((0, SIZE - 8), (0, SIZE - 8)))(image)
    pooled = tf_keras.layers.GlobalAveragePooling2D()(tf_keras.layers.Rescaling(1 / 255)(corner))
    network = tf_keras.Model({"image": image}, pooled)
    loaded = LoadedNetwork(network, InputSpec(SIZE, Encoding(()), ()))
    module = ServingModule(
        [[ServedNetwork(loaded, [0, 3]), ServedNetwork(loaded, [2])]],
        images=ServingImages("stretch", 95),
        activation="sigmoid",
        class_names=["r", "g", "b"],
    )
    data = saved(photograph(SIZE, SIZE), "PNG")
    record = record_image(data, size=SIZE, aspect="stretch", jpeg_quality=95)
    pixels = decode_image([tf.constant(record)], SIZE, channels=3).numpy()
    seen = {0: pixels[:8, :8], 3: pixels[-8:, -8:], 2: pixels[-8:, :8]}
    means = {number: probabilities(part.mean(axis=(0, 1)) / 255, "sigmoid") for number, part in seen.items()}
    expected = ((means[0] + means[3]) / 2 + means[2]) / 2
    np.testing.assert_allclose(module.serve(image=tf.constant([data]))["probabilities"], [expected], atol=1e-5)
    assert np.abs(means[0] - means[2]).max() > 1e-3
