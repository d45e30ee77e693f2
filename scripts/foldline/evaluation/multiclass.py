"""Metrics of samples that have exactly one class each, from class probabilities and the predicted class."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Estimate, Part, Rows, average, estimate, mean_estimate
from foldline.evaluation.intervals import LOSS, SHARE, Range
from foldline.evaluation.metrics import f1_estimate

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Metrics of all classes together; higher is better for all except log_loss and brier.
POOLED_METRICS = ("log_loss", "brier", "accuracy", "f1", "balanced_accuracy", "cohen_kappa")
CLASS_METRICS = ("precision", "recall")
# Range of each metric.
MULTICLASS_LIMITS = dict.fromkeys(POOLED_METRICS + CLASS_METRICS, SHARE) | {
    "log_loss": LOSS,
    "brier": Range(0.0, 2.0),
    "cohen_kappa": Range(-1.0, 1.0),
}


@dataclass(frozen=True)
class PredictedRows:
    """What each row adds to the sums behind the metrics.

    Attributes:
        true: class of each row, (n_rows,).
        predicted: class that is predicted, see `thresholds.highest`, (n_rows,).
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
    def of(cls, labels: IntArray, scores: FloatArray, predicted: IntArray) -> "PredictedRows":
        """Prepare rows.

        Args:
            labels: 0 or 1, with one 1 in each row, (n_rows, n_classes).
            scores: probabilities that sum to 1 in each row, (n_rows, n_classes).
            predicted: class that is predicted, (n_rows,).
        """
        true = labels.argmax(axis=1)
        epsilon = np.finfo(np.float64).eps
        of_true_class = np.take_along_axis(scores, true[:, None], axis=1)[:, 0]
        return cls(
            true=true,
            predicted=predicted,
            log_loss=-np.log(np.clip(of_true_class, epsilon, 1 - epsilon)),
            squared_error=((scores - labels) ** 2).sum(axis=1),
            n_classes=labels.shape[1],
        )


def multiclass_estimates(rows: PredictedRows, own: Rows) -> dict[str, Estimate | None]:
    """Estimate every metric of all classes together.

    The log loss clips probabilities to [eps, 1 - eps] of float64. The Brier score is the sum over the classes of the
    squared difference between probability and label, in [0, 2] (Brier, 1950). F1 is the mean over the classes that are
    the label or the prediction of a row (macro F1), balanced accuracy the mean recall of the classes that are a label,
    and Cohen's kappa the accuracy above that of independent predictions (Cohen, 1960).

    Args:
        rows: labels and predictions.
        own: weights and groups of the rows.

    Returns:
        Metric of `POOLED_METRICS` -> its estimate; None where it is not defined.
    """
    of_class = [(rows.true == number, rows.predicted == number) for number in range(rows.n_classes)]
    return {
        "log_loss": mean_estimate(rows.log_loss, own.weights, own),
        "brier": mean_estimate(rows.squared_error, own.weights, own),
        "accuracy": mean_estimate(rows.true == rows.predicted, own.weights, own),
        "f1": average([f1_estimate(*masks, own) for masks in of_class]),
        "balanced_accuracy": average([recall_estimate(*masks, own) for masks in of_class]),
        "cohen_kappa": _cohen_kappa(rows, own),
    }


def recall_estimate(positive: BoolArray, predicted: BoolArray, own: Rows) -> Estimate | None:
    """Estimate the share of the positives that are predicted; with the masks swapped, the precision."""
    return mean_estimate(predicted, own.weights * positive, own)


def _cohen_kappa(rows: PredictedRows, own: Rows) -> Estimate | None:
    total = own.weights.sum()
    if not total > 0:
        return None
    true, predicted = (
        np.bincount(classes, own.weights, rows.n_classes) / total for classes in (rows.true, rows.predicted)
    )
    hits = (rows.true == rows.predicted).astype(np.float64)
    accuracy, by_chance = float((own.weights * hits).sum() / total), float(true @ predicted)
    if by_chance >= 1:
        return None
    # How much a row moves the accuracy of independent predictions, by its true and by its predicted class.
    chance = predicted[rows.true] + true[rows.predicted] - 2 * by_chance
    influence = (hits - accuracy) / (1 - by_chance) - chance * (1 - accuracy) / (1 - by_chance) ** 2
    value = (accuracy - by_chance) / (1 - by_chance)
    return estimate(value, [Part(own.weights * influence / total, own.weights)], own)


def confusion_counts(rows: PredictedRows, weights: FloatArray | None = None) -> FloatArray:
    """Count the rows of each true class (first axis) and each predicted class, (n_classes, n_classes).

    Args:
        rows: labels and predictions.
        weights: weight of each row, (n_rows,), to sum instead of counting 1 for each row; None to count.
    """
    cells = rows.true * rows.n_classes + rows.predicted
    counts = np.bincount(cells, weights=weights, minlength=rows.n_classes**2)
    return counts.astype(np.float64).reshape(rows.n_classes, rows.n_classes)
