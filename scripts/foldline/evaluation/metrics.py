"""Metrics of one class: exact, weighted or not, and computed for many bootstrap draws at once.

All functions take one class at a time: labels, 0 or 1, and scores, both (n_samples,). A metric that is not defined,
such as the AUC of rows that all have the same label, is NaN.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DEFAULT_THRESHOLD = 0.5

# Higher is better for all except log_loss and brier.
RANKING_METRICS = ("auc", "average_precision")
PROBABILITY_METRICS = ("log_loss", "brier", "accuracy", "f1")
METRICS = RANKING_METRICS + PROBABILITY_METRICS


@dataclass(frozen=True)
class RowTerms:
    """What each row adds to the sums behind the probability metrics; all are float64, (n_rows,).

    Attributes:
        log_loss: minus the logarithm of the probability of the row's label, in nats.
        squared_error: square of score minus label.
        correct: 1 where the predicted label is the label.
        true_positive: 1 for a positive that is predicted as positive.
        predicted: 1 where a positive is predicted.
        positive: 1 for a positive.
    """

    log_loss: FloatArray
    squared_error: FloatArray
    correct: FloatArray
    true_positive: FloatArray
    predicted: FloatArray
    positive: FloatArray


@dataclass(frozen=True)
class SortedRows:
    """Rows of one class in descending order of score, prepared once for many bootstrap draws.

    A level is a distinct score that at least one positive has.

    Attributes:
        samples: index of each row among all samples, (n_rows,).
        positives: indices of the positive rows, (n_positives,).
        first_positives: index into `positives` of the first positive of each level, (n_levels,).
        level_starts: index of the first row of each level, (n_levels,).
        level_ends: index after the last row of each level, (n_levels,).
        terms: what the rows add to the probability metrics.
    """

    samples: IntArray
    positives: IntArray
    first_positives: IntArray
    level_starts: IntArray
    level_ends: IntArray
    terms: RowTerms


def sort_rows(
    labels: IntArray,
    scores: FloatArray,
    *,
    mask: npt.NDArray[np.bool_] | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    predicted: npt.NDArray[np.bool_] | None = None,
) -> SortedRows:
    """Sort rows for `weighted_scores`.

    Args:
        labels: 0 or 1, (n_samples,).
        scores: any real numbers, (n_samples,); in [0, 1] for probability metrics.
        mask: which samples count, (n_samples,); None for all.
        threshold: lowest score that predicts a positive.
        predicted: which samples are predicted as positive instead, (n_samples,); None to use the threshold.
    """
    samples = np.arange(len(labels)) if mask is None else np.flatnonzero(mask)
    samples = samples[np.argsort(-scores[samples], kind="stable")]
    positive, descending = labels[samples] == 1, scores[samples]
    positives = np.flatnonzero(positive)
    levels, first_positives = np.unique(-descending[positives], return_index=True)
    return SortedRows(
        samples=samples,
        positives=positives,
        first_positives=first_positives,
        level_starts=np.searchsorted(-descending, levels, side="left"),
        level_ends=np.searchsorted(-descending, levels, side="right"),
        terms=_row_terms(positive, descending, descending >= threshold if predicted is None else predicted[samples]),
    )


def _row_terms(positive: npt.NDArray[np.bool_], scores: FloatArray, predicted: npt.NDArray[np.bool_]) -> RowTerms:
    epsilon = np.finfo(np.float64).eps
    clipped = np.clip(scores, epsilon, 1 - epsilon)
    return RowTerms(
        log_loss=-np.log(np.where(positive, clipped, 1 - clipped)),
        squared_error=(scores - positive) ** 2,
        correct=(predicted == positive).astype(np.float64),
        true_positive=(predicted & positive).astype(np.float64),
        predicted=predicted.astype(np.float64),
        positive=positive.astype(np.float64),
    )


def weighted_scores(rows: SortedRows, weights: FloatArray) -> dict[str, FloatArray]:
    """Compute every metric, once per row of weights.

    Tied scores count half in the ROC AUC and share one threshold in the average precision. The log loss clips
    probabilities to [eps, 1 - eps] of float64, as scikit-learn does. The Brier score is the mean squared difference
    between score and label (Brier, 1950). Accuracy and F1 compare the predictions of `sort_rows` with the labels.

    Args:
        rows: labels and scores.
        weights: at least 0, (n_draws, n_samples).

    Returns:
        Metric of `METRICS` -> (n_draws,), NaN where the metric is not defined.
    """
    weights = weights[:, rows.samples]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {**_ranking_metrics(rows, weights), **_probability_metrics(rows.terms, weights)}


def weighted_roc_auc(rows: SortedRows, weights: FloatArray) -> FloatArray:
    """Compute the ROC AUC alone, once per row of weights; see `weighted_scores`."""
    if not len(rows.positives):
        return np.full(len(weights), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _LevelWeights.of(rows, np.take(weights, rows.samples, axis=1)).roc_auc()


def plain_scores(
    labels: IntArray,
    scores: FloatArray,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    predicted: npt.NDArray[np.bool_] | None = None,
    weights: FloatArray | None = None,
) -> dict[str, float]:
    """Compute every metric once; see `sort_rows` and `weighted_scores`.

    `weights` are those of the rows, (n_samples,), None for 1.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    values = weighted_scores(sort_rows(labels, scores, threshold=threshold, predicted=predicted), weights[None])
    return {name: float(value[0]) for name, value in values.items()}


def weighted_macro_auc(labels: IntArray, scores: FloatArray, *, weights: FloatArray) -> float:
    """Compute the mean ROC AUC of weighted rows over the classes for which it is defined; see `roc_auc.macro_auc`.

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: (n_samples, n_classes).
        weights: at least 0, (n_samples,).
    """
    areas = [weighted_roc_auc(sort_rows(*rows), weights[None])[0] for rows in zip(labels.T, scores.T, strict=True)]
    defined = [float(area) for area in areas if np.isfinite(area)]
    return float(np.mean(defined)) if defined else float("nan")


def cumulative_counts(labels: IntArray, scores: FloatArray) -> tuple[IntArray, IntArray]:
    """Count true and false positives at every distinct threshold, from the strictest to the loosest.

    Returns:
        True positives and false positives, (n_thresholds + 1,) each; the first entry is 0: nothing is predicted.
    """
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    true = np.cumsum(labels[order] == 1)[last]
    return np.concatenate([[0], true]), np.concatenate([[0], last + 1 - true])


@dataclass(frozen=True)
class _LevelWeights:
    """Weights of the rows of each draw, summed by level; (n_draws, n_levels) unless stated otherwise.

    Attributes:
        gained: weight of the positives at a level.
        true: weight of the positives at or above a level.
        above: weight of all rows above a level.
        selected: weight of all rows at or above a level.
        negatives: weight of all negatives, (n_draws,); exactly 0 if none has a weight.
    """

    gained: FloatArray
    true: FloatArray
    above: FloatArray
    selected: FloatArray
    negatives: FloatArray

    @classmethod
    def of(cls, rows: SortedRows, weights: FloatArray) -> "_LevelWeights":
        """Sum sorted weights, (n_draws, n_rows), of rows with at least one positive."""
        cumulative = np.zeros((len(weights), weights.shape[1] + 1))
        np.cumsum(weights, axis=1, out=cumulative[:, 1:])
        gained = np.add.reduceat(weights[:, rows.positives], rows.first_positives, axis=1)
        return cls(
            gained=gained,
            true=np.cumsum(gained, axis=1),
            above=cumulative[:, rows.level_starts],
            selected=cumulative[:, rows.level_ends],
            negatives=_weighted_sum(weights, 1 - rows.terms.positive),
        )

    def roc_auc(self) -> FloatArray:
        """Compute the ROC AUC of each draw, (n_draws,)."""
        # Negatives that score above a level; those at the level count half.
        outranking = (self.above + self.selected) / 2 - (self.true - self.gained / 2)
        pairs = self.true[:, -1] * self.negatives
        return np.where(pairs > 0, 1 - (self.gained * outranking).sum(axis=1) / pairs, np.nan)

    def average_precision(self) -> FloatArray:
        """Compute the average precision of each draw, (n_draws,)."""
        # At a threshold above all rows of a draw nothing is selected: the precision is 0/0 and the gain 0.
        precision = np.divide(self.true, self.selected, out=np.zeros_like(self.true), where=self.selected > 0)
        return np.asarray((self.gained * precision).sum(axis=1) / self.true[:, -1])


def _ranking_metrics(rows: SortedRows, weights: FloatArray) -> dict[str, FloatArray]:
    """Compute the metrics of `RANKING_METRICS` from sorted weights, (n_draws, n_rows)."""
    if not len(rows.positives):
        return {name: np.full(len(weights), np.nan) for name in RANKING_METRICS}
    levels = _LevelWeights.of(rows, weights)
    return {"auc": levels.roc_auc(), "average_precision": levels.average_precision()}


def _probability_metrics(terms: RowTerms, weights: FloatArray) -> dict[str, FloatArray]:
    """Compute the metrics of `PROBABILITY_METRICS` from sorted weights, (n_draws, n_rows)."""
    total = weights.sum(axis=1)
    predicted_and_positive = _weighted_sum(weights, terms.predicted) + _weighted_sum(weights, terms.positive)
    return {
        "log_loss": _weighted_sum(weights, terms.log_loss) / total,
        "brier": _weighted_sum(weights, terms.squared_error) / total,
        "accuracy": _weighted_sum(weights, terms.correct) / total,
        "f1": 2 * _weighted_sum(weights, terms.true_positive) / predicted_and_positive,
    }


def _weighted_sum(weights: FloatArray, term: FloatArray) -> FloatArray:
    # No matrix product, whose last bits depend on the number of threads.
    return np.asarray(np.einsum("dn,n->d", weights, term))
