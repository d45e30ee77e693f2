"""Metrics of one class, exact, weighted or not, each with its uncertainty.

All functions take one class at a time: labels, 0 or 1, and scores, both (n_rows,). A metric that is not defined, such
as the AUC of rows that all have the same label, is None or NaN.
"""

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Estimate, Rows, mean_estimate
from foldline.evaluation.intervals import LOSS, SHARE
from foldline.evaluation.ranking import ranking_estimates

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

DEFAULT_THRESHOLD = 0.5

# Higher is better for all except log_loss and brier.
RANKING_METRICS = ("auc", "average_precision")
PROBABILITY_METRICS = ("log_loss", "brier", "accuracy", "f1")
METRICS = RANKING_METRICS + PROBABILITY_METRICS
# Range of each metric.
LIMITS = {name: LOSS if name == "log_loss" else SHARE for name in METRICS}


def class_estimates(
    labels: IntArray, scores: FloatArray, predicted: BoolArray, rows: Rows
) -> dict[str, Estimate | None]:
    """Estimate every metric.

    Tied scores count half in the ROC AUC and share one threshold in the average precision. The log loss clips
    probabilities to [eps, 1 - eps] of float64, as scikit-learn does. The Brier score is the mean squared difference
    between score and label (Brier, 1950).

    Args:
        labels: 0 or 1, (n_rows,).
        scores: any real numbers, (n_rows,); in [0, 1] for probability metrics.
        predicted: which rows are predicted as positive, for accuracy and F1, (n_rows,).
        rows: weights and groups.

    Returns:
        Metric of `METRICS` -> its estimate.
    """
    positive, weights = labels == 1, rows.weights
    epsilon = np.finfo(np.float64).eps
    clipped = np.clip(scores, epsilon, 1 - epsilon)
    area, precision = ranking_estimates(labels, scores, rows)
    return {
        "auc": area,
        "average_precision": precision,
        "log_loss": mean_estimate(-np.log(np.where(positive, clipped, 1 - clipped)), weights, rows),
        "brier": mean_estimate((scores - positive) ** 2, weights, rows),
        "accuracy": mean_estimate(predicted == positive, weights, rows),
        "f1": f1_estimate(positive, predicted, rows),
    }


def f1_estimate(positive: BoolArray, predicted: BoolArray, rows: Rows) -> Estimate | None:
    """Estimate F1, the mean of "right" over the positives and the predicted positives, which count twice if both."""
    counted = rows.weights * (positive.astype(np.float64) + predicted)
    return mean_estimate(positive & predicted, counted, rows)


def plain_scores(
    labels: IntArray,
    scores: FloatArray,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    predicted: BoolArray | None = None,
    weights: FloatArray | None = None,
) -> dict[str, float]:
    """Compute the value of every metric; see `class_estimates`.

    Args:
        labels: 0 or 1, (n_rows,).
        scores: (n_rows,).
        threshold: lowest score that predicts a positive.
        predicted: which rows are predicted as positive instead; None to use the threshold.
        weights: weight of each row, (n_rows,); None if each counts the same.

    Returns:
        Metric of `METRICS` -> its value, NaN where it is not defined.
    """
    predicted = scores >= threshold if predicted is None else predicted
    found = class_estimates(labels, scores, predicted, Rows.single(len(labels), weights))
    return {name: float("nan") if one is None else one.value for name, one in found.items()}


def weighted_macro_auc(labels: IntArray, scores: FloatArray, *, weights: FloatArray) -> float:
    """Compute the mean ROC AUC of weighted rows over the classes for which it is defined; see `roc_auc.macro_auc`.

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: (n_samples, n_classes).
        weights: at least 0, (n_samples,).
    """
    rows = Rows.single(len(labels), weights)
    areas = [ranking_estimates(*column, rows)[0] for column in zip(labels.T, scores.T, strict=True)]
    defined = [area.value for area in areas if area is not None]
    return float(np.mean(defined)) if defined else float("nan")


def cumulative_counts(labels: IntArray, scores: FloatArray) -> tuple[IntArray, IntArray]:
    """Count true and false positives at every distinct threshold, from the strictest to the loosest.

    Returns:
        True positives and false positives, (n_thresholds + 1,) each; the first entry is 0: nothing is predicted.
    """
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    true = np.cumsum(labels[order] == 1)[last]
    return np.concatenate([[0], true]), np.concatenate([[0], last + 1 - true])
