"""Metrics of samples that have exactly one class each, from class probabilities and the class with the highest one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Metrics of all classes together; higher is better for all except log_loss and brier.
POOLED_METRICS = ("log_loss", "brier", "accuracy", "f1", "balanced_accuracy", "cohen_kappa")
CLASS_METRICS = ("precision", "recall")


@dataclass(frozen=True)
class PredictedRows:
    """What each row adds to the sums behind the metrics.

    Attributes:
        true: class of each row, (n_rows,).
        predicted: class with the highest probability, the first of equal ones, (n_rows,).
        log_loss: minus the logarithm of the probability of the true class, in nats, (n_rows,).
        squared_error: squared differences between probabilities and label, summed over the classes, (n_rows,).
        n_classes: number of classes.
    """

    true: IntArray
    predicted: IntArray
    log_loss: FloatArray
    squared_error: FloatArray
    n_classes: int

    @classmethod
    def of(cls, labels: IntArray, scores: FloatArray) -> "PredictedRows":
        """Prepare rows.

        Args:
            labels: 0 or 1, with one 1 in each row, (n_rows, n_classes).
            scores: probabilities that sum to 1 in each row, (n_rows, n_classes).
        """
        true = labels.argmax(axis=1)
        epsilon = np.finfo(np.float64).eps
        of_true_class = np.take_along_axis(scores, true[:, None], axis=1)[:, 0]
        return cls(
            true=true,
            predicted=scores.argmax(axis=1),
            log_loss=-np.log(np.clip(of_true_class, epsilon, 1 - epsilon)),
            squared_error=((scores - labels) ** 2).sum(axis=1),
            n_classes=labels.shape[1],
        )


def weighted_multiclass(rows: PredictedRows, weights: FloatArray) -> dict[str, FloatArray]:
    """Compute every metric, once per row of weights.

    The log loss clips probabilities to [eps, 1 - eps] of float64. The Brier score is the sum over the classes of the
    squared difference between probability and label, in [0, 2] (Brier, 1950). F1 is the mean over the classes that are
    the label or the prediction of a row (macro F1), balanced accuracy the mean recall of the classes that are a label,
    and Cohen's kappa the accuracy above that of independent predictions (Cohen, 1960).

    Args:
        rows: labels and predictions.
        weights: at least 0, (n_draws, n_rows).

    Returns:
        Metric of `POOLED_METRICS` -> (n_draws,), metric of `CLASS_METRICS` -> (n_classes, n_draws); NaN where the
        metric is not defined.
    """
    hits = rows.true == rows.predicted
    correct = _sums(weights[:, hits], rows.true[hits], rows.n_classes)
    positive = _sums(weights, rows.true, rows.n_classes)
    predicted = _sums(weights, rows.predicted, rows.n_classes)
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy = correct.sum(axis=0) / total
        by_chance = (positive * predicted).sum(axis=0) / total**2
        recall = correct / positive
        return {
            "log_loss": np.einsum("dn,n->d", weights, rows.log_loss) / total,
            "brier": np.einsum("dn,n->d", weights, rows.squared_error) / total,
            "accuracy": accuracy,
            "f1": mean_of_defined(2 * correct / (positive + predicted)),
            "balanced_accuracy": mean_of_defined(recall),
            "cohen_kappa": (accuracy - by_chance) / (1 - by_chance),
            "precision": correct / predicted,
            "recall": recall,
        }


def plain_multiclass(labels: IntArray, scores: FloatArray, weights: FloatArray | None = None) -> dict[str, FloatArray]:
    """Compute every metric once, with the shapes () and (n_classes,); see `PredictedRows.of`, `weighted_multiclass`.

    Args:
        labels: 0 or 1, (n_rows, n_classes).
        scores: probabilities, (n_rows, n_classes).
        weights: weight of each row, (n_rows,); None if each counts the same.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    values = weighted_multiclass(PredictedRows.of(labels, scores), weights[None])
    return {name: value[..., 0] for name, value in values.items()}


def confusion_counts(rows: PredictedRows, weights: FloatArray | None = None) -> FloatArray:
    """Count the rows of each true class (first axis) and each predicted class, (n_classes, n_classes).

    Args:
        rows: labels and predictions.
        weights: weight of each row, (n_rows,), to sum instead of counting 1 for each row; None to count.
    """
    cells = rows.true * rows.n_classes + rows.predicted
    counts = np.bincount(cells, weights=weights, minlength=rows.n_classes**2)
    return counts.astype(np.float64).reshape(rows.n_classes, rows.n_classes)


def mean_of_defined(values: FloatArray) -> FloatArray:
    """Compute the mean over the classes that are defined in a draw; NaN if none is.

    Args:
        values: (n_classes, n_draws), NaN where not defined.

    Returns:
        (n_draws,).
    """
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, values, 0).sum(axis=0) / defined.sum(axis=0))


def _sums(weights: FloatArray, classes: IntArray, n_classes: int) -> FloatArray:
    """Sum the weights of the rows of each class, (n_classes, n_draws)."""
    sums = np.zeros((n_classes, len(weights)))
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    if len(present):
        sums[present] = np.add.reduceat(np.take(weights, order, axis=1), starts, axis=1).T
    return sums
