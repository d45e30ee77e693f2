"""The exact ROC AUC, in its own module so that training does not become stale when another metric changes."""

import numpy as np
import numpy.typing as npt


def roc_auc(labels: npt.NDArray[np.number], scores: npt.NDArray[np.floating]) -> float:
    """Compute the probability that a positive scores above a negative, where ties count half.

    Computed from the rank sum of the positives (Mann and Whitney, 1947); tied scores have their mean rank.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: any real numbers, (n_samples,).

    Returns:
        A value in [0, 1]; NaN if all labels are equal.
    """
    positive = labels == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[level]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def macro_auc(labels: npt.NDArray[np.number], scores: npt.NDArray[np.floating]) -> float:
    """Compute the mean ROC AUC over the classes that have both labels.

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: (n_samples, n_classes).

    Returns:
        A value in [0, 1]; NaN if no class has both labels.
    """
    areas = [roc_auc(*column) for column in zip(labels.T, scores.T, strict=True)]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")
