"""Weights of the labels of each class in the loss, from the training rows of one fold."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, listing

METHODS = ("none", "balanced", "capped", "effective_number")


def label_weights(
    labels: np.ndarray, *, method: str, rank: int, beta: float, class_names: Sequence[str], activation: str
) -> list[dict[str, Any]]:
    """Weights of positives and negatives of each class.

    "none" weighs all by 1. "balanced" weighs by n / (k n_label): where each class is a yes or no of its own, k is 2 and
    both labels of a class sum to n / 2 (King and Zeng, Logistic Regression in Rare Events Data, 2001); where a row has
    one class, k is the number of classes that have rows (scikit-learn's class_weight="balanced").

    The others weigh a class as a whole, by its n_c rows; the classes of a binary task are its two labels. "capped" is
    min(1, t / n_c) with t the `rank`-th smallest of the counts above 0. "effective_number" is 1 / E with
    E = (1 - beta^n_c) / (1 - beta), times a factor that makes the mean of the weights 1 (Cui et al. 2019,
    arxiv.org/abs/1901.05555). A class without rows weighs 1.

    Args:
        labels: 0 or 1, (n_samples, n_classes), the training rows of a fold and no others.
        method: one of `METHODS`.
        rank: counted from 1.
        beta: in [0, 1).
        class_names: (n_classes,).
        activation: see `labels.Labels`.

    Returns:
        One dict a class: name, positives, negatives (rows), positive_weight, negative_weight.

    Raises:
        FoldlineError: unknown method, no rows, or the only class lacks a positive or a negative.
    """
    if method not in METHODS:
        raise FoldlineError(f"class_weights.method is {method!r}; allowed: {listing(list(METHODS))}")
    if labels.shape[1] != len(class_names):
        raise FoldlineError(f"{labels.shape[1]} columns of labels for {len(class_names)} classes")
    counts = np.stack([(labels == 0).sum(axis=0), (labels == 1).sum(axis=0)], axis=1)
    if len(counts) == 1:
        for number, word in zip(counts[0], ("negative", "positive"), strict=True):
            if number == 0:
                raise FoldlineError(
                    f"class {class_names[0]}: no {word} among {len(labels)} training rows; lower folds.count"
                )
    weights = _weights(counts, method=method, rank=rank, beta=beta, activation=activation)
    return [
        {
            "name": name,
            "positives": int(positives),
            "negatives": int(negatives),
            "positive_weight": float(positive_weight),
            "negative_weight": float(negative_weight),
        }
        for name, (negatives, positives), (negative_weight, positive_weight) in zip(
            class_names, counts, weights, strict=True
        )
    ]


def _weights(counts: np.ndarray, *, method: str, rank: int, beta: float, activation: str) -> np.ndarray:
    """Weights of negatives and positives, (n_classes, 2), by counts of the same shape."""
    if method == "none":
        return np.ones(counts.shape)
    if method == "balanced" and activation != SOFTMAX:
        return _of_present(counts, lambda present: counts.sum(axis=1, keepdims=True) / (2 * present))
    # The rows of each class; of a binary task both labels are classes.
    rows = counts if len(counts) == 1 else counts[:, 1:]
    if method == "balanced":
        weights = _of_present(rows, lambda present: rows.sum() / ((rows > 0).sum() * present))
    elif method == "capped":
        present = np.sort(rows[rows > 0])
        threshold = present[min(rank, len(present)) - 1]
        weights = _of_present(rows, lambda present: np.minimum(1, threshold / present))
    else:
        weights = _of_present(rows, lambda present: (1 - beta) / -np.expm1(present * np.log(beta)) if beta else 1.0)
        weights = np.where(rows > 0, weights / weights[rows > 0].mean(), weights)
    return np.broadcast_to(weights, counts.shape)


def _of_present(counts: np.ndarray, formula: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Weights by a formula of the counts, 1 where a count is 0."""
    return np.where(counts > 0, formula(np.maximum(counts, 1)), 1.0)
