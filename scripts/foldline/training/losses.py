"""Losses of single samples, on logits and labels that may be anything from 0 to 1; batch means are taken elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError
from foldline.runtime.tensorflow import tf
from foldline.training.training_config import LossConfig

# Least distance of a probability from 1 in the focal loss of exclusive classes.
TINY = 1e-7
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def make_loss(config: LossConfig, class_weights: Sequence[Mapping[str, Any]], *, activation: str) -> Loss:
    """Loss by the `loss` section of a model.

    Where each class is a yes or no ("sigmoid"), with p = sigmoid(logit) and the label y smoothed to y (1 - s) + s / 2,
    a class contributes
    cross_entropy: -w1 y log p - w0 (1 - y) log(1 - p);
    focal (Lin et al. 2017, arXiv 1708.02002, for soft labels):
    -w1 alpha y (1 - p)^gamma log p - w0 (1 - alpha) (1 - y) p^gamma log(1 - p);
    and a sample has the mean over its classes.

    Where a sample has one class of n ("softmax"), with p = softmax(logits) and y smoothed to y (1 - s) + s / n, a class
    contributes
    cross_entropy: -w1 y log p;
    focal: -w1 y (1 - p)^gamma log p, without alpha;
    and a sample has the sum over its classes.

    Args:
        config: name ("cross_entropy" or "focal"), label_smoothing s in [0, 1), gamma >= 0, alpha in [0, 1];
            hard_labels, whether a label between 0 and 1 (after smoothing) counts as nothing.
        class_weights: for each class the mapping with `positive_weight` w1 and `negative_weight` w0.
        activation: "sigmoid" or "softmax".

    Returns:
        Function of labels (batch, n_classes) in [0, 1] and logits (batch, n_classes), both float32, that gives the loss
        of each sample (batch,).

    Raises:
        FoldlineError: no loss of this name.
    """
    positive = np.array([[weights["positive_weight"] for weights in class_weights]], np.float32)
    negative = np.array([[weights["negative_weight"] for weights in class_weights]], np.float32)
    smoothing, gamma = config.label_smoothing, config.gamma
    if config.name not in ("cross_entropy", "focal"):
        raise FoldlineError(f"no loss {config.name!r}; there are cross_entropy and focal")
    focal, hard, exclusive = config.name == "focal", config.hard_labels, activation == SOFTMAX
    if focal and not exclusive:
        positive, negative = positive * config.alpha, negative * (1 - config.alpha)
    spread = smoothing / (len(class_weights) if exclusive else 2)

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labels = labels * (1 - smoothing) + spread
        if hard:
            positives, negatives = tf.cast(labels == 1, tf.float32), tf.cast(labels == 0, tf.float32)
        else:
            positives, negatives = labels, 1 - labels
        if exclusive:
            log_share = tf.nn.log_softmax(logits)
            yes = positive * positives * log_share
            if focal:
                # For gamma below 1 the slope of (1 - p)^gamma is infinite at p = 1.
                yes *= tf.maximum(-tf.math.expm1(log_share), TINY) ** gamma
            return -tf.reduce_sum(yes, axis=-1)
        # log p and log(1 - p) without leaving the range of float32.
        log_yes, log_no = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
        yes, no = positive * positives * log_yes, negative * negatives * log_no
        if focal:
            yes, no = yes * tf.exp(gamma * log_no), no * tf.exp(gamma * log_yes)
        return -tf.reduce_mean(yes + no, axis=-1)

    return loss
