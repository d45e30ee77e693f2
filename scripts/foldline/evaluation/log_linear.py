"""Logistic regression of one class, and of several classes that exclude each other, by Newton's method.

Both take targets between 0 and 1 and weights of rows, which scikit-learn's do not. Without a penalty a perfect
separation has no solution: use `smoothed_targets`, or a penalty.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_softmax

FloatArray = npt.NDArray[np.float64]
Objective = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]

MOST_STEPS = 60
# Relative decrease of the loss below which the minimum is reached.
CONVERGED = 1e-12
# Keeps the Hessian invertible where columns are equal; far below the weight of one row.
RIDGE = 1e-6
# Digits of a fitted parameter: enough for float32 scores, and few enough to be equal on every machine.
DIGITS = 9


def fit_logistic(
    features: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    *,
    intercept: bool = True,
    prior: float = 0.0,
    penalty: float = 0.0,
    offset: FloatArray | float = 0.0,
) -> tuple[FloatArray, float]:
    """Fit the probability expit(offset + intercept + coefficients @ features) of one class by maximum likelihood.

    Args:
        features: (n_features, n_rows).
        targets: in [0, 1], (n_rows,).
        weights: at least 0, (n_rows,).
        intercept: whether there is one; else it is 0.
        prior: value to which the penalty draws every coefficient.
        penalty: half of this times the squared distance from `prior` is added to the sum of the losses.
        offset: added to the log-odds of each row, (n_rows,).

    Returns:
        Coefficients, (n_features,), and the intercept.
    """
    count = len(features)
    columns = np.vstack([features, np.ones((1, features.shape[1]))]) if intercept else features
    center, strength = np.zeros(len(columns)), np.full(len(columns), RIDGE)
    center[:count], strength[:count] = prior, penalty + RIDGE

    def objective(point: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        logits = offset + point @ columns
        predicted = expit(logits)
        loss = weights @ (np.logaddexp(0, logits) - targets * logits) + strength @ (point - center) ** 2 / 2
        gradient = columns @ (weights * (predicted - targets)) + strength * (point - center)
        hessian = (columns * (weights * predicted * (1 - predicted))) @ columns.T
        return float(loss), gradient, hessian + np.diag(strength)

    found = _minimize(objective, center)
    return found[:count], float(found[count]) if intercept else 0.0


def fit_multinomial(
    features: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    *,
    intercepts: bool = True,
    prior: float = 0.0,
    penalty: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Fit the probabilities softmax(intercepts + sum of coefficient x feature) of classes that exclude each other.

    A feature has a value for each class, and one coefficient for all of them (McFadden, Conditional logit analysis of
    qualitative choice behavior, 1974).

    Args:
        features: (n_features, n_rows, n_classes).
        targets: in [0, 1], (n_rows, n_classes); each row sums to 1.
        weights: at least 0, (n_rows,).
        intercepts: whether there is one for each class; else they are 0.
        prior: see `fit_logistic`.
        penalty: see `fit_logistic`.

    Returns:
        Coefficients, (n_features,), and intercepts, (n_classes,), which sum to 0.
    """
    count, _, n_classes = features.shape
    size = count + (n_classes if intercepts else 0)
    center, strength = np.zeros(size), np.full(size, RIDGE)
    center[:count], strength[:count] = prior, penalty + RIDGE

    def objective(point: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        logits = np.tensordot(point[:count], features, 1)
        if intercepts:
            logits += point[count:]
        logs = log_softmax(logits, axis=1)
        predicted = np.exp(logs)
        loss = -(weights @ (targets * logs).sum(axis=1)) + strength @ (point - center) ** 2 / 2
        residuals = weights[:, None] * (predicted - targets)
        gradient = strength * (point - center)
        gradient[:count] += np.tensordot(features, residuals, 2)
        hessian = np.diag(strength)
        masses = weights[:, None] * predicted
        centered = features - (features * predicted).sum(axis=2, keepdims=True)
        hessian[:count, :count] += np.tensordot(centered * masses, features, ((1, 2), (1, 2)))
        if intercepts:
            gradient[count:] += residuals.sum(axis=0)
            hessian[:count, count:] = (centered * masses).sum(axis=1)
            hessian[count:, :count] = hessian[:count, count:].T
            hessian[count:, count:] += np.diag(masses.sum(axis=0)) - predicted.T @ masses
        return float(loss), gradient, hessian

    found = _minimize(objective, center)
    offsets = found[count:] if intercepts else np.zeros(n_classes)
    return found[:count], offsets - offsets.mean()


def smoothed_targets(targets: FloatArray, weights: FloatArray) -> FloatArray:
    """Move targets of one class away from 0 and 1, as one more row of each label would.

    See Platt, Probabilistic outputs for support vector machines, 1999.

    Args:
        targets: in [0, 1], (n_rows,).
        weights: at least 0, (n_rows,).
    """
    positives = weights @ targets
    negatives = weights.sum() - positives
    return np.asarray(targets * (positives + 1) / (positives + 2) + (1 - targets) / (negatives + 2))


def rounded(values: npt.ArrayLike) -> FloatArray:
    """Round to `DIGITS` significant digits."""
    array = np.asarray(values, np.float64)
    return np.array([float(f"{value:.{DIGITS}g}") for value in array.ravel()]).reshape(array.shape)


def _minimize(objective: Objective, start: FloatArray) -> FloatArray:
    """Minimize a convex function by Newton's method with step halving."""
    point, (value, gradient, hessian) = start, objective(start)
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(hessian, gradient)
        decrease = float(gradient @ step) / 2
        for _ in range(MOST_STEPS):
            found = objective(point - step)
            # Rounding of the sum may hide the last decrease.
            if found[0] <= value + CONVERGED * abs(value):
                break
            step = step / 2
        point, (value, gradient, hessian) = point - step, found
        if decrease <= CONVERGED * max(abs(value), 1.0):
            break
    return point
