"""How well probabilities are calibrated, with the uncertainty of groups: slope, intercept, skill."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from foldline.evaluation.calibration import expected_calibration_error, reliability_bins
from foldline.evaluation.combination import CLIP
from foldline.evaluation.estimates import Estimate, Part, Rows, estimate
from foldline.evaluation.log_linear import fit_logistic, fit_multinomial
from foldline.evaluation.reasons import EQUAL_SCORES, FIXED_INTERCEPT, SEPARATED, UNDEFINED
from foldline.evaluation.results import Calibration, ClassCalibration, Score
from foldline.evaluation.score_intervals import with_interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
# An estimate, or the reason why there is none.
Found = Estimate | str

CALIBRATION_METRICS = ("slope", "intercept", "brier_skill")
# Rows that a line separates have no slope: their log-likelihood, in rows, is above minus this at any steep one.
SEPARABLE = 0.01


def calibration_estimates(
    labels: IntArray, scores: FloatArray, rows: Rows, *, exclusive: bool = False
) -> dict[str, Found]:
    """Estimate the calibration of some classes together, each row counting once for each class.

    `slope` is the coefficient of the log-odds in a logistic regression of the labels, with an intercept: below 1 scores
    are too extreme, above 1 not extreme enough. `intercept` is that of the regression whose slope is 1: below 0 scores
    are too high, above 0 too low (Cox, Two further applications of a model for binary regression, 1958). `brier_skill`
    is 1 minus the Brier score divided by that of the share of positives of each class: above 0 scores say more than
    these shares.

    Probabilities of all classes that exclude each other sum to 1 as the labels do, so the intercept of them together is
    0 whatever they are; each class has its own. Their slope is that of the log-probabilities in a multinomial logistic
    regression with an intercept for each class (Van Hoorde, Vergouwe, Timmerman, Van Huffel, Steyerberg and Van
    Calster, Assessing calibration of multinomial risk prediction models, 2014), one slope for all classes.

    Args:
        labels: 0 or 1, (n_rows, n_classes).
        scores: in [0, 1], (n_rows, n_classes).
        rows: weights and groups.
        exclusive: whether each row has exactly one of these classes.

    Returns:
        Name of `CALIBRATION_METRICS` -> its estimate, or the reason why there is none.
    """
    weights = rows.weights
    both = np.array([0 < weights @ column < weights.sum() for column in labels.T.astype(np.float64)], bool)
    if not both.any():
        return dict.fromkeys(CALIBRATION_METRICS, UNDEFINED)
    targets, scores = labels[:, both].astype(np.float64), scores[:, both]
    count = targets.shape[1]
    pairs = Rows(weights.repeat(count), rows.groups.repeat(count), rows.n_groups)
    clipped = np.clip(scores, CLIP, 1 - CLIP).ravel()
    logs, constant = np.log(clipped / (1 - clipped)), np.ones(len(clipped))
    skill = _brier_skill(targets, scores, pairs)
    if exclusive and count > 1:
        return {"slope": _common_slope(targets, scores, rows), "intercept": FIXED_INTERCEPT, "brier_skill": skill}
    return {
        "slope": _coefficient(targets.ravel(), np.stack([logs, constant]), np.zeros_like(logs), pairs),
        "intercept": _coefficient(targets.ravel(), constant[None], logs, pairs),
        "brier_skill": skill,
    }


def score_calibration(
    labels: IntArray, scores: FloatArray, rows: Rows, *, confidence: float, exclusive: bool = False
) -> Calibration:
    """Score the calibration of some classes together; arguments as in `calibration_estimates`, and the coverage."""
    pairs = Rows(rows.weights.repeat(labels.shape[1]), rows.groups.repeat(labels.shape[1]), rows.n_groups)
    bins = reliability_bins(labels.ravel(), scores.ravel(), rows=pairs, confidence=confidence)
    estimates = _scores(calibration_estimates(labels, scores, rows, exclusive=exclusive), confidence)
    return Calibration(expected_calibration_error(bins), bins, None, **estimates)


def class_calibration(labels: IntArray, scores: FloatArray, rows: Rows, *, confidence: float) -> ClassCalibration:
    """Score the calibration of one class against all others (weak calibration, Van Calster et al., 2016).

    Args:
        labels: 0 or 1, (n_rows,).
        scores: in [0, 1], (n_rows,).
        rows: weights and groups.
        confidence: coverage of the intervals, in (0, 1).
    """
    found = calibration_estimates(labels[:, None], scores[:, None], rows)
    return ClassCalibration(**_scores(found, confidence))


def _scores(found: dict[str, Found], confidence: float) -> dict[str, Score]:
    return {
        name: Score(None, None, None, one) if isinstance(one, str) else with_interval(one, None, confidence=confidence)
        for name, one in found.items()
    }


def _coefficient(labels: FloatArray, columns: FloatArray, offset: FloatArray, rows: Rows) -> Found:
    """The first coefficient of a logistic regression; its influence is that of the sandwich variance (Huber, 1967)."""
    # From a slope of 1 few steps are needed.
    has_slope = len(columns) > 1
    if has_slope and not np.ptp(columns[0][rows.weights > 0]) > 0:
        return EQUAL_SCORES
    found, constant = fit_logistic(
        columns[:1], labels, rows.weights, intercept=has_slope, prior=float(has_slope), offset=offset
    )
    logits = offset + found @ columns[:1] + constant
    if has_slope and rows.weights @ (np.logaddexp(0, logits) - labels * logits) < SEPARABLE * rows.weights.max():
        return SEPARATED
    predicted = expit(logits)
    spread = rows.weights * predicted * (1 - predicted)
    direction = np.linalg.solve((columns * spread) @ columns.T + 1e-12 * np.eye(len(columns)), columns)[0]
    return estimate(float(found[0]), [Part(direction * rows.weights * (labels - predicted), rows.weights)], rows)


def _common_slope(targets: FloatArray, scores: FloatArray, rows: Rows) -> Found:
    """The slope of log-probabilities beside an intercept for each class, with the influence of the sandwich variance.

    An absent class has an intercept of minus infinity, which is as if it were no class.
    """
    weights, logs = rows.weights, np.log(np.clip(scores, CLIP, 1))
    # Only differences between classes count.
    if not np.ptp((logs - logs[:, :1])[weights > 0], axis=0).max() > 0:
        return EQUAL_SCORES
    slope, intercepts = fit_multinomial(logs[None], targets, weights, prior=1.0)
    predicted = softmax(slope * logs + intercepts, axis=1)
    of_true = (predicted * targets).sum(axis=1)
    if -(weights @ np.log(np.clip(np.where(weights > 0, of_true, 1), 1e-300, None))) < SEPARABLE * weights.max():
        return SEPARATED
    masses = weights[:, None] * predicted
    centered = (logs - (logs * predicted).sum(axis=1, keepdims=True)) * masses
    hessian = np.zeros((1 + len(intercepts), 1 + len(intercepts)))
    hessian[0, 0] = (centered * logs).sum()
    hessian[0, 1:] = hessian[1:, 0] = centered.sum(axis=0)
    hessian[1:, 1:] = np.diag(masses.sum(axis=0)) - predicted.T @ masses
    # Intercepts count by their differences only, so one direction is free.
    direction = np.linalg.pinv(hessian, hermitian=True)[0]
    residuals = weights[:, None] * (targets - predicted)
    influence = direction[0] * (residuals * logs).sum(axis=1) + residuals @ direction[1:]
    return estimate(float(slope[0]), [Part(influence, weights)], rows)


def _brier_skill(labels: FloatArray, scores: FloatArray, rows: Rows) -> Estimate:
    weights, total = rows.weights, rows.weights.sum()
    shares = (rows.weights.reshape(labels.shape)[:, :1] * labels).sum(axis=0) / (total / labels.shape[1])
    errors, of_shares = ((labels - scores) ** 2).ravel(), ((labels - shares) ** 2).ravel()
    brier, reference = weights @ errors / total, weights @ of_shares / total
    ratio = brier / reference
    influence = -weights / total * (errors - brier - ratio * (of_shares - reference)) / reference
    return estimate(1 - ratio, [Part(influence, weights)], rows)
