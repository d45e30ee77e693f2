"""From scores to labels: the threshold of each class, and the classes that a sample is said to have."""

from collections.abc import Sequence

import numpy as np

from foldline.dataset.labels import SOFTMAX

BEST_F1 = "best_f1"
# Of a class without positives, which no threshold finds.
MIDDLE = 0.5


def class_thresholds(labels: np.ndarray, scores: np.ndarray, threshold: float | str) -> list[float]:
    """Score from which on a class is called, (n_classes,).

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: (n_samples, n_classes), in [0, 1].
        threshold: a number for all classes, or "best_f1": for each class the one with the highest F1 on these rows.
    """
    if threshold != BEST_F1:
        return [float(threshold)] * labels.shape[1]
    return [best_threshold(*column) for column in zip(labels.T, scores.T, strict=True)]


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Threshold with the highest F1: half way between two scores, so that it calls the same rows by a margin.

    The highest of equal ones; 0.5 without positives.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: (n_samples,).
    """
    positive = labels == 1
    if not positive.any():
        return MIDDLE
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    hits = np.cumsum(positive[order])[last]
    best = int(np.argmax(2 * hits / (last + 1 + positive.sum())))
    below = falling[last[best + 1]] if best + 1 < len(last) else falling[last[best]]
    return float((falling[last[best]] + below) / 2)


def predicted_classes(
    scores: np.ndarray, thresholds: Sequence[float], *, activation: str, empty: bool, exclusive: int | None
) -> list[list[int]]:
    """Classes of each sample.

    Args:
        scores: (n_samples, n_classes).
        thresholds: (n_classes,); without meaning for "softmax".
        activation: see `labels.Labels`; with "softmax" a sample has the class of the highest score.
        empty: whether a sample may have no class; where not, it has at least that of the highest score.
        exclusive: class that stands alone: of it and the others the one with the highest score counts.

    Returns:
        Numbers of classes, rising, of each sample.
    """
    found = []
    for row in scores:
        best = int(row.argmax())
        called = [] if activation == SOFTMAX else np.flatnonzero(row >= thresholds).tolist()
        if exclusive in called and len(called) > 1:
            others = [number for number in called if number != exclusive]
            called = [exclusive] if row[exclusive] > row[others].max() else others
        found.append(called or ([] if empty else [best]))
    return found
