"""From scores to predicted classes: the threshold of each class, and the classes of each sample."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BEST_F1 = "best_f1"
# Threshold of a class without positives: every threshold has the same F1.
FALLBACK_THRESHOLD = 0.5


def class_thresholds(
    labels: IntArray, scores: FloatArray, threshold: float | str, weights: FloatArray | None = None
) -> list[float]:
    """Compute the lowest score that predicts each class, (n_classes,).

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: in [0, 1], (n_samples, n_classes).
        threshold: a number for all classes, or "best_f1": the threshold with the highest F1 of each class on these
            rows.
        weights: weight of each row, (n_samples,); None if each counts the same.
    """
    if threshold != BEST_F1:
        return [float(threshold)] * labels.shape[1]
    return [best_threshold(*column, weights) for column in zip(labels.T, scores.T, strict=True)]


def best_threshold(labels: IntArray, scores: FloatArray, weights: FloatArray | None = None) -> float:
    """Compute the threshold with the highest F1, halfway between two scores; the highest of equally good ones.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: (n_samples,).
        weights: weight of each row, (n_samples,); None if each counts the same.

    Returns:
        A threshold in the range of the scores; 0.5 without positives that have a weight.
    """
    counts = np.ones(len(labels)) if weights is None else weights
    # Rows without a weight are no candidates.
    labels, scores, counts = labels[counts > 0], scores[counts > 0], counts[counts > 0]
    positive = labels == 1
    if not positive.any():
        return FALLBACK_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    true_positives = np.cumsum((counts * positive)[order])[last]
    predicted = np.cumsum(counts[order])[last]
    best = int(np.argmax(2 * true_positives / (predicted + (counts * positive).sum())))
    lowest = descending[last[best]]
    next_lower = descending[last[best + 1]] if best + 1 < len(last) else lowest
    return float((lowest + next_lower) / 2)


def predicted_classes(
    scores: FloatArray, thresholds: Sequence[float], *, activation: str, empty: bool, exclusive: int | None
) -> list[list[int]]:
    """Predict the classes of each sample.

    Args:
        scores: (n_samples, n_classes).
        thresholds: (n_classes,); ignored for "softmax".
        activation: see `labels.Labels`; for "softmax" the class with the highest score is predicted.
        empty: whether a sample may have no class; if not, it has at least the class with the highest score.
        exclusive: class that excludes all others: either it or the others are predicted, by the highest score.

    Returns:
        Class numbers of each sample, ascending.
    """
    predictions = []
    for row in scores:
        best = int(row.argmax())
        predicted: list[int] = [] if activation == SOFTMAX else np.flatnonzero(row >= thresholds).tolist()
        if exclusive in predicted and len(predicted) > 1:
            others = [number for number in predicted if number != exclusive]
            predicted = [exclusive] if row[exclusive] > row[others].max() else others
        predictions.append(predicted or ([] if empty else [best]))
    return predictions
