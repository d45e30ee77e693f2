"""Fit weights and input scaling that were made for RGB images to images of other channels.

A channel named red, green or blue takes the stem kernel and the scaling of that color, any other channel the mean of
the three. All kernels are multiplied by 3 / C, so that the features of a picture that is the same in every channel keep
their size (the factor is that of `adapt_input_conv` in github.com/huggingface/pytorch-image-models).
"""

from collections.abc import Sequence

import numpy as np

from foldline.runtime.tensorflow import tf_keras

RGB = ("red", "green", "blue")
# Mean and standard deviation of ImageNet's red, green and blue in [0, 1].
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])


def adapt_weights(model: tf_keras.Model, source: tf_keras.Model, channels: Sequence[str]) -> None:
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
    """Values of red, green and blue, (3, ...), as those of named channels, (C, ...): a color's own, or their mean."""
    return np.stack([values[RGB.index(name)] if name in RGB else values.mean(axis=0) for name in channels])


def imagenet_scaling(channels: Sequence[str]) -> tf_keras.layers.Layer:
    """Layer from pixels of 0 to 255 to mean 0 and deviation 1 over ImageNet."""
    mean, deviation = of_channels(IMAGENET_MEAN * 255, channels), of_channels(IMAGENET_STD * 255, channels)
    return tf_keras.layers.Normalization(mean=mean, variance=deviation**2, dtype="float32")
