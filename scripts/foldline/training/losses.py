"""Losses of single samples from logits and soft labels in [0, 1]; the training step takes the mean of a batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, listing
from foldline.runtime.tensorflow import tf
from foldline.training.training_config import LossConfig

CROSS_ENTROPY, FOCAL = "cross_entropy", "focal"
# Smallest distance of a probability from 1 in the focal loss of exclusive classes.
TINY = 1e-7
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
ClassWeights = npt.NDArray[np.float32]


def make_loss(config: LossConfig, class_weights: Sequence[Mapping[str, Any]], *, activation: str) -> Loss:
    """Make the loss of a training.

    Args:
        config: the section `loss` of a model. With `hard_labels`, a label between 0 and 1 (after smoothing) has no
            loss.
        class_weights: a mapping for each class, with `positive_weight` w1 and `negative_weight` w0.
        activation: "sigmoid" for classes that are each a yes or no, "softmax" for exclusive classes.

    Returns:
        Function of labels (batch, n_classes) in [0, 1] and logits (batch, n_classes), both float32. It gives the loss
        of each sample, float32 (batch,).

    Raises:
        FoldlineError: unknown name.
    """
    if config.name not in (CROSS_ENTROPY, FOCAL):
        raise FoldlineError(f"loss.name is {config.name!r}; allowed: {listing([CROSS_ENTROPY, FOCAL])}")
    positive = np.array([[weights["positive_weight"] for weights in class_weights]], np.float32)
    negative = np.array([[weights["negative_weight"] for weights in class_weights]], np.float32)
    if activation == SOFTMAX:
        return _softmax_loss(config, positive)
    return _sigmoid_loss(config, positive, negative)


def _sigmoid_loss(config: LossConfig, positive: ClassWeights, negative: ClassWeights) -> Loss:
    """Mean over the classes of a sample, with p = sigmoid(logit) and the label y smoothed to y (1 - s) + s / 2.

    cross_entropy: -w1 y log p - w0 (1 - y) log(1 - p);
    focal (Lin et al. 2017, arXiv 1708.02002, for soft labels):
    -w1 alpha y (1 - p)^gamma log p - w0 (1 - alpha) (1 - y) p^gamma log(1 - p).
    """
    if config.name == FOCAL:
        positive, negative = positive * config.alpha, negative * (1 - config.alpha)

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        positives, negatives = _smoothed(labels, config, label_count=2)
        # log p and log(1 - p) within the range of float32.
        log_p, log_not_p = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
        yes, no = positive * positives * log_p, negative * negatives * log_not_p
        if config.name == FOCAL:
            yes, no = yes * tf.exp(config.gamma * log_not_p), no * tf.exp(config.gamma * log_p)
        return -tf.reduce_mean(yes + no, axis=-1)

    return loss


def _softmax_loss(config: LossConfig, positive: ClassWeights) -> Loss:
    """Sum over the n classes of a sample, with p = softmax(logits) and the label y smoothed to y (1 - s) + s / n.

    cross_entropy: -w1 y log p;
    focal: -w1 y (1 - p)^gamma log p, without alpha.
    """

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        positives, _ = _smoothed(labels, config, label_count=positive.shape[1])
        log_p = tf.nn.log_softmax(logits)
        terms = positive * positives * log_p
        if config.name == FOCAL:
            # For gamma below 1 the slope of (1 - p)^gamma is infinite at p = 1.
            terms *= tf.maximum(-tf.math.expm1(log_p), TINY) ** config.gamma
        return -tf.reduce_sum(terms, axis=-1)

    return loss


def _smoothed(labels: tf.Tensor, config: LossConfig, *, label_count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Shares of positive and negative in each label, after smoothing over `label_count` possible labels."""
    labels = labels * (1 - config.label_smoothing) + config.label_smoothing / label_count
    if config.hard_labels:
        return tf.cast(labels == 1, tf.float32), tf.cast(labels == 0, tf.float32)
    return labels, 1 - labels
