"""Points of the ROC curve: specificity at a given sensitivity and sensitivity at a given specificity, per class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Estimate, Part, Rows, estimate, mean_estimate
from foldline.evaluation.intervals import SHARE
from foldline.evaluation.results import NO_THRESHOLD, ONE_FOLD, RANKS, OperatingPoint, Score
from foldline.evaluation.score_columns import ScoreColumn
from foldline.evaluation.score_intervals import with_interval
from foldline.evaluation.thresholds import ROUNDING, SENSITIVITY, best_threshold, fold_thresholds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# The slope of the ROC curve is that between this many standard errors on both sides of a point. With 1, the intervals
# of 100 positives cover .90 instead of .95.
STANDARD_ERRORS = 2.0


def operating_points(
    column: ScoreColumn, number: int, rules: Sequence[str], *, confidence: float
) -> tuple[OperatingPoint, ...]:
    """Score the operating points of a class.

    Args:
        column: scores of a model or of the blend.
        number: number of the class.
        rules: "sensitivity 0.9" or "specificity 0.9" each.
        confidence: coverage of the intervals, in (0, 1).
    """
    # Sorted once: the sort of sorted rows takes no time.
    order = np.argsort(-column.scores[:, number], kind="stable")
    labels, scores, folds = column.labels[order, number], column.scores[order, number], column.folds[order]
    rows = column.rows[order]
    found = []
    for rule in rules:
        estimated = roc_point(labels, scores, rows, rule)
        point = with_interval(estimated, SHARE, confidence=confidence, undefined=column.undefined)
        threshold: float | None = None
        of_rows: FloatArray | float | None = None
        if column.decided is not None:
            threshold = of_rows = column.decided.points[rule][number]
        elif estimated is not None and not column.are_ranks:
            threshold = best_threshold(labels, scores, rows.weights, rule=rule)
            of_rows = _thresholds_of_rows(labels, scores, folds, rows.weights, rule)
        shares = [Score(None, None, None, _reason(column, estimated))] * 2
        if of_rows is not None:
            masks = ((scores >= of_rows, labels == 1), (scores < of_rows, labels != 1))
            estimates = [mean_estimate(right, rows.weights * of_label, rows) for right, of_label in masks]
            shares = [with_interval(one, SHARE, confidence=confidence, undefined=column.undefined) for one in estimates]
        found.append(OperatingPoint(rule, point, threshold, *shares))
    return tuple(found)


def _reason(column: ScoreColumn, estimated: Estimate | None) -> str:
    """Why there is no threshold that was chosen on other rows."""
    if column.are_ranks:
        return RANKS
    return column.undefined if estimated is None else ONE_FOLD if column.decided is None else NO_THRESHOLD


def _thresholds_of_rows(
    labels: IntArray, scores: FloatArray, folds: IntArray, weights: FloatArray, rule: str
) -> FloatArray | None:
    """Threshold of each row, chosen on the other folds, (n_rows,); None if there are none."""
    numbers, index = np.unique(folds, return_inverse=True)
    if len(numbers) < 2:
        return None
    found = fold_thresholds(labels[:, None], scores[:, None], folds, rule, weights)
    return np.array([found[fold][0] for fold in numbers.tolist()])[index]


def roc_point(labels: IntArray, scores: FloatArray, rows: Rows, rule: str) -> Estimate | None:
    """Estimate the specificity at a given sensitivity, or the reverse.

    Of all thresholds that reach the given share, the one with the highest other share counts. It is estimated too, from
    the rows of one label: these move the other share by the slope of the ROC curve, which is taken between the ends of
    the interval of the given share (Woodruff, Confidence intervals for medians and other position measures, 1952).

    Args:
        labels: 0 or 1, (n_rows,).
        scores: any real numbers, (n_rows,).
        rows: weights and groups.
        rule: "sensitivity 0.9" or "specificity 0.9".

    Returns:
        The estimate; None unless both labels have a weight.
    """
    name, _, number = rule.partition(" ")
    # The sensitivity at a specificity is the specificity at a sensitivity, with the labels exchanged.
    positive, scores = (labels == 1, scores) if name == SENSITIVITY else (labels != 1, -scores)
    positives, negatives = rows.weights * positive, rows.weights * ~positive
    if not positives.any() or not negatives.any():
        return None
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    found, wrong = (np.append(0.0, np.cumsum(masses[order])[last] / masses.sum()) for masses in (positives, negatives))

    def first(share: float) -> int:
        return int(np.argmax(found >= min(share, found[-1]) * (1 - ROUNDING)))

    given = float(number)
    point = first(given)
    selected = scores >= descending[last[point - 1]]
    reached = mean_estimate(selected, positives, rows)
    assert reached is not None
    spread = STANDARD_ERRORS * max(reached.variance, given * (1 - given) / reached.size) ** 0.5
    start, end = first(max(given - spread, 0.0)), first(given + spread)
    slope = (wrong[end] - wrong[start]) / (found[end] - found[start]) if end > start else 0.0
    specificity = 1 - wrong[point]
    of_positives = slope * positives * (selected - found[point]) / positives.sum()
    of_negatives = negatives * (~selected - specificity) / negatives.sum()
    return estimate(specificity, [Part(of_positives, positives), Part(of_negatives, negatives)], rows)
