"""ROC AUC and average precision of one class, with the influence of each row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Estimate, Part, Rows, effective_rows, estimate

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# A few positives that all rank high vary less than other few would. The variance of the AUC is therefore completed as
# if half a row more of each label had been seen that is ranked right with the probability AUC; the effect shrinks with
# the square of their number. Chosen with tests/benchmark/interval_coverage.py.
ADDED_ROWS = 0.5


@dataclass(frozen=True)
class _Levels:
    """Rows by level, a distinct score, from the highest to the lowest; all weights, (n_levels,).

    Attributes:
        level: level of each row, (n_rows,).
        positive: weight of the positives at a level.
        negative: weight of the negatives at a level.
    """

    level: IntArray
    positive: FloatArray
    negative: FloatArray

    @classmethod
    def of(cls, labels: IntArray, scores: FloatArray, weights: FloatArray) -> "_Levels":
        order = np.argsort(-scores, kind="stable")
        descending = scores[order]
        level = np.empty(len(order), np.int64)
        level[order] = np.cumsum(np.append(False, descending[1:] != descending[:-1]))
        count = int(level[order[-1]]) + 1
        return cls(
            level=level,
            positive=np.bincount(level, weights * (labels == 1), count).astype(np.float64),
            negative=np.bincount(level, weights * (labels != 1), count).astype(np.float64),
        )


def ranking_estimates(labels: IntArray, scores: FloatArray, rows: Rows) -> tuple[Estimate | None, Estimate | None]:
    """Estimate ROC AUC and average precision; tied scores count half in the one and share a threshold in the other.

    Args:
        labels: 0 or 1, (n_rows,).
        scores: any real numbers, (n_rows,).
        rows: weights and groups.

    Returns:
        ROC AUC, None unless both labels have a weight; average precision, None without a weight of positives.
    """
    positives, negatives = rows.weights * (labels == 1), rows.weights * (labels != 1)
    if not positives.any():
        return None, None
    levels = _Levels.of(labels, scores, rows.weights)
    area = _roc_auc(levels, positives, negatives, rows) if negatives.any() else None
    return area, _average_precision(levels, positives, negatives, rows)


def auc_estimate(labels: IntArray, scores: FloatArray, rows: Rows) -> Estimate | None:
    """Estimate the ROC AUC alone; see `ranking_estimates`."""
    positives, negatives = rows.weights * (labels == 1), rows.weights * (labels != 1)
    if not positives.any() or not negatives.any():
        return None
    return _roc_auc(_Levels.of(labels, scores, rows.weights), positives, negatives, rows)


def _roc_auc(levels: _Levels, positives: FloatArray, negatives: FloatArray, rows: Rows) -> Estimate:
    """Influence of a row: its own share of pairs in order minus that of all rows of its label (DeLong et al., 1988)."""
    true, false = np.cumsum(levels.positive), np.cumsum(levels.negative)
    outranked = (false[-1] - false + levels.negative / 2) / false[-1]
    outranking = (true - levels.positive / 2) / true[-1]
    area = (levels.positive * outranked).sum() / true[-1]
    of_positives = positives * (outranked[levels.level] - area) / true[-1]
    of_negatives = negatives * (outranking[levels.level] - area) / false[-1]
    parts = [Part(of_positives, positives), Part(of_negatives, negatives)]
    missed = sum(1 / effective_rows(part, rows) ** 2 for part in parts)
    return estimate(area, parts, rows, added_variance=ADDED_ROWS * max(0.0, area * (1 - area)) * missed)


def _average_precision(levels: _Levels, positives: FloatArray, negatives: FloatArray, rows: Rows) -> Estimate:
    """Influence of a row: on the precision at its own level and at all lower ones, by the chain rule."""
    true = np.cumsum(levels.positive)
    selected = np.cumsum(levels.positive + levels.negative)
    # Levels above all rows with a weight select nothing: the precision is 0/0 and the gain 0.
    inverse = np.divide(1.0, selected, out=np.zeros_like(selected), where=selected > 0)
    precision = true * inverse
    area = (levels.positive * precision).sum() / true[-1]
    more_true = np.cumsum((levels.positive * inverse * (1 - precision))[::-1])[::-1]
    more_false = np.cumsum((levels.positive * inverse * precision)[::-1])[::-1]
    of_positives = positives * (precision + more_true - area)[levels.level] / true[-1]
    of_negatives = -negatives * more_false[levels.level] / true[-1]
    parts = [Part(of_positives, positives)]
    if negatives.any():
        parts.append(Part(of_negatives, negatives))
    return estimate(area, parts, rows)
