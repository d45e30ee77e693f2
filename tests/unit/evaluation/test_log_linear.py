"""Logistic regressions are those of scikit-learn, and take shares and weights as repeated rows."""

import numpy as np
import pytest
from foldline.evaluation.log_linear import fit_logistic, fit_multinomial, rounded, smoothed_targets
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(3, 400))
LABELS = (FEATURES[0] - FEATURES[1] + RANDOM.logistic(size=400) > 1).astype(float)
WEIGHTS = RANDOM.integers(0, 3, 400).astype(float)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 5.0])
def test_a_logistic_regression_is_that_of_scikit_learn(intercept: bool, penalty: float) -> None:
    found, offset = fit_logistic(FEATURES, LABELS, WEIGHTS, intercept=intercept, penalty=penalty)
    oracle = LogisticRegression(C=1 / penalty if penalty else np.inf, fit_intercept=intercept, tol=1e-10)
    oracle.fit(FEATURES.T, LABELS, sample_weight=WEIGHTS)
    assert found == pytest.approx(oracle.coef_[0], abs=1e-4)
    assert offset == pytest.approx(oracle.intercept_[0] if intercept else 0, abs=1e-4)


def test_a_share_counts_as_rows_of_both_labels() -> None:
    shares = RANDOM.random(400)
    twice = np.concatenate([FEATURES, FEATURES], axis=1)
    labels, weights = np.repeat([1.0, 0.0], 400), np.concatenate([WEIGHTS * shares, WEIGHTS * (1 - shares)])
    found, offset = fit_logistic(FEATURES, shares, WEIGHTS)
    assert (found, offset) == (
        pytest.approx(fit_logistic(twice, labels, weights)[0]),
        pytest.approx(fit_logistic(twice, labels, weights)[1]),
    )


def test_a_penalty_draws_coefficients_to_its_prior() -> None:
    assert fit_logistic(FEATURES, LABELS, WEIGHTS, prior=0.3, penalty=1e9)[0] == pytest.approx([0.3] * 3, abs=1e-4)


def test_separated_labels_end_without_an_error() -> None:
    column = np.linspace(-1, 1, 20)[None]
    labels = (column[0] > 0).astype(float)
    smoothed = smoothed_targets(labels, np.ones(20))
    assert sorted(set(smoothed)) == pytest.approx([1 / 12, 11 / 12])
    slope, _ = fit_logistic(column, smoothed, np.ones(20))
    assert 1 < slope[0] < 100
    assert np.isfinite(fit_logistic(column, labels, np.ones(20))[0]).all()


def test_a_multinomial_regression_has_no_better_neighbor() -> None:
    features = RANDOM.normal(size=(2, 300, 4))
    truth = softmax(1.5 * features[0] + [0, 0.5, -1, 0], axis=1)
    classes = np.array([RANDOM.choice(4, p=row) for row in truth])
    targets, weights = np.eye(4)[classes], RANDOM.random(300)

    def loss(point: np.ndarray) -> float:
        logits = np.tensordot(point[:2], features, 1) + point[2:]
        return float(-(weights * np.log(softmax(logits, axis=1)[np.arange(300), classes])).sum())

    found = np.concatenate(fit_multinomial(features, targets, weights))
    assert found[:2] == pytest.approx([1.5, 0], abs=0.4)
    assert found[2:].sum() == pytest.approx(0, abs=1e-9)
    neighbors = [loss(found + step * 0.01) for axis in np.eye(6) for step in (axis, -axis)]
    assert loss(found) < min(neighbors)
    slope, offsets = fit_multinomial(features[:1], targets, weights, intercepts=False)
    assert slope[0] > 0.5
    assert offsets.tolist() == [0] * 4


def test_two_classes_are_a_logistic_regression() -> None:
    features = np.stack([np.zeros_like(FEATURES), FEATURES], axis=2)
    found, offsets = fit_multinomial(features, np.stack([1 - LABELS, LABELS], axis=1), WEIGHTS)
    expected, offset = fit_logistic(FEATURES, LABELS, WEIGHTS)
    assert found == pytest.approx(expected, abs=1e-5)
    assert offsets[1] - offsets[0] == pytest.approx(offset, abs=1e-5)


def test_numbers_are_rounded_to_nine_digits() -> None:
    assert rounded([1 / 3, -2e-7 / 3]).tolist() == [0.333333333, -6.66666667e-08]
