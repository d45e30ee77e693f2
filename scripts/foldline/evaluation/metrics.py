"""Scores of one class, weighted or not, exact, over many bootstrap draws at once; no threshold grids.

All functions take one class at a time: labels 0 or 1 and scores, both (n_samples,). A score that is not defined, such
as the AUC of rows with one label, is NaN here; whoever writes it to a file says why it is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

THRESHOLD = 0.5
CALIBRATION_BINS = 10

# Higher is better for all but log_loss and brier.
RANKING = ("auc", "average_precision")
PROBABILITY = ("log_loss", "brier", "accuracy", "f1")
METRICS = RANKING + PROBABILITY

# Numbers of a block of bootstrap weights: as float64 it fits a processor's second cache.
BLOCK = 100_000
# An interval from fewer of its draws than this share is not given.
LEAST_DEFINED = 0.9


@dataclass(frozen=True)
class Ranked:
    """Rows of one class in order of falling score, prepared once for many draws.

    Attributes:
        rows: which row of the weights each stands for, (n_rows,).
        positives: places of the positives, (n_positives,).
        ties: where in `positives` a new score begins, (n_levels,).
        start: place of the first row of each level, that is of each score that a positive has, (n_levels,).
        end: place behind its last row, (n_levels,).
        terms: what `_probability` sums over rows, (6, n_rows).
    """

    rows: np.ndarray
    positives: np.ndarray
    ties: np.ndarray
    start: np.ndarray
    end: np.ndarray
    terms: np.ndarray


def ranked(
    labels: np.ndarray, scores: np.ndarray, *, inside: np.ndarray | None = None, threshold: float = THRESHOLD
) -> Ranked:
    """Sort rows for `weighted_scores`.

    Args:
        labels: (n_samples,).
        scores: (n_samples,), any real numbers; in [0, 1] for metrics of probabilities.
        inside: the rows that count, bool, (n_samples,); None for all.
        threshold: score from which on accuracy and F1 call a row positive.
    """
    rows = np.arange(len(labels)) if inside is None else np.flatnonzero(inside)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    positive, falling = labels[rows] == 1, scores[rows]
    positives = np.flatnonzero(positive)
    levels, ties = np.unique(-falling[positives], return_index=True)
    start = np.searchsorted(-falling, levels, side="left")
    end = np.searchsorted(-falling, levels, side="right")
    return Ranked(rows, positives, ties, start, end, _terms(positive, falling, threshold))


def _terms(positive: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(scores, tiny, 1 - tiny)
    loss = -np.log(np.where(positive, clipped, 1 - clipped))
    called = scores >= threshold
    terms = [loss, (scores - positive) ** 2, called == positive, called & positive, called, positive]
    return np.stack(terms).astype(np.float64)


def weighted_scores(rows: Ranked, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric, once for each row of weights.

    Ties of scores count half in the ROC AUC and stand at one threshold in the average precision. The log loss clips
    probabilities to [eps, 1 - eps] of float64, as scikit-learn does. The Brier score is the mean squared difference
    (Brier, 1950). Accuracy and F1 call a score positive from the threshold of `ranked` on.

    Args:
        rows: labels and scores.
        weights: (n_draws, n_samples), at least 0.

    Returns:
        Metric name -> (n_draws,), NaN where the metric is not defined.
    """
    weights = weights[:, rows.rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {**_ranking(rows, weights), **_probability(rows, weights)}


def weighted_roc_auc(rows: Ranked, weights: np.ndarray) -> np.ndarray:
    """The ROC AUC alone, once for each row of weights; see `weighted_scores`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _ranking(rows, weights[:, rows.rows])["auc"]


def plain_scores(labels: np.ndarray, scores: np.ndarray, *, threshold: float = THRESHOLD) -> dict[str, float]:
    """Every metric with each row counted once; see `weighted_scores`."""
    found = weighted_scores(ranked(labels, scores, threshold=threshold), np.ones((1, len(labels))))
    return {name: float(value[0]) for name, value in found.items()}


def cumulative_counts(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at every distinct threshold, the strictest first, from none to all.

    Returns:
        Two integer arrays, (n_thresholds + 1,); the first entry of each is 0.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    true = np.cumsum(labels[order] == 1)[last]
    return np.concatenate([[0], true]), np.concatenate([[0], last + 1 - true])


def _ranking(rows: Ranked, weights: np.ndarray) -> dict[str, np.ndarray]:
    """From sorted weights; only the levels that a positive has count, the rest of the rows is one running sum."""
    if not len(rows.positives):
        absent = np.full(len(weights), np.nan)
        return {"auc": absent, "average_precision": absent}
    above = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=above[:, 1:])
    gained = np.add.reduceat(weights[:, rows.positives], rows.ties, axis=1)
    true = np.cumsum(gained, axis=1)
    selected = above[:, rows.end]
    # Negatives that outrank a level, those at the level counting half.
    outranked = (above[:, rows.start] + selected) / 2 - (true - gained / 2)
    positives, every = true[:, -1], above[:, -1]
    # A threshold above every row of a draw selects nothing: its precision is 0/0 and its gain 0.
    precision = np.divide(true, selected, out=np.zeros_like(true), where=selected > 0)
    return {
        "auc": 1 - (gained * outranked).sum(axis=1) / (positives * (every - positives)),
        "average_precision": (gained * precision).sum(axis=1) / positives,
    }


def _probability(rows: Ranked, weights: np.ndarray) -> dict[str, np.ndarray]:
    # Not one matrix product: its last bits depend on the number of threads.
    loss, squared, right, hits, called, positives = (np.einsum("dn,n->d", weights, term) for term in rows.terms)
    every = weights.sum(axis=1)
    return {
        "log_loss": loss / every,
        "brier": squared / every,
        "accuracy": right / every,
        "f1": 2 * hits / (called + positives),
    }


def bootstrap_weights(groups: Sequence[str], *, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each row is drawn when whole groups are drawn with replacement, as many as there are.

    Rows of one group (patient, lesion, duplicates) are not independent; drawing single rows would make the interval
    too narrow (cluster bootstrap: Field and Welsh, Bootstrapping clustered data, 2007).

    Args:
        groups: group of each row, (n_samples,).
        draws: number of draws.
        seed: the same seed and groups give the same draws, in whatever blocks they come.

    Yields:
        Blocks of float64 counts, (at most draws, n_samples), `draws` rows in all.
    """
    names, index = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // len(index))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        drawn = random.integers(0, len(names), (size, len(names)))
        drawn += np.arange(size)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=size * len(names)).reshape(size, len(names))
        yield counts[:, index].astype(np.float64)


def interval(values: np.ndarray, *, confidence: float) -> tuple[float, float] | None:
    """Percentile interval of bootstrap draws; None where more than a tenth of the draws are not defined.

    Args:
        values: (n_draws,), NaN where not defined.
        confidence: coverage in (0, 1).
    """
    defined = values[np.isfinite(values)]
    if len(defined) < LEAST_DEFINED * len(values) or not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def reliability(labels: np.ndarray, scores: np.ndarray, *, bins: int = CALIBRATION_BINS) -> list[dict[str, Any]]:
    """Reliability table: score and share of positives in bins of equal width; 1.0 falls into the last bin.

    Returns:
        One dict a bin: low, high (borders), rows, positives, and, None where it is empty, mean_score,
        positive_share and the 95 % Wilson interval of the latter, share_low and share_high.
    """
    index = np.minimum((scores * bins).astype(np.int64), bins - 1)
    table = []
    for number in range(bins):
        inside = index == number
        rows = int(inside.sum())
        positives = int((labels[inside] == 1).sum())
        low, high = wilson(positives, rows) if rows else (None, None)
        table.append(
            {
                "low": number / bins,
                "high": (number + 1) / bins,
                "rows": rows,
                "positives": positives,
                "mean_score": float(scores[inside].mean()) if rows else None,
                "positive_share": positives / rows if rows else None,
                "share_low": low,
                "share_high": high,
            }
        )
    return table


def expected_calibration_error(table: Sequence[Mapping[str, Any]]) -> float:
    """Mean over rows of |mean score - share of positives| of their bin (Naeini et al., 2015), in [0, 1].

    Args:
        table: as `reliability` makes it.
    """
    filled = [row for row in table if row["rows"]]
    rows = sum(row["rows"] for row in filled)
    return sum(row["rows"] * abs(row["mean_score"] - row["positive_share"]) for row in filled) / rows


def wilson(positives: int, rows: int) -> tuple[float, float]:
    """95% interval of a share (Wilson, 1927)."""
    z = 1.959963984540054
    share = positives / rows
    center = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * (share * (1 - share) / rows + z * z / (4 * rows * rows)) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)
