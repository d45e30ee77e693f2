"""What the metrics of a run are, in words."""

from collections.abc import Sequence

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.rules import uses_thresholds


def definitions(activation: str, scored_classes: Sequence[str], threshold: float | str) -> dict[str, str]:
    """Say in words what each metric over all rows is, for a file of metrics.

    Args:
        activation: see `labels.Labels`; with "softmax" each sample has exactly one class.
        scored_classes: names of the scored classes.
        threshold: a number or a rule, see `thresholds.best_threshold`.
    """
    one_class_per_sample, several = activation == SOFTMAX, len(scored_classes) > 1
    mean = "mean over the scored classes of the " if several else ""
    of_class = "a class against all others" if one_class_per_sample or several else "positives against negatives"
    ranking = {"auc": f"{mean}ROC AUC of {of_class}", "average_precision": f"{mean}average precision of {of_class}"}
    if not one_class_per_sample:
        return ranking | {
            "log_loss": f"{mean}binary log loss",
            "brier": f"{mean}Brier score",
            "accuracy": f"{mean}share of correct predictions at the threshold",
            "f1": f"{mean}F1 at the threshold",
        }
    relative = uses_thresholds(threshold, activation)
    predicted = "class with the highest probability" + (" relative to its share of the rows" if relative else "")
    return ranking | {
        "log_loss": "mean of -log of the probability of the true class, over all classes",
        "brier": "mean of the squared differences between probabilities and label, summed over all classes (0 to 2)",
        "accuracy": f"share of rows whose class is the {predicted}" + ("" if relative else " (top-1 accuracy)"),
        "f1": f"macro F1: mean over all classes of the F1 of the {predicted}",
        "balanced_accuracy": f"mean over all classes of the recall of the {predicted}",
        "cohen_kappa": f"Cohen's kappa of the {predicted} and the true class",
    }
