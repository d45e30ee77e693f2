"""Differences of two models: against DeLong's test and where they are claimed."""

import numpy as np
import pytest
from foldline.evaluation.comparison import compare
from foldline.evaluation.estimates import Estimate, Rows
from foldline.evaluation.metrics import class_estimates
from scipy.stats import t


def delong_variance(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Variance of the difference of two AUCs, by the placements of all rows (DeLong et al., 1988)."""

    def placements(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        above = scores[labels == 1][:, None] - scores[labels == 0]
        wins = (above > 0) + (above == 0) / 2
        return wins.mean(axis=1), wins.mean(axis=0)

    parts = zip(placements(first), placements(second), strict=True)
    return float(sum((one - other).var(ddof=1) / len(one) for one, other in parts))


def columns(rows: int = 200, noise: float = 0.5) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    random = np.random.default_rng(4)
    labels = (np.arange(rows) < rows // 4).astype(np.int64)
    scores = random.normal(size=rows) + labels
    return labels, {"a": scores, "b": np.round(scores + noise * random.normal(size=rows), 1)}


def estimates(labels: np.ndarray, scores: dict[str, np.ndarray]) -> dict[str, dict[str, Estimate]]:
    own = Rows.single(len(labels))
    found = {name: class_estimates(labels, values, values > 0, own)["auc"] for name, values in scores.items()}
    return {name: {"auc": area} for name, area in found.items() if area is not None}


def test_the_interval_of_single_rows_is_that_of_delong() -> None:
    labels, scores = columns()
    (found,) = compare(found_columns := estimates(labels, scores), confidence=0.9)
    assert (found.first, found.second, found.metric) == ("a", "b", "auc")
    assert found.value == found_columns["a"]["auc"].value - found_columns["b"]["auc"].value
    degrees = min(one["auc"].degrees for one in found_columns.values())
    half = t.ppf(0.95, degrees) * delong_variance(labels, *scores.values()) ** 0.5
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), rel=0.02)


def test_a_column_does_not_differ_from_itself() -> None:
    labels, scores = columns()
    (found,) = compare(estimates(labels, {"a": scores["a"], "b": scores["a"]}), confidence=0.95)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_only_what_both_columns_have_is_compared_in_every_pair() -> None:
    labels, scores = columns()
    found = estimates(labels, {**scores, "c": -scores["a"]})
    found["c"]["log_loss"] = found["c"]["auc"]
    pairs = [(row.first, row.second, row.metric) for row in compare(found, confidence=0.95)]
    assert pairs == [("a", "b", "auc"), ("a", "c", "auc"), ("b", "c", "auc")]
