"""Calibration: how far scores are from the shares of positives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Part, Rows, effective_rows
from foldline.evaluation.intervals import wilson_interval

CALIBRATION_BINS = 10
# Method of a calibration that changes nothing.
NONE = "none"


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose score is in one bin.

    Attributes:
        low: lower border of the bin, which belongs to it.
        high: upper border, which belongs to the next bin; the upper border of the last bin belongs to that bin.
        rows: number of rows.
        positives: number of positives.
        weight: sum of the weights of the rows, their number if each has the weight 1; shares and means use weights.
        mean_score: mean score; None, as all attributes that follow, in an empty bin.
        positive_share: share of positives.
        share_low: lower limit of the Wilson interval of that share, for the effective number of independent rows:
            rows of one group are not independent.
        share_high: upper limit.
    """

    low: float
    high: float
    rows: int
    positives: int
    weight: float
    mean_score: float | None
    positive_share: float | None
    share_low: float | None
    share_high: float | None


def reliability_bins(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    *,
    rows: Rows | None = None,
    bins: int = CALIBRATION_BINS,
    confidence: float = 0.95,
) -> tuple[ReliabilityBin, ...]:
    """Compare scores with shares of positives in bins of equal width.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: in [0, 1], (n_samples,).
        rows: weight and group of each row; None if each counts the same and is a group of its own.
        bins: number of bins.
        confidence: coverage of the intervals, in (0, 1).
    """
    rows = Rows.single(len(labels)) if rows is None else rows
    index = np.minimum((scores * bins).astype(np.int64), bins - 1)
    masks = [index == number for number in range(bins)]
    return tuple(
        _reliability_bin((number / bins, (number + 1) / bins), labels[mask], scores[mask], rows[mask], confidence)
        for number, mask in enumerate(masks)
    )


def _reliability_bin(
    limits: tuple[float, float],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    rows: Rows,
    confidence: float,
) -> ReliabilityBin:
    positive, weights = labels == 1, rows.weights
    counts, weight = (len(labels), int(positive.sum())), float(weights.sum())
    if not weight:
        return ReliabilityBin(*limits, *counts, weight, None, None, None, None)
    share = min(float(weights @ positive / weight), 1.0)
    effective = effective_rows(Part(weights * (positive - share) / weight, weights), rows)
    interval = wilson_interval(share * effective, effective, confidence=confidence)
    return ReliabilityBin(*limits, *counts, weight, float(weights @ scores / weight), share, *interval)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Compute the mean over rows of |mean score - share of positives| of their bin (Naeini et al., 2015), in [0, 1].

    None if no row has a weight.
    """
    error, weight = 0.0, 0.0
    for row in bins:
        if row.mean_score is not None and row.positive_share is not None:
            error += row.weight * abs(row.mean_score - row.positive_share)
            weight += row.weight
    return error / weight if weight else None
