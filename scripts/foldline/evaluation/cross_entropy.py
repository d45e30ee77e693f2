"""The cross entropy of soft labels and scores."""

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX

FloatArray = npt.NDArray[np.float64]


def cross_entropy(shares: npt.NDArray[np.floating], scores: npt.NDArray[np.floating], activation: str) -> FloatArray:
    """Cross entropy of each sample in nats, float64, (n_samples,).

    With the share y and the score p of each class: the sum of -y log p for "softmax", the mean of -y log p - (1 - y)
    log(1 - p) for "sigmoid". Scores are clipped to [eps, 1 - eps] of float64. It is smallest, the entropy of the label,
    if the scores are the shares.

    Args:
        shares: share of each class in the label, in [0, 1], (n_samples, n_classes).
        scores: in [0, 1], (n_samples, n_classes).
        activation: see `labels.Labels`.
    """
    epsilon = np.finfo(np.float64).eps
    labels, clipped = shares.astype(np.float64), np.clip(scores.astype(np.float64), epsilon, 1 - epsilon)
    if activation == SOFTMAX:
        return np.asarray(-(labels * np.log(clipped)).sum(axis=1))
    return np.asarray(-(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped)).mean(axis=1))


def label_entropy(
    shares: npt.NDArray[np.floating] | None, activation: str, weights: FloatArray | None = None
) -> dict[str, float]:
    """Mean entropy of soft labels in nats, the lowest mean cross entropy that scores can have, for a file of metrics.

    Args:
        shares: see `cross_entropy`; None if labels are not soft.
        activation: see `labels.Labels`.
        weights: weight of each sample, (n_samples,); None if each counts the same.

    Returns:
        `soft_label_entropy`, or nothing without soft labels.
    """
    if shares is None:
        return {}
    return {"soft_label_entropy": float(np.average(cross_entropy(shares, shares, activation), weights=weights))}
