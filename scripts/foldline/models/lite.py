"""EfficientNet-Lite0, -Lite1 and -Lite2, and their ImageNet weights from PyTorch files.

They are B0, B1 and B2 without squeeze-and-excitation, with ReLU6, and with stem, top, first and last blocks of fixed
size (github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from foldline.errors import FoldlineError, listing
from foldline.models.torch_weights import read_torch_weights
from foldline.runtime.tensorflow import tf, tf_keras

PIXEL_MEAN, PIXEL_STD = 127.0, 128.0
STEM_CHANNELS, TOP_CHANNELS = 32, 1280
# Factors of channels and of blocks (efficientnet_lite_builder.py of the reference).
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
# Channels are multiples of this.
DIVISOR = 8


class BlockGroup(NamedTuple):
    """Consecutive blocks with the same output size.

    Attributes:
        kernel: edge of the depthwise kernels.
        stride: stride of the first block; the others have stride 1.
        expansion: factor by which a block widens its input.
        channels: output channels of each block.
        blocks: number of blocks.
    """

    kernel: int
    stride: int
    expansion: int
    channels: int
    blocks: int


# EfficientNet-B0 (arXiv 1905.11946, table 1).
BLOCK_GROUPS = (
    BlockGroup(3, 1, 1, 16, 1),
    BlockGroup(3, 2, 6, 24, 2),
    BlockGroup(5, 2, 6, 40, 2),
    BlockGroup(3, 2, 6, 80, 3),
    BlockGroup(5, 1, 6, 112, 3),
    BlockGroup(5, 2, 6, 192, 4),
    BlockGroup(3, 1, 6, 320, 1),
)


def block_groups(variant: str) -> list[BlockGroup]:
    """Groups of blocks of a network, by a name of `SCALES`; the first and the last one have as many as in B0."""
    width, depth = SCALES[variant]
    last = len(BLOCK_GROUPS) - 1
    return [
        group._replace(
            channels=scaled_channels(group.channels, width),
            blocks=group.blocks if number in (0, last) else math.ceil(depth * group.blocks),
        )
        for number, group in enumerate(BLOCK_GROUPS)
    ]


def scaled_channels(channels: int, width: float) -> int:
    """Channels times a factor, rounded to a multiple of `DIVISOR` that is at least 90 % of the product."""
    if width == 1:
        return channels
    product = channels * width
    rounded = max(DIVISOR, int(product + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * product else rounded


def build_lite(variant: str, image_size: int, channels: Sequence[str]) -> tf_keras.Model:
    """Build a network with random weights.

    Args:
        variant: a name of `SCALES`.
        image_size: edge S of the square images in pixels.
        channels: names of the C channels of an image.

    Returns:
        Model from images (batch, S, S, C), uint8 or float in [0, 255], to features (batch, S / 32, S / 32, 1280).
    """
    images = tf_keras.Input((image_size, image_size, len(channels)), name="images")
    scale = tf_keras.layers.Rescaling(1 / PIXEL_STD, offset=-PIXEL_MEAN / PIXEL_STD, name="scale")
    features = _convolution(scale(images), "conv_stem", "bn0", STEM_CHANNELS, kernel=3, stride=2)
    number = 0
    for group in block_groups(variant):
        for stride in [group.stride] + [1] * (group.blocks - 1):
            features = _block(features, f"blocks_{number}", group, stride)
            number += 1
    top = _convolution(features, "conv_head", "bn1", TOP_CHANNELS, kernel=1, stride=1)
    return tf_keras.Model(images, top, name=variant)


def _convolution(
    features: tf.Tensor, name: str, norm_name: str, channels: int, *, kernel: int, stride: int
) -> tf.Tensor:
    """Convolution, batch normalization, ReLU6."""
    layers = tf_keras.layers
    features = layers.Conv2D(
        channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name
    )(features)
    features = layers.BatchNormalization(epsilon=1e-3, name=norm_name)(features)
    return layers.ReLU(6.0, name=f"{name}_relu")(features)


def _block(block_input: tf.Tensor, name: str, group: BlockGroup, stride: int) -> tf.Tensor:
    """Inverted bottleneck: expand, filter each channel, project; plus its input if the shapes agree."""
    layers = tf_keras.layers
    features = block_input
    if group.expansion > 1:
        expanded = block_input.shape[-1] * group.expansion
        features = _convolution(features, f"{name}_expand_conv", f"{name}_bn0", expanded, kernel=1, stride=1)
    features = layers.DepthwiseConv2D(
        group.kernel,
        stride,
        "same",
        use_bias=False,
        # As in the reference. "he_normal" would count all channels as inputs of each one, and the features of a frozen
        # random network would be 0.
        depthwise_initializer=tf_keras.initializers.VarianceScaling(2.0, "fan_out"),
        name=f"{name}_depthwise_conv",
    )(features)
    features = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn1")(features)
    features = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(features)
    features = layers.Conv2D(
        group.channels, 1, 1, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_project_conv"
    )(features)
    features = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn2")(features)
    if stride == 1 and block_input.shape[-1] == group.channels:
        features = layers.Add(name=f"{name}_add")([features, block_input])
    return features


def load_lite_tensors(model: tf_keras.Model, path: str | Path) -> None:
    """Load the PyTorch file of a network into one of `build_lite` for RGB images.

    Every layer gets its tensors, and no tensor of the file remains unused.

    Raises:
        FoldlineError: the file lacks a tensor, has an unknown one, or one of another shape.
    """
    title = f"EfficientNet-{model.name.capitalize()}"
    # The head replaces the classifier; the counters serve a variant of batch normalization that Keras does not have.
    tensors = {
        name: tensor
        for name, tensor in read_torch_weights(path).items()
        if not name.startswith("_fc.") and not name.endswith(".num_batches_tracked")
    }
    try:
        for layer in (layer for layer in model.layers if layer.weights):
            layer.set_weights([tensors.pop(name).transpose(axes) for name, axes in _tensor_names(layer)])
    except (KeyError, ValueError) as error:
        raise FoldlineError(
            f"{path}: not the weights of {title} ({error}); set weights to imagenet or to another file"
        ) from error
    if tensors:
        raise FoldlineError(
            f"{path}: {title} has no layers for the tensors {listing(sorted(tensors))}; set weights to "
            "imagenet or to another file"
        )


def _tensor_names(layer: tf_keras.layers.Layer) -> list[tuple[str, tuple[int, ...]]]:
    """Names of a layer's tensors in the PyTorch file, each with the order of its axes in Keras."""
    module = "_" + layer.name
    if module.startswith("_blocks_"):
        _, number, rest = module[1:].split("_", 2)
        module = f"_blocks.{number}._{rest}"
    if isinstance(layer, tf_keras.layers.BatchNormalization):
        return [(f"{module}.{name}", (0,)) for name in ("weight", "bias", "running_mean", "running_var")]
    # PyTorch kernels are (out, in, height, width), depthwise ones (channels, 1, height, width). A DepthwiseConv2D is
    # also a Conv2D.
    depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
    return [(f"{module}.weight", (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]
