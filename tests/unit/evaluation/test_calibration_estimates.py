"""Slope, intercept and skill follow their definitions, and their intervals cover."""

import numpy as np
import pytest
from foldline.evaluation.calibration_estimates import calibration_estimates, class_calibration, score_calibration
from foldline.evaluation.estimates import Rows
from foldline.evaluation.intervals import interval
from foldline.evaluation.reasons import EQUAL_SCORES, FIXED_INTERCEPT, SEPARATED, UNDEFINED
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss


def rows(seed: int, n: int, *, slope: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and scores whose log-odds are the true ones times and plus a number."""
    random = np.random.default_rng(seed)
    truth = random.normal(-2, 1.5, size=(n, 2))
    return (random.random((n, 2)) < expit(truth)).astype(int), expit(slope * truth + shift)


def test_the_numbers_are_those_of_their_definitions() -> None:
    labels, scores = rows(0, 800, slope=2, shift=1)
    weights = np.random.default_rng(1).integers(0, 3, 800).astype(float)
    found = calibration_estimates(labels, scores, Rows.single(800, weights))
    every = {"sample_weight": weights.repeat(2)}
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(scores).reshape(-1, 1), labels.ravel(), **every)
    assert found["slope"].value == pytest.approx(oracle.coef_[0, 0], abs=1e-4)  # type: ignore[union-attr]
    level = found["intercept"].value  # type: ignore[union-attr]
    shifted = expit(logit(scores) + level)
    assert np.average(shifted.ravel() - labels.ravel(), weights=weights.repeat(2)) == pytest.approx(0, abs=1e-9)
    shares = np.average(labels, axis=0, weights=weights)
    briers = [
        sum(brier_score_loss(labels[:, k], values[:, k], sample_weight=weights) for k in range(2))
        for values in (scores, np.tile(shares, (800, 1)))
    ]
    assert found["brier_skill"].value == pytest.approx(1 - briers[0] / briers[1])  # type: ignore[union-attr]


def test_intervals_cover_the_truth() -> None:
    """Groups of four rows with one label and one score: rows would be four times too sure."""
    covered = np.zeros(2)
    for seed in range(200):
        labels, scores = rows(seed, 150, slope=2, shift=1)
        groups = np.arange(150).repeat(4)
        found = score_calibration(labels.repeat(4, 0), scores.repeat(4, 0), Rows.of(groups.tolist()), confidence=0.9)
        assert found.slope is not None
        assert found.slope.low is not None
        assert found.slope.high is not None
        covered += [found.slope.low <= 0.5 <= found.slope.high, True]
    assert 0.84 <= covered[0] / 200 <= 0.95


def test_the_share_of_positives_has_no_skill_and_rare_positives_none_by_themselves() -> None:
    labels = (np.arange(1000) < 18).astype(int)[:, None]
    found = calibration_estimates(labels, np.full((1000, 1), 0.018), Rows.single(1000))
    assert found["brier_skill"].value == pytest.approx(0, abs=1e-12)  # type: ignore[union-attr]
    noise = np.random.default_rng(0).random((1000, 1)) * 0.036
    assert calibration_estimates(labels, noise, Rows.single(1000))["brier_skill"].value < 0.01  # type: ignore[union-attr]


def test_one_label_has_no_calibration() -> None:
    found = score_calibration(np.zeros((9, 1), int), np.full((9, 1), 0.1), Rows.single(9), confidence=0.95)
    assert found.slope is not None
    assert (found.slope.value, found.slope.reason) == (None, UNDEFINED)
    assert found.error == pytest.approx(0.1)


def exclusive(seed: int, n: int, *, slope: float = 1.0, shift: tuple[float, ...] = (0, 0, 0)) -> tuple:
    """Labels and probabilities of three classes whose log-probabilities are the true ones times and plus numbers."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=(n, 3)) * 1.5 + np.array([1, 0, -1])
    labels = np.eye(3, dtype=int)[[random.choice(3, p=row) for row in softmax(truth, axis=1)]]
    return labels, softmax(slope * truth + np.array(shift), axis=1)


def test_classes_that_exclude_each_other_have_one_slope_and_an_intercept_each() -> None:
    """Scores of classes 0 and 2 that are wrong in opposite directions: together they have no wrong level."""
    labels, scores = exclusive(0, 4000, slope=2, shift=(1, 0, -1))
    found = score_calibration(labels, scores, Rows.single(4000), confidence=0.95, exclusive=True)
    assert found.slope is not None
    assert found.intercept is not None
    assert found.slope.value == pytest.approx(0.5, abs=0.04)
    assert found.slope.low < 0.5 < found.slope.high  # type: ignore[operator]
    assert (found.intercept.value, found.intercept.reason) == (None, FIXED_INTERCEPT)
    logs = np.log(scores)
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(logs - logs[:, :1], labels.argmax(axis=1))
    assert oracle.coef_[2, 2] - oracle.coef_[0, 2] == pytest.approx(found.slope.value, abs=0.1)
    of_class = [
        class_calibration(labels[:, k], scores[:, k], Rows.single(4000), confidence=0.95).intercept for k in range(3)
    ]
    assert of_class[0].high < 0 < of_class[2].low  # type: ignore[operator]
    right = exclusive(1, 4000)
    for k in range(3):
        one = class_calibration(right[0][:, k], right[1][:, k], Rows.single(4000), confidence=0.999)
        assert one.intercept.low < 0 < one.intercept.high  # type: ignore[operator]


def test_a_class_without_rows_changes_no_slope() -> None:
    labels, scores = exclusive(2, 500)
    rest = labels[:, 2] == 0
    with_it = calibration_estimates(labels[rest], scores[rest], Rows.single(int(rest.sum())), exclusive=True)
    pair = scores[rest, :2] / scores[rest, :2].sum(axis=1, keepdims=True)
    alone = calibration_estimates(labels[rest, :2], pair, Rows.single(int(rest.sum())), exclusive=True)
    binary = calibration_estimates(labels[rest, :1], pair[:, :1], Rows.single(int(rest.sum())))
    for other in (alone, binary):
        assert with_it["slope"].value == pytest.approx(other["slope"].value, abs=1e-5)  # type: ignore[union-attr]
        variance = other["slope"].variance  # type: ignore[union-attr]
        assert with_it["slope"].variance == pytest.approx(variance, rel=1e-3)  # type: ignore[union-attr]


def test_the_interval_of_the_common_slope_covers() -> None:
    covered = 0
    for seed in range(120):
        labels, scores = exclusive(seed, 120, slope=2)
        groups = np.arange(120).repeat(3)
        found = calibration_estimates(labels.repeat(3, 0), scores.repeat(3, 0), Rows.of(groups), exclusive=True)
        low, high = interval(found["slope"], None, confidence=0.9)  # type: ignore[arg-type, misc]
        covered += low <= 0.5 <= high
    assert 0.83 <= covered / 120 <= 0.97


@pytest.mark.parametrize("exclusive_classes", [False, True])
def test_scores_without_a_slope_have_a_reason(exclusive_classes: bool) -> None:
    labels = np.eye(2, dtype=int)[np.arange(40) % 2]
    equal = calibration_estimates(labels, np.full((40, 2), 0.5), Rows.single(40), exclusive=exclusive_classes)
    assert equal["slope"] == EQUAL_SCORES
    sure = calibration_estimates(labels, 0.1 + 0.8 * labels, Rows.single(40), exclusive=exclusive_classes)
    assert sure["slope"] == SEPARATED
    nearly = labels.copy()
    nearly[:2] = nearly[:2, ::-1]
    found = calibration_estimates(nearly, 0.1 + 0.8 * labels, Rows.single(40), exclusive=exclusive_classes)
    assert not isinstance(found["slope"], str)
