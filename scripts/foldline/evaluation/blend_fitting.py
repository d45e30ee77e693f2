"""Fit how much each model counts in a blend, on out-of-fold rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, solve_triangular
from scipy.optimize import nnls

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.combination import LOG, PROBABILITY, RANK, Combination, scaled
from foldline.evaluation.log_linear import fit_logistic, fit_multinomial, rounded

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Rounds of the greedy selection, and the least rise of the correlation for which more of them count.
GREEDY_ROUNDS = 50
GREEDY_RISE = 1e-6
# Penalty on the coefficients of stacking, which draws them to equal ones: as much as one row counts.
STACKING_PENALTY = 1.0
# Keeps the covariance of equal models invertible, as a share of its mean diagonal.
RIDGE = 1e-9


@dataclass(frozen=True)
class BlendRows:
    """Out-of-fold rows of all models.

    Attributes:
        probabilities: (n_models, n_rows, n_classes), in [0, 1].
        targets: label, or share of each class in a soft label, in [0, 1], (n_rows, n_classes).
        weights: weight of each row, (n_rows,).
        folds: fold of each row, (n_rows,).
        activation: see `labels.Labels`.
        scored: numbers of the classes that the metric counts.
        fitted: see `fitted_classes`, (n_classes,); None if all rows are fitted together.
    """

    probabilities: npt.NDArray[np.floating]
    targets: FloatArray
    weights: FloatArray
    folds: npt.NDArray[np.int64]
    activation: str
    scored: list[int]
    fitted: BoolArray | None = None

    def __getitem__(self, mask: BoolArray) -> "BlendRows":
        """Some of the rows, by a mask, (n_rows,)."""
        return replace(
            self,
            probabilities=self.probabilities[:, mask],
            targets=self.targets[mask],
            weights=self.weights[mask],
            folds=self.folds[mask],
        )

    @property
    def n_models(self) -> int:
        """Number of models."""
        return len(self.probabilities)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.targets.shape[1])


def fit_combination(method: str, rows: BlendRows) -> Combination:
    """Fit a blend by one of `METHODS`.

    Args:
        method: "mean", "rank_mean" and "geometric" weigh all models alike. The others fit: "weights" the weights, at
            least 0 and with a sum of 1, whose blend correlates most with the labels (non-negative least squares with an
            intercept); "greedy" adds the model that raises that correlation most, again and again, with replacement,
            and keeps the best of these sums (Caruana et al., Ensemble selection from libraries of models, 2004);
            "subset" is the mean of some models: the best one, and then whichever raises the correlation most, as long
            as the Bayesian information criterion pays for one more model (Schwarz, Estimating the dimension of a
            model, 1978);
            "stacking" a logistic regression on log-odds, of each class by itself for "sigmoid", and for "softmax" on
            log-probabilities with one coefficient per model and an intercept per class.
        rows: the rows to fit.
    """
    return METHODS[method](rows)


def _equal(scale: str) -> Callable[[BlendRows], Combination]:
    return lambda rows: Combination.equal(scale, rows.n_models, rows.n_classes)


def _weights(rows: BlendRows) -> Combination:
    """The weights on the simplex with the highest correlation are those of least squares, divided by their sum."""
    covariances, with_labels = _moments(rows)
    matrix, vector = covariances.sum(axis=0), with_labels.sum(axis=0)
    matrix = matrix + np.eye(len(matrix)) * (RIDGE * np.trace(matrix) / len(matrix) or 1.0)
    factor = np.triu(cho_factor(matrix)[0])
    found, _ = nnls(factor, solve_triangular(factor, vector, trans="T"))
    return _shared(found, rows)


def _subset(rows: BlendRows) -> Combination:
    moments, size = _moments(rows), float(rows.weights.sum() ** 2 / (rows.weights @ rows.weights))
    counts, reached = np.zeros(rows.n_models), -np.inf
    while not counts.all():
        chosen = counts + np.eye(rows.n_models)[counts == 0]
        correlations = _correlations(chosen, *moments)
        number = int(np.argmax(correlations))
        unexplained = 1 - min(max(float(correlations[number]), 0.0), 1.0) ** 2
        evidence = -size * np.log(max(unexplained, RIDGE))
        if evidence - reached <= np.log(size):
            break
        counts, reached = chosen[number], evidence
    return _shared(counts, rows)


def _greedy(rows: BlendRows) -> Combination:
    moments = _moments(rows)
    counts, best, found = np.zeros(rows.n_models), -np.inf, np.zeros(rows.n_models)
    for _ in range(GREEDY_ROUNDS):
        chosen = counts + np.eye(rows.n_models)
        correlations = _correlations(chosen, *moments)
        number = int(np.argmax(correlations))
        counts = chosen[number]
        if correlations[number] > best + GREEDY_RISE:
            best, found = correlations[number], counts
    return _shared(found, rows)


def _correlations(weights: FloatArray, covariances: FloatArray, with_labels: FloatArray) -> FloatArray:
    """Mean over the classes of the correlation of blends with the label, (n_blends,); weights (n_blends, n_models)."""
    products = weights @ with_labels.T
    variances = np.einsum("im,cmk,ik->ic", weights, covariances, weights)
    ratios = np.divide(products, np.sqrt(variances), out=np.zeros_like(products), where=variances > 0)
    return ratios.mean(axis=1) if ratios.size else np.zeros(len(weights))


def _shared(weights: FloatArray, rows: BlendRows) -> Combination:
    """A weighted mean of probabilities with the same weights for all classes; equal ones if all are 0."""
    total = weights.sum()
    if not total > 0:
        return Combination.equal(PROBABILITY, rows.n_models, rows.n_classes)
    column = rounded(weights / total)[:, None]
    return Combination(PROBABILITY, column.repeat(rows.n_classes, axis=1), np.zeros(rows.n_classes))


def _moments(rows: BlendRows) -> tuple[FloatArray, FloatArray]:
    """Covariances of the models, and of each model with the label, in units in which the label has the variance 1.

    Returns:
        (n_scored, n_models, n_models) and (n_scored, n_models), of the scored classes that have both labels.
    """
    share = rows.weights / rows.weights.sum()
    covariances, with_labels = [], []
    for number in rows.scored:
        columns = np.vstack([rows.probabilities[:, :, number], rows.targets[None, :, number]]).astype(np.float64)
        columns -= (columns @ share)[:, None]
        moments = (columns * share) @ columns.T
        variance = moments[-1, -1]
        if variance > 0:
            covariances.append(moments[:-1, :-1] / variance)
            with_labels.append(moments[:-1, -1] / variance)
    size = rows.n_models
    return np.reshape(covariances, (-1, size, size)), np.reshape(with_labels, (-1, size))


def _stacking(rows: BlendRows) -> Combination:
    prior = 1 / rows.n_models
    fitted = np.ones(rows.n_classes, np.bool_) if rows.fitted is None else rows.fitted
    if rows.activation == SOFTMAX and fitted.all():
        features = scaled(rows.probabilities, LOG, rows.activation)
        found, offsets = fit_multinomial(features, rows.targets, rows.weights, prior=prior, penalty=STACKING_PENALTY)
        return Combination(LOG, rounded(found)[:, None].repeat(rows.n_classes, axis=1), rounded(offsets))
    weights = np.full((rows.n_models, rows.n_classes), 1 / rows.n_models)
    intercepts = np.zeros(rows.n_classes)
    for number, targets in enumerate(rows.targets.T):
        if rows.activation != SOFTMAX and fitted[number] and has_both_labels(targets, rows.weights):
            features = scaled(rows.probabilities[:, :, number], LOG, rows.activation)
            found, intercept = fit_logistic(features, targets, rows.weights, prior=prior, penalty=STACKING_PENALTY)
            weights[:, number], intercepts[number] = rounded(found), rounded(intercept)
    return Combination(LOG, weights, intercepts)


def fitted_classes(rows: BlendRows) -> BoolArray:
    """Whether offsets of a class may be fitted on some folds and applied to others, (n_classes,).

    If all positives (or negatives) of a class are in one fold, what is fitted on the others lowers (or raises) its
    scores in all folds but that one, and the pooled scores tell the fold instead of the class. Exclusive classes
    without any positive do not count.
    """
    folds = [rows[rows.folds == fold] for fold in np.unique(rows.folds)]
    positives = np.stack([of_fold.weights @ of_fold.targets for of_fold in folds])
    negatives = np.stack([of_fold.weights @ (1 - of_fold.targets) for of_fold in folds])
    fitted: BoolArray = ((positives > 0).sum(axis=0) > 1) & ((negatives > 0).sum(axis=0) > 1)
    if rows.activation == SOFTMAX:
        fitted |= positives.sum(axis=0) == 0
    return fitted


def has_both_labels(targets: FloatArray, weights: FloatArray) -> bool:
    """Whether rows with a weight have positives and negatives of a class; without them nothing is fitted."""
    mean = float(weights @ targets)
    return 0 < mean < float(weights.sum())


METHODS: dict[str, Callable[[BlendRows], Combination]] = {
    "mean": _equal(PROBABILITY),
    "rank_mean": _equal(RANK),
    "geometric": _equal(LOG),
    "subset": _subset,
    "weights": _weights,
    "greedy": _greedy,
    "stacking": _stacking,
}
