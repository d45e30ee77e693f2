"""A backbone without batch normalization: its layers become part of the convolutions before them, before training.

What stays of a normalization is its offset, which is trained as a bias. In the weights file it is a normalization with
the scale 1, the mean 0 and the variance 1, so that predictions build the network as any other.
"""

from foldline.inference.folded_norms import is_linear, scale_and_offset, scale_kernel
from foldline.models.networks import backbone_layers
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras


def fold_before_training(network: tf_keras.Model, device: Device) -> None:
    """Fold the batch normalization of the backbone, in place; what follows no convolution stays as it is, untrained.

    Args:
        network: a network of `networks.build_network` with its initial weights, before any call is traced.
        device: device that it runs on.
    """
    for norm in _norms(network):
        layer = norm.inbound_nodes[0].inbound_layers
        if not (is_linear(layer) and len(layer.outbound_nodes) == 1 and norm.scale and norm.center):
            norm.trainable = False
            continue
        with device.strategy.scope():
            scale, offset = scale_and_offset(norm)
            scale_kernel(layer, scale)
            norm.beta.assign(offset.astype("float32"))
            norm.moving_mean.assign(tf.zeros_like(norm.moving_mean))
            norm.moving_variance.assign(tf.ones_like(norm.moving_variance) - norm.epsilon)
        norm.call, norm.is_folded = _bias_of(norm), True
    reset_scales(network)


def reset_scales(network: tf_keras.Model) -> None:
    """Set the scales of folded normalization to 1. No step uses or changes them, but an average of weights rounds."""
    for norm in _norms(network):
        if getattr(norm, "is_folded", False):
            norm.gamma.assign(tf.ones_like(norm.gamma))


def _norms(network: tf_keras.Model) -> list[tf_keras.layers.BatchNormalization]:
    return [layer for layer in backbone_layers(network) if isinstance(layer, tf_keras.layers.BatchNormalization)]


def _bias_of(norm: tf_keras.layers.BatchNormalization) -> tf_keras.layers.Layer:
    """What a folded normalization does: it adds its offset."""
    return lambda inputs, training=None, mask=None: tf.nn.bias_add(inputs, tf.cast(norm.beta, inputs.dtype))
