"""From scores to predicted classes: the threshold of each class, and the classes of each sample."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.rules import BEST_F1, COST, PREVALENCE, SENSITIVITY, SPECIFICITY, rule_parts

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Relative rounding error of a sum of weights.
ROUNDING = 1e-12
# Threshold of a class without positives: every threshold has the same F1.
FALLBACK_THRESHOLD = 0.5


def class_thresholds(
    labels: IntArray, scores: FloatArray, threshold: float | str, weights: FloatArray | None = None
) -> list[float]:
    """Compute the lowest score that predicts each class, (n_classes,).

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: in [0, 1], (n_samples, n_classes).
        threshold: a number for all classes, or a rule of `best_threshold` for each class on these rows.
        weights: weight of each row, (n_samples,); None if each counts the same.
    """
    if not isinstance(threshold, str):
        return [float(threshold)] * labels.shape[1]
    return [best_threshold(*column, weights, rule=threshold) for column in zip(labels.T, scores.T, strict=True)]


def best_threshold(
    labels: IntArray, scores: FloatArray, weights: FloatArray | None = None, *, rule: str = BEST_F1
) -> float:
    """Compute a threshold, halfway between two scores; the highest of equally good ones.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: in [0, 1], (n_samples,).
        weights: weight of each row, (n_samples,); None if each counts the same.
        rule: "best_f1", the threshold with the highest F1; "sensitivity 0.95", the highest one that predicts this share
            of the positives; "specificity 0.95", the lowest one that does not predict this share of the negatives;
            "cost 10", the one with the lowest cost if a missed positive costs as much as ten false
            ones; "prevalence", the share of the positives, which gives calibrated scores the highest balanced accuracy
            (the Bayes rule for equal priors) and is not halfway between scores.

    Returns:
        A threshold; 0.5 without positives that have a weight.
    """
    name, number = rule_parts(rule)
    counts = np.ones(len(labels)) if weights is None else weights
    # Rows without a weight are no candidates.
    labels, scores, counts = labels[counts > 0], scores[counts > 0], counts[counts > 0]
    positive = labels == 1
    if not positive.any():
        return FALLBACK_THRESHOLD
    if name == PREVALENCE:
        return float(counts[positive].sum() / counts.sum())
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    true_positives = np.cumsum((counts * positive)[order])[last]
    predicted = np.cumsum(counts[order])[last]
    positives = (counts * positive).sum()
    if name == SENSITIVITY:
        best = int(np.argmax(true_positives >= number * positives * (1 - ROUNDING)))
    elif name == SPECIFICITY:
        false_positives, negatives = predicted - true_positives, (counts * ~positive).sum()
        right = false_positives <= (1 - number) * negatives + ROUNDING * predicted[-1]
        best = int(np.count_nonzero(right)) - 1
        if best < 0:
            return _above(descending[0])
    elif name == COST:
        costs = predicted - true_positives + number * (positives - true_positives)
        best = int(np.argmin(costs))
        if number * positives <= costs[best]:
            # To predict nothing costs least.
            return _above(descending[0])
    else:
        best = int(np.argmax(2 * true_positives / (predicted + positives)))
    lowest = descending[last[best]]
    next_lower = descending[last[best + 1]] if best + 1 < len(last) else lowest
    return float((lowest + next_lower) / 2)


def _above(highest: float) -> float:
    """A threshold that no score reaches, given the highest one."""
    return float((highest + 1) / 2) if highest < 1 else float(np.nextafter(1, 2))


def fold_thresholds(
    labels: IntArray, scores: FloatArray, folds: IntArray, threshold: str, weights: FloatArray | None = None
) -> dict[int, list[float]]:
    """Compute the thresholds of each fold from the rows of the other folds; arguments as in `class_thresholds`.

    What is predicted by them is what thresholds of this rule give on rows that they were not chosen on.

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: in [0, 1], (n_samples, n_classes).
        folds: fold of each row, (n_samples,).
        threshold: a rule of `best_threshold`.
        weights: weight of each row, (n_samples,); None if each counts the same.
    """
    numbers = np.unique(folds).tolist()
    counts = np.ones(len(labels)) if weights is None else weights
    found: dict[int, list[float]] = {fold: [] for fold in numbers}
    for column in zip(labels.T, scores.T, strict=True):
        # Sorted once: the sort of sorted rows takes no time.
        order = np.argsort(-column[1], kind="stable")
        rows = [values[order] for values in (*column, counts, folds)]
        for fold in numbers:
            own, values, count = (values[rows[-1] != fold] for values in rows[:3])
            found[fold].append(best_threshold(own, values, count, rule=threshold))
    return found


def highest(scores: FloatArray, thresholds: npt.ArrayLike | None = None) -> IntArray:
    """Predict the one class of each sample: that with the highest score, relative to its threshold if there are any.

    Args:
        scores: (n_samples, n_classes).
        thresholds: above 0, (n_classes,) or (n_samples, n_classes); None if all are equal.

    Returns:
        Class numbers, the first of equally good ones, (n_samples,).
    """
    relative = scores if thresholds is None else scores / np.asarray(thresholds)
    return np.asarray(relative.argmax(axis=1), np.int64)


def predicted_classes(
    scores: FloatArray, thresholds: Sequence[float] | None, *, activation: str, empty: bool, exclusive: int | None
) -> list[list[int]]:
    """Predict the classes of each sample.

    Args:
        scores: (n_samples, n_classes).
        thresholds: (n_classes,); None, for "softmax" only, if all are equal.
        activation: see `labels.Labels`; for "softmax" see `highest`.
        empty: whether a sample may have no class; if not, it has at least the class with the highest score.
        exclusive: class that excludes all others: either it or the others are predicted, by the highest score.

    Returns:
        Class numbers of each sample, ascending.
    """
    if activation == SOFTMAX:
        return [[number] for number in highest(scores, thresholds).tolist()]
    predictions = []
    for row in scores:
        best = int(row.argmax())
        predicted: list[int] = np.flatnonzero(row >= thresholds).tolist()
        if exclusive in predicted and len(predicted) > 1:
            others = [number for number in predicted if number != exclusive]
            predicted = [exclusive] if row[exclusive] > row[others].max() else others
        predictions.append(predicted or ([] if empty else [best]))
    return predictions
