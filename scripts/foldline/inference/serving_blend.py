"""The blend and its calibration in TensorFlow, as `blend_choice.Fit.apply` computes them, for exported models."""

from collections.abc import Sequence

import numpy as np

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.blend_choice import Fit
from foldline.evaluation.calibration import NONE
from foldline.evaluation.calibrators import Calibrator
from foldline.evaluation.combination import CLIP, LOG
from foldline.runtime.tensorflow import tf


def blended(probabilities: Sequence[tf.Tensor], fit: Fit, activation: str) -> tf.Tensor:
    """Blend and calibrate probabilities.

    Args:
        probabilities: of each model, float32, (n_rows, n_classes).
        fit: the blend, not of ranks, and its calibration; its models are those of `probabilities`.
        activation: see `labels.Labels`.

    Returns:
        float32, (n_rows, n_classes).
    """
    combination = fit.combination
    total = tf.constant(combination.intercepts, tf.float64)
    for values, weights in zip(probabilities, combination.weights, strict=True):
        values = tf.cast(values, tf.float64)
        total += weights * (_logs(values, activation) if combination.scale == LOG else values)
    found = _activated(total, activation) if combination.scale == LOG else total
    return tf.cast(_calibrated(found, fit.calibrator, activation), tf.float32)


def _calibrated(values: tf.Tensor, calibrator: Calibrator, activation: str) -> tf.Tensor:
    if calibrator.method == NONE:
        return values
    if calibrator.method in ("temperature", "platt"):
        logs = _logs(values, activation) * np.array(calibrator.slopes)
        return _activated(logs + np.array(calibrator.intercepts), activation)
    if calibrator.method == "beta":
        clipped = tf.clip_by_value(values, CLIP, 1 - CLIP)
        odds = np.array(calibrator.slopes) * tf.math.log(clipped)
        odds -= np.array(calibrator.complement_slopes) * tf.math.log(1 - clipped)
        found = tf.sigmoid(odds + np.array(calibrator.intercepts))
    else:
        columns = zip(tf.unstack(values, axis=1), calibrator.scores, calibrator.probabilities, strict=True)
        found = tf.stack([_interpolated(*column) for column in columns], axis=1)
    return found / tf.reduce_sum(found, axis=1, keepdims=True) if activation == SOFTMAX else found


def _interpolated(values: tf.Tensor, scores: Sequence[float], probabilities: Sequence[float]) -> tf.Tensor:
    """Interpolate as `numpy.interp` does, (n_rows,)."""
    knots, heights = tf.constant(scores, tf.float64), tf.constant(probabilities, tf.float64)
    above = tf.clip_by_value(tf.searchsorted(knots, values, side="right"), min(1, len(scores) - 1), len(scores) - 1)
    below = tf.maximum(above - 1, 0)
    left, right = tf.gather(knots, below), tf.gather(knots, above)
    share = tf.clip_by_value(tf.math.divide_no_nan(values - left, right - left), 0, 1)
    return tf.gather(heights, below) * (1 - share) + tf.gather(heights, above) * share


def _logs(values: tf.Tensor, activation: str) -> tf.Tensor:
    clipped = tf.clip_by_value(values, CLIP, 1 - CLIP)
    logs = tf.math.log(clipped)
    return logs if activation == SOFTMAX else logs - tf.math.log(1 - clipped)


def _activated(logs: tf.Tensor, activation: str) -> tf.Tensor:
    return tf.nn.softmax(logs) if activation == SOFTMAX else tf.sigmoid(logs)
