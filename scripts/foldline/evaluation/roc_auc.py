"""The exact ROC AUC, apart from the other metrics, so that training does not go stale when those change."""

import numpy as np


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN where a label is absent.

    From the rank sum of the positives (Mann and Whitney 1947), ties taking their mean rank.

    Args:
        labels: (n_samples,).
        scores: (n_samples,), any real numbers.
    """
    positive = labels == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[level]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def macro_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean ROC AUC of the classes that have both labels; NaN where none has.

    Args:
        labels: (n_samples, n_classes).
        scores: (n_samples, n_classes).
    """
    areas = [roc_auc(*column) for column in zip(labels.T, scores.T, strict=True)]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")
