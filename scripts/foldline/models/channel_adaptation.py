"""Adapt pretrained weights and input scaling of RGB networks to images with other channels.

A channel named red, green or blue gets the stem kernel and the scaling of that color, any other channel their mean over
the three colors. Stem kernels are multiplied by 3 / C, so that an image with the same content in every channel gives
features of the same size (factor from `adapt_input_conv` in github.com/huggingface/pytorch-image-models).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.runtime.tensorflow import tf_keras

RGB = ("red", "green", "blue")
# Mean and standard deviation of ImageNet's red, green and blue, for pixels in [0, 1].
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])


def adapt_weights(model: tf_keras.Model, rgb_model: tf_keras.Model, channels: Sequence[str]) -> None:
    """Copy the weights of an RGB network into the same network for other channels.

    Args:
        model: network for images (batch, S, S, C).
        rgb_model: the same network for images (batch, S, S, 3).
        channels: names of the C channels.
    """
    adapted = []
    for variable, value in zip(model.weights, rgb_model.get_weights(), strict=True):
        # A stem kernel, (height, width, 3, filters): no other kernel has three input channels.
        if value.ndim == 4 and value.shape[2] == len(RGB):
            kernel = per_channel(np.moveaxis(value, 2, 0), channels)
            value = np.moveaxis(kernel, 0, 2) * (len(RGB) / len(channels))
        # Only the input statistics of `tf_keras.applications` still differ in shape; `build_backbone` sets them later.
        adapted.append(value if value.shape == variable.shape else variable.numpy())
    model.set_weights(adapted)


def per_channel(rgb_values: npt.NDArray[Any], channels: Sequence[str]) -> npt.NDArray[Any]:
    """Values of named channels from those of red, green and blue.

    Args:
        rgb_values: (3, ...), of red, green and blue.
        channels: names of C channels.

    Returns:
        (C, ...): for a color its own value, for any other channel the mean of the three.
    """
    return np.stack([rgb_values[RGB.index(name)] if name in RGB else rgb_values.mean(axis=0) for name in channels])


def imagenet_scaling(channels: Sequence[str]) -> tf_keras.layers.Layer:
    """Layer that scales pixels in [0, 255] to mean 0 and standard deviation 1 over ImageNet, in float32."""
    mean, deviation = per_channel(IMAGENET_MEAN * 255, channels), per_channel(IMAGENET_STD * 255, channels)
    return tf_keras.layers.Normalization(mean=mean, variance=deviation**2, dtype="float32")
