"""Weights of the labels of each class in the loss, from the training rows of one fold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, counted, listing

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Counts = IntArray | FloatArray

METHODS = ("none", "balanced", "capped", "effective_number")


@dataclass(frozen=True)
class ClassWeightsConfig:
    """How labels are weighted; see `class_weights` in `config/config.schema.yaml`.

    Attributes:
        method: one of `METHODS`; see `label_weights`.
        rank: rank of the count that is the threshold of "capped", counted from 1.
        beta: parameter of "effective_number", in [0, 1).
        class_names: (n_classes,).
        activation: see `labels.Labels`; with "softmax" each row has exactly one class.
    """

    method: str
    rank: int
    beta: float
    class_names: tuple[str, ...]
    activation: str


@dataclass(frozen=True)
class ClassWeights:
    """Rows of one class and their weights in the loss.

    Attributes:
        name: name of the class.
        positives: rows with the class; of soft labels the sum of its shares.
        negatives: rows without it; of soft labels the sum of the other shares.
        positive_weight: weight of a positive.
        negative_weight: weight of a negative.
    """

    name: str
    positives: float
    negatives: float
    positive_weight: float
    negative_weight: float


def label_weights(
    labels: IntArray | FloatArray, config: ClassWeightsConfig, row_weights: FloatArray | None = None
) -> list[ClassWeights]:
    """Compute the weights of positives and negatives of each class.

    "none": all weights are 1. "balanced": n / (k n_label). If rows can have any number of classes, k is 2 and both
    labels of a class sum to n / 2 (King and Zeng, Logistic Regression in Rare Events Data, 2001); if each row has
    exactly one class, k is the number of classes with rows (scikit-learn's class_weight="balanced").

    The other methods weight a class as a whole, by its n_c rows; the classes of a binary task are its two labels.
    "capped": min(1, t / n_c), where t is the `rank`-th smallest of the counts above 0. "effective_number": 1 / E with
    E = (1 - beta^n_c) / (1 - beta), scaled to a mean of 1 over the classes (Cui et al. 2019,
    arxiv.org/abs/1901.05555). A class without rows has the weight 1.

    Args:
        labels: 0 or 1, or the shares of soft labels in [0, 1], of the training rows of a fold and no others,
            (n_samples, n_classes). A row with the share y of a class counts as y positives and 1 - y negatives.
        config: how labels are weighted.
        row_weights: weights of the rows with a mean of 1, (n_samples,), whose sums replace counts in all
            formulas, so that a row of weight 2 is as good as two rows; None if all are 1.

    Returns:
        Weights of each class, in order, and counts of rows.

    Raises:
        FoldlineError: the method is unknown, or the only class has no positive or no negative.
    """
    if config.method not in METHODS:
        raise FoldlineError(f"class_weights.method is {config.method!r}; allowed: {listing(list(METHODS))}")
    if labels.shape[1] != len(config.class_names):
        raise FoldlineError(
            f"class weights: {counted(labels.shape[1], 'column')} of labels for "
            f"{counted(len(config.class_names), 'class', 'classes')}; run the workflow again"
        )
    counts = np.stack([(1 - labels).sum(axis=0), labels.sum(axis=0)], axis=1)
    if len(counts) == 1:
        _check_both_labels(counts[0], config.class_names[0])
    sums = counts
    if row_weights is not None:
        weighted = row_weights[:, None] * labels
        sums = np.stack([row_weights.sum() - weighted.sum(axis=0), weighted.sum(axis=0)], axis=1)
        # Rounding must not make a class of what has no rows.
        sums = np.where(counts > 0, sums, 0)
    rows = zip(config.class_names, counts.tolist(), _weights(sums, config).tolist(), strict=True)
    return [
        ClassWeights(name, positives, negatives, positive_weight, negative_weight)
        for name, (negatives, positives), (negative_weight, positive_weight) in rows
    ]


def _check_both_labels(counts: Counts, class_name: str) -> None:
    """Refuse training rows without a negative or a positive; `counts` holds both numbers."""
    for number, word in zip(counts, ("negative", "positive"), strict=True):
        if number == 0:
            raise FoldlineError(
                f"class {class_name}: no {word} among {counted(round(counts.sum()), 'training row')}; lower folds.count"
            )


def _weights(counts: Counts, config: ClassWeightsConfig) -> FloatArray:
    """Compute weights of negatives and positives, (n_classes, 2), from counts of the same shape."""
    if config.method == "none":
        return np.ones(counts.shape)
    if config.method == "balanced" and config.activation != SOFTMAX:
        return _apply(counts, lambda present: counts.sum(axis=1, keepdims=True) / (2 * present))
    # The rows of each class; both labels of a binary task are classes.
    rows = counts if len(counts) == 1 else counts[:, 1:]
    if config.method == "balanced":
        weights = _apply(rows, lambda present: rows.sum() / ((rows > 0).sum() * present))
    elif config.method == "capped":
        ascending = np.sort(rows[rows > 0])
        threshold = ascending[min(config.rank, len(ascending)) - 1]
        weights = _apply(rows, lambda present: np.minimum(1, threshold / present))
    else:
        weights = _apply(rows, lambda present: _inverse_effective_number(present, config.beta))
        weights = np.where(rows > 0, weights / weights[rows > 0].mean(), weights)
    return np.broadcast_to(weights, counts.shape)


def _inverse_effective_number(counts: Counts, beta: float) -> FloatArray:
    if beta == 0:
        return np.ones(counts.shape)
    return np.asarray((1 - beta) / -np.expm1(counts * np.log(beta)))


def _apply(counts: Counts, formula: Callable[[Counts], FloatArray]) -> FloatArray:
    """Compute weights by a formula of the counts; 1 where a count is 0."""
    return np.where(counts > 0, formula(np.where(counts > 0, counts, 1)), 1.0)
