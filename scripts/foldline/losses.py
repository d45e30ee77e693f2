"""Losses of single samples, on logits and labels that may be anything from 0 to 1; batch means are taken elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from foldline.engine import tf
from foldline.errors import FoldlineError

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def make_loss(settings: Mapping[str, Any], class_weights: Sequence[Mapping[str, Any]]) -> Loss:
    """Loss by the `loss` section of a model's settings.

    With p = sigmoid(logit) and the label y smoothed to y (1 - s) + s / 2, a class contributes
    bce: -w1 y log p - w0 (1 - y) log(1 - p);
    focal (Lin et al. 2017, arXiv 1708.02002, for soft labels):
    -w1 alpha y (1 - p)^gamma log p - w0 (1 - alpha) (1 - y) p^gamma log(1 - p).

    Args:
        settings: name ("bce" or "focal"), label_smoothing s in [0, 1), gamma >= 0, alpha in [0, 1]; hard_labels,
            whether a label between 0 and 1 (after smoothing) counts as nothing.
        class_weights: for each class the mapping with `positive_weight` w1 and `negative_weight` w0.

    Returns:
        Function of labels (batch, n_classes) in [0, 1] and logits (batch, n_classes), both float32, that gives the loss
        of each sample (batch,), the mean over its classes.

    Raises:
        FoldlineError: no loss of this name.
    """
    positive = np.array([[weights["positive_weight"] for weights in class_weights]], np.float32)
    negative = np.array([[weights["negative_weight"] for weights in class_weights]], np.float32)
    smoothing, gamma = settings["label_smoothing"], settings["gamma"]
    if settings["name"] not in ("bce", "focal"):
        raise FoldlineError(f"no loss {settings['name']!r}; there are bce and focal")
    focal, hard = settings["name"] == "focal", settings["hard_labels"]
    if focal:
        positive, negative = positive * settings["alpha"], negative * (1 - settings["alpha"])

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labels = labels * (1 - smoothing) + smoothing / 2
        if hard:
            positives, negatives = tf.cast(labels == 1, tf.float32), tf.cast(labels == 0, tf.float32)
        else:
            positives, negatives = labels, 1 - labels
        # log p and log(1 - p) without leaving the range of float32.
        log_yes, log_no = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
        yes, no = positive * positives * log_yes, negative * negatives * log_no
        if focal:
            yes, no = yes * tf.exp(gamma * log_no), no * tf.exp(gamma * log_yes)
        return -tf.reduce_mean(yes + no, axis=-1)

    return loss
