"""Metrics of exactly one class per sample: where they are not defined, and what weights mean."""

import numpy as np
import pytest
from foldline.evaluation.estimates import Rows
from foldline.evaluation.multiclass import (
    POOLED_METRICS,
    PredictedRows,
    confusion_counts,
    multiclass_estimates,
    recall_estimate,
)
from foldline.evaluation.thresholds import highest
from sklearn.metrics import cohen_kappa_score, f1_score


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of 80 rows and five classes, the last without a row."""
    random = np.random.default_rng(3)
    labels = np.eye(5, dtype=np.int64)[random.integers(0, 4, 80)]
    return labels, random.dirichlet([1] * 5, 80)


def values_of(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float | None]:
    found = multiclass_estimates(PredictedRows.of(labels, scores, highest(scores)), Rows.single(len(labels), weights))
    return {name: None if one is None else one.value for name, one in found.items()}


def test_whole_weights_are_repeated_rows(rows: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = rows
    weights = np.random.default_rng(4).integers(0, 4, 80)
    found = values_of(labels, scores, weights.astype(float))
    assert list(found) == list(POOLED_METRICS)
    assert found == pytest.approx(values_of(labels.repeat(weights, axis=0), scores.repeat(weights, axis=0)), rel=1e-12)
    counts = confusion_counts(PredictedRows.of(labels, scores, highest(scores)), weights.astype(float))
    own, (true, predicted) = Rows.single(80, weights.astype(float)), (rows_.argmax(axis=1) for rows_ in rows)
    for number, line in enumerate(counts[:4]):
        recall = recall_estimate(true == number, predicted == number, own)
        assert recall is not None
        assert recall.value == pytest.approx(line[number] / line.sum())
    assert recall_estimate(true == 4, predicted == 4, own) is None


def test_classes_without_a_weight_are_left_out(rows: tuple[np.ndarray, np.ndarray]) -> None:
    """As scikit-learn does, which knows the classes of labels and predictions only."""
    labels, scores = rows
    true, predicted = labels.argmax(axis=1), scores.argmax(axis=1)
    for kept in (np.ones(80, bool), (true < 2) & (predicted < 2), true == 0):
        found = values_of(labels, scores, kept.astype(float))
        assert found["f1"] == pytest.approx(f1_score(true[kept], predicted[kept], average="macro", zero_division=0))
        assert found["cohen_kappa"] == pytest.approx(cohen_kappa_score(true[kept], predicted[kept]))
    assert set(values_of(labels, scores, np.zeros(80)).values()) == {None}


def test_equal_probabilities_predict_the_first_class() -> None:
    scores = np.full((3, 3), 1 / 3)
    found = PredictedRows.of(np.eye(3, dtype=np.int64), scores, highest(scores))
    assert found.predicted.tolist() == [0, 0, 0]
    assert confusion_counts(found).tolist() == [[1, 0, 0]] * 3
