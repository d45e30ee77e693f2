"""AUC and accuracy of the training rows of an epoch, from counts that each step adds to.

An exact AUC needs the scores of all rows of an epoch. Counts have a fixed size instead, on the device, in memory and in
a checkpoint: the rows of each class and label by their log-odds, in bins of 1/32. Rows in one bin count as ties, which
changes an AUC by less than 0.001 unless all log-odds lie within a few bins.

The scores are those of the training step: with dropout and augmentation, and by the weights of that step. A label that
CutMix or MixUp has mixed counts as the one with the larger share.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.runtime.tensorflow import tf

# Log-odds beyond +-16, probabilities nearer than 1e-7 to 0 or 1, are in the outermost bins.
BINS, BINS_PER_UNIT = 1024, 32
# Smallest distance of a probability from 1.
TINY = 1e-7

Counts = npt.NDArray[np.int64]


class StepCounts(NamedTuple):
    """Counts of some rows.

    Attributes:
        correct: (), int32: correct predictions, one for each row ("softmax") or for each row and class ("sigmoid").
        bins: (n_classes, 2, BINS), int32: rows by class, label and log-odds.
    """

    correct: tf.Tensor
    bins: tf.Tensor


def no_counts(n_classes: int) -> StepCounts:
    """Counts of no rows."""
    return StepCounts(tf.zeros([], tf.int32), tf.zeros([n_classes, 2, BINS], tf.int32))


def count_rows(labels: tf.Tensor, logits: tf.Tensor, *, activation: str) -> StepCounts:
    """Count the rows of a batch.

    Args:
        labels: in [0, 1], (batch, n_classes), float32.
        logits: (batch, n_classes), float32.
        activation: see `labels.Labels`.
    """
    n_classes = logits.shape[-1]
    if activation == SOFTMAX:
        label = tf.argmax(labels, axis=-1)
        positive = tf.one_hot(label, n_classes, dtype=tf.int32)
        correct = tf.argmax(logits, axis=-1) == label
        log_p = tf.nn.log_softmax(logits)
        log_odds = log_p - tf.math.log(tf.maximum(-tf.math.expm1(log_p), TINY))
    else:
        positive = tf.cast(labels > 0.5, tf.int32)
        correct = (logits > 0) == (labels > 0.5)
        log_odds = logits
    limit = BINS / 2 / BINS_PER_UNIT
    bins = tf.cast(tf.math.ceil(tf.clip_by_value(log_odds, -limit, limit) * BINS_PER_UNIT), tf.int32) + BINS // 2 - 1
    cells = (2 * tf.range(n_classes) + positive) * BINS + tf.clip_by_value(bins, 0, BINS - 1)
    cells = tf.reshape(cells, [-1])
    counts = tf.math.unsorted_segment_sum(tf.ones_like(cells), cells, n_classes * 2 * BINS)
    return StepCounts(tf.reduce_sum(tf.cast(correct, tf.int32)), tf.reshape(counts, [n_classes, 2, BINS]))


def auc_of_counts(bins: Counts) -> float:
    """Mean ROC AUC over the classes that have rows with both labels; rows in one bin are ties.

    Args:
        bins: (n_classes, 2, BINS).

    Returns:
        A value in [0, 1]; NaN if no class has both labels.
    """
    negatives, positives = bins[:, 0].astype(np.float64), bins[:, 1].astype(np.float64)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = negatives.sum(axis=1) * positives.sum(axis=1)
    ordered = (positives * below).sum(axis=1)
    defined = pairs > 0
    return float(np.mean(ordered[defined] / pairs[defined])) if defined.any() else float("nan")


def accuracy_of_counts(correct: int, bins: Counts, *, activation: str) -> float:
    """Share of correct predictions, in [0, 1], as in `evaluation.activations.accuracy`.

    Args:
        correct: correct predictions.
        bins: (n_classes, 2, BINS), at least one row.
        activation: see `labels.Labels`.
    """
    predictions = int(bins.sum()) // (len(bins) if activation == SOFTMAX else 1)
    return correct / predictions
