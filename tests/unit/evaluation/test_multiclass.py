"""Metrics of exactly one class per sample: where they are not defined, and what weights mean."""

import numpy as np
import pytest
from foldline.evaluation.multiclass import (
    CLASS_METRICS,
    POOLED_METRICS,
    PredictedRows,
    confusion_counts,
    mean_of_defined,
    plain_multiclass,
    weighted_multiclass,
)
from sklearn.metrics import cohen_kappa_score, f1_score


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of 80 rows and five classes, the last without a row."""
    random = np.random.default_rng(3)
    labels = np.eye(5, dtype=np.int64)[random.integers(0, 4, 80)]
    return labels, random.dirichlet([1] * 5, 80)


def test_whole_weights_are_repeated_rows(rows: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = rows
    weights = np.random.default_rng(4).integers(0, 4, 80)
    found = plain_multiclass(labels, scores, weights.astype(float))
    repeated = plain_multiclass(labels.repeat(weights, axis=0), scores.repeat(weights, axis=0))
    assert list(found) == [*POOLED_METRICS, *CLASS_METRICS]
    for name, values in repeated.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)
    counts = confusion_counts(PredictedRows.of(labels, scores), weights.astype(float))
    np.testing.assert_allclose(np.diag(counts) / counts.sum(axis=1).clip(1), np.nan_to_num(found["recall"]))


def test_draws_without_a_class_leave_it_out(rows: tuple[np.ndarray, np.ndarray]) -> None:
    """As scikit-learn does, which knows the classes of labels and predictions only."""
    labels, scores = rows
    true, predicted = labels.argmax(axis=1), scores.argmax(axis=1)
    weights = np.stack([np.ones(80), (true < 2) & (predicted < 2), true == 0, np.zeros(80)]).astype(float)
    found = weighted_multiclass(PredictedRows.of(labels, scores), weights)
    for draw, weight in enumerate(weights[:3] > 0):
        expected = f1_score(true[weight], predicted[weight], average="macro", zero_division=0)
        assert found["f1"][draw] == pytest.approx(expected)
        assert found["cohen_kappa"][draw] == pytest.approx(cohen_kappa_score(true[weight], predicted[weight]))
    assert np.isnan([found[name][3] for name in POOLED_METRICS]).all()
    assert np.isnan(found["recall"][1:, 2]).all()
    assert np.isnan(found["recall"][4]).all()


def test_equal_probabilities_predict_the_first_class() -> None:
    found = PredictedRows.of(np.eye(3, dtype=np.int64), np.full((3, 3), 1 / 3))
    assert found.predicted.tolist() == [0, 0, 0]
    assert confusion_counts(found).tolist() == [[1, 0, 0]] * 3


def test_the_mean_over_classes_leaves_out_undefined_ones() -> None:
    values = np.array([[0.2, np.nan, 0.4], [0.6, 0.5, np.nan], [np.nan] * 3])
    assert mean_of_defined(values) == pytest.approx([0.4, 0.5, 0.4])
    assert np.isnan(mean_of_defined(values[2:])).all()
