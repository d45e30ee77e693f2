"""Calibration maps are those of their authors, and bring probabilities closer to the shares of positives."""

import json
from typing import Any

import numpy as np
import pytest
from foldline.evaluation.calibrators import CALIBRATIONS, Calibrator, calibrate, fit_calibrator
from scipy.special import expit, logit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

METHODS = CALIBRATIONS[1:]
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.normal(-2, 1.5, size=(2000, 2))
LABELS = (RANDOM.random(TRUTH.shape) < expit(TRUTH)).astype(float)
# Too extreme, and shifted.
VALUES = expit(2 * TRUTH + 1)
ONES = np.ones(len(TRUTH))
EXCLUSIVE = np.eye(3)[[RANDOM.choice(3, p=row) for row in softmax(TRUTH @ [[1, 0, -1], [0, 1, -1]], axis=1)]]
SOFTMAX_VALUES = softmax(3 * TRUTH @ [[1, 0, -1], [0, 1, -1]] + [0, 1, 0], axis=1)


def loss(labels: np.ndarray, values: np.ndarray) -> float:
    return float(-(labels * np.log(values) + (1 - labels) * np.log(1 - values)).mean())


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrated_score_has_a_lower_log_loss_on_other_rows(method: str) -> None:
    some, others = slice(0, 1000), slice(1000, None)
    fitted = fit_calibrator(method, VALUES[some], LABELS[some], ONES[some], "sigmoid")
    assert loss(LABELS[others], calibrate(VALUES[others], fitted, "sigmoid")) < loss(LABELS[others], VALUES[others])
    fitted = fit_calibrator(method, SOFTMAX_VALUES[some], EXCLUSIVE[some], ONES[some], "softmax")
    found = calibrate(SOFTMAX_VALUES[others], fitted, "softmax")
    assert found.sum(axis=1) == pytest.approx(1)
    assert log_loss(EXCLUSIVE[others], found) < log_loss(EXCLUSIVE[others], SOFTMAX_VALUES[others])


@pytest.mark.parametrize("method", CALIBRATIONS)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_calibration_survives_json(method: str, activation: str) -> None:
    values, labels = (VALUES, LABELS) if activation == "sigmoid" else (SOFTMAX_VALUES, EXCLUSIVE)
    fitted = fit_calibrator(method, values, labels, ONES, activation)
    again = Calibrator.from_json(json.loads(json.dumps(fitted.as_json())))
    assert again == fitted
    assert (calibrate(values, again, activation) == calibrate(values, fitted, activation)).all()


def test_platt_scaling_is_that_of_scikit_learn() -> None:
    class Scores(LogisticRegression):
        def decision_function(self, values: Any) -> Any:
            return values[:, 0]

    logits = logit(VALUES[:, :1])
    model = FrozenEstimator(Scores().fit(logits, LABELS[:, 0]))
    oracle = CalibratedClassifierCV(model, method="sigmoid", ensemble=False).fit(logits, LABELS[:, 0])
    fitted = fit_calibrator("platt", VALUES, LABELS, ONES, "sigmoid")
    expected = oracle.predict_proba(logits)[:, 1]
    assert calibrate(VALUES, fitted, "sigmoid")[:, 0] == pytest.approx(expected, abs=1e-4)


def test_isotonic_regression_is_that_of_scikit_learn() -> None:
    weights = RANDOM.integers(0, 3, len(VALUES)).astype(float)
    fitted = fit_calibrator("isotonic", VALUES, LABELS, weights, "sigmoid")
    limit = 1 / (weights.sum() + 2)
    oracle = IsotonicRegression(y_min=limit, y_max=1 - limit, out_of_bounds="clip")
    oracle.fit(VALUES[:, 1], LABELS[:, 1], sample_weight=weights)
    tested = np.stack([np.linspace(0, 1, 999)] * 2, axis=1)
    # Numbers are rounded to nine digits, which moves steps.
    difference = np.abs(calibrate(tested, fitted, "sigmoid")[:, 1] - oracle.predict(tested[:, 1]))
    assert np.quantile(difference, 0.99) < 1e-6


def test_beta_calibration_has_slopes_of_at_least_0() -> None:
    fitted = fit_calibrator("beta", VALUES, LABELS, ONES, "sigmoid")
    assert min(fitted.slopes + fitted.complement_slopes) >= 0
    # It undoes log-odds that are twice as large and shifted by 1, as Platt scaling does.
    assert calibrate(VALUES, fitted, "sigmoid") == pytest.approx(expit(TRUTH), abs=0.08)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_scores_that_fall_with_the_labels_are_left_as_they_are(method: str, activation: str) -> None:
    values, labels = (1 - VALUES, LABELS) if activation == "sigmoid" else (SOFTMAX_VALUES[:, ::-1], EXCLUSIVE)
    fitted = fit_calibrator(method, values, labels, ONES, activation)
    assert fitted.flat
    found = calibrate(values, fitted, activation)
    if activation == "sigmoid":
        assert fitted.flat == (0, 1)
        assert found == pytest.approx(values, abs=1e-6)
    for number in fitted.flat if method in ("temperature", "platt") else ():
        assert found[:, number] == pytest.approx(values[:, number], abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_equal_scores_are_left_as_they_are(method: str) -> None:
    """A slope of equal rows is an intercept by another name, and would tell folds apart."""
    for value in (0.3, 0.5, 0.7):
        fitted = fit_calibrator(method, np.full((90, 1), value), LABELS[:90, :1], np.ones(90), "sigmoid")
        assert fitted.flat == (0,)
        assert calibrate(np.full((90, 1), value), fitted, "sigmoid")[:, 0] == pytest.approx(np.full(90, value))
    beside = np.stack([VALUES[:, 0], np.full(len(VALUES), 0.7)], axis=1)
    if method != "temperature":
        assert fit_calibrator(method, beside, LABELS, ONES, "sigmoid").flat == (1,)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_rows_never_turns_around(method: str) -> None:
    """Noise, which half of the time falls with the labels by chance."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        values = np.sort(random.random((300, 1)), axis=0)
        labels = (random.random((300, 1)) < 0.3).astype(float)
        found = calibrate(values, fit_calibrator(method, values, labels, np.ones(300), "sigmoid"), "sigmoid")
        assert (np.diff(found[:, 0]) >= -1e-12).all()
        assert found[0] < found[-1]


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_a_map_without_a_class_leaves_it_as_it_is(method: str) -> None:
    fitted = fit_calibrator(method, VALUES, LABELS, ONES, "sigmoid")
    found = calibrate(VALUES, fitted.without({1}), "sigmoid")
    assert found[:, 0] == pytest.approx(calibrate(VALUES, fitted, "sigmoid")[:, 0])
    assert found[:, 1] == pytest.approx(VALUES[:, 1], abs=1e-6)


def test_temperature_is_one_slope_without_intercept() -> None:
    logits = np.stack([TRUTH[:, 0]] * 2, axis=1)
    labels = (RANDOM.random(logits.shape) < expit(logits)).astype(float)
    fitted = fit_calibrator("temperature", expit(logits * 4), labels, ONES, "sigmoid")
    assert fitted.slopes == pytest.approx([0.25, 0.25], abs=0.02)
    assert fitted.intercepts == (0, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_class_with_one_label_is_not_changed(method: str) -> None:
    labels = np.stack([LABELS[:, 0], np.zeros(len(LABELS))], axis=1)
    fitted = fit_calibrator(method, VALUES, labels, ONES, "sigmoid")
    found = calibrate(VALUES, fitted, "sigmoid")[:, 1]
    if method != "temperature":
        assert found == pytest.approx(VALUES[:, 1], abs=1e-6)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("method", METHODS)
def test_weights_count_as_repeated_rows(method: str) -> None:
    weights = RANDOM.integers(1, 3, len(VALUES))
    repeated = fit_calibrator(
        method, VALUES.repeat(weights, 0), LABELS.repeat(weights, 0), np.ones(weights.sum()), "sigmoid"
    )
    weighted = fit_calibrator(method, VALUES, LABELS, weights.astype(float), "sigmoid")
    assert calibrate(VALUES, weighted, "sigmoid") == pytest.approx(calibrate(VALUES, repeated, "sigmoid"), abs=1e-6)
