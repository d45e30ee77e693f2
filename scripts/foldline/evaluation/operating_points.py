"""Points of the ROC curve: specificity at a given sensitivity and sensitivity at a given specificity, per class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import mean_estimate
from foldline.evaluation.intervals import FEW_GROUPS, SHARE
from foldline.evaluation.reasons import NO_THRESHOLD, ONE_FOLD, ONE_GROUP, ONE_SCORE, RANKS
from foldline.evaluation.results import OperatingPoint, Score
from foldline.evaluation.roc_point import RocPoint, roc_point
from foldline.evaluation.rules import rule_parts
from foldline.evaluation.score_columns import ScoreColumn
from foldline.evaluation.score_intervals import with_interval
from foldline.evaluation.thresholds import best_threshold, fold_thresholds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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
        estimated = roc_point(labels, scores, rows, rule, confidence=confidence)
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
        found.append(OperatingPoint(rule, _score(column, estimated, rule), threshold, *shares))
    return tuple(found)


def _score(column: ScoreColumn, found: RocPoint | None, rule: str) -> Score:
    """A point as a score, or the reason why there is none or no interval."""
    if found is None:
        return Score(None, None, None, column.undefined)
    if found.low is None:
        return Score(found.value, None, None, ONE_SCORE if rule_parts(rule)[1] >= 1 else ONE_GROUP)
    return Score(found.value, found.low, found.high, None, few_groups=found.size < FEW_GROUPS)


def _reason(column: ScoreColumn, estimated: RocPoint | None) -> str:
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
