"""A point of the ROC curve of one class with its interval: specificity at a given sensitivity, or the reverse."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, expit, logit, ndtri, stdtrit

from foldline.evaluation.estimates import Part, Rows, effective_rows
from foldline.evaluation.intervals import ROUNDING, wilson_interval
from foldline.evaluation.rules import SENSITIVITY, rule_parts

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# The slope of the ROC curve is measured between the shares whose log-odds differ by this from those of the given share
# (for .9: between .5 and .988). Slopes of shorter pieces are noise: with two standard errors the intervals of 10
# positives cover .90 instead of .96.
REACH = 2.2


@dataclass(frozen=True)
class RocPoint:
    """A point of the ROC curve.

    Attributes:
        value: the highest share of the other label of all thresholds that reach the given share.
        low: lower limit of its interval; None without an interval.
        high: upper limit.
        size: effective number of groups of the rarer label.
    """

    value: float
    low: float | None
    high: float | None
    size: float


@dataclass(frozen=True)
class _Share:
    """A share of rows of one label: effective number of rows and of groups behind it."""

    value: float
    rows: float
    groups: float

    @classmethod
    def of(cls, selected: npt.NDArray[np.bool_], weights: FloatArray, rows: Rows) -> "_Share":
        total, sums = weights.sum(), rows.sums(weights)
        value = float(weights @ selected / total)
        part = Part(weights * (selected - value) / total, weights)
        return cls(value, effective_rows(part, rows), float(total**2 / (sums @ sums)))

    def widened(self, confidence: float) -> float:
        """How much wider Student's t distribution makes an interval than the normal one."""
        tail = (1 + confidence) / 2
        return float(stdtrit(max(self.groups - 1, 1.0), tail) / ndtri(tail))


def roc_point(labels: IntArray, scores: FloatArray, rows: Rows, rule: str, *, confidence: float) -> RocPoint | None:
    """Estimate the specificity at a given sensitivity, or the reverse.

    Of all thresholds that reach the given share, the one with the highest other share counts. Two things are uncertain,
    and their intervals are combined on the logit scale (Zou and Donner, Construction of confidence limits about effect
    measures, 2008): the other share at this threshold, with its Wilson interval, and which share of all positives the
    threshold would reach. The latter moves the former by the slope of the ROC curve, which is nearly straight on the
    logit scale.

    Args:
        labels: 0 or 1, (n_rows,).
        scores: any real numbers, (n_rows,).
        rows: weights and groups.
        rule: "sensitivity 0.9" or "specificity 0.9".
        confidence: coverage of the interval, in (0, 1).

    Returns:
        The point; None unless both labels have a weight. It has no interval if all rows of a label are in one group,
        and for a share of 1, which depends on a single score.
    """
    name, given = rule_parts(rule)
    # The sensitivity at a specificity is the specificity at a sensitivity, with the labels exchanged.
    positive, scores = (labels == 1, scores) if name == SENSITIVITY else (labels != 1, -scores)
    positives, negatives = rows.weights * positive, rows.weights * ~positive
    if not positives.any() or not negatives.any():
        return None
    curve = _Curve.of(scores, positives, negatives)
    point = curve.first(given)
    selected = scores >= curve.scores[point]
    found, other = _Share.of(selected, positives, rows), _Share.of(~selected, negatives, rows)
    size = min(found.groups, other.groups)
    if size <= 1 + ROUNDING or given >= 1:
        return RocPoint(other.value, None, None, size)
    low, middle, high = _offsets(curve, point, given, found.rows, confidence)
    center = logit((other.value * other.rows + 0.5) / (other.rows + 1))
    wilson = wilson_interval(min(other.value, 1.0) * other.rows, other.rows, confidence=confidence)
    below, above = (max(sign * (center - logit(limit)), 0.0) for sign, limit in zip((1, -1), wilson, strict=True))
    wide, wider = found.widened(confidence), other.widened(confidence)
    limits = (
        center + middle - np.hypot(below * wider, (middle - low) * wide),
        center + middle + np.hypot(above * wider, (high - middle) * wide),
    )
    return RocPoint(
        other.value, min(float(expit(limits[0])), other.value), max(float(expit(limits[1])), other.value), size
    )


def _offsets(curve: "_Curve", point: int, given: float, rows: float, confidence: float) -> tuple[float, float, float]:
    """How far the log-odds of the other share at the true threshold may be from those at a point: low, middle, high.

    The share that k of n rows reach has the beta distribution of an order statistic, with the parameters k and
    n + 1 - k. Where several rows have the score of the point, a higher threshold is the one above all of them.
    """
    tails = (1 - confidence) / 2, 0.5, (1 + confidence) / 2
    reached = min(curve.found[point], 1.0) * rows
    # With single rows both are k.
    above = min((curve.found[point - 1] if point else 0.0) * rows + 1, reached)
    of_point, of_next = (logit(betaincinv(hits, rows + 1 - hits, tails)) - logit(given) for hits in (reached, above))
    middle = min(max(0.0, of_next[1]), of_point[1])
    low, high = min(of_point[0], middle), max(of_next[2], middle)
    return low * curve.slope(given), middle * curve.slope(given), high * curve.slope(given)


@dataclass(frozen=True)
class _Curve:
    """The ROC curve at every distinct score, from the highest; all (n_scores,).

    Attributes:
        scores: the score.
        found: share of the positives that reach it.
        wrong: share of the negatives that reach it.
        positives: effective number of positives.
        negatives: effective number of negatives.
    """

    scores: FloatArray
    found: FloatArray
    wrong: FloatArray
    positives: float
    negatives: float

    @classmethod
    def of(cls, scores: FloatArray, positives: FloatArray, negatives: FloatArray) -> "_Curve":
        order = np.argsort(-scores, kind="stable")
        descending = scores[order]
        last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
        shares = [np.cumsum(masses[order])[last] / masses.sum() for masses in (positives, negatives)]
        sizes = [float(masses.sum() ** 2 / (masses @ masses)) for masses in (positives, negatives)]
        return cls(descending[last], *shares, *sizes)

    def first(self, share: float) -> int:
        """Number of the highest score that a share of the positives reaches."""
        return int(np.argmax(self.found >= min(share, self.found[-1]) * (1 - ROUNDING)))

    def slope(self, given: float) -> float:
        """Log-odds of the share of the negatives that do not reach a score, over minus those of positives that do."""
        start, end = (self.first(float(expit(logit(given) + reach))) for reach in (-REACH, REACH))
        found = logit(self.found[[start, end]] * self.positives / (self.positives + 1))
        right = logit(((1 - self.wrong[[start, end]]) * self.negatives + 0.5) / (self.negatives + 1))
        return float((right[0] - right[1]) / (found[1] - found[0])) if found[1] > found[0] else 1.0
