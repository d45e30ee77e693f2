"""Batch normalization as part of the layer before it, which makes predictions faster."""

import numpy as np
import numpy.typing as npt

from foldline.models.networks import flat_layers
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras

LINEAR_LAYERS = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D, tf_keras.layers.Dense)


def fold_batch_norms(network: tf_keras.Model, device: Device) -> int:
    """Fold every batch normalization that follows a convolution or dense layer into its kernel and bias, in place.

    In inference a batch normalization is the same scale and offset for each channel of every image, so the network
    stays the same function (Jacob et al., Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, 2018, section 3.2). The network can be trained no more.

    Args:
        network: a network of `networks.build_network` with its weights; calls that are traced already stay as they are.
        device: device that it runs on.

    Returns:
        Number of folded layers.
    """
    count = 0
    for norm in flat_layers(network):
        if not isinstance(norm, tf_keras.layers.BatchNormalization):
            continue
        layer = norm.inbound_nodes[0].inbound_layers
        if is_linear(layer) and len(layer.outbound_nodes) == 1:
            with device.strategy.scope():
                _fold(layer, norm)
            count += 1
    return count


def is_linear(layer: tf_keras.layers.Layer) -> bool:
    """Whether a layer has nothing after its kernel and bias."""
    return isinstance(layer, LINEAR_LAYERS) and layer.activation is tf_keras.activations.linear


def _fold(layer: tf_keras.layers.Layer, norm: tf_keras.layers.BatchNormalization) -> None:
    """Scale kernel and bias of a layer as the normalization after it does, and make the normalization do nothing."""
    scale, offset = scale_and_offset(norm)
    scale_kernel(layer, scale)
    if layer.use_bias:
        offset += layer.bias.numpy()
    else:
        layer.bias = layer.add_weight(name="bias", shape=scale.shape, dtype=tf.float32)
        layer.use_bias = True
    layer.bias.assign(offset.astype(np.float32))
    norm.call = lambda inputs, training=None, mask=None: inputs


def scale_kernel(layer: tf_keras.layers.Layer, scale: npt.NDArray[np.float64]) -> None:
    """Multiply the output channels of a linear layer by factors, (C,), its bias too."""
    is_depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
    kernel = layer.depthwise_kernel if is_depthwise else layer.kernel
    # The last axes of a depthwise kernel are input channel and multiplier, those of others input and output channel.
    factors = scale.reshape(kernel.shape[-2:]) if is_depthwise else scale
    kernel.assign((kernel.numpy() * factors).astype(np.float32))
    if layer.use_bias:
        layer.bias.assign((layer.bias.numpy() * scale).astype(np.float32))


def scale_and_offset(
    norm: tf_keras.layers.BatchNormalization,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Factor and summand of each channel in a batch normalization, float64, (C,)."""
    mean, variance = (value.numpy().astype(np.float64) for value in (norm.moving_mean, norm.moving_variance))
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    offset = -mean * scale
    if norm.center:
        offset = offset + norm.beta.numpy()
    return scale, offset
