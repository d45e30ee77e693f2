"""Confidence intervals of scores: on a scale that has no limits, and the Wilson interval of a share."""

from math import exp, inf, log
from typing import NamedTuple

from scipy.special import ndtri, stdtrit

from foldline.evaluation.estimates import Estimate

# A value this near to a limit of its range is at the limit; the rest is rounding.
ROUNDING = 1e-12
# Exponentials of larger numbers overflow.
LARGEST_EXPONENT = 700.0
# With a smaller effective number of groups an interval is marked as approximate.
FEW_GROUPS = 30


class Range(NamedTuple):
    """Lowest and highest value that a score can have; `inf` if there is no highest."""

    low: float
    high: float


SHARE = Range(0.0, 1.0)
LOSS = Range(0.0, inf)


def interval(score: Estimate, limits: Range | None, *, confidence: float) -> tuple[float, float] | None:
    """Compute the confidence interval of a score.

    It is symmetric on a scale without limits (logit between two limits, logarithm above 0, the score itself without
    limits), with the quantile of Student's t distribution. A score at one of two limits, such as an AUC of 1, has the
    Wilson interval for as many rows as there are effective groups. A mean, for example over classes, is at least the
    mean of the lower limits of its parts, and at most that of their upper ones: one class of two images does not make
    nothing known of ten others.

    Args:
        score: the score, with its variance.
        limits: range of the score; None if it has none, such as a difference.
        confidence: coverage in (0, 1).

    Returns:
        Lower and upper limit; None if all rows, or all rows with one label, are in one group.
    """
    if score.size <= 1 + ROUNDING:
        return None
    if len(score.averaged) < 2:
        return _own_interval(score, limits, confidence)
    low, high = _own_interval(score, limits, confidence)
    parts = [_own_interval(part, limits, confidence) for part in score.averaged]
    lowest, highest = (sum(ends) / len(parts) for ends in zip(*parts, strict=True))
    return min(max(low, lowest), score.value), max(min(high, highest), score.value)


def _own_interval(score: Estimate, limits: Range | None, confidence: float) -> tuple[float, float]:
    """The interval of a score without regard to what it is the mean of."""
    if limits is not None and limits.high < inf:
        width = limits.high - limits.low
        share = (score.value - limits.low) / width
        if not ROUNDING < share < 1 - ROUNDING:
            low, high = wilson_interval(round(share) * score.size, score.size, confidence=confidence)
            return limits.low + width * low, limits.low + width * high
    half = float(stdtrit(score.degrees, (1 + confidence) / 2)) * score.variance**0.5
    if not half > 0:
        return score.value, score.value
    if limits is None:
        return score.value - half, score.value + half
    if limits.high == inf:
        factor = exp(min(half / score.value, LARGEST_EXPONENT))
        return score.value / factor, score.value * factor
    center, spread = log(share / (1 - share)), half / width / (share * (1 - share))
    return limits.low + width * _expit(center - spread), limits.low + width * _expit(center + spread)


def wilson_interval(positives: float, rows: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the interval of the share `positives / rows` (Wilson, 1927), in [0, 1].

    Weighted rows have an effective number, (sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965).
    """
    z = float(ndtri((1 + confidence) / 2))
    share = positives / rows
    center = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * (share * (1 - share) / rows + z * z / (4 * rows * rows)) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)


def _expit(value: float) -> float:
    return 1 / (1 + exp(-value)) if value > -LARGEST_EXPONENT else 0.0
