"""Paired comparison of score columns: how much better one is than another on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from foldline.evaluation.estimates import Estimate, difference
from foldline.evaluation.intervals import interval

# Metrics that are compared, if both columns have them.
COMPARED = ("auc", "average_precision", "log_loss", "accuracy")


@dataclass(frozen=True)
class Comparison:
    """Difference of a metric between two columns.

    Attributes:
        first: a model or the blend.
        second: another one.
        metric: name of the metric; lower is better for log_loss only.
        value: score of `first` minus score of `second`.
        low: lower limit of the interval of the difference; None if all rows, or all with one label, are in one group.
        high: upper limit.
    """

    first: str
    second: str
    metric: str
    value: float
    low: float | None
    high: float | None


def compare(columns: Mapping[str, Mapping[str, Estimate]], *, confidence: float) -> tuple[Comparison, ...]:
    """Compare every pair of columns.

    What both columns get right and wrong in the same rows cancels out, so the interval of a difference is much narrower
    than two separate intervals suggest. With single rows as groups, that of the AUC is the one of DeLong, DeLong and
    Clarke-Pearson (Comparing the areas under two or more correlated receiver operating characteristic curves, 1988);
    with groups that of Obuchowski (Nonparametric analysis of clustered ROC curve data, 1997), to first order.

    Args:
        columns: column -> metric -> score with its uncertainty, of the same groups.
        confidence: coverage of the intervals, in (0, 1).
    """
    found = []
    for (first, own), (second, other) in combinations(columns.items(), 2):
        for metric in COMPARED:
            if metric in own and metric in other:
                both = difference(own[metric], other[metric])
                low, high = interval(both, None, confidence=confidence) or (None, None)
                found.append(Comparison(first, second, metric, both.value, low, high))
    return tuple(found)
