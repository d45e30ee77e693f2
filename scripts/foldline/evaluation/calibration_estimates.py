"""How well probabilities are calibrated, with the uncertainty of groups: slope, intercept, skill."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from foldline.evaluation.calibration import expected_calibration_error, reliability_bins
from foldline.evaluation.combination import CLIP
from foldline.evaluation.estimates import Estimate, Part, Rows, estimate
from foldline.evaluation.log_linear import fit_logistic
from foldline.evaluation.results import Calibration
from foldline.evaluation.score_intervals import with_interval

FloatArray = npt.NDArray[np.float64]

CALIBRATION_METRICS = ("slope", "intercept", "brier_skill")


def calibration_estimates(labels: npt.NDArray[np.int64], scores: FloatArray, rows: Rows) -> dict[str, Estimate | None]:
    """Estimate the calibration of some classes together, each row counting once for each class.

    `slope` is the coefficient of the log-odds in a logistic regression of the labels, with an intercept: below 1 scores
    are too extreme, above 1 not extreme enough. `intercept` is that of the regression whose slope is 1: below 0 scores
    are too high, above 0 too low (Cox, Two further applications of a model for binary regression, 1958). `brier_skill`
    is 1 minus the Brier score divided by that of the share of positives of each class: above 0 scores say more than
    these shares.

    Args:
        labels: 0 or 1, (n_rows, n_classes).
        scores: in [0, 1], (n_rows, n_classes).
        rows: weights and groups.

    Returns:
        Name of `CALIBRATION_METRICS` -> its estimate, None where all rows with a weight have one label.
    """
    weights = rows.weights
    both = np.array([0 < weights @ column < weights.sum() for column in labels.T.astype(np.float64)], bool)
    if not both.any():
        return dict.fromkeys(CALIBRATION_METRICS)
    targets, scores = labels[:, both].astype(np.float64), scores[:, both]
    count = targets.shape[1]
    pairs = Rows(weights.repeat(count), rows.groups.repeat(count), rows.n_groups)
    clipped = np.clip(scores, CLIP, 1 - CLIP).ravel()
    logs = np.log(clipped / (1 - clipped))
    return {
        "slope": _coefficient(targets.ravel(), np.stack([logs, np.ones_like(logs)]), np.zeros_like(logs), pairs),
        "intercept": _coefficient(targets.ravel(), np.ones((1, len(logs))), logs, pairs),
        "brier_skill": _brier_skill(targets, scores, pairs),
    }


def score_calibration(
    labels: npt.NDArray[np.int64], scores: FloatArray, rows: Rows, *, confidence: float
) -> Calibration:
    """Score the calibration of some classes together; arguments as in `calibration_estimates`, and the coverage."""
    weights = rows.weights.repeat(labels.shape[1])
    bins = reliability_bins(labels.ravel(), scores.ravel(), weights=weights)
    found = calibration_estimates(labels, scores, rows)
    estimates = {name: with_interval(one, None, confidence=confidence) for name, one in found.items()}
    return Calibration(expected_calibration_error(bins), bins, None, **estimates)


def _coefficient(labels: FloatArray, columns: FloatArray, offset: FloatArray, rows: Rows) -> Estimate:
    """The first coefficient of a logistic regression; its influence is that of the sandwich variance (Huber, 1967)."""
    # From a slope of 1 few steps are needed.
    start = 1.0 if len(columns) > 1 else 0.0
    found, constant = fit_logistic(
        columns[:1], labels, rows.weights, intercept=len(columns) > 1, prior=start, offset=offset
    )
    predicted = expit(offset + found @ columns[:1] + constant)
    spread = rows.weights * predicted * (1 - predicted)
    direction = np.linalg.solve((columns * spread) @ columns.T + 1e-12 * np.eye(len(columns)), columns)[0]
    return estimate(float(found[0]), [Part(direction * rows.weights * (labels - predicted), rows.weights)], rows)


def _brier_skill(labels: FloatArray, scores: FloatArray, rows: Rows) -> Estimate:
    weights, total = rows.weights, rows.weights.sum()
    shares = (rows.weights.reshape(labels.shape)[:, :1] * labels).sum(axis=0) / (total / labels.shape[1])
    errors, of_shares = ((labels - scores) ** 2).ravel(), ((labels - shares) ** 2).ravel()
    brier, reference = weights @ errors / total, weights @ of_shares / total
    ratio = brier / reference
    influence = -weights / total * (errors - brier - ratio * (of_shares - reference)) / reference
    return estimate(1 - ratio, [Part(influence, weights)], rows)
