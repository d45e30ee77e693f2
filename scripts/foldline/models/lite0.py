"""EfficientNet-Lite0: B0 without squeeze-and-excitation, with ReLU6 and a fixed stem and top."""

from collections.abc import Sequence
from pathlib import Path

from foldline.errors import FoldlineError, listing
from foldline.models.torch_weights import read_torch_weights
from foldline.runtime.tensorflow import tf_keras

LITE0_MEAN, LITE0_STD = 127.0, 128.0
LITE0_STEM, LITE0_TOP = 32, 1280
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


def build_lite0(image_size: int, channels: Sequence[str]) -> tf_keras.Model:
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
    # The classifier is replaced by the head; the counters serve only a kind of batch normalization that is not used.
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
