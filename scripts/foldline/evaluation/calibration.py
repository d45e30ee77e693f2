"""Calibration: how far scores are from the shares of positives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        share_low: lower limit of the 95% Wilson interval of that share.
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
    weights: npt.NDArray[np.float64] | None = None,
    bins: int = CALIBRATION_BINS,
) -> tuple[ReliabilityBin, ...]:
    """Compare scores with shares of positives in bins of equal width.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: in [0, 1], (n_samples,).
        weights: weight of each row, (n_samples,); None if each counts the same.
        bins: number of bins.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    rows = (labels, scores, weights)
    index = np.minimum((scores * bins).astype(np.int64), bins - 1)
    return tuple(
        _reliability_bin(number / bins, (number + 1) / bins, *(values[index == number] for values in rows))
        for number in range(bins)
    )


def _reliability_bin(
    low: float,
    high: float,
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> ReliabilityBin:
    rows, positives, weight = len(labels), int((labels == 1).sum()), float(weights.sum())
    if not weight:
        return ReliabilityBin(low, high, rows, positives, weight, None, None, None, None)
    share = float((weights * (labels == 1)).sum() / weight)
    effective = weight**2 / float((weights**2).sum())
    interval = wilson_interval(min(share, 1.0) * effective, effective)
    return ReliabilityBin(
        low, high, rows, positives, weight, float((weights * scores).sum() / weight), share, *interval
    )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Compute the mean over rows of |mean score - share of positives| of their bin (Naeini et al., 2015), in [0, 1]."""
    error, weight = 0.0, 0.0
    for row in bins:
        if row.mean_score is not None and row.positive_share is not None:
            error += row.weight * abs(row.mean_score - row.positive_share)
            weight += row.weight
    return error / weight
